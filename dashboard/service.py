"""How is the dashboard run as a service, until somebody says stop?"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from fastapi import APIRouter

from dashboard.app import create_app
from dashboard.device_acts import Logins
from dashboard.provider import ProviderSettings

# Requests under way at the word to stop may end within this time; live connections are closed at once.
GRACE_S = 5


def run(
    database_url: str,
    host: str,
    port: int,
    stop: threading.Event,
    *,
    tls_proxy: str = "",
    extra_routers: Sequence[APIRouter] = (),
    accounts_key: bytes | None = None,
    provider: ProviderSettings | None = None,
    device_logins: Logins | None = None,
    started: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until ``stop`` is set; port 0 takes a free one, and ``started`` is told which once requests are answered.

    ``tls_proxy`` is the address or the network of the proxy that ends TLS: its word on the client's address and scheme
    is taken, anyone else's is not; and because browsers then speak TLS, the cookie goes over nothing else.
    ``accounts_key`` and ``provider`` are what `create_app` says.

    Raises
    ------
    OSError
        Where the address cannot be taken; nothing was started then.
    """
    # an address holds patients' numbers and what was searched for: whatever logging is set up, it is not logged
    logging.getLogger("uvicorn.access").disabled = True
    with _listen(host, port) as listener:
        config = uvicorn.Config(
            create_app(
                database_url,
                secure_cookies=bool(tls_proxy),
                extra_routers=extra_routers,
                accounts_key=accounts_key,
                provider=provider,
                device_logins=device_logins,
            ),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(tls_proxy),
            forwarded_allow_ips=tls_proxy or None,
            timeout_graceful_shutdown=GRACE_S,
            # pages send nothing over the live connection
            ws_max_size=4096,
            ws="websockets-sansio",
        )
        server = _Server(config, stop, lambda: started(listener.getsockname()[1]))
        asyncio.run(server.serve(sockets=[listener]))


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family)


class _Server(uvicorn.Server):
    """uvicorn that stops at our event, not at a signal: who started us decides when we stop."""

    def __init__(self, config: uvicorn.Config, stop: threading.Event, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._started = started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._stop.is_set()
