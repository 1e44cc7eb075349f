"""Where may a message be sent over HTTP? To public addresses, and to networks that the installation names.

An address that an administrator of one tenant enters must not make this service knock at doors inside the network. The
name is looked up once, what came out is checked, and that very address is connected to: a name that leads elsewhere the
second time gains nothing. Redirects are not followed.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

import httpx

from homeward.notify.failure import DeliveryError

TIMEOUT = httpx.Timeout(10.0, connect=5.0)
# worth trying again: busy, too early, too many
_LATER = frozenset({408, 425, 429})


@dataclass(frozen=True)
class Outgoing:
    """The one door for HTTP."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, networks: Sequence[str]) -> Outgoing:
        """Allow these networks beside the public ones."""
        return cls(tuple(ip_network(network) for network in networks))

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What certificates are checked against; connections are not kept, so that none is used under another name."""
        return ssl.create_default_context()

    def address_of(self, host: str, port: int) -> str:
        """Look a host up and give an address that may be connected to; raises `DeliveryError`."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise DeliveryError("the host's name is not known") from exc
        for *_, sockaddr in found:
            address = ip_address(str(sockaddr[0]).partition("%")[0])
            mapped = getattr(address, "ipv4_mapped", None)
            if mapped is not None:
                address = mapped
            # multicast is "global" to the library
            if (address.is_global and not address.is_multicast) or any(address in n for n in self.networks):
                return str(address)
        raise DeliveryError(
            "the address lies in a private network, which HOMEWARD_MESSAGE_NETWORKS does not allow", permanent=True
        )

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        """Post once; an answer of 2xx is success, whatever its body says."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise DeliveryError("the address is not http:// or https://", permanent=True)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        address = self.address_of(parts.hostname, port)
        target = httpx.URL(url).copy_with(host=address, port=port)
        sent = {"Host": parts.netloc.rpartition("@")[2], "Content-Type": "application/json", **headers}
        try:
            with (
                httpx.Client(verify=self.tls, timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
                # the status is all that counts: a body that never ends is not waited for
                client.stream(
                    "POST", target, content=content, headers=sent, extensions={"sni_hostname": parts.hostname}
                ) as answer,
            ):
                status = answer.status_code
        except httpx.TimeoutException as exc:
            raise DeliveryError("no answer in time") from exc
        except httpx.HTTPError as exc:
            raise DeliveryError(f"no connection ({type(exc).__name__})") from exc
        if not 200 <= status < 300:
            raise DeliveryError(f"it answered {status}", permanent=300 <= status < 500 and status not in _LATER)
