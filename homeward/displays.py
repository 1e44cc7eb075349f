"""How does a display on a wall get a login with which it hears one site's alerts and nothing else?"""

from __future__ import annotations

import re
from typing import Any

from homeward import provisioning
from homeward.provisioning import Connection, ProvisioningError
from homeward.reporting import addresses
from schemas.database import acting_for
from schemas.topic import site_alerts_topic

PREFIX = "homeward-display-"
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,40}\Z")


def give_login(connection: Connection, organisation: int, code: str, site: str) -> dict[str, Any]:
    """Make the login, or give a known display another password; none where the broker is not ours to manage."""
    if not _CODE.match(code):
        raise ProvisioningError(f"Display {code!r}: use small letters, digits and hyphens, at most 41 of them.")
    with acting_for(connection, organisation):
        known = {s["name"]: int(s["site_id"]) for s in provisioning.run(connection, "sites", organisation=organisation)}
    if site not in known:
        raise ProvisioningError(f"There is no site {site!r}; there are: {', '.join(known) or 'none'}.")
    topic, user, password = site_alerts_topic(known[site]), PREFIX + code, provisioning.new_password()
    with addresses(broker=True).accounts() as accounts:
        if accounts is None:
            return {"display": code, "topic": topic, "user": None, "password": None}
        accounts.add_display(user, password, topic)
    return {"display": code, "topic": topic, "user": user, "password": password}
