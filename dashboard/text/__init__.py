"""Which English words do people read on the screens? All of them are here, so that they can be read as one text."""

from __future__ import annotations

from schemas.episode import Severity

BRAND = "Homeward"
ALL_SITES = "All sites"
SITE = "Site"
NAVIGATION = "Main navigation"
CARE = "Care"
RUNNING_IT = "Running"
TRIAGE = "Triage"
RESIDENTS = "Residents"
HANDOVER = "Handover"
DEVICES = "Devices"
QUARANTINE = "Quarantine"
SYSTEM = "System"
SKIP = "Skip to the main content"
MENU = "Open or close the navigation"
THEME = "Switch between light and dark"
PERSON_MENU = "Your account"
SIGN_OUT = "Sign out"
LIVE = "Live"
CONNECTING = "Connecting"
NOT_LIVE_SINCE = "Not live since"
LOST = (
    "Connection lost at {at}. What you see may be out of date; it is asked for again as soon as the connection is back."
)

ROLES = {
    "administrator": "Administrator",
    "clinician": "Clinician",
    "carer": "Carer",
    "technician": "Technician",
    "auditor": "Auditor",
    "read_only": "Read only",
}
SEVERITY = {Severity.NONE: "None", Severity.YELLOW: "Yellow", Severity.AMBER: "Amber", Severity.RED: "Red"}
NO_EPISODE = "No open episode"

# triage: the filters, as the segmented control and the cards show them
FILTERS = {
    "all": "All patients",
    "any": "Any episode",
    "amber_red": "Amber and red",
    "red": "Red",
    "amber": "Amber",
    "yellow": "Yellow",
    "waiting": "Waiting for a response",
    "not_reporting": "Not reporting",
}
SEGMENTS = ("all", "any", "amber_red", "red")
CARDS = ("red", "amber", "yellow", "waiting", "not_reporting")
FILTER_BY = "Which patients to show"
SEARCH = "Search by name or NHS number"
SHORTCUTS = (("j", "next"), ("k", "previous"), ("Enter", "open"), ("a", "acknowledge"), ("/", "search"))
COLUMNS = {
    "severity": "Priority",
    "patient": "Patient",
    "reason": "Reason",
    "news2": "NEWS2",
    "trend": "24 h trend",
    "since": "Open",
    "owner": "Owner",
}
ACKNOWLEDGE = "Acknowledge"
ACKNOWLEDGING = "Acknowledging…"
ACKNOWLEDGED = "Acknowledged"
ACKNOWLEDGE_FAILED = "Not acknowledged: the change could not be stored. Try again."
HELD_BY = "Already acknowledged by"
GONE = "This episode is no longer open."
NO_MATCH = "No patient matches. Clear the search or choose another view."
NONE_OPEN = "Nobody needs attention here: no patient in this view has an open episode."
STATE_UNREADABLE = (
    "The last values of some patients cannot be shown: their state was written by another version of Homeward. "
    "Episodes are complete. An administrator can mend it with `homeward state rebuild`."
)
LOADING = "Loading…"
DAY_HINT = "Such as 6 May 2026"
NOT_A_DAY = "Type a day as day, month and year, such as 6 May 2026."
TROUBLE = "This could not be read from the database. It is tried again with the next update; reload to try now."
INCOMPLETE = "Incomplete observation set: the score lies in this range"
STALE = "older than the policy lets it count"

