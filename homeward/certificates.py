"""Until when do the certificates hold by which hubs know the broker, browsers the pages, and the broker its devices?

Those of the private broker are read from its folder, whether it runs or not. Of somebody else's broker, and of the
proxy before the pages, the certificate is the one that is shown to whoever connects.
"""

from __future__ import annotations

import ssl
from datetime import datetime
from urllib.parse import urlsplit

from cryptography import x509

from homeward.installation import Addresses
from homeward.local.errors import SetupError
from schemas.certificates import Certificate, Holder

ANSWER_S = 3.0


def certificates(addresses: Addresses) -> list[Certificate]:
    """List every certificate that an installation depends on: the authority's, the servers', and the devices'.

    Raises
    ------
    SetupError
        Where one cannot be read; the message says which and what to do.
    """
    found = _of_private_broker(addresses) if addresses.broker is not None else _of_other_broker(addresses)
    pages = urlsplit(addresses.settings.public_url or "")
    if pages.scheme == "https":
        found.append(_shown(Holder.PAGES, pages.hostname or "", pages.port or 443))
    return found


def _of_private_broker(addresses: Addresses) -> list[Certificate]:
    broker = addresses.broker
    if broker is None or not broker.has_started:
        return []
    authority = broker.authority
    return [
        Certificate(Holder.AUTHORITY, "", _end_of(authority.certificate)),
        Certificate(Holder.BROKER, f"{broker.hubs.host}:{broker.hubs.port}", _end_of(broker.server_certificate)),
        *(Certificate(Holder.DEVICE, code, _end_of(pem)) for code, pem in authority.in_use()),
    ]


def _of_other_broker(addresses: Addresses) -> list[Certificate]:
    if not addresses.hubs_use_tls:
        return []
    where = addresses.hub_address()
    return [_shown(Holder.BROKER, where.host, where.port)]


def _shown(holder: Holder, host: str, port: int) -> Certificate:
    """Look at the certificate that a server shows, whoever signed it."""
    try:
        pem = ssl.get_server_certificate((host, port), timeout=ANSWER_S)
    except (OSError, ValueError) as failed:
        raise SetupError(
            f"The certificate at {host}:{port} cannot be seen ({getattr(failed, 'strerror', None) or failed}); "
            "check the address, and that a server with TLS listens there."
        ) from failed
    return Certificate(holder, f"{host}:{port}", _end_of(pem))


def _end_of(pem: str) -> datetime:
    try:
        return x509.load_pem_x509_certificate(pem.encode()).not_valid_after_utc
    except ValueError as wrong:
        raise SetupError(f"A certificate cannot be read ({wrong}); put its file back from the backup.") from wrong
