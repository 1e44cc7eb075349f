"""Which English words do the pages about messages, ladders and rotas show?"""

from __future__ import annotations

from collections.abc import Sequence

MESSAGES = "Messages"


def standing(waiting: int, failed: int, oldest: str) -> str:
    """Say how many messages wait and how many could not be delivered."""
    since = f", the oldest for {oldest}" if oldest else ""
    return f"{waiting} waiting to be sent{since}; {failed} could not be delivered in the last 24 hours."


def no_ladder(sites: Sequence[str]) -> str:
    """Say that no ladder is in force here, and at which sites nobody is told."""
    where = f" at {', '.join(sites)}" if sites else ""
    return f"No ladder is in force here: nobody is told of alerts{where}."


def without_ladder(sites: Sequence[str]) -> str:
    """Say of which sites nobody is told."""
    return (
        f"Nobody is told of alerts at {', '.join(sites)}: no ladder is in force there. An administrator publishes one."
    )


def nobody(jobs: int) -> str:
    """Say that alerts wait with nobody to tell."""
    return (
        f"{jobs} alerts reach nobody: nobody is on call, whoever is has no address yet, or there is no ladder. "
        "They are tried again every minute."
    )


# the frame of the four pages
MESSAGES_LEAD = "Who is told of an alert that nobody takes on, by which way, and what became of each message."
PARTS = (
    ("/messages", "Sent"),
    ("/messages/ladders", "Ladders"),
    ("/messages/rotas", "Rotas"),
    ("/messages/channels", "Channels"),
)
PARTS_LABEL = "Parts of messages"
REASON = "Why this change? It is kept with the version."
PUBLISH = "Publish"
PUBLISHED = "Version {version} is in force."
FAILED = "This could not be stored. Nothing was changed; try again."
REMOVE = "Remove"
TEST = "Send a test"
TEST_SENT = "A test message is on its way; its outcome appears under Sent."

