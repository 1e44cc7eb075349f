"""Is every Bluetooth record read by its flags, and none of its words that are no numbers taken for one?"""

from __future__ import annotations

import base64
import struct
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.characteristics import READERS
from schemas.bluetooth_record import CHARACTERISTICS, bluetooth_json_schema
from schemas.observation import Flag
from tests.ingest.formats.reading import accounted, decoded, instants, reasons, values

HEARD = "2026-11-22T08:00:05+00:00"
ZONES = {"cuff-7": "Europe/London"}


def record(characteristic: str, content: str | bytes, **more: Any) -> dict[str, Any]:
    """A hub's message; ``content`` in hexadecimal digits or bytes."""
    written = content if isinstance(content, str) else content.hex()
    found = {"characteristic": characteristic, "value": written, "encoding": "hex", "device": "cuff-7", "time": HEARD}
    return {name: part for name, part in (found | more).items() if part is not None}


def clock(year: int = 2026, month: int = 7, day: int = 1, hour: int = 9, minute: int = 30, second: int = 15) -> str:
    return struct.pack("<HBBBBB", year, month, day, hour, minute, second).hex()


def sfloat(mantissa: int, exponent: int = 0) -> str:
    return struct.pack("<H", (exponent & 0xF) << 12 | mantissa & 0xFFF).hex()


def float32(mantissa: int, exponent: int) -> str:
    return struct.pack("<I", (exponent & 0xFF) << 24 | mantissa & 0xFFFFFF).hex()


BP = sfloat(142) + sfloat(88) + sfloat(106)
SPOT = sfloat(95) + sfloat(72)

