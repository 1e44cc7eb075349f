"""A site whose episodes somebody is to be told of, and the real servers that messages go to."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
from aiosmtpd.controller import Controller

from homeward.notify import planning, sending
from homeward.notify.sending import Attempt
from homeward.notify.ways import Ways
from schemas import sealed
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Trusts, connect, make_trusts
from tests.waiting import PATIENCE_S

PRIVATE = sealed.new_private_key()
NOW = datetime.now(UTC).replace(microsecond=0)


class Mailbox:
    """A real SMTP server that keeps what it takes, refuses `nobody@…`, and can be told to be busy."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.arrived: list[float] = []
        self.to: list[str] = []
        self.held = threading.Event()
        self.held.set()
        self.began = threading.Event()
        self._controller: Controller | None = None
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before."""
        wanted = self.port
        while self._controller is None:
            port = wanted or _free_port()
            controller = Controller(self, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE_S)
            try:
                controller.start()
            except OSError:  # another program may just have taken the port that was free
                if wanted:
                    raise
            else:
                self._controller, self.port = controller, port

    def stop(self) -> None:
        """Be away."""
        controller, self._controller = self._controller, None
        if controller is not None:
            controller.stop()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=homeward@trust.example"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        import asyncio

        self.began.set()
        while not self.held.is_set():
            await asyncio.sleep(0.01)
        self.mails.append(BytesParser(policy=default).parsebytes(envelope.content))
        self.to += envelope.rcpt_tos
        self.arrived.append(time.time())
        return "250 OK"


class Receiver:
    """A real HTTP server that keeps what is posted and answers as it is told; `None` is never."""

    def __init__(self, answer: int | None = 200, body: bytes = b"{}", headers: dict[str, str] | None = None) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answer = answer
        self.release = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.posts.append(({k.lower(): v for k, v in self.headers.items()}, content))
                if receiver.answer is None:
                    receiver.release.wait(30)
                    return
                self.send_response(receiver.answer)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/alerts"

    def close(self) -> None:
        """Be away."""
        self.release.set()
        self._server.shutdown()
        self._server.server_close()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class House:
    """A database with people and patients, and the notifier's own connection."""

    database: TestDatabase
    trusts: Trusts
    owner: psycopg.Connection[Any]
    notify: psycopg.Connection[Any]
    number: int = 0
    contacts: dict[str, int] = field(default_factory=dict)

    @property
    def organisation(self) -> int:
        return self.trusts.north.organisation_id

    @property
    def site(self) -> int:
        return self.trusts.north.patients[0].site_id

    def account(self, name: str) -> int:
        return self.trusts.north.accounts[name]

    def contact(self, name: str, address: str, kind: str = "email") -> int:
        """Give a person a verified address."""
        row = self.owner.execute(
            "insert into contact (organisation_id, account_id, kind, address, verified_at) "
            "values (%s, %s, %s, %s, now()) returning contact_id",
            [self.organisation, self.account(name), kind, address],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def channel(self, kind: str, name: str, settings: dict[str, Any], secret: str = "", identity: str = "none") -> int:
        """Set a channel up as the page does."""
        self.owner.execute(
            "insert into message_key (public_key) values (%s) on conflict do nothing", [sealed.public_key(PRIVATE)]
        )
        row = self.owner.execute(
            "insert into channel (organisation_id, kind, name, settings, sealed, identity) "
            "values (%s, %s, %s, %s, %s, %s) returning channel_id",
            [
                self.organisation,
                kind,
                name,
                json.dumps(settings),
                sealed.seal(sealed.public_key(PRIVATE), secret) if secret else None,
                identity,
            ],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def ladder(self, *tiers: dict[str, Any], site: int | None = None, **more: Any) -> int:
        """Put a ladder in force."""
        self.number += 1
        row = self.owner.execute(
            "insert into ladder (organisation_id, site_id, version, document, author, reason) "
            "values (%s, %s, %s, %s, 'x', 'x') returning ladder_id",
            [self.organisation, site, self.number, json.dumps({"tiers": tiers, **more})],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def rota(self, name: str, shifts: list[dict[str, Any]], zone: str = "Europe/London") -> None:
        """Put a rota in force."""
        self.owner.execute(
            "insert into rota (organisation_id, name, version, document, author, reason) "
            "values (%s, %s, 1, %s, 'x', 'x')",
            [self.organisation, name, json.dumps({"zone": zone, "shifts": shifts})],
        )

    def raise_episode(self, severity: int = 3, at: datetime = NOW, patient: int = 0) -> int:
        """Write an episode and its job in one transaction, as ingest does."""
        self.number += 1
        who = self.trusts.north.patients[patient]
        with self.owner.transaction():
            row = self.owner.execute(
                "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, "
                "severity, peak_severity, sentence) select organisation_id, patient_id, "
                "(select min(policy_id) from policy where organisation_id = p.organisation_id), %s, %s, %s, 'active', "
                "%s, %s, 'x' from patient p where patient_id = %s returning episode_id",
                [f"rule_{self.number}", at, at, severity, severity, who.patient_id],
            ).fetchone()
            assert row is not None
            self.job(int(row[0]), severity, at)
        return int(row[0])

    def job(self, episode: int, severity: int, at: datetime) -> int:
        """Write a job of an episode."""
        self.number += 1
        row = self.owner.execute(
            "insert into notification_job (organisation_id, episode_id, key, severity, created_at, run_at) "
            "values (%s, %s, %s, %s, %s, %s) returning job_id",
            [self.organisation, episode, f"{episode}:{severity}:{self.number}", severity, at, at],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def plan(self, now: datetime) -> int:
        """Plan until nothing is due any more."""
        moved, total = 1, 0
        while moved:
            with self.notify.transaction():
                planning.sweep(self.notify, now)
                moved = planning.plan(self.notify, now)
            total += moved
        with self.notify.transaction():
            planning.sweep(self.notify, now)
        return total

    def send(self, ways: Ways, now: datetime) -> list[Attempt]:
        """Send until nothing is due any more."""
        attempts = []
        while True:
            with self.notify.transaction():
                attempt = sending.send_next(self.notify, ways, now)
            if attempt is None:
                return attempts
            attempts.append(attempt)

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Ask as the superuser."""
        return self.owner.execute(query.encode(), parameters).fetchall()

    def told(self) -> list[tuple[str, str]]:
        """Give tier and address of each message, in the order of their writing."""
        return [
            (row[0], row[1])
            for row in self.ask(
                "select d.tier, coalesce(c.address, d.address) from delivery d left join contact c using (contact_id) "
                "where d.purpose = 'alert' order by d.delivery_id"
            )
        ]

    def jobs(self) -> list[tuple[str, str]]:
        """Give status and outcome of each job."""
        return [(r[0], r[1]) for r in self.ask("select status, outcome from notification_job order by job_id")]

    def set(self, statement: str, *parameters: Any) -> None:
        """Change something as the superuser."""
        self.owner.execute(statement.encode(), parameters)


EMPTIED = (
    "truncate delivery_episode, delivery, notification_job, episode_event, episode, contact, channel, ladder, rota, "
    "message_key, patient_pause cascade; update account set disabled_at = null"
)


@contextlib.contextmanager
def open_house(database: TestDatabase) -> Iterator[House]:
    """Fill a database, where that is not done yet, and empty it of what earlier tests did."""
    options = "-c search_path=homeward,public -c timezone=UTC"
    with (
        connect(database) as owner,
        psycopg.connect(database.url_for("homeward_notify"), options=options, autocommit=True) as notify,
    ):
        trusts = _TRUSTS.get(database.name) or _TRUSTS.setdefault(database.name, make_trusts(database))
        # versions cannot be removed, not even by the owner, unless triggers are off
        owner.execute("set session_replication_role = replica")
        owner.execute(EMPTIED)
        owner.execute("set session_replication_role = origin")
        yield House(database, trusts, owner, notify)


_TRUSTS: dict[str, Trusts] = {}


def tier(name: str, *receivers: dict[str, Any], after: int = 0, **more: Any) -> dict[str, Any]:
    """Write a tier."""
    return {"name": name, "receivers": receivers, "after_min": after, **more}


def by_mail(address: str) -> dict[str, Any]:
    """Write a fixed address."""
    return {"kind": "address", "by": "email", "address": address}


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)
