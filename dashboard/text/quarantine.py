"""The words of the page "Quarantine"."""

from __future__ import annotations

LEAD = (
    "Messages that could not be understood, belong to nobody or are implausible. Nothing is dropped: they are kept "
    "whole. Mend the cause, then replay them."
)
EMPTY = "Nothing is in quarantine."
TITLES = {
    "unassigned": "Nobody had the device at that time",
    "unknown_device": "Device not registered",
    "not_permitted": "Sent by another than the device's hub",
    "malformed": "Message not readable",
    "wrong_type": "Field not as its format says",
    "too_large": "Message too large",
    "unknown_vital_sign": "Unknown vital sign",
    "unit": "Unit does not convert",
    "missing_time": "No time of observation",
    "time_without_zone": "Time without a zone",
    "ambiguous_time": "Local time that the clocks leave out or repeat",
    "future_time": "Time in the future",
    "too_old": "Too old for live messages",
    "not_final": "Not final, says the sender",
    "summary": "Summary of a span of time",
    "no_value": "Measurement that failed",
    "too_many": "More than the sender's share: read when there is time",
    "not_kept": "More than is kept of one sender in a day",
    "implausible": "Value that no device can measure",
    "contradictory": "Values that exclude each other",
    "unprocessable": "A fault in Homeward",
    "unknown_number": "Text message from an unknown number",
    "unreadable_text": "Text message not understood",
}
NOT_MEND = "Your role may look, and not replay or discard."
FOUND = "In the newest message"
NEWEST = "Look at the newest messages"
MASKED = "Every figure is shown as 0, and free text as x: your role does not see what was observed, nor of whom."
CUT = "Only the beginning is shown."
REPLAY = "Replay"
DISCARD = "Discard"
DISCARD_WHY = "Why they are not wanted"
DISCARD_HINT = "They are kept, with your name, the time and the reason."
ASSIGN = "Assign the device and replay"
ASSIGN_HINT = (
    "To whom did the device belong then? What is replayed appears in that patient's record at the time at which it was "
    "measured; nobody is paged for what can no longer be acted on."
)
ASSIGN_PATIENT = "Patient: type a name or NHS number, and choose"
ASSIGN_USER = "User number of the device (0: it has none)"
ASSIGN_FROM = "From (this computer's local time, such as 22 Nov 2026 08:00)"
ASSIGN_UNTIL = "Until (not included)"
ASSIGN_DO = "Assign and replay"


def title(reason: str) -> str:
    """Write a reason as a heading."""
    return TITLES.get(reason, reason.replace("_", " ").capitalize())


def count(messages: int, observations: int) -> str:
    """Say how much waits."""
    of = "message" if messages == 1 else "messages"
    with_ = "observation" if observations == 1 else "observations"
    return f"{messages:,} {of} with {observations:,} {with_}"


def all_of(word: str, messages: int) -> str:
    """Name an act upon all messages of a cause."""
    return word if messages == 1 else f"{word} all {messages:,}"