# the patient page
UNKNOWN_PATIENT = "There is no such patient, or not among the sites you work for."
BACK = "Back to triage"
ALLERGIES = "Allergies"
TARGET = "Target SpO₂"
SCALE = {1: "none set (scale 1)", 2: "88–92 % (scale 2)"}
SCALE_SENTENCE = {1: "SpO₂ scale 1; no target set.", 2: "SpO₂ scale 2; target 88–92 %."}
RESUSCITATION = "Resuscitation"
USUAL_NEWS2 = "Usual NEWS2"
CONTACT = "Contact"
NOT_RECORDED = "Not recorded"
NOT_ENROLLED = "Not enrolled on a pathway"
NO_NHS_NUMBER = "NHS number not recorded"
VITAL_SIGNS = "Vital signs"
SPANS = {"24h": "24 h", "7d": "7 days", "30d": "30 days"}
SPAN = "How far back"
NEWS2 = "NEWS2"
COMPLETE = "complete"
USUAL = "usual"
TIMELINE = "Timeline"
EPISODES = "Open episodes"
NO_OPEN_EPISODES = "No open episode."
ADD_NOTE = "Add a note"
NOTE_PLACEHOLDER = "What was found, what was done"
SAVE_NOTE = "Save note"
NOTE_SAVED = "Note saved."
NOTE_FAILED = "The note could not be saved. It is still in the box; try again."
NOTHING_YET = "Nothing has happened in this time."
NO_OBSERVATIONS = "No observations in this time."
OBSERVATIONS = "Observations"
OBSERVATION_COLUMNS = ("Observed", "Vital sign", "Value", "Quality", "Device", "Received")
FLAG_WORDS = {
    1: "suspected repeat",
    2: "irregular pulse",
    4: "movement",
    8: "cuff fit",
    16: "clock unset",
    32: "too late to score",
    64: "by hand",
    128: "poor signal",
    512: "far from the person's usual",
    256: "body position",
}
SUSPECTED_REPEAT = "Suspected repeat"
OUTSIDE_TIME = "Retrospective: came too late to act on"
EVENT_WORDS = {
    "activated": "Raised",
    "severity": "Severity changed to",
    "resolved": "Resolved",
    "withdrawn": "Withdrawn: later observations showed that it was not so",
    "acknowledged": "Acknowledged",
    "released": "Acknowledgement released",
    "snoozed": "Snoozed",
    "resumed": "Snooze ended",
    "escalated": "Escalated",
    "noted": "Noted",
    "cleared": "Condition over; stays until somebody resets it",
    "reset": "Reset",
}
DEVICE_KINDS = {
    "hub": "Hub",
    "cuff": "Blood pressure cuff",
    "oximeter": "Pulse oximeter",
    "thermometer": "Thermometer",
    "scale": "Scale",
    "glucometer": "Glucometer",
    "monitor": "Monitor",
    "manual": "Entry by hand",
}
SEX = {"female": "female", "male": "male", "other": "other sex", "unknown": "sex not recorded"}

# the other pages
SYSTEM_LEAD = "What each running service last said of itself."
SYSTEM_COLUMNS = ("Service", "Processes", "Started", "Last heard", "State")
SYSTEM_EMPTY = "No service has reported in the last day."
RUNNING = "Running"
SILENT = "Silent"
NOT_FOUND = "This page does not exist."

NOT_A_DEVICE = "Not a medical device."
DEVICE_SEARCH = "Search by device or patient"
NOT_ALLOWED = "Your role does not include this page."

WHY = "Why, by which rule, from which source"
WHY_RULE = "Rule"
WHY_VALUES = "Values"
WHY_MISSING = "Not observed"
WHY_LIMITS = "Limits"
WHY_POLICY = "Policy"
WHY_SOURCE = "Source"
PATIENT = "Patient"
NO_DEVICES = "No device is assigned."
SPEAKS_THROUGH = "through"
NEWEST = "Newest observation of your patients"
ACVPU = {"A": "alert", "C": "new confusion", "V": "responds to voice", "P": "responds to pain", "U": "unresponsive"}
POLICY_VERSION = "policy version"
BLOOD_PRESSURE = "Blood pressure"
OPEN_SINCE = "Open since"
STALE_SHORT = "too old to count"
INCOMPLETE_SHORT = "NEWS2 incomplete"
LEGEND_LIMIT = "limit"
LEGEND_RANGE = "range of several observations"
LEGEND_BOUNDS = "incomplete NEWS2: it lies in this range"
LEGEND_EPISODE = "episode"
CHART_LABEL = "Charts of the vital signs over time; the table of observations below has the same values"
NOTE_BY = "Note by"
NOTE_EMPTY = "Write something first."
GAP = "No observations"
GAP_BODY = "nothing observed until then"
AT_ONCE = "at once"
LATE_S = 120
"""Later than this is told in words [s]."""


def times_in(zone: str) -> str:
    """Say which zone the times are in."""
    return f"Times in {zone}"


def missing(labels: list[str]) -> str:
    """Say what an incomplete score lacks."""
    return "without " + (", ".join(labels[:-1]) + " and " + labels[-1] if len(labels) > 1 else labels[0])


def received(length: str) -> str:
    """Say how much later an observation came."""
    return f"{length} later"


def more_rows(count: int) -> str:
    """Say that a list goes on."""
    return f"{count:,} more: narrow the search to see them."