# what it is; characteristic; bytes; what is taken
TAKEN: list[tuple[str, str, str, dict[str, float]]] = [
    ("mmHg", "2A35", "00" + BP, {"bp_systolic": 142, "bp_diastolic": 88}),
    ("kPa", "2A35", "01" + sfloat(189, -1) + sfloat(117, -1) + sfloat(141, -1),
     {"bp_systolic": 141.7617, "bp_diastolic": 87.7572}),
    ("with pulse", "2A35", "04" + BP + sfloat(715, -1), {"bp_systolic": 142, "bp_diastolic": 88, "pulse": 71.5}),
    ("everything", "2A35", "1e" + BP + clock() + sfloat(71) + "01" + "0000",
     {"bp_systolic": 142, "bp_diastolic": 88, "pulse": 71}),
    ("spot check", "2A5E", "00" + SPOT, {"spo2": 95, "pulse": 72}),
    ("spot check, everything", "2A5E", "0f" + SPOT + clock() + "8000" + "000000" + sfloat(12, -1),
     {"spo2": 95, "pulse": 72}),
    ("continuous", "2A5F", "00" + SPOT, {"spo2": 95, "pulse": 72}),
    ("continuous, everything", "2A5F", "1f" + SPOT + (sfloat(50) + sfloat(50)) * 2 + "8000" + "000000" + sfloat(3),
     {"spo2": 95, "pulse": 72}),
    ("degrees Celsius", "2A1C", "00" + float32(364, -1), {"temperature": 36.4}),
    ("degrees Fahrenheit", "2A1C", "01" + float32(977, -1), {"temperature": 36.5}),
    ("in the mouth", "2A1C", "06" + float32(3650, -2) + clock() + "06", {"temperature": 36.5}),
    ("kilograms", "2A9D", "00" + struct.pack("<H", 16480).hex(), {"weight": 82.4}),
    ("pounds", "2A9D", "01" + struct.pack("<H", 18500).hex(), {"weight": 83.9146}),
    ("weight, everything", "2A9D", "0e" + struct.pack("<H", 16480).hex() + clock() + "02" + "ff00" + "b406",
     {"weight": 82.4}),
    ("mol/L", "2A18", "06" + "0100" + clock() + sfloat(55, -4) + "11", {"glucose": 5.5}),
    ("kg/L", "2A18", "02" + "0100" + clock() + sfloat(100, -5) + "11", {"glucose": 5.5507}),
    ("meter, everything", "2A18", "1f" + "0100" + clock() + "3c00" + sfloat(55, -4) + "12" + "0100", {"glucose": 5.5}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("characteristic", "content", "expected"), [row[1:] for row in TAKEN], ids=[r[0] for r in TAKEN]
)
def test_the_values_are_read_by_the_flags(characteristic: str, content: str, expected: dict[str, float]) -> None:
    out = decoded(record(characteristic, content), zones=ZONES)
    assert values(out) == expected
    assert reasons(out) == []
    assert out.device == ["cuff-7"]


@pytest.mark.parametrize(("characteristic", "content"), [row[1:3] for row in TAKEN], ids=[r[0] for r in TAKEN])
def test_no_byte_is_missing_or_too_many(characteristic: str, content: str) -> None:
    whole = bytes.fromhex(content)
    for end in range(len(whole)):
        out = decoded(record(characteristic, whole[:end]), zones=ZONES)
        assert values(out) == {}
        assert reasons(out) == ["malformed"]
    out = decoded(record(characteristic, whole + b"\0"), zones=ZONES)
    assert values(out) == {}
    assert reasons(out) == ["wrong_type"]


@pytest.mark.parametrize("characteristic", CHARACTERISTICS)
def test_a_flag_that_is_not_defined_is_refused(characteristic: str) -> None:
    out = decoded(record(characteristic, "80" + "00" * 30), zones=ZONES)
    assert reasons(out) == ["wrong_type"]
    assert "flags 0x80" in out.rejections[0].detail


@pytest.mark.parametrize("special", ["ff07", "0008", "fe07", "0208", "0108"])
def test_words_that_are_no_numbers_are_no_values(special: str) -> None:
    out = decoded(record("2A35", "04" + special + sfloat(88) + special + special), zones=ZONES)
    assert values(out) == {"bp_diastolic": 88}
    assert reasons(out) == ["no_value", "no_value"]
    out = decoded(record("2A5E", "00" + sfloat(95) + special), zones=ZONES)
    assert values(out) == {"spo2": 95}
    assert reasons(out) == ["no_value"]


@pytest.mark.parametrize("special", ["ffff7f00", "00008000", "feff7f00", "02008000", "01008000"])
def test_long_words_that_are_no_numbers_are_no_values(special: str) -> None:
    assert reasons(decoded(record("2A1C", "00" + special))) == ["no_value"]


def test_the_same_mantissa_with_an_exponent_is_a_number() -> None:
    assert values(decoded(record("2A35", "00" + sfloat(0x7FF, -1) + sfloat(88) + BP[:4]))) == {
        "bp_systolic": 204.7,
        "bp_diastolic": 88,
    }


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (0x0000, Flag(0)),
        (0x0001, Flag.MOVEMENT),
        (0x0002, Flag.CUFF_FIT),
        (0x0004, Flag.IRREGULAR_PULSE),
        (0x0020, Flag.POSITION),
        (0x0027, Flag.MOVEMENT | Flag.CUFF_FIT | Flag.IRREGULAR_PULSE | Flag.POSITION),
        (0x0018, Flag(0)),  # the pulse is beyond the cuff's limits, says the cuff; ours are in the policies
    ],
)
def test_what_the_cuff_noticed_becomes_flags(status: int, flags: Flag) -> None:
    out = decoded(record("2A35", "10" + BP + struct.pack("<H", status).hex()))
    assert out.flags == [flags]


@pytest.mark.parametrize("bit", range(24))
def test_what_the_oximeter_says_of_its_sensor(bit: int) -> None:
    out = decoded(record("2A5E", "04" + SPOT + struct.pack("<I", 1 << bit)[:3].hex()))
    if bit in (1, 7, 11, 12, 13, 14, 15):
        assert reasons(out) == ["no_value"] * 2
    else:
        assert values(out) == {"spo2": 95, "pulse": 72}
        assert out.flags == [Flag.POOR_SIGNAL if bit in (2, 3, 4, 5, 6, 8, 10) else 0]


