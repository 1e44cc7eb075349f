"""Is a display connected where one is to be told? Looked at once a minute, so that it is known before an alert.

What is published for it is no alert, and a display shows nothing of it; but one that has heard none for some minutes
knows that it is cut off.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from homeward.notify.failure import DeliveryError
from homeward.notify.sql import Connection, run
from homeward.notify.ways import Ways

EVERY = timedelta(minutes=1)
MOST = 200
# one notifier at a time asks the broker
_LOOKS = 0x686F6D64

log = structlog.get_logger()


def look(connection: Connection, ways: Ways, now: datetime) -> int:
    """Look at the sites whose turn it is, in the transaction that is open; give at how many that was."""
    if "wall" not in ways.kinds or not run(connection, "is_first_to_look", lock=_LOOKS)[0]["is_first"]:
        return 0
    sites = [int(row["site_id"]) for row in run(connection, "displays_due", now=now, every=EVERY, most=MOST)]
    if not sites:
        return 0
    try:
        heard = ways.displays(sites)
    except DeliveryError:
        # nobody knows: what was known before grows old, and pages say how old it is
        return 0
    if len(heard) < len(sites):
        log.warning("the broker did not answer for all sites", action="displays_unknown", sites=len(sites) - len(heard))
    run(connection, "displays_seen", sites=list(heard), connected=list(heard.values()), now=now)
    run(connection, "try_displays", sites=[site for site, is_heard in heard.items() if is_heard], now=now)
    return len(sites)
