"""How is a simulated cohort or a recording played to the broker, at which pace, and what came of it?

These are the two entry points of the command line: `simulate` and `play`. Both pace messages by a simulated clock that
never overtakes the real one, publish through a hub or through each device's own login, and count receipts.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from device_sim import recording
from device_sim.cohort import Cohort, Message, messages
from device_sim.physiology import HOUR_US
from device_sim.publisher import Publisher, PublishError, Tally
from device_sim.truth import write_truth

# As ingest takes observations live; older ones are quarantined as too_old.
LIVE_DAYS = 365
RECEIPTS_TIMEOUT_S = 120.0
STOPPED_TIMEOUT_S = 10.0
# Between two looks at the stop event while nothing is due.
_STEP_S = 0.5

Progress = Callable[["Standing"], None]


@dataclass(frozen=True)
class Standing:
    """How far a run is, for a progress bar; ``share`` is None where the run has no end of its own."""

    tally: Tally
    share: float | None
    at: int


@dataclass(frozen=True)
class Broker:
    """Where to publish, and as whom.

    ``user`` is the code of a hub that speaks for all devices. Where ``logins`` is given instead, each device has a
    connection of its own: password by device code.
    """

    url: str
    user: str | None = None
    password: str | None = None
    logins: Mapping[str, str] | None = None


class Fleet:
    """The publishers of a run: the hub's one, or one for each device."""

    def __init__(self, broker: Broker, stack: ExitStack) -> None:
        self._broker, self._stack = broker, stack
        self._own: dict[str, Publisher] = {}
        self._hub: Publisher | None = None
        if broker.logins is None:
            if broker.user is None:
                raise PublishError("no login for the broker; give the hub's user and password, or the devices' logins")
            self._hub = self._enter(broker.user, broker.password)

    def _enter(self, user: str, password: str | None) -> Publisher:
        return self._stack.enter_context(Publisher(self._broker.url, user, password))

    def publisher(self, device: str) -> Publisher:
        """Find, or connect, the publisher of a device."""
        if self._hub is not None:
            self._hub.speak_for(device)
            return self._hub
        if device not in self._own:
            logins = self._broker.logins or {}
            if device not in logins:
                raise PublishError(f"device {device!r} has no login at the broker; register it or publish as a hub")
            self._own[device] = self._enter(device, logins[device])
        return self._own[device]

    def all(self) -> list[Publisher]:
        """List the publishers connected so far."""
        return [self._hub] if self._hub is not None else list(self._own.values())

    def tally(self) -> Tally:
        """Add up what all publishers counted."""
        total = Tally()
        for publisher in self.all():
            total.add(publisher.tally)
        return total


