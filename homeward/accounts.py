"""Is every observation set that devices say they sent in the store or in quarantine, exactly once?

Devices and hubs that number their sets (`sequence` in the payload) can be held to it: a hole in the numbers is a set
that has not arrived, and what the numbered sets held must be found in the store, in quarantine, or as a duplicate.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from homeward.local.errors import SetupError
from homeward.reporting import addresses, report_rows
from ingest.service import ROLE
from schemas import named_queries
from schemas.database import open_pool

_QUERIES = named_queries.load("homeward", "accounts.sql")
_COLUMNS = ("device", "sets", "missing", "observations", "stored", "quarantined", "duplicates", "verdict")
_HOLES_SHOWN = 5


@dataclass(frozen=True)
class Account:
    """What one sender numbered, beside what is found of it; counts are of observations but for sets and missing."""

    device: str
    sets: int
    missing: int
    observations: int
    stored: int
    quarantined: int
    duplicates: int
    holes: list[list[int]]
    faults: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """In one sentence."""
        return " ".join(self.faults) or "Complete."


def accounts(connection: psycopg.Connection[Any]) -> list[Account]:
    """Compare numbers, store and quarantine for every sender that numbers its sets."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [_account(row) for row in cursor.execute(_QUERIES["accounts"].encode())]


def unaccounted_receipts(connection: psycopg.Connection[Any], receipts: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Give those of a hub's receipts whose numbers were never noted, as (device, number)."""
    devices, numbers = [device for device, _ in receipts], [number for _, number in receipts]
    found = connection.execute(
        _QUERIES["receipts_without_account"].encode(), {"devices": devices, "numbers": numbers}
    ).fetchall()
    return [(str(device), int(number)) for device, number in found]


def report(receipts: Path | None, as_json: bool) -> int:
    """Print the accounts and give the exit code: 1 where anything is missing."""
    with open_pool(addresses().database_url(ROLE), ROLE) as pool, pool.connection() as connection:
        found = accounts(connection)
        missing = unaccounted_receipts(connection, read_receipts(receipts)) if receipts else []
    rows = [asdict(account) | {"verdict": account.verdict} for account in found]
    if as_json:
        lost = [{"device": device, "sequence": number} for device, number in missing]
        print(json.dumps({"accounts": rows, "receipts_without_account": lost}))
    elif not rows:
        print("No device numbers its observation sets: send 'sequence' with each, counted up from 1.")
    else:
        report_rows(rows, False, _COLUMNS)
    if missing and not as_json:
        print(f"{len(missing)} receipts name sets that were never taken, such as {missing[0][1]} of {missing[0][0]}.")
    return int(bool(missing) or any(account.faults for account in found))


def read_receipts(path: Path) -> list[tuple[str, int]]:
    """Read a hub's receipts: a JSON object a line, with `device` and `sequence`."""
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            receipt = json.loads(line)
            found.append((str(receipt["device"]), int(receipt["sequence"])))
        except (ValueError, KeyError, TypeError) as wrong:
            expected = '{"device": "hub-1", "sequence": 17}'
            raise SetupError(f"{path}:{number}: not a receipt ({wrong!r}); expected a line like {expected}.") from wrong
    return found


def _account(row: dict[str, Any]) -> Account:
    holes = [[int(low), int(high)] for low, high in row["holes"]]
    missing = sum(high - low + 1 for low, high in holes)
    found = row["stored"] + row["quarantined"] + row["duplicates"]
    return Account(
        device=row["device"],
        sets=row["last"] - row["first"] + 1 - missing,
        missing=missing,
        observations=row["observations"],
        stored=row["stored"],
        quarantined=row["quarantined"],
        duplicates=row["duplicates"],
        holes=holes,
        faults=list(_faults(holes, missing, row["observations"] - found, dropped=row["dropped"])),
    )


def _faults(holes: list[list[int]], missing: int, short: int, *, dropped: bool) -> list[str]:
    faults = []
    if missing:
        named = ", ".join(f"{low}" if low == high else f"{low}–{high}" for low, high in holes[:_HOLES_SHOWN])
        more = "" if len(holes) <= _HOLES_SHOWN else f" and {len(holes) - _HOLES_SHOWN} more gaps"
        faults.append(f"{missing} sets have not arrived: {named}{more}; the device keeps what has no receipt.")
    if short > 0 and not dropped:  # where old observations were deleted since, there is nothing to compare with
        faults.append(f"{short} observations are neither in the store nor in quarantine.")
    return faults
