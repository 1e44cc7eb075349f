"""Which words do those read who look after devices: the list, one device, registering one, and what a hub is told?"""

from __future__ import annotations

LEAD = "Every registered device: whose it is, whether it is online, and when it was last heard."
COLUMNS = ("Device", "Standing", "Patient", "Kind", "Site", "Through", "Battery", "Clock", "Last observation")
FILTERS = {
    "in_use": "In use",
    "offline": "Offline",
    "unassigned": "Not assigned",
    "battery": "Battery low",
    "clock": "Clock wrong",
    "retired": "Retired",
}


def silent(count: int) -> str:
    """Say of how many devices nobody knows whether they are offline."""
    return f"{count:,} not heard of" if count else ""


FILTER_BY = "Which devices to show"
KIND = "Kind"
ALL_KINDS = "All kinds"
NONE = "No device matches. Clear the search or choose another view."
ADD = "Add a device"
BACK = "Back to the devices"

ONLINE, OFFLINE, RETIRED, NEVER = "Online", "Offline", "Retired", "Never heard"
SILENT = "No status heard"
UNREADABLE = "Unreadable status"
EVERYWHERE = "No site"
LOW = "low"

UNKNOWN = "There is no such device, or not at the sites you work for."
STANDING = "How it stands"
FACTS = {
    "kind": "Kind",
    "site": "Site",
    "hub": "Speaks through",
    "standing": "Standing",
    "battery": "Battery",
    "firmware": "Firmware",
    "clock": "Clock",
    "clock_zone": "Clock's time zone",
    "last": "Last observation",
    "excess": "Beyond its share",
    "topic": "Topic",
}
FLOODS = "sends too much"
NO_EXCESS = "nothing"


def excess(parked: int, not_kept: int, when: str) -> str:
    """Say how many messages had to wait, when the last one did, and how many were only counted."""
    waited = f"{parked:,} messages had to wait, the last {when}"
    return f"{waited}; {not_kept:,} more were not kept" if not_kept else waited


PAST = "Whose it was"
PAST_COLUMNS = ("Patient", "User", "From", "Until")
PLACES = "Where it was"
PLACE_COLUMNS = ("Site", "From", "Until")
ALWAYS, STILL = "always", "now"
NEVER_ASSIGNED = "It has been nobody's."
NOT_PLACED = "It has been at no site."

ASSIGN = "Give it to a patient"
ASSIGN_LEAD = (
    "From now on what it sends is this patient's. To claim what is in quarantine, give the span in which it was sent."
)
PATIENT = "Patient"
PATIENT_SEARCH = "Type a name or an NHS number"
PATIENT_NUMBER = "Patient's number"
USER = "User number, on a device that people share"
SINCE, UNTIL = "Since", "Until"
TIME_HINT = "empty: from now on"
UNTIL_HINT = "empty: until further notice"
ASSIGN_ACT = "Give it"
UNASSIGN = "Take it back"
UNASSIGN_LEAD = "From now on it is nobody's, and what it sends waits in quarantine."
UNASSIGN_ACT = "Take it back from everybody"
PLACE = "Move it to a site"
PLACE_ACT = "Move it"
SITE = "Site"
RENEW = "New login"
RENEW_LEAD = (
    "Its old password or certificate is void at once, and its connection ends: it is silent until it has the new one."
)
RENEW_ACT = "Make a new password"
RENEW_CERTIFICATE = "Make a new certificate"
RETIRE = "Retire it"
RETIRE_LEAD = "For good: its login is taken away, it is nobody's, and what still comes from it waits in quarantine."
RETIRE_ACT = "Retire"
CHANGED = {
    "assign": "It is the patient's.",
    "unassign": "It is nobody's now.",
    "place": "It is moved.",
    "zone": "Its clock's time zone is changed.",
    "renew": "It has a new login, shown below.",
    "certificate": "It has a new certificate, shown below.",
    "retire": "It is retired.",
}
NO_PATIENT = "Choose a patient first."
NOT_STORED = "Nothing was changed: the database does not answer. Try again in a moment."

NEW_LEAD = "It gets a login at the broker at once. What it needs to connect is shown once, on this page."
CODE = "Code"
CODE_HINT = "Letters, digits, full stop, underscore, hyphen. No name of anybody; it cannot be changed or used again."
HUB = "The hub that speaks for it"
NO_HUB = "None: it speaks for itself"
SIGNS_IN = "It signs in with"
PASSWORD, CERTIFICATE = "a password", "a certificate"
NEW_ACT = "Add it"
NO_CODE = "Give it a code first."
NO_KIND = "Choose its kind first."
ANOTHER = "Add another"
OPEN = "Open the device"

LOGIN = "What it needs to connect"
LOGIN_LEAD = "Shown once, and kept nowhere. Scan the code with the hub, or take the file to it."
LOGIN_FACTS = {
    "address": "Address",
    "user": "User",
    "password": "Password",
    "topic": "Topic for observations",
    "status_topic": "Topic for the status",
    "ca_sha256": "Fingerprint of the broker's authority (SHA-256)",
}
LOGIN_ELSEWHERE = "The broker's accounts are not Homeward's: make the login there, under this user."
BY_CERTIFICATE = "none: the certificate and its key are in the file"
QR = "QR code with the address, the login, the topic and the authority's fingerprint"
DOWNLOAD = "Take the file"


def patient_number(number: int) -> str:
    """Name a patient whose name this person may not see."""
    return f"Patient {number}"
