"""Which words does a carer read: on the page of residents, the round list, entry by hand and its result?

Words of everyday life. What somebody should do is not here: it comes from the policy.
"""

from __future__ import annotations

RESIDENTS = "Residents"
RESIDENTS_LEAD = "Who needs something now, and who is due for a round."
ROUND = "Round list"
ROUND_LEAD = "Everybody with the time of their next set, to take along. What you write on paper, enter afterwards."
PRINT = "Print"
ROUND_COLUMNS = ("Room", "Name", "Next set", "Last score", "Usual", "Breaths", "Oxygen %", "Air or O₂", "Pressure",
                 "Pulse", "Awake?", "Temp.", "Themselves?")  # fmt: skip
NOW = "Needs something now"
TAKEN = "Somebody is on it"
DUE = "Due for a round"
WELL = "Nothing to do now"
NOBODY_NOW = "Nobody needs anything right now."
NOBODY_DUE = "Nobody is due within the next hour."
NO_RESIDENTS = "No resident is registered here."
I_AM_ON_IT = "I am on it"
DONE = "Done"
WHAT_WAS_DONE = "What did you do?"
SAVE_DONE = "Save"
DONE_FAILED = "This could not be saved. What you wrote is still in the box; try again."
DONE_SAVED = "Saved: done."
GONE = "There is no such resident any more."
CANCEL = "Cancel"
URGENCY = {3: "Emergency", 2: "Urgent", 1: "Look soon"}
PUT_OFF = "Put off until"
AWAY = "Away"
AWAY_UNTIL = "until"
TAKEN_BY = "is on it"
DONE_BY = "Done by"
OBSERVE = "Take observations"
NOT_THEMSELVES = "Not their usual self?"
HANDOVER = "Write a handover"
SINCE = "Since"
NEVER_OBSERVED = "No observations yet"
OVERDUE_SINCE = "Set overdue since"
DUE_AT = "Next set by"
DUE_NOW = "Next set now"
WITHOUT_BREAK = "Keep watching; last set"
USUAL = "usually"

# entry by hand
ENTRY = "Observations"
ENTRY_LEAD = "Fill in what you can. A set may be incomplete: the score then is a range."
KEPT_FOR_CHECKING = "could not be right and was kept aside for checking, not counted"
ANOTHER = "Another set"
BACK_TO_RESIDENTS = "Back to the residents"
WHAT_NEXT = "What to do next"
CARRY_ON = "No alert. Carry on as usual."
FROM_POLICY = "From the policy"
NO_SCORE = "This person's policy has no score; what was entered is stored and watched by its limits."
NOT_ENROLLED = "This person is on no pathway: what was entered is stored, and no rule watches it."
AIR_OR_OXYGEN = "air or oxygen"
USUAL_UNKNOWN = "Their usual score is not recorded."
DECIDES = "This could change what to do; take it if you can:"
THIS_SET = "This set"
SAVE = "Save"
NO_VALUES = "Nothing entered yet"
EARLIER = "With earlier values that still count"
IN_DOUBT = (
    "They are not their usual self, and how awake they are was not entered: what was found before does not count. "
    "Newly confused, or alert? Look again."
)
ONLY_SIGNS = "No score: only how they seem was entered."
MAY_NOT_ENTER = "Your role does not include entering observations."
SIGNS = (
    "Sleepier, or harder to wake",
    "More confused, restless or withdrawn",
    "Eating or drinking less",
    "New or worse pain",
    "Weaker, unsteady or moving less",
    "Breathing differently, or coughing",
    "Colour, hands or feet look different",
    "Hot, cold or shivering",
    "Passing less water, or it has changed",
    "Sick, or loose stools",
)

AWARENESS_SIGNS = (0, 1)
"""Which of the signs say something of how awake somebody is."""

# for the form in the browser, by the name under which entry.js asks for them
FORM = {
    "themselves": "Are they their usual self?",
    "yes": "Yes",
    "no": "No, not their usual self",
    "what_changed": "What is different?",
    "remark": "Anything else (optional)",
    "breathing": "Breathing",
    "count": "Count breaths for",
    "seconds": "s",
    "tap": "Tap at each breath",
    "left": "s left",
    "again": "Count again",
    "counted": "breaths counted",
    "breaths": "Breaths a minute",
    "oxygen": "Oxygen",
    "spo2": "Oxygen saturation",
    "breathes": "Breathing",
    "air": "Air",
    "on_oxygen": "Oxygen",
    "pressure": "Blood pressure",
    "bp_systolic": "Upper number",
    "bp_diastolic": "Lower number",
    "pulse": "Pulse",
    "temperature": "Temperature",
    "consciousness": "How awake are they?",
    "letters": ["Alert", "Newly confused", "Wakes to voice", "Wakes to pain", "Does not wake"],
    "not_a_number": "is not a number",
    "outside": "You entered",
    "or": "or",
    "keep": "It is right",
    "change": "Change it",
    "swap": "Swap them",
    "crossed": "The upper number must be larger than the lower one. You entered",
    "unclear": "They are sleepier or more confused than usual, and how awake they are is not entered. Newly confused?",
    "confused": "New confusion (C)",
    "alert": "No, alert (A)",
    "cannot_tell": "I cannot tell",
    "answer_first": "Please answer the question that is marked first.",
    "nothing": "Nothing is entered yet.",
    "saving": "Saving…",
    "saved": "Saved.",
    "waits": "No connection. The set is kept on this tablet and sent by itself as soon as there is one.",
    "draft_one": "set not sent",
    "draft_many": "sets not sent",
    "theirs": "of somebody else; they are sent when that person signs in here",
    "send": "Send now",
    "refused": "refused",
    "discard": "Throw away",
    "unsafe": "This browser keeps nothing: do not close the page before the set is sent.",
    "discard_sure": "Throw this set away? It was not stored.",
}


def between(lower: float, upper: float, missing: list[str]) -> str:
    """Say where an incomplete score lies, and for want of what."""
    verb = "is" if len(missing) == 1 else "are"
    return f"NEWS2 between {lower:.0f} and {upper:.0f}; {listed(missing)} {verb} missing"


def listed(words: list[str]) -> str:
    """Write several things as people say them: ``pulse, temperature and respiration rate``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def against_usual(usual: int, above: int, *, complete: bool) -> str:
    """Compare a score with the usual one; of an incomplete set only what is certain."""
    known = f"Their usual score is {usual}"
    if above > 0:
        return f"{known}: this is {'' if complete else 'at least '}{above} above it."
    if not complete:
        return f"{known}."
    return f"{known}: this is {f'{-above} below it' if above else 'the same'}."


def more(count: int) -> str:
    """Say that a group goes on."""
    return f"{count:,} more in this group: the triage list shows everybody."


def too_many(most: int) -> str:
    """Say that a place is too large for this page."""
    return f"Only the first {most:,} by room are looked at here: use the triage list for a place as large as this."


def values_saved(count: int) -> str:
    """Say how much was stored."""
    return f"{count} value saved" if count == 1 else f"{count} values saved"
