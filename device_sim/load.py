"""How hard can a broker and ingest be driven, without the driver being the slow part?

Messages are encoded before the clock starts, packet numbers included, and go out as raw MQTT 5 frames over a few
connections: paho spends tens of microseconds a message, which would be most of what is to be measured. Run it in a
process of its own (`start`), so that it does not share an interpreter with what it measures.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Self
from urllib.parse import urlsplit

# MQTT 5 (OASIS, 2019): control packet types in the upper four bits.
_CONNECT, _CONNACK, _PUBLISH_QOS1, _PUBACK, _PINGRESP, _DISCONNECT = 0x10, 0x20, 0x32, 0x40, 0xD0, 0xE0
_RECEIVE_MAXIMUM = 0x21
_PACKET_NUMBERS = 65_535
_KEEPALIVE_S = 0  # off: a load run is never silent for long


class LoadError(Exception):
    """The load cannot be put on; the message says why."""


@dataclass(frozen=True)
class HubLoad:
    """What one connection publishes: the hub's login, its topic and the prepared payloads, in order."""

    user: str
    password: str
    topic: str
    payloads: Sequence[bytes]


@dataclass(frozen=True)
class LoadResult:
    """What the broker took.

    ``seconds`` is from the first frame to the last PUBACK; ``sent_at`` holds, where asked for, the moment at which each
    message was handed to the socket [µs since 1970 UTC], by connection and in the order of its payloads.
    """

    published: int
    pubacks: int
    refused: int
    seconds: float
    sent_at: list[list[int]]


def variable_length(number: int) -> bytes:
    """Encode a length as MQTT does: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while True:
        number, digit = divmod(number, 128)
        encoded.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(encoded)


def _text(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return len(raw).to_bytes(2, "big") + raw


def connect_frame(client_id: str, user: str, password: str) -> bytes:
    """Build a CONNECT with a clean start, a login and no will."""
    body = _text("MQTT") + bytes([5, 0b1100_0010]) + _KEEPALIVE_S.to_bytes(2, "big") + b"\x00"
    body += _text(client_id) + _text(user) + _text(password)
    return bytes([_CONNECT]) + variable_length(len(body)) + body


def publish_frame(topic: str, number: int, payload: bytes) -> bytes:
    """Build a PUBLISH of QoS 1 without properties; `number` is the packet's, from 1 to 65,535."""
    body = _text(topic) + number.to_bytes(2, "big") + b"\x00" + payload
    return bytes([_PUBLISH_QOS1]) + variable_length(len(body)) + body


def frames(load: HubLoad) -> list[bytes]:
    """Encode all of a connection's messages; packet numbers go round and are free again long before."""
    return [publish_frame(load.topic, i % _PACKET_NUMBERS + 1, p) for i, p in enumerate(load.payloads)]


