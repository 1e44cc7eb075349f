"""What does a device or a hub need to know to send its observations, and in which form does it get it?

Made once, when a device is registered or gets another password; nothing keeps the password or the key afterwards.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

VERSION = 1
_QR_FIELDS = ("version", "device", "host", "port", "user", "password", "ca_sha256", "topic")
"""What fits a code that a telephone reads; the authority's certificate is fetched and compared with the fingerprint."""


class Credentials(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a device connects, as whom, and on which topics it speaks."""

    version: int = VERSION
    device: Annotated[str, msgspec.Meta(description="the device's code; also the user name at the broker")]
    kind: str
    lane: Annotated[int, msgspec.Meta(ge=0, le=15)]
    host: Annotated[str, msgspec.Meta(description="where the broker listens for this way of signing in")]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    tls: Annotated[bool, msgspec.Meta(description="whether the connection is MQTT over TLS")]
    user: str
    password: Annotated[
        str | None, msgspec.Meta(description="null with a certificate, and where the broker's accounts are not ours")
    ] = None
    topic: Annotated[str, msgspec.Meta(description="publish observations here, QoS 1")]
    receipts_topic: Annotated[str, msgspec.Meta(description="subscribe here, and name it as the response topic")]
    status_topic: Annotated[str, msgspec.Meta(description="publish the status here, retained, and as the Last Will")]
    ca_sha256: Annotated[
        str | None, msgspec.Meta(description="SHA-256 of the authority's certificate (DER), in hexadecimal")
    ] = None
    ca_certificate: Annotated[str | None, msgspec.Meta(description="the authority's certificate, PEM")] = None
    certificate: Annotated[str | None, msgspec.Meta(description="the device's own certificate, PEM")] = None
    private_key: Annotated[str | None, msgspec.Meta(description="its key, PEM; null where the device made it")] = None

    def document(self) -> dict[str, Any]:
        """Give everything, for the hub's file."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def qr_text(self) -> str | None:
        """Give the part that goes into a QR code; None with a certificate, whose key is too long for one."""
        if self.certificate is not None:
            return None
        document = self.document()
        return msgspec.json.encode({name: document[name] for name in _QR_FIELDS}).decode()


def credentials_json_schema() -> dict[str, Any]:
    """Give the JSON Schema of the document."""
    return msgspec.json.schema(Credentials)
