"""Which words say who was told of an alert, who was not, and who is told next?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

TOLD = "Who is told"
NEXT = "Next, while nobody is on it:"
AGAIN = "again"
EVERY = "every {minutes} min until somebody acknowledges"
ALL_TOLD = "Every tier had its turn. Nobody is told again by itself."
NOTHING_THROUGH = "No message got through to anybody."
NO_TIER = "The ladder here tells nobody of an alert of this severity."
NO_JOB = "Nobody is told of this alert: it was found in the past."
NOBODY = "Nobody could be told. It is tried again every minute."
WAITS = {
    "until its hours begin": "Nobody is told before {at}, when the hours of the ladder begin.",
    "snoozed": "Nobody is told before {at}: it is snoozed.",
    "collected with others of this site": "Many alerts were raised here at once: they are told together at {at}.",
    "the patient is paused": "Nobody is told while the patient is in hospital or away.",
}
NO_LADDER = "No ladder is in force here: nobody is told of alerts. An administrator publishes one."
NO_NOTIFIER = "Nobody is told of alerts now: the service that sends messages does not run."
UNREADABLE = "its ladder cannot be read"
EARLIER = "{count} messages before these"

# what became of a message, by its way: no more than is known
THROUGH = {
    "email": "taken by the mail server",
    "sms": "taken by the text service",
    "webhook": "taken by its receiver",
    "wall": "sent to the display",
    "apprise": "taken by the chat",
}
BY = {"email": "e-mail", "sms": "text message", "webhook": "webhook", "wall": "display", "apprise": "chat"}
FIXED = "fixed address"
SENDING = "being sent"
NOT_YET = "not reached so far: {why}"
FAILED = "not reached: {why}"
REACHED_NOBODY = "reached nobody"

# why somebody cannot be reached
NO_ADDRESS = "no confirmed address in use"
NO_PERSON = "a person who may no longer sign in"
NO_CHANNEL = "its channel was taken out of use"
NO_ROTA = "its rota cannot be read"
NO_ONE_ON = "nobody is on call"
NO_DISPLAY = "no display is connected at the site since {since}"
UNKNOWN_DISPLAY = "nobody knows whether a display is connected at the site"
NO_BROKER = "no broker is set up that displays are told by"
NO_MAIL_SERVER = "no mail server is set up"
NO_TEXTS = "no way for text messages is set up"


def listed(words: Iterable[str]) -> str:
    """Write several things one after the other."""
    return "; ".join(words)


def tier_reaches_nobody(tier: str, why: str, sites: str = "") -> str:
    """Say that a tier reaches nobody."""
    where = f" at {sites}" if sites else ""
    return f"{tier or 'The ladder'} reaches nobody{where}: {why}."


def others(first: str, listed: Sequence[str], count: int) -> str:
    """Say which alert is told of, and briefly which others wait: ``About: NEWS2 7. 1 more waits: amber, pulse 131.``"""
    waits = "more waits" if count == 1 else "more wait"
    left = f"; and {count - len(listed)} more" if count > len(listed) else ""
    return f"About: {first}. {count} {waits}: {'; '.join(listed)}{left}."


def course(parts: Iterable[str]) -> str:
    """Write how severe it was since when: ``Red since 14:02, amber since 13:10.``"""
    first, *others = parts
    return ", ".join([first, *(other[:1].lower() + other[1:] for other in others)]) + "."


def since(severity: str, at: str) -> str:
    """Write since when it is so severe."""
    return f"{severity} since {at}"
