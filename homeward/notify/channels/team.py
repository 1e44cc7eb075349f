"""How does a message reach a team's chat, such as Teams or Slack? Through apprise, by an address that is a secret.

Of apprise's services those are used whose server is a fixed one, and those on a server of one's own whose address can
be checked as a webhook's is. Others, such as ones that run a program here, are refused.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

import apprise

from homeward.notify.failure import DeliveryError
from homeward.notify.message import Message
from homeward.notify.outgoing import Outgoing

FIXED = frozenset(
    {"slack", "msteams", "discord", "gchat", "pagerduty", "opsgenie", "pover", "tgram", "victorops", "webexteams"}
)
OWN_SERVER = frozenset(
    {"json", "jsons", "mmost", "mmosts", "rocket", "rockets", "workflow", "workflows", "gotify", "gotifys"}
)
# it logs addresses, which are secrets here
logging.getLogger("apprise").setLevel(logging.CRITICAL)


def check(address: str) -> str:
    """Give what is wrong with an address in words, or nothing."""
    scheme = urlsplit(address).scheme.lower()
    if scheme not in FIXED | OWN_SERVER:
        return f"{scheme or 'no'}:// is not among the services: {', '.join(sorted(FIXED | OWN_SERVER))}"
    return "" if apprise.Apprise.instantiate(address) is not None else f"this is no complete {scheme}:// address"


def send(outgoing: Outgoing, address: str, message: Message) -> None:
    """Send it once; apprise says only whether it worked."""
    parts = urlsplit(address)
    way = None if check(address) else apprise.Apprise.instantiate(address)
    if not isinstance(way, apprise.NotifyBase):
        raise DeliveryError("the service's address cannot be used", permanent=True)
    if parts.scheme.lower() in OWN_SERVER:
        outgoing.address_of(parts.hostname or "", parts.port or 443)
    # an answer that leads elsewhere would lead past the look at this address, which could ask to be followed
    way.redirects = False
    service = apprise.Apprise()
    service.add(way)
    try:
        done = service.notify(title=message.subject, body=f"{message.text}\n\n{message.key}")
    except Exception as exc:  # the services behind it raise what they like
        raise DeliveryError(f"the service failed ({type(exc).__name__})") from exc
    if not done:
        raise DeliveryError("the service did not take it")