def packets(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take whole packets (type, body) off the front of `buffer`, and leave the rest of the last one in it."""
    begin = 0
    while True:
        length, at, shift = 0, begin + 1, 0
        while at < len(buffer):
            length |= (buffer[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not buffer[at - 1] & 0x80:
                break
        else:
            break
        if at + length > len(buffer):
            break
        yield buffer[begin] & 0xF0, bytes(buffer[at : at + length])
        begin = at + length
    del buffer[:begin]


class _Hub:
    """One connection with its prepared frames and the window it may fill."""

    def __init__(self, host: str, port: int, load: HubLoad, window: int) -> None:
        self.frames = frames(load)
        self.sent = self.confirmed = self.refused = 0
        self.sent_at: list[int] = []
        self.received = bytearray()
        self.unsent = b""
        self.socket = socket.create_connection((host, port), timeout=15)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket.sendall(connect_frame(f"{load.user}-load", load.user, load.password))
            self.window = min(window, self._granted())
        except (OSError, LoadError) as exc:
            self.socket.close()
            raise LoadError(f"broker does not let {load.user} in ({exc}); check the login") from exc
        self.socket.setblocking(False)

    def _granted(self) -> int:
        while True:
            chunk = self.socket.recv(65_536)
            if not chunk:
                raise LoadError("it hung up")
            self.received += chunk
            for kind, body in packets(self.received):
                if kind != _CONNACK:
                    continue
                if body[1] >= 0x80:
                    raise LoadError(f"reason {body[1]:#x}")
                return _receive_maximum(body[2:])

    @property
    def done(self) -> bool:
        return self.confirmed >= len(self.frames)

    def send(self, allowed: int, *, stamp: bool) -> None:
        """Hand over as many frames as window and `allowed` (in all so far) admit, until the socket is full."""
        while True:
            if not self.unsent:
                until = min(len(self.frames), self.confirmed + self.window, allowed, self.sent + 256)
                if until <= self.sent:
                    return
                self.unsent = b"".join(self.frames[self.sent : until])
                if stamp:
                    self.sent_at += [time.time_ns() // 1000] * (until - self.sent)
                self.sent = until
            try:
                written = self.socket.send(self.unsent)
            except (BlockingIOError, ConnectionError):  # the broker's reason is told where it is read
                return
            self.unsent = self.unsent[written:]

    def receive(self) -> None:
        """Count the PUBACKs that have come."""
        try:
            chunk = self.socket.recv(262_144)
        except BlockingIOError:
            return
        except ConnectionError:
            chunk = b""
        if not chunk:
            # Mosquitto hangs up on whoever publishes where it may not
            raise LoadError("broker closed a connection during the run; check the login's rights and the broker's log")
        self.received += chunk
        for kind, body in packets(self.received):
            if kind == _PUBACK:
                self.confirmed += 1
                self.refused += len(body) > 2 and body[2] >= 0x80
            elif kind == _DISCONNECT:
                raise LoadError(f"broker ended a connection (reason {body[0] if body else 0:#x}); look into its log")


def _receive_maximum(properties: bytes) -> int:
    """Read the receive maximum of a CONNACK; other properties are passed over."""
    sizes = {0x11: 4, 0x24: 1, 0x25: 1, 0x27: 4, 0x22: 2, 0x28: 1, 0x29: 1, 0x2A: 1, 0x13: 2}
    at = 1  # the properties' own length takes one byte: brokers send few
    while at < len(properties):
        kind, at = properties[at], at + 1
        if kind == _RECEIVE_MAXIMUM:
            return int.from_bytes(properties[at : at + 2], "big")
        if kind in sizes:
            at += sizes[kind]
        else:  # a text, or a pair of texts
            for _ in range(2 if kind == 0x26 else 1):
                at += 2 + int.from_bytes(properties[at : at + 2], "big")
    return _PACKET_NUMBERS


def put_on(
    url: str, loads: Sequence[HubLoad], *, rate: float | None = None, window: int = 2000, stamp: bool = False
) -> LoadResult:
    """Publish everything and wait for the last PUBACK.

    Parameters
    ----------
    url : str
        ``mqtt://host:port``.
    loads : sequence of HubLoad
        One connection each.
    rate : float, optional
        Messages a second over all connections together; without it as fast as the broker takes them.
    window : int
        Messages without PUBACK on one connection at most; the broker's own limit counts too.
    stamp : bool
        Keep the moment at which each message was sent.
    """
    parts = urlsplit(url)
    with ExitStack() as stack:
        hubs = []
        for load in loads:
            hub = _Hub(parts.hostname or "127.0.0.1", parts.port or 1883, load, window)
            stack.callback(hub.socket.close)
            hubs.append(hub)
        seconds = _drive(hubs, rate, stamp=stamp)
        for hub in hubs:
            hub.socket.sendall(bytes([_DISCONNECT, 0]))
    sent, confirmed, refused = (sum(getattr(h, n) for h in hubs) for n in ("sent", "confirmed", "refused"))
    return LoadResult(sent, confirmed, refused, seconds, [h.sent_at for h in hubs])


def _drive(hubs: Sequence[_Hub], rate: float | None, *, stamp: bool) -> float:
    """Send and receive on all connections until the last PUBACK; give the time it took [s]."""
    with selectors.DefaultSelector() as selector:
        for hub in hubs:
            selector.register(hub.socket, selectors.EVENT_READ, hub)
        began = time.perf_counter()
        while not all(h.done for h in hubs):
            passed = time.perf_counter() - began
            for hub in hubs:
                allowed = len(hub.frames) if rate is None else int(passed * rate / len(hubs)) + 1
                hub.send(allowed, stamp=stamp)
            for key, _ in selector.select(timeout=0.001):
                key.data.receive()
        return time.perf_counter() - began


class LoadProcess:
    """A load run in a process of its own; prepared first, then started at the word."""

    def __init__(self, process: BaseProcess, pipe: Connection) -> None:
        self._process, self._pipe = process, pipe

    def __enter__(self) -> Self:
        """Wait until everything is encoded and connected to nothing yet."""
        self._pipe.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def go(self) -> None:
        """Start publishing."""
        self._pipe.send(True)

    def result(self) -> LoadResult:
        """Wait for the end of the run."""
        try:
            outcome = self._pipe.recv()
        except EOFError as exc:
            raise LoadError("the load process ended without a result") from exc
        if isinstance(outcome, LoadResult):
            return outcome
        raise LoadError(str(outcome))


def start(
    url: str, loads: Sequence[HubLoad], *, rate: float | None = None, window: int = 2000, stamp: bool = False
) -> LoadProcess:
    """Prepare a load run in another process; use it as a context, then `LoadProcess.go` and `LoadProcess.result`."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, url, list(loads), rate, window, stamp), daemon=True)
    process.start()
    theirs.close()
    return LoadProcess(process, mine)


def _work(pipe: Connection, url: str, loads: list[HubLoad], rate: float | None, window: int, stamp: bool) -> None:
    try:
        pipe.send("ready")
        pipe.recv()
        pipe.send(put_on(url, loads, rate=rate, window=window, stamp=stamp))
    except (LoadError, OSError, EOFError) as exc:
        pipe.send(str(exc))
