"""How does the MQTT client read and write without a system call for every few bytes?

paho asks its socket for one byte, then for the next few, then for the rest of a packet, and sends each PUBACK by
itself: about five calls a message, half of what a message costs. This stands between: it reads what is there into a
buffer, and collects what is to be sent until `flush`.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import paho.mqtt.client as mqtt

_CHUNK = 65_536
_FAREWELL_S = 2.0


class BufferedSocket:
    """A non-blocking socket that reads ahead once for each `refill` and sends on `flush`."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain
        self._read = b""
        self._position = 0
        self._refills = 1
        self._out = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def recv(self, size: int) -> bytes:
        """Give up to ``size`` bytes of what was read ahead."""
        if self._position >= len(self._read):
            if not self._refills:
                raise BlockingIOError
            self._refills -= 1
            self._read, self._position = self._plain.recv(_CHUNK), 0
        found = self._read[self._position : self._position + size]
        self._position += len(found)
        return found

    def refill(self) -> None:
        """Allow one more read from the network."""
        self._refills = 1

    @property
    def has_more(self) -> bool:
        """Whether bytes are here that the network will not announce again."""
        if self._position < len(self._read):
            return True
        pending = getattr(self._plain, "pending", None)  # inside TLS
        if pending is not None and pending():
            self.refill()
            return True
        return False

    def send(self, packet: bytes | bytearray) -> int:
        """Keep a packet for the next `flush`."""
        self._out += packet
        return len(packet)

    def flush(self) -> bool:
        """Send what was kept; say whether something is left because the network is full."""
        if self._out:
            with contextlib.suppress(BlockingIOError):
                del self._out[: self._plain.send(self._out)]
        return bool(self._out)

    def close(self) -> None:
        """Send what is kept and wait for the other side, so that what was confirmed is not lost with the connection.

        Closing with unread bytes would reset it, and the broker would then discard PUBACKs that it has not read yet.
        """
        with contextlib.suppress(OSError):
            self._plain.settimeout(_FAREWELL_S)
            if self._out:
                self._plain.sendall(self._out)
                self._plain.shutdown(socket.SHUT_WR)
                while self._plain.recv(_CHUNK):
                    pass
        self._plain.close()


class BufferedClient(mqtt.Client):
    """paho's client over a `BufferedSocket`."""

    def _create_socket(self) -> Any:
        return BufferedSocket(super()._create_socket())

    @property
    def wire(self) -> BufferedSocket | None:
        """The socket; None while there is no connection."""
        found = self.socket()
        return found if isinstance(found, BufferedSocket) else None
