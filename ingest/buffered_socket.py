"""How does the MQTT client read and write without a system call, and a dozen Python calls, for every few bytes?

paho asks its socket for one byte, then for the next few, then for the rest of a packet, makes an object of each
message, and sends each PUBACK by itself: two thirds of what a message costs from the broker to the store. This stands
between. It reads ahead, hands plain messages out itself, leaves every other packet to paho one at a time, and collects
what is to be sent until `flush`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt

_CHUNK = 131_072
_FAREWELL_S = 2.0
# PUBLISH with QoS 1; the masked bits say whether it is a repeat, or retained
_PUBLISH, _NOT_MASKED = 0x32, 0xF6
_LEAST = 5
"""Bytes that a message has at least after its length: those of an empty topic, its number, and no properties."""


class Message(NamedTuple):
    """A message without properties, as it is most of the time."""

    topic: str
    packet: int
    payload: bytes


class BufferedSocket:
    """A non-blocking socket that reads ahead on `fill` and sends on `flush`.

    paho is let at one whole packet at a time, so it never holds a part of one when the next is looked at here.
    """

    def __init__(self, plain: Any) -> None:
        self._plain = plain
        self._in, self._at, self._limit = b"", 0, 0
        self._is_over = False
        self._out = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def fill(self) -> None:
        """Read what the network has; a lost connection shows when paho reads next."""
        parts = [self._in[self._at :]]
        try:
            while True:
                chunk = self._plain.recv(_CHUNK)
                self._is_over = not chunk
                parts.append(chunk)
                pending = getattr(self._plain, "pending", None)  # inside TLS, the network will not announce it again
                if self._is_over or pending is None or not pending():
                    break
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError:
            self._is_over = True
        self._in, self._at = b"".join(parts), 0

    def next_message(self) -> Message | None:
        """Give the next packet where it is a plain message; None where it is something else, or not all there.

        Then `has_packet` tells whether paho can read it.
        """
        found = self._packet()
        if found is None or self._in[self._at] & _NOT_MASKED != _PUBLISH:
            return None
        data, (start, end) = self._in, found
        if end - start < _LEAST:
            return None
        topic_end = start + 2 + (data[start] << 8 | data[start + 1])
        # where it is malformed, or has properties, paho takes it apart
        if topic_end + 3 > end or data[topic_end + 2]:
            return None
        try:
            topic = data[start + 2 : topic_end].decode()
        except UnicodeDecodeError:
            return None
        self._at = end
        return Message(topic, data[topic_end] << 8 | data[topic_end + 1], data[topic_end + 3 : end])

    def has_packet(self) -> bool:
        """Say whether there is something for paho to read: one whole packet, or the end; it gets no more than that."""
        found = self._packet()
        self._limit = self._at if found is None else found[1]
        return found is not None or self._is_over

    def _packet(self) -> tuple[int, int] | None:
        """Find where the body of the next packet begins and ends; None where it is not all there."""
        data, position = self._in, self._at + 1
        size = shift = 0
        while True:
            if position >= len(data):
                return None
            digit = data[position]
            position += 1
            size |= (digit & 0x7F) << shift
            if digit < 0x80:
                break
            shift += 7
            if shift > 21:  # no length has five bytes: paho says so and ends the connection
                return position, position
        return (position, position + size) if position + size <= len(data) else None

    def recv(self, size: int) -> bytes:
        """Give paho up to ``size`` bytes of the packet that it may read."""
        end = min(self._at + size, self._limit)
        if end <= self._at:
            if self._is_over:
                return b""
            raise BlockingIOError
        found = self._in[self._at : end]
        self._at = end
        return found

    def send(self, packet: bytes | bytearray) -> int:
        """Keep a packet for the next `flush`."""
        self._out += packet
        return len(packet)

    def confirm(self, packet: int) -> None:
        """Keep the PUBACK of a message for the next `flush`."""
        self._out += b"\x40\x02" + packet.to_bytes(2, "big")

    def flush(self) -> bool:
        """Send what was kept; say whether something is left because the network is full."""
        if self._out:
            with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
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
