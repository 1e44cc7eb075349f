"""The words of the page "Audit": what each action is called, and what an entry's details are called."""

from __future__ import annotations

AUDIT = "Audit"
LEAD = (
    "Who looked at what and who changed what, the latest first. Nothing here can be changed or removed. Times are "
    "those of {zone}."
)
COLUMNS = ("When", "Who", "What", "About", "Details")
ANYBODY = "Anybody"
ANYTHING = "Anything"
BY_WHOM = "By whom"
ACTION = "What"
ABOUT_PATIENT = "About which patient"
PATIENT_HINT = "NHS number, or the number here"
FROM_DAY, TO_DAY = "From", "To and including"
NOBODY = "No patient of this organisation has this NHS number."
NOT_A_NUMBER = "Type the ten digits of an NHS number, or the patient's number here."
BACKWARDS = "The last day lies before the first."
EARLIER, LATER = "Earlier entries", "Later entries"
PAGE = "Page {number}"
CSV = "Download as CSV"
DOWNLOADED = "Entries in the file: {count}, all that match. That it was made is an entry itself."
CUT = (
    "The file has the latest {count} entries that match, and there are more: choose a shorter time for the others. "
    "That it was made is an entry itself."
)
VERIFY = "Verify the log"
INTACT = "{entries} entries, none changed. Last hash {hash}. Keep it: the next verification must find it again."
BROKEN = (
    "Entry {entry} was changed, or one before it removed. {entries} before it are intact. Tell the data protection "
    "officer."
)
NO_ENTRIES = "No entry matches. Choose another person, action or time."
COMMAND_LINE = "Command line or service"
EMERGENCIES = "Opened in an emergency"

ACTIONS = {
    "account_added": "Added an account",
    "account_changed": "Changed an account's name or rights",
    "account_disabled": "Disabled an account",
    "account_enabled": "Enabled an account again",
    "call_recorded": "Recorded a call",
    "channel_added": "Set a channel for messages up",
    "channel_retired": "Removed a channel for messages",
    "contact_added": "Added an address of their own",
    "contact_changed": "Chose what their own address is told",
    "contact_confirmed": "Confirmed an address of their own",
    "contact_removed": "Removed an address for messages",
    "contact_vouched": "Entered an address of somebody for messages, and vouched for it",
    "device_added": "Registered a device",
    "device_assigned": "Gave a device to a patient",
    "device_login_renewed": "Renewed a device's login",
    "device_placed": "Put a device at a site",
    "device_retired": "Retired a device",
    "device_token_made": "Made a device's token",
    "device_token_voided": "Voided a device's token",
    "device_unassigned": "Took a device back",
    "device_zone_set": "Set a device's time zone",
    "done": "Said what was done for a resident",
    "emergency_access": "Opened a patient in an emergency",
    "emergency_access_failed": "Tried to open a patient in an emergency, and found nobody",
    "entered_by_hand": "Entered observations by hand",
    "episode_acknowledged": "Took an alert on",
    "episode_released": "Gave an alert back",
    "episode_reset": "Reset an alert that was over",
    "episode_resumed": "Ended a snooze",
    "episode_snoozed": "Snoozed an alert",
    "exported": "Took a file along",
    "handover_signed": "Signed a handover",
    "history_imported": "Imported history",
    "identity_linked": "Linked a sign-in through the provider",
    "identity_rule_added": "Added a rule for accounts",
    "identity_rule_removed": "Removed a rule for accounts",
    "identity_unlinked": "Unlinked the sign-in through the provider",
    "ladder_published": "Put a ladder in force",
    "looked_at": "Looked at",
    "note_written": "Wrote a note",
    "override_set": "Set a patient's own limits",
    "password_link_made": "Made a link to choose a password",
    "password_not_confirmed": "Gave a wrong password for a change of their own account",
    "password_set": "Chose a password",
    "patient_discharged": "Discharged a patient",
    "patient_enrolled": "Put a patient on a pathway",
    "patient_moved": "Moved a patient",
    "patient_pause_lifted": "Ended a patient's pause",
    "patient_paused": "Paused a patient",
    "patient_readmitted": "Took a patient into care again",
    "patient_registered": "Registered a patient",
    "phone_added": "Added a patient's telephone",
    "phone_removed": "Removed a patient's telephone",
    "policy_published": "Put a policy in force",
    "quarantine_discarded": "Discarded messages in quarantine",
    "quarantine_replayed": "Replayed messages in quarantine",
    "recovery_code_used": "Signed in with a recovery code",
    "recovery_codes_made": "Made new recovery codes",
    "replayed": "Had an alert scored again",
    "resident_code_given": "Gave a resident a code",
    "resident_code_shown": "Had a resident's code shown",
    "retention": "Deleted what is older than is kept",
    "retention_set": "Set how long observations are kept",
    "rota_published": "Put a rota in force",
    "second_factor_enrolled": "Enrolled a second factor",
    "second_factor_failed": "Gave a wrong code",
    "second_factor_removed": "Removed their second factor",
    "second_factor_required": "Chose which roles need a second factor",
    "second_factor_reset": "Reset somebody's second factor",
    "session_ended": "Ended a sign-in of their own",
    "shift_handover_signed": "Signed a shift handover",
    "shifts_set": "Set when a site's shifts change",
    "sign_in_failed": "Failed to sign in",
    "signed_in": "Signed in",
    "signed_out": "Signed out",
    "simulated_people_registered": "Registered simulated people",
    "site_added": "Added a site",
    "site_changed": "Changed a site",
    "sms_gateway_added": "Added a gateway for text messages",
    "test_message": "Sent a test message",
}