WAYS = {
    "email": "E-mail",
    "sms": "Text message",
    "webhook": "Webhook",
    "wall": "Display at the site",
    "apprise": "Team chat",
}
STATES = {
    "waiting": ("Waiting", ""),
    "delivered": ("Delivered", "good"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Not needed", ""),
}
NOT_REACHED = ("Not reached so far", "bad")
PURPOSES = {"alert": "Alert", "test": "Test", "code": "Code"}

# sent
SENT = "Messages sent"
SENT_COLUMNS = ("When", "What", "Site", "To", "Tier", "Outcome")
SENT_EMPTY = "Nothing has been sent yet."
STATUS = "Outcome"
ANY_STATUS = "Any outcome"
FIXED_ADDRESS = "A fixed address"
ATTEMPTS = "{count} attempts"

# one's own
OWN = "Your messages"
OWN_LEAD = "Where you are told of alerts when it is your turn. An address is used once you have confirmed it."
ADDRESSES = "Your addresses"
NO_ADDRESS = "You have no address yet: nobody can reach you. Add one below."
ADD = "Add an address"
KIND = "Kind"
ADDRESS = "Address"
ADDRESS_HINT = "name@trust.example, or 07700 900123"
SEND_CODE = "Send a code"
CODE_SENT = "A code is on its way. Enter it beside the address within 15 minutes."
CODE = "Code"
CONFIRM = "Confirm"
CONFIRMED = "This address is confirmed. You can be told there."
USED = "Tell me here"
CONFIRMED_SINCE = "Confirmed"
VOUCHED = "Entered by {name}"
NOT_CONFIRMED = "Not confirmed yet"
OWN_TEST_SENT = "A test message is on its way. Its outcome appears below."
REMOVED = "The address was removed."
CHANGED = "Saved."
TOLD = "What you were told lately"
TOLD_EMPTY = "Nothing yet."
TOLD_COLUMNS = ("When", "What", "Way", "Outcome")

# ladders
LADDERS_LEAD = "If nobody acknowledges an alert, one tier after the other is told. Red ignores quiet hours."
SITE = "Site"
ORGANISATION = "Whole organisation"
NO_COMMON_LADDER = "The whole organisation has no ladder. Each site has one of its own."
FALLS_BACK = "This site has no ladder of its own; the whole organisation's holds."
VERSION = "Version {version}, {author}, {at}: {reason}"
AT_ONCE = "At once"
AFTER = "After {minutes} min without acknowledgement"
FROM_SEVERITY = "from {severity} on"
ALWAYS = "always"
QUIET = "Quiet hours {hours}: only red is told"
TRY = "Try it"
TRY_SEVERITY = "An alert that is"
TRY_DAY = "raised on"
TRY_TIME = "at"
TRY_NOBODY = "reaches nobody."
TRY_BAD_TIME = "Write the time like 03:00."
TRY_LEAD = "A {severity} alert at {time} on {day}, if nobody acknowledges it:"
REACHES_NOBODY = "nobody can be reached"
CHANGE_LADDER = "Change this ladder"
TIER = "Tier {number}"
TIER_NAME = "Name"
TIER_AFTER = "After minutes"
TIER_SEVERITY = "From severity"
TIER_DAYS = "On days"
TIER_START = "From"
TIER_END = "Until"
TIER_WHO = "Who"
TIER_BY = "People by"
TIER_ADDRESSES = "Fixed addresses"
TIER_ADDRESSES_HINT = "E-mail addresses or telephone numbers, with commas between"
BY = {"chosen": "The ways they have chosen", "email": "E-mail", "sms": "Text message"}
QUIET_FROM = "Quiet from"
QUIET_TO = "Quiet until"
QUIET_LEGEND = "Quiet hours, in which only red is told"
QUIET_HINT = "Both empty: none"
HOURS_HINT = "Both 00:00: all day"
REPEAT_LEGEND = "After the last tier"
REPEAT_MINUTES = "Tell the last tier again every so many minutes"
REPEAT_HINT = "Until somebody acknowledges. Empty: it is told once. What is not red waits for the end of quiet hours."
REPEAT = "The last tier is told again every {minutes} min until somebody acknowledges."
REPEAT_TRIED = "Then {tier} again every {minutes} min, until somebody acknowledges."
REPEAT_NONE = "After the last tier nobody is told again."
BAD_REPEAT = (
    "After the last tier: {given!r} is no number of minutes from 1 to {longest}; leave it empty to tell it once."
)
MIXED = (
    "A program has set up a tier here that tells one person by another way than the next. If you publish from this "
    "form, all people of a tier are told by the same way."
)
EMPTY_TIER = "A tier without a name is left out."
WALL = "Display at the site"
A_PERSON = "{name} ({role})"
A_ROTA = "On call: {name}"
A_CHANNEL = "{way}: {name}"
DAYS = {
    "mon": "Monday",
    "tue": "Tuesday",
    "wed": "Wednesday",
    "thu": "Thursday",
    "fri": "Friday",
    "sat": "Saturday",
    "sun": "Sunday",
}

# rotas
ROTAS_LEAD = (
    "Who is on call when, this week and the next. Shifts may not overlap; what no shift covers is a hole, in which the "
    "next tier is told."
)
ROTA = "Rota"
NEW_ROTA = "A new rota"
NO_ROTAS = "There is no rota yet. Make one below."
ROTA_NAME = "Name of the rota"
WEEKS_OF = "Two weeks from {day}"
EVERY_DAY = "every day"
HOLES = "Nobody is on call: {holes}"
NO_HOLES = "Somebody is on call at every hour of the week."
NOBODY_ON_CALL = "Nobody"
OVERRIDE_MARK = "exception"
CHANGE_ROTA = "Change this rota"
SHIFT = "Shift {number}"
SHIFT_PERSON = "Person"
EXCEPTION = "Exception {number}"
EXCEPTION_FROM = "From, such as 24 Dec 2026 20:00"
EXCEPTION_TO = "Until"
NOBODY_AT_ALL = "Nobody"

# channels
CHANNELS = "Channels"
CHANNELS_LEAD = (
    "Ways of the organisation. Secrets are sealed when they are stored and never shown again. "
    "Messages carry a name only where that is chosen here."
)
CHANNELS_EMPTY = "No channel is set up. E-mail and the display at the site need none."
CHANNEL_COLUMNS = ("Name", "Kind", "Messages carry", "Leads to", "")
CHANNEL_NAME = "Name"
CHANNEL_KIND = "Kind"
CHANNEL_IDENTITY = "Messages carry"
IDENTITIES = {"none": "No identity", "initials": "Initials", "name": "The name"}
CHANNEL_KINDS = {
    "webhook": "Webhook (signed)",
    "apprise": "Teams, Slack and others (apprise)",
    "sms_notify": "Text messages by GOV.UK Notify",
    "sms_gateway": "Text messages by a gateway",
    "email": "E-mail: what it may carry",
}
CHANNEL_URL = "Address"
CHANNEL_URL_HINT = "For a webhook or a gateway: https://…"
CHANNEL_TEMPLATE = "Template's id"
CHANNEL_TEMPLATE_HINT = "For GOV.UK Notify: a template with the one field ((message))"
CHANNEL_SECRET = "Secret"
CHANNEL_SECRET_HINT = "Webhook: the signing secret. Gateway: its token. Notify: the API key. Team chat: slack://…"
ADD_CHANNEL = "Add a channel"
CHANNEL_ADDED = "The channel is set up. Send a test, then name it in a ladder."
CHANNEL_REMOVED = "The channel is out of use."