@dataclass(frozen=True)
class Pace:
    """A clock that starts at `start`, runs `speed` times as fast as the real one, and never overtakes it."""

    start: int
    speed: float
    began: float
    wall: Callable[[], int]
    elapsed: Callable[[], float]

    @classmethod
    def beginning(cls, start: int, speed: float) -> Pace:
        """Start the clock now."""
        return cls(start, speed, time.monotonic(), lambda: time.time_ns() // 1000, time.monotonic)

    def wait_s(self, due: int, *, bounded: bool = True) -> float:
        """How long until a message due at that simulated instant may be sent [s]; 0 or less: now."""
        passed = self.elapsed() - self.began
        by_speed = -math.inf if math.isinf(self.speed) else (due - self.start) / 1e6 / self.speed - passed
        by_wall = (due - self.wall()) / 1e6 if bounded else -math.inf
        return max(by_speed, by_wall)


def speed_of(text: str | float) -> float:
    """Read a speed: a number of times real time, or 0 or ``max`` for as fast as receipts allow."""
    if text in ("max", "0", 0):
        return math.inf
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise PublishError(f"speed {text!r}: expected a number above 0 (1 is real time), or 0 or max for no pacing")
    return speed


def _publish_all(
    fleet: Fleet,
    source: Iterator[Message],
    pace: Pace,
    stop: threading.Event,
    on_progress: Progress | None,
    share: Callable[[Message], float | None],
) -> None:
    shown = 0.0
    for message in source:
        while (wait_s := pace.wait_s(message.due)) > 0:
            if stop.wait(min(wait_s, _STEP_S)):
                return
            for publisher in fleet.all():
                publisher.tend()
        publisher = fleet.publisher(message.device)
        if not publisher.publish(message.payload, message.observations, stop, is_backlog=message.is_backlog):
            return
        if on_progress is not None and time.monotonic() - shown > 0.1:
            shown = time.monotonic()
            on_progress(Standing(fleet.tally(), share(message), message.due))


def _run(
    broker: Broker,
    source: Iterator[Message],
    pace: Pace,
    stop: threading.Event,
    on_progress: Progress | None,
    share: Callable[[Message], float | None],
    receipts_timeout_s: float,
) -> Tally:
    with ExitStack() as stack:
        fleet = Fleet(broker, stack)
        _publish_all(fleet, source, pace, stop, on_progress, share)
        # a run that was stopped still waits for what is under way: it is published, so it is to be accounted for
        if stop.is_set():
            receipts_timeout_s = min(receipts_timeout_s, STOPPED_TIMEOUT_S)
        deadline = time.monotonic() + receipts_timeout_s
        for publisher in fleet.all():
            publisher.wait_for_receipts(max(deadline - time.monotonic(), 0.0))
        tally = fleet.tally()
        if on_progress is not None:
            on_progress(Standing(tally, 1.0, time.time_ns() // 1000))
        return tally


def simulate(
    cohort: Cohort,
    broker: Broker,
    *,
    speed: float = 1.0,
    hours: float | None = None,
    truth: Path | None = None,
    stop: threading.Event | None = None,
    on_progress: Progress | None = None,
    receipts_timeout_s: float = RECEIPTS_TIMEOUT_S,
) -> Tally:
    """Publish what a cohort's devices send, from the cohort's start on.

    Parameters
    ----------
    cohort : Cohort
        Its start decides what is sent when: a start that lies back is caught up with at `speed`, after which the run
        goes on in real time.
    broker : Broker
    speed : float
        Times real time; infinite for as fast as receipts come.
    hours : float, optional
        How much simulated time to play; without it until `stop`.
    truth : Path, optional
        Where to write what really happened to whom.
    stop : threading.Event, optional
    on_progress : callable, optional
        Called about ten times a second with a `Standing`.
    receipts_timeout_s : float
        How long to wait for the last receipts.

    Returns
    -------
    Tally
    """
    end = None if hours is None else cohort.start + round(hours * HOUR_US)
    if truth is not None:
        write_truth(truth, cohort, end)

    def share(message: Message) -> float | None:
        return None if end is None else (message.due - cohort.start) / max(end - cohort.start, 1)

    pace = Pace.beginning(cohort.start, speed)
    source = messages(cohort, cohort.start, end)
    return _run(broker, source, pace, stop or threading.Event(), on_progress, share, receipts_timeout_s)


def start_for(speed: float, hours: float | None, now: int) -> int:
    """Choose when a cohort begins: now at real time, otherwise so far back that the play ends at the present."""
    if speed <= 1:
        return now
    return now - round((24.0 if hours is None else hours) * HOUR_US)


def play(
    contents: recording.Contents,
    broker: Broker,
    *,
    speed: float = 1.0,
    now: int | None = None,
    stop: threading.Event | None = None,
    on_progress: Progress | None = None,
    receipts_timeout_s: float = RECEIPTS_TIMEOUT_S,
) -> Tally:
    """Publish a recording as the devices in it.

    Parameters
    ----------
    contents : Contents
        From `device_sim.recording.survey`.
    broker : Broker
    speed : float
        Times real time; infinite for as fast as receipts come.
    now : int, optional
        Re-date the recording so that everybody's last observation falls on the end of the play [µs since 1970 UTC].
    stop, on_progress, receipts_timeout_s
        As of `simulate`.
    """
    shift = None if now is None else recording.redating(contents, now, speed)
    first = contents.first if shift is None else min(s.first + shift[key] for key, s in contents.people.items())
    last = contents.last if shift is None else max(s.last + shift[key] for key, s in contents.people.items())

    def share(message: Message) -> float:
        return (message.due - first) / max(last - first, 1)

    pace = Pace.beginning(first, speed)
    source = recording.messages(contents, shift)
    return _run(broker, source, pace, stop or threading.Event(), on_progress, share, receipts_timeout_s)


def warnings_for(contents: recording.Contents, now: int, *, redated: bool) -> list[str]:
    """Say in sentences what of a recording will not be taken live, before it is played."""
    limit = LIVE_DAYS * 24 * HOUR_US
    if redated:
        old = [key for key, s in contents.people.items() if s.last - s.first > limit]
        if old:
            return [
                f"{contents.path}: {len(old)} of {len(contents.people)} people have observations over more than "
                f"{LIVE_DAYS} days; the earliest will be quarantined as too_old. Import them as history instead."
            ]
        return []
    sentences = []
    if contents.first < now - limit:
        sentences.append(
            f"{contents.path}: it begins more than {LIVE_DAYS} days ago, and what is older is quarantined as too_old; "
            "add --now to re-date it."
        )
    if contents.last > now:
        sentences.append(f"{contents.path}: its last observations lie in the future; add --now to re-date it.")
    return sentences
