"""Is it said in words how a device's clock goes, on the page and over the interface?"""

import pytest

from dashboard.device_clock import clock_words
from tests.dashboard.conftest import Served


@pytest.mark.pure
@pytest.mark.parametrize(
    ("unset", "skew_s", "words"),
    [
        (None, None, "–"),
        (True, 0, "Not set"),
        (False, 4, "Right"),
        (False, -59, "Right"),
        (False, 5, "5 s ahead"),
        (None, 3599, "60 min ahead"),
        (None, 3600, "1 h ahead"),
        (None, -3 * 86_400, "3 d behind, or sent late"),
    ],
)
def test_a_clock_in_words(unset: bool | None, skew_s: int | None, words: str) -> None:
    assert clock_words(unset, None if skew_s is None else skew_s * 1_000_000) == words


def test_the_interface_gives_the_skew(served: Served) -> None:
    north = served.trusts.north
    device = north.patients[0].device_id
    served.ask(
        "insert into device_clock (device_id, organisation_id, delays_us, skew_us, unset_at, heard_at) "
        "values (%s, %s, '{-90000000}', 90000000, null, now())",
        device,
        north.organisation_id,
    )
    with served.client("nurse") as nurse:
        devices = {d["device_id"]: d for d in nurse.get("/api/v1/devices").json()["items"]}
    assert (devices[device]["clock_skew_s"], devices[device]["clock_is_set"]) == (90, True)
    other = next(d for number, d in devices.items() if number != device)
    assert (other["clock_skew_s"], other["heard_at"]) == (None, None)
