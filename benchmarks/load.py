"""How is a broker put under load without measuring the load's own client?

A publisher of MQTT 5 packets made by hand: one message a patient and turn, three vital signs each, QoS 1, a bounded
number of them on the way. It runs in a process of its own.
"""

from __future__ import annotations

import multiprocessing as mp
import socket
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.sharedctypes import Synchronized
from urllib.parse import urlsplit

from schemas.topic import Stream

_BURST = 200
_UNACKED = 2_000


@dataclass(frozen=True)
class Load:
    """What to publish, as whom, and how much may be ahead of what has arrived at the far end.

    ``numbered`` messages differ even within a burst, which has one time.
    ``most`` ends it after so many messages. A ``kept_min`` makes each patient's messages a minute apart, from so many
    minutes ago on, as a hub has kept them; ``stream`` is the topic's last part.
    """

    url: str
    user: str
    password: str
    patients: int
    rate: float | None = None
    ahead: int = 20_000
    numbered: bool = False
    values: str = '{"bp_systolic":128,"bp_diastolic":79,"pulse":71}'
    most: int | None = None
    kept_min: float | None = None
    stream: Stream = Stream.LIVE
    first: int = 0


class Publisher:
    """The publisher's process; ``arrived`` is counted up by whoever measures, ``sent`` by the publisher."""

    def __init__(self, load: Load) -> None:
        context = mp.get_context("spawn")
        self.arrived: Synchronized[int] = context.Value("q", 0)
        self.sent: Synchronized[int] = context.Value("q", 0)
        self._stop = context.Event()
        self._process = context.Process(target=_publish, args=(load, self.arrived, self.sent, self._stop), daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._process.start()

    def check(self) -> None:
        """Raise where the process has ended by itself: nothing that is measured then means anything."""
        if self._process.exitcode is not None:
            raise RuntimeError(f"the publisher ended with exit code {self._process.exitcode}")

    def stop(self) -> None:
        """Stop publishing and wait for the process to end."""
        self._stop.set()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()


def _publish(load: Load, arrived: Synchronized[int], sent: Synchronized[int], stop: mp.synchronize.Event) -> None:
    connection = _connect(load)
    number = unacked = 0
    answers = b""
    began = time.monotonic()
    # stopped, it goes on until the last answer: a socket closed with answers unread takes back what was sent
    while unacked or not stop.is_set():
        allowed = min(_BURST, _UNACKED - unacked, load.ahead - (number - arrived.value))
        if load.most is not None:
            allowed = min(allowed, load.most - number)
        if load.rate is not None:
            allowed = min(allowed, int((time.monotonic() - began) * load.rate) - number)
        if stop.is_set():
            allowed = 0
        if allowed > 0:
            now = datetime.now(UTC)
            connection.sendall(b"".join(_packet(load, n, now) for n in range(number, number + allowed)))
            number += allowed
            unacked += allowed
            sent.value = number
        try:
            connection.settimeout(0.002 if allowed <= 0 else 0.000_001)
            read = connection.recv(65_536)
        except (BlockingIOError, TimeoutError):
            continue
        finally:
            connection.settimeout(10)
        if not read:
            raise RuntimeError("the broker closed the load's connection")
        done, answers = _count_answers(answers + read)
        unacked -= done


def _connect(load: Load) -> socket.socket:
    address = urlsplit(load.url)
    connection = socket.create_connection((address.hostname or "", address.port or 1883))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # clean start, user name, password; keep-alive off; no properties
    body = _text("MQTT") + bytes([5, 0b1100_0010]) + struct.pack("!H", 0) + b"\0"
    body += _text(f"load-{time.time_ns()}") + _text(load.user) + _text(load.password)
    connection.sendall(b"\x10" + _length(len(body)) + body)
    answer = connection.recv(1024)
    if answer[0] != 0x20 or answer[3] != 0:
        raise RuntimeError(f"the broker refused the load's login: reason {answer[3]:#x}")
    return connection


def _packet(load: Load, number: int, now: datetime) -> bytes:
    turn, patient = divmod(number, load.patients)
    patient += load.first
    at = now if load.kept_min is None else now.replace(microsecond=0) - timedelta(minutes=load.kept_min - turn)
    topic = _text(f"homeward/v1/{patient % 16}/{load.user}/{load.stream}")
    given = f'"id":"{number}",' if load.numbered else ""
    content = f'{{{given}"device":"b-{patient}","time":"{at.isoformat()}","values":{load.values}}}'.encode()
    body = topic + struct.pack("!H", number % 65_535 + 1) + b"\0" + content
    return b"\x32" + _length(len(body)) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("!H", len(encoded)) + encoded


def _length(size: int) -> bytes:
    out = bytearray()
    while True:
        size, digit = divmod(size, 128)
        out.append(digit | (128 if size else 0))
        if not size:
            return bytes(out)


def _count_answers(answers: bytes) -> tuple[int, bytes]:
    """Count the PUBACKs in what was read; give back the incomplete rest."""
    position = done = 0
    while position + 2 <= len(answers) and position + 2 + answers[position + 1] <= len(answers):
        done += answers[position] == 0x40
        position += 2 + answers[position + 1]
    return done, answers[position:]
