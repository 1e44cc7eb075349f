"""How does a command find the installation it is about, and tell its result to a person or to a program?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table
from rich.text import Text

from homeward.installation import ADMIN_ROLE, Addresses
from homeward.local.errors import SetupError
from homeward.local.programs import find_programs
from homeward.provisioning import find_organisation
from homeward.settings import load_settings
from schemas.database import open_pool

SHOWN_ONCE = "It is shown this once and cannot be asked for again."


def addresses(*, broker: bool = False) -> Addresses:
    """Find the database, and where asked for the broker: those of the settings, or the private ones, which must run."""
    found = Addresses(load_settings(), find_programs())
    for name, server in (("database", found.postgres), ("broker", found.broker if broker else None)):
        if server is not None and not server.is_running():
            raise SetupError(
                f"The private {name} of {found.settings.home} does not run; start it with `homeward up` or "
                "`homeward demo`, or name servers in HOMEWARD_DATABASE_URL and HOMEWARD_MQTT_URL."
            )
    return found


@contextmanager
def administrator(organisation: str | None) -> Iterator[tuple[psycopg.Connection[Any], int]]:
    """Open a connection that may set things up, and find the organisation it is for."""
    url = addresses().database_url(ADMIN_ROLE)
    with open_pool(url, ADMIN_ROLE) as pool, pool.connection() as connection:
        yield connection, find_organisation(connection, organisation)


def report(result: Any, as_json: bool, sentence: str) -> None:
    """Print a result: as JSON on one line, or as a sentence."""
    if as_json:
        print(json.dumps(result, default=_as_text))
    else:
        print(sentence)


def report_rows(rows: Sequence[dict[str, Any]], as_json: bool, columns: Sequence[str]) -> None:
    """Print rows: as a JSON list, or as a table of the chosen columns."""
    if as_json:
        print(json.dumps([{c: row.get(c) for c in columns} for row in rows], default=_as_text))
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, pad_edge=False)
    for row in rows:
        # a cell is somebody's words: as markup, the unit [degF] would vanish and a stray [/] be an error
        table.add_row(*(Text(_cell(row.get(column))) for column in columns))
    console = Console()
    # a table in a file or a pipe is not cut at the width of a screen
    (console if console.is_terminal else Console(width=1000)).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "" if value is None else str(value)


def _as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)