@pytest.mark.parametrize("bit", range(5, 16))
def test_what_the_oximeter_says_of_the_measurement(bit: int) -> None:
    out = decoded(record("2A5F", "04" + SPOT + struct.pack("<H", 1 << bit).hex()))
    if bit in (10, 11, 12, 13, 15):
        assert reasons(out) == ["no_value"] * 2
    else:
        assert out.flags == [Flag.POOR_SIGNAL if bit == 14 else 0]


@pytest.mark.parametrize("bit", range(12))
def test_what_the_meter_says(bit: int) -> None:
    content = "0e" + "0100" + clock() + sfloat(55, -4) + "11" + struct.pack("<H", 1 << bit).hex()
    out = decoded(record("2A18", content), zones=ZONES)
    if 1 <= bit <= 10:
        assert reasons(out) == ["no_value"]
    else:
        assert values(out) == {"glucose": 5.5}
        assert out.flags == [Flag.CLOCK_UNSET if bit == 11 else 0]


@pytest.mark.parametrize("specimen", range(1, 11))
def test_only_capillary_glucose_is_capillary(specimen: int) -> None:
    out = decoded(record("2A18", "06" + "0100" + clock() + sfloat(55, -4) + f"1{specimen:x}"), zones=ZONES)
    assert reasons(out) == ([] if specimen in (1, 2, 7, 8) else ["unknown_vital_sign"])


@pytest.mark.parametrize("place", range(1, 10))
def test_skin_is_not_the_body(place: int) -> None:
    out = decoded(record("2A1C", "04" + float32(364, -1) + f"{place:02x}"))
    assert reasons(out) == (["unknown_vital_sign"] if place in (4, 8) else [])


def test_a_weighing_that_failed_has_no_value() -> None:
    assert reasons(decoded(record("2A9D", "00ffff"))) == ["no_value"]


def test_a_reading_without_a_concentration_has_no_value() -> None:
    assert reasons(decoded(record("2A18", "00" + "0100" + clock()), zones=ZONES)) == ["no_value"]


# whose time counts: the record's, the hub's, the device's zone
TIMES: list[tuple[str, dict[str, Any], str | None, str | Flag]] = [
    ("02" + BP + clock(), {}, "2026-07-01T08:30:15+00:00", Flag(0)),
    ("00" + BP, {}, "2026-11-22T08:00:05+00:00", Flag(0)),
    ("00" + BP, {"time": None}, None, "missing_time"),
    ("00" + BP, {"time": "2026-11-22T08:00:05"}, None, "time_without_zone"),
    ("02" + BP + clock(0), {}, "2026-11-22T08:00:05+00:00", Flag.CLOCK_UNSET),
    ("02" + BP + clock(month=0), {"time": None}, None, "missing_time"),
    ("02" + BP + clock(month=13), {}, None, "wrong_type"),
    ("02" + BP + clock(hour=24), {}, None, "wrong_type"),
    ("02" + BP + clock(2026, 3, 29, 1, 30), {}, None, "ambiguous_time"),
    ("02" + BP + clock(2026, 10, 25, 1, 30), {}, None, "ambiguous_time"),
    ("02" + BP + clock(2026, 10, 25, 2, 0, 0), {}, "2026-10-25T02:00:00+00:00", Flag(0)),
    ("02" + BP + clock(), {"device": "scale-1"}, None, "time_without_zone"),
]


@pytest.mark.parametrize(("content", "more", "at", "result"), TIMES)
def test_whose_time_counts(content: str, more: dict[str, Any], at: str | None, result: str | Flag) -> None:
    out = decoded(record("2A35", content, **more), zones=ZONES)
    if at is None:
        assert reasons(out) == [result] * len(reasons(out))
        assert values(out) == {}
    else:
        assert (instants(out), out.flags, reasons(out)) == ([at], [result], [])


