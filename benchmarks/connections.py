"""How many devices can be connected to the private broker at once over TLS, at what cost, and how fast do they come?

python -m benchmarks.connections [--connections N] [--json]

Each device has a connection and a client id of its own, first without TLS and then with it: what TLS costs stands
beside what a connection costs anyway. Some share a login, because the plug-in writes all its accounts for each one that
is made, so that making ten thousand would be most of the run. Everything is on the loopback address of one machine, the
load in a process of its own; it is bounded in number and time, and ends by itself. Where the system lets a process have
fewer files, there are fewer connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing as mp
import resource
import ssl
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from homeward.broker_accounts import BrokerAccounts
from homeward.local.broker import HubAddress, PrivateBroker
from homeward.local.programs import ensure_programs
from homeward.local.watchdog import Watchdog

CONNECTIONS, LOGINS = 10_000, 500
AT_ONCE = 64
"""Handshakes under way: as many as a broker meets when a region's hubs come back."""
LONGEST_S = 300.0
KEEPALIVE_S = 600
_SPARE_FILES = 200
_PING, _PONG = b"\xc0\x00", b"\xd0\x00"


@dataclass(frozen=True)
class Target:
    """Where to connect; ``authority`` is empty without TLS."""

    host: str
    port: int
    authority: str


def run(connections: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure connections without TLS and with it; give the figures."""
    watchdog = Watchdog()
    connections = min(connections, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - _SPARE_FILES)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="homeward-bench-")))
        folder.chmod(0o755)
        broker = PrivateBroker(folder / "broker", ensure_programs())
        broker.start(watchdog)
        stack.callback(broker.stop)
        logins = [(f"device-{i:03d}", f"password-{i:03d}") for i in range(LOGINS)]
        tell(f"making {LOGINS} logins while the broker runs")
        begun = time.monotonic()
        with BrokerAccounts(broker.url, *broker.admin) as accounts:
            accounts.add_devices(logins)
        figures: dict[str, Any] = {"connections": connections}
        figures["logins_made_per_s"] = round(LOGINS / (time.monotonic() - begun))
        plain = urlsplit(broker.url)
        for name, target in (
            ("plain", Target(plain.hostname or "", plain.port or 0, "")),
            ("tls", _secured(broker.hubs, broker.authority.certificate)),
        ):
            tell(f"connecting {connections:,} devices, {name}")
            figures[name] = _measure(broker, target, [logins[i % LOGINS] for i in range(connections)])
        tls, without = figures["tls"], figures["plain"]
        figures["tls_to_plain_rate"] = round(tls["connects_per_s"] / without["connects_per_s"], 2)
    watchdog.end_all()
    return figures


def _secured(address: HubAddress, authority: str) -> Target:
    return Target(address.host, address.port, authority)


def _measure(broker: PrivateBroker, target: Target, logins: list[tuple[str, str]]) -> dict[str, Any]:
    """Connect them from another process; what the broker holds is read while they are all there."""
    assert broker.pid is not None
    process = psutil.Process(broker.pid)
    before = process.memory_info().rss
    spawn = mp.get_context("spawn")
    ours, theirs = spawn.Pipe()
    load = spawn.Process(target=_load, args=(target, logins, theirs), daemon=True)
    load.start()
    try:
        if not ours.poll(LONGEST_S):
            raise TimeoutError(f"{len(logins)} connections took longer than {LONGEST_S:.0f} s")
        found: dict[str, Any] = ours.recv()
        held = process.memory_info().rss
        there = sum(c.status == psutil.CONN_ESTABLISHED for c in process.net_connections("tcp"))
        ours.send("leave")
    finally:
        load.join(60)
        if load.is_alive():
            load.kill()
    found["established"] = there
    found["broker_mb"] = round(held / 2**20, 1)
    found["broker_kb_per_connection"] = round((held - before) / len(logins) / 1024, 1)
    return found


def _load(target: Target, logins: list[tuple[str, str]], pipe: Any) -> None:
    """Be the devices: in a process of its own."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, len(logins) + _SPARE_FILES), most))
    asyncio.run(_devices(target, logins, pipe))


async def _devices(target: Target, logins: list[tuple[str, str]], pipe: Any) -> None:
    context = ssl.create_default_context(cadata=target.authority) if target.authority else None
    gate, times = asyncio.Semaphore(AT_ONCE), list[float]()

    async def one(number: int, user: str, password: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with gate:
            begun = time.monotonic()
            reader, writer = await asyncio.open_connection(
                target.host, target.port, ssl=context, server_hostname=target.host if context else None, limit=4096
            )
            writer.write(_connect(f"{user}-{number}", user, password))
            answer = await _packet(reader)
            if answer[:1] != b"\x20" or answer[3] != 0:
                raise ConnectionError(f"{user} was not let in: {answer.hex()}")
            times.append(time.monotonic() - begun)
            return reader, writer

    begun = time.monotonic()
    there = await asyncio.gather(*(one(number, *login) for number, login in enumerate(logins)))
    seconds = time.monotonic() - begun
    asked = time.monotonic()
    for _, writer in there:
        writer.write(_PING)
    pongs = await asyncio.gather(*(_packet(reader) for reader, _ in there))
    times.sort()
    pipe.send(
        {
            "connected": len(there),
            "answering": pongs.count(_PONG),
            "seconds": round(seconds, 1),
            "connects_per_s": round(len(there) / seconds),
            "connect_p50_ms": round(times[len(times) // 2] * 1000, 1),
            "connect_p99_ms": round(times[len(times) * 99 // 100] * 1000, 1),
            "all_pinged_s": round(time.monotonic() - asked, 2),
        }
    )
    await asyncio.to_thread(pipe.poll, LONGEST_S)
    for _, writer in there:
        writer.transport.abort()


async def _packet(reader: asyncio.StreamReader) -> bytes:
    """Read one short MQTT packet."""
    head = await reader.readexactly(2)
    return head + await reader.readexactly(head[1])


def _connect(client: str, user: str, password: str) -> bytes:
    """Write CONNECT of MQTT 5, for a clean session."""
    text = [len(part).to_bytes(2, "big") + part for part in (client.encode(), user.encode(), password.encode())]
    body = b"\x00\x04MQTT\x05\xc2" + KEEPALIVE_S.to_bytes(2, "big") + b"\x00" + b"".join(text)
    assert len(body) < 128
    return b"\x10" + bytes([len(body)]) + body


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures = run(options.connections, lambda what: print(what, flush=True))
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        for part, figure in value.items() if isinstance(value, dict) else [("", value)]:
            print(f"{f'{name} {part}':32} {figure:>12,}")


if __name__ == "__main__":
    main()
