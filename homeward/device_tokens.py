"""How does a device get a credential for HTTP, and lose it?

Like `homeward.provisioning`: a connection of role ``homeward_admin``, one transaction for one organisation, an entry in
its audit log. The token is shown once; the database keeps its digest.
"""

from __future__ import annotations

import hashlib
import secrets

from homeward.provisioning import Connection, ProvisioningError, audit
from schemas.database import acting_for

PREFIX = "hwd_"


def give_token(connection: Connection, organisation: int, code: str) -> str:
    """Make a device's token; the one that it had is void at once."""
    token = PREFIX + secrets.token_urlsafe(32)
    with acting_for(connection, organisation):
        device = _device(connection, code)
        connection.execute("delete from device_token where device_id = %s", [device])
        connection.execute(
            "insert into device_token (device_id, organisation_id, token_hash) values (%s, %s, %s)",
            [device, organisation, hashlib.sha256(token.encode()).digest()],
        )
        audit(connection, organisation, "device_token_made", f"device:{device}")
    return token


def take_token(connection: Connection, organisation: int, code: str) -> None:
    """Void a device's token."""
    with acting_for(connection, organisation):
        device = _device(connection, code)
        connection.execute("delete from device_token where device_id = %s", [device])
        audit(connection, organisation, "device_token_voided", f"device:{device}")


def _device(connection: Connection, code: str) -> int:
    found = connection.execute("select device_id from device where code = %s and retired_at is null", [code]).fetchone()
    if found is None:
        raise ProvisioningError(f"There is no device {code!r} in use in this organisation.")
    return int(found[0])