def test_the_oximeters_clock_is_not_believed_when_it_says_so() -> None:
    out = decoded(record("2A5E", "11" + SPOT + clock()), zones=ZONES)
    assert (instants(out), out.flags) == ([HEARD], [Flag.CLOCK_UNSET])


def test_the_meters_offset_moves_its_time() -> None:
    content = "07" + "0100" + clock() + struct.pack("<h", -60).hex() + sfloat(55, -4) + "11"
    assert instants(decoded(record("2A18", content), zones=ZONES)) == ["2026-07-01T07:30:15+00:00"]


def test_the_records_user_counts_before_the_hubs() -> None:
    assert decoded(record("2A35", "08" + BP + "02", user=1)).user == [2]
    assert decoded(record("2A35", "08" + BP + "ff", user=1)).user == [1]
    assert decoded(record("2A35", "00" + BP)).user == [0]


def test_bytes_may_be_written_in_two_ways() -> None:
    content = base64.b64encode(bytes.fromhex("00" + BP)).decode()
    for number in ("2a35", "0x2A35", "00002a35-0000-1000-8000-00805f9b34fb"):
        out = decoded(record(number, content, encoding="base64"))
        assert values(out) == {"bp_systolic": 142, "bp_diastolic": 88}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"encoding": "base32"}, "encoding"),
        ({"encoding": None}, "encoding"),
        ({"value": "0g"}, "value: is not hex"),
        ({"value": "AA=A", "encoding": "base64"}, "value: is not base64"),
        ({"value": 17}, "value"),
        ({"value": "00" * 2000}, "value"),
        ({"characteristic": "2A37"}, "characteristic"),
        ({"characteristic": "2A35\n"}, "characteristic"),
        ({"characteristic": ["2A35"]}, "characteristic"),
        ({"user": -1}, "user"),
        ({"user": 40_000}, "user"),
        ({"user": 10**30}, "user"),
        ({"surname": "Smith"}, "surname"),
        ({"time": 17}, "time"),
        ({"time": "yesterday"}, "time"),
    ],
)
def test_a_wrong_envelope_is_refused_with_its_place(change: dict[str, Any], place: str) -> None:
    out = decoded(record("2A35", "00" + BP) | change)
    assert values(out) == {}
    assert set(reasons(out)) == {"wrong_type"}
    assert place in out.rejections[0].detail


def test_one_wrong_record_of_a_list_does_not_cost_the_others() -> None:
    out = decoded([record("2A35", "00" + BP), record("2A35", "00"), 17, record("2A1C", "00" + float32(364, -1))])
    assert out.size == [2, 1]
    assert reasons(out) == ["malformed", "wrong_type"]
    assert [r.detail.partition(":")[0] for r in out.rejections] == ["[1]", "[2]"]


def test_the_schema_describes_what_is_read() -> None:
    schema = bluetooth_json_schema()
    jsonschema.validate(record("2A35", "00" + BP), schema)
    jsonschema.validate([record("2A35", "00" + BP)], schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record("2A35", "00" + BP, encoding="base32"), schema)
    assert set(READERS) == set(CHARACTERISTICS)


@given(st.sampled_from(CHARACTERISTICS), st.binary(max_size=40), st.sampled_from([None, HEARD]), st.booleans())
def test_no_bytes_make_it_fail_or_vanish(characteristic: str, content: bytes, time: str | None, known: bool) -> None:
    out = decoded(record(characteristic, content, time=time), zones=ZONES if known else {})
    assert accounted(out) >= 1


@given(st.integers(-2045, 2045), st.integers(-8, 7))
def test_every_number_is_its_mantissa_times_a_power_of_ten(mantissa: int, exponent: int) -> None:
    out = decoded(record("2A5E", "00" + sfloat(mantissa, exponent) + sfloat(72)))
    assert out.value[0] == float(f"{mantissa}e{exponent}")
