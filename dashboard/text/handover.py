"""Which words stand in a handover: of one patient (SBARD) and of a shift?"""

from __future__ import annotations

TITLE = "Handover (SBARD)"
LEAD = "Written from the record. Change what you know better, fill in the decision, and sign."
SECTIONS = {
    "situation": "Situation",
    "background": "Background",
    "assessment": "Assessment",
    "recommendation": "Recommendation",
    "decision": "Decision",
}
HINTS = {
    "situation": "What is happening now",
    "background": "Who this is, and what everybody must know",
    "assessment": "What was measured",
    "recommendation": "What the policy asks for",
    "decision": "What was agreed, with whom, by when",
}
SIGN = "Sign"
COPY = "Copy as text"
COPIED = "Copied."
NOT_COPIED = "The browser does not let pages copy. Mark the text and copy it yourself."
PDF = "PDF"
CORRECT = "Correct"
ANEW = "Write anew from the record"
CHANGED_SINCE = "Something has changed since this was written: compare with the record, or write it anew."
SIGNED = "Signed"
SIGNED_LIST = "Signed handovers"
NONE_SIGNED = "None has been signed yet."
MAY_NOT_SIGN = "Your role may read handovers; it does not include signing them."
SUPERSEDED = "superseded"
CORRECTS = "You are correcting handover"
OVERTAKEN = "Somebody has signed a newer version meanwhile. Look at it first, then correct that one."
EMPTY = "Write something in each of situation, background, assessment and recommendation."
FAILED = "This could not be stored. Nothing is lost; try again."
NOT_FILLED = "Not filled in."
NO_EPISODE = "No alert is open."
NOT_ENROLLED = "On no pathway: no rule watches this person."
NO_SCORE = "The policy has no NEWS2."
NO_VALUES = "Nothing has been observed yet."
NOTHING_COUNTS = "NEWS2: no observation is recent enough to count."
CONDITIONS = "Conditions: not kept in Homeward; add what is known."
NO_STEPS = "No alert is open, so the policy asks for nothing beyond its schedule."
TOO_OLD = "too old to count"
NOT_A_DEVICE = "Homeward is not a medical device."
POLICY_SAYS = "Changed by the author. The policy's own words"
HIGHEST = "Highest NEWS2 of every four hours, over the last 24 hours"

# the shift
SHIFT = "Shift handover"
SHIFT_LEAD = "What happened since the last shift began, for whoever takes over."
SINCE = "Since"
GROUPS = {
    "not_reporting": "Not reporting",
    "new": "New",
    "worse": "Worse",
    "waiting": "Waiting for a response",
    "open": "Open, somebody is on it",
    "better": "Better",
}
GROUP_HINTS = {
    "not_reporting": "Observations, or some of them, are missing for longer than their policy allows",
    "new": "An alert that was not there before",
    "worse": "More severe than at the beginning",
    "waiting": "Open since before, and nobody has taken it on",
    "open": "Open since before",
    "better": "Less severe, or over",
}
REST = "Everybody else"
NOTE = "Note"
NOTE_FOR = "Note for whoever takes over"
GENERAL = "About the shift as a whole"
WAITS = "waiting for a response"
SILENT = "not reporting"
SPANS = {"shift": "This shift", "12h": "12 hours", "24h": "24 hours"}
SPAN = "Which time"
PRINT = "Print"
NO_SITE = "You work for no place that has patients."
CHANGED = "Something has changed since you looked: it is shown now. Read it, then sign."
SHIFT_STALE = "Something has changed since this was written."
OVER = "Over since"
LESS = "Less severe than before: now"
MORE = "More severe than before: it was"
SCORE_NOW = "Last score"
SIGNED_SHIFTS = "Signed shift handovers"


def taken_on(name: str, at: str) -> str:
    """Say who acknowledged an alert, and when."""
    return f"Taken on by {name}, {at}."


def years(count: int, sex: str) -> str:
    """Say how old somebody is."""
    return f"{count} years, {sex}."


def version_of(number: int, version: int) -> str:
    """Name a signed document."""
    return f"Handover {number}, version {version}"


def shift_version(number: int, version: int) -> str:
    """Name a signed shift handover."""
    return f"Shift handover {number}" + (f", version {version}" if version > 1 else "")


def signature(name: str, role: str, at: str) -> str:
    """Say who signed, in which role, and when."""
    return f"Signed by {name} ({role}), {at}"


def rest(count: int) -> str:
    """Say how many have nothing to be told."""
    if not count:
        return "There is nobody else."
    return f"{count} {'other' if count == 1 else 'others'}: no alert in this time."
