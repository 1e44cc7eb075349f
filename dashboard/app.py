"""What is the dashboard made of, and in which order does a request pass through it?

From the outside in: time it, add the security headers, compress, find the person, and then the route: sign-in, JSON
API, push, health, or a page of Dash. Each application has its own pool; there is no state but in the database.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from dashboard import (
    auth,
    bundles,
    choose_password,
    dash_server,
    health,
    problems,
    provider_sign_in,
    push,
    second_step,
    triage_look,
)
from dashboard.api import routes as api
from dashboard.auth import Cookie, SignIn
from dashboard.boundary import Boundary
from dashboard.compression import Compression
from dashboard.device_acts import Logins
from dashboard.fhir import routes as fhir
from dashboard.fhir.outcomes import Outcomes
from dashboard.forms import Forms
from dashboard.gate import Gate
from dashboard.headers import SecurityHeaders, content_security_policy
from dashboard.metrics import Measured, RequestMetrics
from dashboard.provider import Provider, ProviderSettings
from dashboard.push import Push
from dashboard.seal import Seal
from dashboard.sessions import Sessions
from schemas.database import open_async_pool

ROLE = "homeward_dashboard"


def create_app(
    database_url: str,
    *,
    secure_cookies: bool = False,
    extra_routers: Sequence[APIRouter] = (),
    accounts_key: bytes | None = None,
    provider: ProviderSettings | None = None,
    device_logins: Logins | None = None,
) -> FastAPI:
    """Make the application; it reaches the database when it is started, not before.

    ``secure_cookies`` belongs to an installation behind TLS; ``extra_routers`` are other packages' routes.
    ``accounts_key`` seals the secrets of second factors: without one, those enrolled now are void at the next start.
    ``provider`` is where people may sign in as well.
    ``device_logins`` gives devices their logins at the broker; without it none is registered here.
    """
    pool = open_async_pool(database_url, ROLE, min_size=2, max_size=10)
    sessions = Sessions(pool)
    seal = Seal(accounts_key or Seal.new_key())
    sign_in = SignIn(pool, sessions, seal)
    identities = Provider(provider) if provider else None
    styles, scripts = bundles.styles(dash_server.ASSETS), bundles.scripts(dash_server.ASSETS)
    pages = Forms(styles.address)
    cookie = Cookie(secure_cookies)
    metrics = RequestMetrics()
    live = Push(database_url, pool, sessions)
    presence = health.Presence(pool, lambda: {"requests": metrics.served, "push_messages": live.messages})

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # without waiting: while the database is away the pages say so, and they recover by themselves
        await pool.open(wait=False)
        tasks = [asyncio.create_task(work) for work in (live.run(), presence.run(), sign_in.prepare())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
            await pool.close()

    app = FastAPI(title="Homeward", lifespan=lifespan, docs_url=None, redoc_url=None)
    problems.register(app)
    app.state.sign_in = sign_in
    app.include_router(auth.routes(sign_in, sessions, cookie, pages, identities))
    app.include_router(second_step.routes(sign_in, cookie, pages))
    app.include_router(choose_password.routes(pool, pages))
    if identities is not None:
        app.include_router(provider_sign_in.routes(pool, identities, sessions, cookie, seal, pages))
    app.include_router(api.routes(pool, sign_in, sessions, cookie, device_logins))
    app.include_router(health.routes(pool, metrics, live, device_logins))
    app.include_router(push.routes(live))
    app.include_router(fhir.routes())
    app.include_router(bundles.routes([styles, scripts]))
    app.include_router(triage_look.routes())
    for router in extra_routers:
        app.include_router(router)
    app.state.device_logins = device_logins
    dash_app = dash_server.make_dash(app, styles.address, scripts.address)
    dash_server.add_pages(app, dash_app, dash_server.register_pages(dash_app))
    # the last one added is the first one asked
    app.add_middleware(Gate, pool=pool, sessions=sessions, cookie_name=cookie.name)
    app.add_middleware(Compression)
    policy = content_security_policy(dash_server.script_hashes(dash_app))
    app.add_middleware(SecurityHeaders, policy=policy, secure=secure_cookies)
    app.add_middleware(Boundary)
    app.add_middleware(Outcomes)
    app.add_middleware(Measured, metrics=metrics)
    app.state.dash = dash_app
    return app