# what an entry is about; a number or name follows where it has one
OBJECTS = {
    "account": "Account",
    "audit": "The audit log",
    "channel": "Channel",
    "contact": "Own address",
    "device": "Device",
    "devices": "The list of devices",
    "episode": "Alert",
    "episodes": "Alerts",
    "observations": "Observations",
    "organisation": "The organisation",
    "pathway": "Pathway",
    "patient": "Patient",
    "patients": "Several patients",
    "quarantine": "The quarantine",
    "residents": "The residents of a home",
    "round_list": "The round list",
    "rule": "Rule",
    "shift": "The shift handover",
    "site": "Site",
    "triage": "The triage list",
}

DETAILS = {
    "account": "Account",
    "action": "Action",
    "address": "Address, in part",
    "agent": "Program",
    "causes": "Causes",
    "devices": "Devices",
    "episode": "Alert",
    "episodes": "Alerts",
    "messages": "Messages",
    "method": "By",
    "minutes": "Minutes",
    "number": "No.",
    "patient": "Patient",
    "patients": "Patients",
    "role": "Role",
    "role_before": "Role before",
    "search": "Searched for",
    "since": "From",
    "site": "Site",
    "site_before": "Site before",
    "sites": "Sites",
    "until": "Until",
    "user": "User of the device",
    "version": "Version",
    "what": "Where",
}

# pages and files, as the detail "where" names them
WHERE = {
    "audit_log": "the audit page",
    "csv": "a file of observations",
    "device": "the page of a device",
    "devices": "the list of devices",
    "fhir": "FHIR",
    "handovers": "signed handovers",
    "observe": "the entry of observations",
    "page": "the patient's page",
    "panel": "the panel beside the triage list",
    "patient": "the patient's page",
    "patient_handover": "the handover",
    "registration": "a registration",
    "residents": "the residents' page",
    "round_list": "the round list",
    "search": "a search",
    "shift": "the shift handover",
    "shift_draft": "the draft of a shift handover",
    "shift_handovers": "signed shift handovers",
    "triage": "the triage list",
}


def plain(name: str) -> str:
    """Write a word of the program as people do."""
    return name.replace("_", " ").strip().capitalize()


def action(name: str) -> str:
    """Say what was done."""
    return ACTIONS.get(name, plain(name))


def numbered(kind: str, number: int | str) -> str:
    """Name something whose name this person does not see, or that has none."""
    return f"{OBJECTS.get(kind, plain(kind))} no. {number}"


def more(count: int) -> str:
    """Say how many are not named."""
    return f"and {count} more"
