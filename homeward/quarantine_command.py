"""How does whoever runs the installation work off the quarantine from the command line?

Through ingest's role, which sees the messages of every organisation, those whose sender is unknown included, and writes
observations. What the commands do is in the audit log as done by nobody signed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from homeward.installation import ADMIN_ROLE
from homeward.logs import log_to_file
from homeward.provisioning import ProvisioningError, find_organisation
from homeward.reporting import addresses, report, report_rows
from homeward.settings import load_settings
from ingest.quarantine_replay import Chosen, Replayed, discard, left, newest, replay
from ingest.registry import RegistryKeeper
from ingest.service import ROLE
from ingest.sql import load
from schemas.database import open_pool
from schemas.quarantine import REMEDY, Reason

_QUERIES = load("quarantine.sql")


def show(reason: str | None, organisation: str | None, *, as_json: bool) -> None:
    """List the causes, and how much waits for each."""
    with (
        _ingest(organisation) as (pool, number),
        pool.connection() as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        rows = cursor.execute(_QUERIES["causes"], {"organisation": number, "reason": reason}).fetchall()
    for row in rows:
        row["remedy"] = _remedy(row["reason"])
    columns = ["reason", "source", "device", "messages", "observations", "last_at", "detail"]
    report_rows(rows, as_json, [*columns, "remedy"] if as_json else columns)
    if not as_json:
        for line in _remedies(row["reason"] for row in rows):
            print(line)


def replay_waiting(
    items: list[int], reason: str | None, source: str | None, organisation: str | None, *, as_json: bool
) -> None:
    """Try messages again until each has had its turn."""
    with _ingest(organisation) as (pool, number):
        keeper = RegistryKeeper(pool)
        keeper.read_again()
        chosen, waiting = _chosen(pool, number, items, reason, source)
        total = Replayed(next=0)
        with _bar("Replaying", waiting) as advance:
            while total.next is not None:
                part = replay(pool, keeper, chosen, None, total.next)
                total.add(part)
                advance(part.messages)
    words = (
        f"Messages tried: {total.messages}; observations stored: {total.stored}, had been stored before: "
        f"{total.duplicate}; messages that still wait: {total.waiting}."
    )
    found = {name: getattr(total, name) for name in ("messages", "done", "waiting", "stored", "duplicate", "reasons")}
    report(found, as_json, "\n".join([words, *_remedies(total.reasons)]))


def _remedies(reasons: Iterable[str]) -> list[str]:
    """Say once of each reason what to do."""
    return [f"{reason}: {_remedy(reason)}" for reason in dict.fromkeys(reasons) if _remedy(reason)]


def _remedy(reason: str) -> str:
    return REMEDY[Reason(reason)] if reason in set(Reason) else ""


def discard_waiting(
    items: list[int], reason: str | None, source: str | None, because: str, organisation: str | None, *, as_json: bool
) -> None:
    """Discard messages for a reason; they are kept."""
    if not because.strip():
        raise ProvisioningError("Say with --because why they are not wanted.")
    with _ingest(organisation) as (pool, number):
        chosen, waiting = _chosen(pool, number, items, reason, source)
        done, after = 0, 0
        with _bar("Discarding", waiting) as advance:
            while numbers := discard(pool, chosen, because.strip(), after):
                done, after = done + len(numbers), numbers[-1]
                advance(len(numbers))
    report({"messages": done}, as_json, f"{done} messages discarded.")


def _chosen(
    pool: ConnectionPool, organisation: int, items: list[int], reason: str | None, source: str | None
) -> tuple[Chosen, int]:
    if reason is not None and reason not in set(Reason):
        raise ProvisioningError(f"There is no reason {reason!r}; there are: {', '.join(Reason)}.")
    if not items and reason is None and source is None:
        raise ProvisioningError("Say which: numbers of messages, --reason, --source, or --all.")
    with pool.connection() as connection:
        up_to = newest(connection)
        chosen = Chosen(organisation, items or None, reason, source or None, up_to=up_to, nobodys=True)
        return chosen, left(connection, chosen)


@contextmanager
def _ingest(organisation: str | None) -> Iterator[tuple[ConnectionPool, int]]:
    log_to_file(load_settings().home / "logs" / "homeward.log")
    where = addresses()
    with (
        open_pool(where.database_url(ADMIN_ROLE), ADMIN_ROLE) as admin,
        admin.connection() as connection,
        open_pool(where.ingest_database_url, ROLE) as pool,
    ):
        yield pool, find_organisation(connection, organisation)


@contextmanager
def _bar(title: str, total: int) -> Iterator[Any]:
    """Show how far it has come, where somebody watches."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(title, total=total)
        yield lambda count: bars.advance(task, count)
