"""Does a set that never arrived show, and nothing else?"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeward.accounts import Account, accounts, read_receipts, unaccounted_receipts
from homeward.local.errors import SetupError
from ingest.admission import Incoming
from tests.ingest.conftest import Desk


def numbered(desk: Desk, sequence: int, **values: float) -> Incoming:
    return desk.message(0, sequence / 100, values or {"pulse": 70, "spo2": 97}, sequence=sequence)


def account(desk: Desk) -> Account:
    with desk.pool.connection() as connection:
        (found,) = accounts(connection)
    return found


def test_a_gap_in_the_numbers_is_named(desk: Desk) -> None:
    desk.write(*(numbered(desk, number) for number in (1, 2, 3, 7, 9)))
    found = account(desk)
    assert (found.sets, found.missing, found.holes) == (5, 4, [[4, 6], [8, 8]])
    assert found.faults == ["4 sets have not arrived: 4–6, 8; the device keeps what has no receipt."]
    desk.write(*(numbered(desk, number) for number in (8, 5, 4, 6)))
    assert account(desk).faults == []


def test_what_is_quarantined_or_a_duplicate_has_arrived(desk: Desk) -> None:
    desk.write(numbered(desk, 1), numbered(desk, 2, pulse=71, spo2=0), numbered(desk, 3, mood=3.0))
    # the same values under a new number: a device that lost count
    desk.write(desk.message(0, 0.01, {"pulse": 70, "spo2": 97}, sequence=4))
    found = account(desk)
    assert (found.observations, found.stored, found.quarantined, found.duplicates) == (7, 3, 2, 2)
    assert found.verdict == "Complete."


def test_what_is_gone_from_the_store_is_missed(desk: Desk) -> None:
    desk.write(numbered(desk, 1), numbered(desk, 2))
    desk.ask("delete from observation where vital = (select max(vital) from observation) returning 1")
    assert account(desk).faults == ["2 observations are neither in the store nor in quarantine."]


def test_a_hub_is_accounted_for_with_the_devices_it_speaks_for(desk: Desk) -> None:
    for number, device in enumerate(desk.ward.devices, 1):
        content = numbered(desk, number).payload[:-1] + f', "device": "{device}"}}'.encode()
        desk.write(desk.raw(desk.ward.hub_topic, content))
    found = account(desk)
    assert (found.device, found.sets, found.observations, found.faults) == (desk.ward.hub, 3, 6, [])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(1, 9)),
    repeats=st.lists(st.integers(1, 8), max_size=8),
    cuts=st.sets(st.integers(1, 15), max_size=4),
)
def test_order_batches_and_redelivery_add_nothing(
    desk: Desk, order: list[int], repeats: list[int], cuts: set[int]
) -> None:
    for table in ("observation", "device_account", "patient_snapshot", "patient_state"):
        desk.ask(f"delete from {table} returning 1")
    arriving = order + repeats
    bounds = [0, *sorted(c for c in cuts if c < len(arriving)), len(arriving)]
    for begin, end in itertools.pairwise(bounds):
        desk.write(*(numbered(desk, number) for number in arriving[begin:end]))
    found = account(desk)
    assert (found.sets, found.missing, found.observations, found.stored, found.duplicates) == (8, 0, 16, 16, 0)


def test_a_receipt_for_what_was_never_taken_is_found(desk: Desk, tmp_path: Path) -> None:
    desk.write(numbered(desk, 1))
    device = desk.ward.devices[0]
    ledger = tmp_path / "receipts.jsonl"
    ledger.write_text("\n".join(json.dumps({"device": device, "sequence": n}) for n in (1, 2)))
    with desk.pool.connection() as connection:
        assert unaccounted_receipts(connection, read_receipts(ledger)) == [(device, 2)]
    ledger.write_text('{"device": "a"}')
    with pytest.raises(SetupError, match=r"receipts.jsonl:1: not a receipt"):
        read_receipts(ledger)
