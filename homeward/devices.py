"""How does a registered device get its login at the broker, and lose it?"""

from __future__ import annotations

import secrets
from typing import Any

import psycopg

from device_sim.provisioning import topic_of
from homeward import provisioning
from homeward.reporting import addresses


def give_login(
    connection: psycopg.Connection[Any], organisation: int, code: str, hub: str | None
) -> dict[str, str | None]:
    """Make a login with a password that is kept nowhere, and let the device's hub use its topic too.

    A hub's login reaches the topics of the devices that it speaks for. Where the broker's accounts are not ours, the
    password is None.
    """
    known = provisioning.devices(connection, organisation)
    kind = next(d["kind"] for d in known if d["code"] == code)
    password = secrets.token_urlsafe(24)
    with addresses(broker=True).accounts() as accounts:
        if accounts is None:
            return {"device": code, "topic": topic_of(code), "password": None}
        if kind == "hub":
            accounts.add_hub(code, password, _spoken_for(known, code))
        else:
            accounts.add_device(code, password)
        if hub is not None:
            accounts.allow_hub(hub, _spoken_for(known, hub))
    return {"device": code, "topic": topic_of(code), "password": password}


def take_login(code: str) -> None:
    """Take a device's login away, where the broker's accounts are ours."""
    with addresses(broker=True).accounts() as accounts:
        if accounts is not None:
            accounts.remove(code)


def _spoken_for(known: list[dict[str, Any]], hub: str) -> list[str]:
    return [topic_of(d["code"]) for d in known if d["hub"] == hub and not d["retired"]]
