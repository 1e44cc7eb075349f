"""Which words do people read on the triage list and in its panel?"""

from __future__ import annotations

OWNER = "Owner"
OWNERS = {
    "anyone": "Any owner",
    "mine": "Mine",
    "nobody": "Nobody's",
    "somebody": "Somebody's",
    "snoozed": "Snoozed",
}
PATHWAY = "Pathway"
ALL_PATHWAYS = "All pathways"
SELECT = "Select"
CLEAR = "Clear"
SEVERAL = "What to do with the selected patients"
REASON = "Reason, for the record"
SNOOZE = "Snooze"
SNOOZED_UNTIL = "Snoozed until"
SNOOZES = {30: "30 min", 60: "1 h", 120: "2 h", 240: "4 h", 480: "8 h"}
END_SNOOZE = "End snooze"
ACKNOWLEDGE = "Acknowledge"
RELEASE = "Release"
TAKE_OVER = "Take over from"
PANEL = "The selected patient"
OPEN_PAGE = "Open the patient's page"
CLOSE = "Close"
CALL = "Call"
NO_CONTACT = "No contact is recorded for this patient."
OUTCOMES = {"spoke": "Spoke", "no_answer": "No answer", "message": "Left a message"}
RECORD_CALL = "Record the call"
NOTE = "Reason or note"
NOTE_HINT = "Goes with whatever you do next"
SAVE_NOTE = "Save as a note"
LATEST = "Latest"
NOTHING = "Choose a patient."

HELP = "Keys"
HELP_TITLE = "Work the list from the keyboard"
KEYS = (
    ("j", "next patient"),
    ("k", "previous patient"),
    ("o", "look closer, in the panel"),
    ("Enter", "open the patient's page"),
    ("a", "acknowledge"),
    ("x", "select, for several at once"),
    ("s", "snooze"),
    ("n", "write a note"),
    ("c", "call"),
    ("/", "search"),
    ("Esc", "close the panel, clear the selection"),
    ("?", "these keys"),
)
SOUND = "Sound for new red and amber"
SHOW_NEW = "Show what is new"
NO_INTAKE = "No observations are being taken in since"
NO_INTAKE_BODY = "New readings are not on this page. Tell whoever runs Homeward; devices keep what they measure."

# what came of an act
DONE = {
    "acknowledge": "Acknowledged",
    "take_over": "Taken over",
    "release": "Released",
    "snooze": "Snoozed",
    "resume": "Snooze ended",
    "reset": "Reset",
}
HELD_BY = "is with"
NOT_OPEN = "has no open episode that this can be done to any more"
FAILED = "Not stored: the database did not take it. Nothing was changed; try again."
NOTE_SAVED = "Note saved."
CALL_SAVED = "Call recorded."
NOTE_EMPTY = "Write something first."
NO_SUCH_PATIENT = "There is no such patient any more."
CALL_ENTRY = "Call"
