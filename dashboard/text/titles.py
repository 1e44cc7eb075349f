"""How is each page called in the browser's tab and history?

A title outlives the sign-in: browsers keep it in their history, show it to whoever sits down next and offer it to
others' screens. So a patient's page is called by the number that its address has anyway, never by a name, a room or an
NHS number; several open ones can still be told apart.
"""

from __future__ import annotations

TRIAGE = "Triage"
RESIDENTS = "Residents"
ROUND = "Round list"
SHIFT = "Shift handover"
PATIENT = "Patient {}"
OBSERVE = "Observations, patient {}"
PATIENT_HANDOVER = "Handover, patient {}"
ENROL = "Register a patient"
EMERGENCY = "Emergency access"
DEVICES = "Devices"
DEVICE_NEW = "Add a device"
DEVICE = "Device {}"
QUARANTINE = "Quarantine"
PEOPLE = "People"
SITES = "Sites"
POLICIES = "Policies"
AUDIT = "Audit log"
MESSAGES = "Messages"
LADDERS = "Ladders of messages"
ROTAS = "Rotas of messages"
CHANNELS = "Channels of messages"
SYSTEM = "System status"
ACCOUNT = "Your account"
OWN_MESSAGES = "Your messages"
NOT_FOUND = "No such page"
NOT_AVAILABLE = "Not available"
