"""Does scoring a ward at once say what the printed NEWS2 chart says of each patient, and no more than is known?"""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.news2 import RESPONSE_LEVELS, News2, missing_that_matter, news2
from alerts.news2_chart import PARAMETERS
from benchmarks.plain_news2 import plain_news2
from tests.reference_news2 import EVERY_BAND, deciding, points_of, score_one

pytestmark = pytest.mark.pure

NAN = float("nan")
WELL: dict[str, Any] = {
    "respiration_rate": 16, "spo2": 97, "on_oxygen": 0, "bp_systolic": 124, "pulse": 72, "consciousness": "A",
    "temperature": 36.8,
}  # fmt: skip
FIELDS = ("points", "aggregate", "lower", "upper", "red", "response", "response_upper")


def score(sets: list[dict[str, Any]], scales: list[int]) -> News2:
    """Score observation sets given as rows, None where not observed."""
    columns: dict[str, Any] = {
        name: np.array([NAN if row[name] is None else row[name] for row in sets], dtype=float)
        for name in PARAMETERS
        if name != "consciousness"
    }
    letters = np.array([row["consciousness"] or "" for row in sets], dtype="U1")
    return news2(**columns, consciousness=letters, spo2_scale=np.array(scales, dtype=np.int64))


def assert_same(one: News2, other: News2, order: Any = slice(None)) -> None:
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(one, field)[order], getattr(other, field), err_msg=field)


# Both sides of every edge of chart 1, the value as entered, then its points.
EDGES = """
respiration_rate   0:3  8:3  8.4:3  8.5:1  9:1  11:1  12:0  20:0  20.499:0  20.5:2  21:2  24:2  25:3  60:3  999:3
bp_systolic        0:3  90:3  90.5:2  91:2  100:2  101:1  110:1  111:0  219:0  219.499:0  219.5:3  220:3  300:3  9999:3
pulse              0:3  40:3  41:1  50:1  51:0  90:0  90.5:1  91:1  110:1  111:2  130:2  131:3  250:3
temperature        0:3  35.0:3  35.049:3  35.05:1  35.1:1  36.0:1  36.049:1  36.05:0  36.1:0  38.0:0  38.049:0
temperature        38.05:1  38.1:1  39.0:1  39.049:1  39.05:2  39.1:2  45:2
consciousness      A:0  C:3  V:3  P:3  U:3
on_oxygen          0:0  1:2
spo2/1             0:3  91:3  91.5:2  92:2  93:2  94:1  95:1  95.499:1  95.5:0  96:0  100:0
spo2/2/air         0:3  83:3  83.5:2  84:2  85:2  86:1  87:1  88:0  92:0  93:0  94:0  95:0  96:0  97:0  100:0
spo2/2/oxygen      0:3  83:3  84:2  85:2  86:1  87:1  88:0  92:0  92.499:0  92.5:1  93:1  94:1  95:2  96:2  97:3  100:3
spo2/2/unknown     83:3  84:2  85:2  86:1  87:1  88:0  92:0  93:-  94:-  95:-  96:-  97:-  100:-
"""


@pytest.mark.parametrize("line", EDGES.strip().splitlines())
def test_every_band_edge_from_both_sides(line: str) -> None:
    what, *cells = line.split()
    name, scale, gas = (*what.split("/"), "1", "air")[:3] if "/" not in what else (*what.split("/"), "air")[:3]
    for cell in cells:
        value, points = cell.split(":")
        row = WELL | {"on_oxygen": {"air": 0, "oxygen": 1, "unknown": None}[gas]}
        row[name] = value if name == "consciousness" else float(value)
        found = score([row], [int(scale)]).points[0, PARAMETERS.index(name)]
        assert np.isnan(found) if points == "-" else found == int(points), cell


# resp  SpO2  scale  gas  sys  pulse  ACVPU  temp  |  points, aggregate or bounds, red, response (certain, at worst)
CHARTS = """
 16     97    1      air  124  72     A      36.8  |  0 0 0 0 0 0 0   0      -    routine     routine
 22     93    1      O2   105  112    A      38.4  |  2 2 2 1 2 0 1   10     -    high        high
 16     97    1      air  124  72     C      36.8  |  0 0 0 0 0 3 0   3      red  low_medium  low_medium
 24     97    1      air  124  92     A      38.1  |  2 0 0 0 1 0 1   4      -    low         low
 24     95    1      air  124  92     A      38.1  |  2 1 0 0 1 0 1   5      -    medium      medium
 8      83    2      O2   90   131    U      35.0  |  3 3 2 3 3 3 3   20     red  high        high
 16     97    2      air  124  72     A      36.8  |  0 0 0 0 0 0 0   0      -    routine     routine
 16     97    2      O2   124  72     A      36.8  |  0 3 2 0 0 0 0   5      red  medium      medium
 16     97    2      .    124  72     A      36.8  |  0 . . 0 0 0 0   0..5   -    routine     medium
 16     90    2      .    124  72     A      36.8  |  0 0 . 0 0 0 0   0..2   -    routine     low
 16     .     2      air  124  72     A      36.8  |  0 . 0 0 0 0 0   0..3   -    routine     low_medium
 .      97    1      air  124  72     .      36.8  |  . 0 0 0 0 . 0   0..6   -    routine     medium
 .      91    1      .    124  72     .      36.8  |  . 3 . 0 0 . 0   3..11  red  low_medium  high
 25     91    1      O2   .    72     A      .     |  3 3 2 . 0 0 .   8..14  red  high        high
 .      .     1      .    .    .      .      .     |  . . . . . . .   0..20  -    routine     high
 .      .     2      .    .    .      .      .     |  . . . . . . .   0..20  -    routine     high
 .      .     1      .    .    0      .      .     |  . . . . 3 . .   3..20  red  low_medium  high
"""


@pytest.mark.parametrize("line", CHARTS.strip().splitlines())
def test_charts(line: str) -> None:
    given_cells, expected = (half.split() for half in line.split("|"))
    rate, spo2, scale, gas, systolic, pulse, letter, temperature = given_cells
    cells = {
        "respiration_rate": rate, "spo2": spo2, "on_oxygen": {"air": "0", "O2": "1", ".": "."}[gas],
        "bp_systolic": systolic, "pulse": pulse, "temperature": temperature,
    }  # fmt: skip
    row: dict[str, Any] = {name: None if cell == "." else float(cell) for name, cell in cells.items()}
    row["consciousness"] = None if letter == "." else letter
    found = score([row], [int(scale)])
    total, red, certain, worst = expected[7:]
    lower, upper = total.split("..") if ".." in total else (total, total)
    np.testing.assert_array_equal(found.points[0], [NAN if cell == "." else float(cell) for cell in expected[:7]])
    np.testing.assert_array_equal(found.aggregate, [NAN if ".." in total else float(total)])
    assert (found.lower[0], found.upper[0]) == (float(lower), float(upper))
    assert found.red[0] == (red == "red")
    assert (RESPONSE_LEVELS[found.response[0]], RESPONSE_LEVELS[found.response_upper[0]]) == (certain, worst)


# Every band of the chart, and values with up to three decimals anywhere on the line.
def values_of(name: str) -> st.SearchStrategy[Any]:
    bands = st.sampled_from(EVERY_BAND[name])
    if name in ("consciousness", "on_oxygen"):
        return bands
    low, high = {"temperature": (33_000, 41_000), "spo2": (80_000, 100_000)}.get(name, (0, 260_000))
    return bands | st.integers(low, high).map(lambda number: number / 1000)


WHOLE = st.fixed_dictionaries({name: values_of(name) for name in PARAMETERS})
SETS = st.fixed_dictionaries({name: st.none() | values_of(name) for name in PARAMETERS})
SCALE = st.sampled_from([1, 2])
WARDS = st.lists(st.tuples(SETS, SCALE), min_size=1, max_size=25)


@settings(deadline=None)
@given(observed=st.one_of(WHOLE, SETS), scale=SCALE, hidden=st.sets(st.sampled_from(PARAMETERS), max_size=4))
def test_equals_the_slow_loop_with_tight_bounds(observed: dict[str, Any], scale: int, hidden: set[str]) -> None:
    """The loop finds the bounds and response levels by trying every band of everything that is missing."""
    known = [name for name in PARAMETERS if observed[name] is not None and name not in hidden]
    observed = {name: observed[name] if name in known or len(known) < 2 else None for name in PARAMETERS}
    found, expected = score([observed], [scale]), score_one(observed, scale)
    np.testing.assert_array_equal(found.points[0], [NAN if p is None else p for p in expected.points])
    np.testing.assert_array_equal(found.aggregate[0], NAN if expected.aggregate is None else expected.aggregate)
    for field in ("lower", "upper", "red", "response", "response_upper"):
        assert getattr(found, field)[0] == getattr(expected, field), field


# Mostly well people: in a very sick one, nothing that is missing could change the response.
MILD = st.fixed_dictionaries({name: st.just(WELL[name]) | st.just(WELL[name]) | values_of(name) for name in PARAMETERS})


@settings(deadline=None, max_examples=60)
@given(observed=MILD, scale=SCALE, hidden=st.sets(st.sampled_from(PARAMETERS), min_size=1, max_size=3))
def test_missing_that_matter_equals_trying_everything(observed: dict[str, Any], scale: int, hidden: set[str]) -> None:
    observed = {name: None if name in hidden else observed[name] for name in PARAMETERS}
    assert missing_that_matter(score([observed], [scale]))[0].tolist() == deciding(observed, scale)


@pytest.mark.parametrize("hidden", list(combinations(PARAMETERS, 1)) + list(combinations(PARAMETERS, 2)))
def test_what_matters_beside_points_already_known(hidden: tuple[str, ...]) -> None:
    """Each known score from 0 up, so that every threshold of chart 4 is crossed by what is missing."""
    for scale in (1, 2):
        for sicker in (
            {},
            {"temperature": 39.1},
            {"spo2": 85},
            {"spo2": 95, "on_oxygen": 1},
            {"pulse": 131, "spo2": 91},
        ):
            observed = WELL | sicker | dict.fromkeys(hidden)
            found = score([observed], [scale])
            assert missing_that_matter(found)[0].tolist() == deciding(observed, scale), (scale, sicker)


def test_bounds_of_every_band_of_spo2_beside_unknown_oxygen() -> None:
    for scale in (1, 2):
        for spo2 in (None, *range(80, 101)):
            for gas in (None, 0, 1):
                observed = WELL | {"spo2": spo2, "on_oxygen": gas}
                found, expected = score([observed], [scale]), score_one(observed, scale)
                for field in ("lower", "upper", "red", "response", "response_upper"):
                    assert getattr(found, field)[0] == getattr(expected, field), (scale, spo2, gas, field)
                assert missing_that_matter(found)[0].tolist() == deciding(observed, scale), (scale, spo2, gas)


@settings(deadline=None)
@given(ward=WARDS, seed=st.integers(0, 2**32 - 1))
def test_whole_ward_is_one_at_a_time_and_order_does_not_matter(
    ward: list[tuple[dict[str, Any], int]], seed: int
) -> None:
    sets, scales = [row for row, _ in ward], [scale for _, scale in ward]
    whole = score(sets, scales)
    for at, (row, scale) in enumerate(ward):
        assert_same(whole, score([row], [scale]), slice(at, at + 1))
    order = np.random.default_rng(seed).permutation(len(ward))
    assert_same(whole, score([sets[i] for i in order], [scales[i] for i in order]), order)
    np.testing.assert_array_equal(
        missing_that_matter(whole)[order],
        missing_that_matter(score([sets[i] for i in order], [scales[i] for i in order])),
    )


@settings(deadline=None)
@given(ward=WARDS)
def test_what_must_hold_of_any_ward(ward: list[tuple[dict[str, Any], int]]) -> None:
    found = score([row for row, _ in ward], [scale for _, scale in ward])
    complete = ~np.isnan(found.points).any(axis=1)
    np.testing.assert_array_equal(~np.isnan(found.aggregate), complete)
    np.testing.assert_array_equal(found.lower[complete], found.aggregate[complete])
    np.testing.assert_array_equal(found.upper[complete], found.aggregate[complete])
    np.testing.assert_array_equal(found.points[complete].sum(axis=1), found.aggregate[complete])
    assert (found.lower[~complete] < found.upper[~complete]).all()
    assert ((found.lower >= 0) & (found.upper <= 20)).all()
    np.testing.assert_array_equal(found.red, (found.points == 3).any(axis=1))
    assert (found.response <= found.response_upper).all()
    matters = missing_that_matter(found)
    np.testing.assert_array_equal(matters.any(axis=1), found.response < found.response_upper)
    observed = np.array([[row[name] is not None for name in PARAMETERS] for row, _ in ward])
    assert not (matters & observed).any()


@settings(deadline=None)
@given(observed=st.one_of(WHOLE, SETS), scale=SCALE)
def test_the_plain_function_that_it_is_measured_beside_gives_the_same(observed: dict[str, Any], scale: int) -> None:
    plain, found = plain_news2(observed, scale), score([observed], [scale])
    np.testing.assert_array_equal(found.points[0], [NAN if p is None else p for p in plain.points])
    np.testing.assert_array_equal(found.aggregate[0], NAN if plain.aggregate is None else plain.aggregate)
    for field in ("lower", "upper", "red", "response", "response_upper"):
        assert getattr(found, field)[0] == getattr(plain, field), field


@pytest.mark.parametrize("name", ["respiration_rate", "spo2", "bp_systolic", "pulse", "temperature"])
def test_every_value_at_a_tenth_of_the_charts_resolution(name: str) -> None:
    step = 100 if name == "temperature" else 10  # a tenth of what the chart shows
    values = [i / step for i in range(5000 if name == "temperature" else 3000)]
    beside = [(scale, gas) for scale in (1, 2) for gas in (0, 1, None)] if name == "spo2" else [(1, 0)]
    for scale, gas in beside:
        sets = [WELL | {"on_oxygen": gas, name: value} for value in values]
        found = score(sets, [scale] * len(sets)).points[:, PARAMETERS.index(name)]
        expected = [points_of(row, scale)[PARAMETERS.index(name)] for row in sets]
        np.testing.assert_array_equal(found, [NAN if p is None else p for p in expected], err_msg=f"{scale} {gas}")


@pytest.mark.parametrize("size", [*range(1, 40), 1000])
def test_what_was_not_observed_is_not_wherever_it_stands(size: int) -> None:
    """A NaN is cast to a whole number, which processors do each in their way, and otherwise at the end of an array."""
    gaps = np.arange(size) % 3 == size % 3
    columns: dict[str, Any] = {name: np.where(gaps, NAN, WELL[name]) for name in PARAMETERS if name != "consciousness"}
    found = news2(**columns, consciousness=np.where(gaps, "", "A"), spo2_scale=2)
    np.testing.assert_array_equal(np.isnan(found.points), np.repeat(gaps[:, None], len(PARAMETERS), axis=1))
    np.testing.assert_array_equal(found.upper, np.where(gaps, 20, 0))


def test_blocks_join_without_a_seam() -> None:
    size = 70_001
    rng = np.random.default_rng(3)
    columns: dict[str, Any] = {
        name: rng.choice(np.array([*EVERY_BAND[name], NAN], dtype=float), size)
        for name in PARAMETERS
        if name != "consciousness"
    }
    columns["consciousness"] = rng.choice(["", *"ACVPU"], size)
    columns["spo2_scale"] = rng.choice([1, 2], size)
    whole = news2(**columns)
    for start in (0, 32_000, 65_530, size - 9):
        part = news2(**{name: values[start : start + 9] for name, values in columns.items()})
        assert_same(whole, part, slice(start, start + 9))


def arguments(size: int = 3, **changed: Any) -> dict[str, Any]:
    """Return arguments of a well ward, some of them replaced."""
    ward: dict[str, Any] = {name: [value] * size for name, value in WELL.items()}
    return ward | {"spo2_scale": 1} | changed


@pytest.mark.parametrize(
    "letters",
    [
        ["A", "C", ""],
        np.array(["A", "C", ""], dtype="U8"),
        np.array(["A", "C", ""], dtype=">U1"),
        np.array([b"A", b"C", b""]),
        np.array(["A", "C", None], dtype=object),
        np.array(["A", "C", NAN], dtype=object),
        np.array(["A", "C", NAN]),
        np.array(["A", "x", "C", "x", "", "x"])[::2],
        np.array([0, 1, NAN]),
        np.array([0, 1, NAN], dtype=np.float32),
        np.array([0, 1, None], dtype=object),
        np.ma.masked_array(np.array([0.0, 1.0, 4.0]), mask=[False, False, True]),
        np.ma.masked_array(np.array(["A", "C", "U"]), mask=[False, False, True]),
    ],
    ids=repr,
)
def test_consciousness_may_be_letters_or_codes(letters: Any) -> None:
    found = news2(**arguments(consciousness=letters))
    np.testing.assert_array_equal(found.points[:, 5], [0, 3, NAN])


@pytest.mark.parametrize("gas", [[0, 1, NAN], [0, 1, None], np.array([0, 1, NAN], dtype=np.float32)], ids=repr)
def test_oxygen_may_be_numbers_with_gaps(gas: Any) -> None:
    np.testing.assert_array_equal(news2(**arguments(on_oxygen=gas)).points[:, 2], [0, 2, NAN])


@pytest.mark.parametrize("kind", [np.bool_, np.int8, np.uint8, np.int64, np.float64])
def test_oxygen_and_scale_of_any_number_type(kind: Any) -> None:
    found = news2(
        **arguments(on_oxygen=np.array([0, 1, 1], dtype=kind), spo2_scale=np.array([1, 1, 2], dtype=np.float32))
    )
    np.testing.assert_array_equal(found.points[:, 2], [0, 2, 2])
    np.testing.assert_array_equal(found.points[:, 1], [0, 0, 3])


def test_integers_float32_and_masks_are_read_as_what_they_are() -> None:
    found = news2(**arguments(
        pulse=np.array([40, 41, 131], dtype=np.uint8),
        temperature=np.array([36.05, 35.05, 39.05], dtype=np.float32),
        respiration_rate=np.ma.masked_array([30.0, 30.0, 16.0], mask=[True, False, False]),
    ))  # fmt: skip
    np.testing.assert_array_equal(found.points[:, 4], [3, 1, 3])
    np.testing.assert_array_equal(found.points[:, 6], [0, 1, 2])
    np.testing.assert_array_equal(found.points[:, 0], [NAN, 3, 0])


def test_nobody_is_a_ward_too() -> None:
    found = news2(**arguments(size=0))
    assert found.points.shape == (0, 7)
    assert missing_that_matter(found).shape == (0, 7)
    assert len(found) == 0


def test_inputs_are_left_alone_and_the_record_is_frozen() -> None:
    ward = {name: np.array(values) for name, values in arguments().items()}
    before = {name: values.copy() for name, values in ward.items()}
    found = news2(**ward)
    for name, values in ward.items():
        np.testing.assert_array_equal(values, before[name])
    with pytest.raises(AttributeError):
        found.points = found.points  # type: ignore[misc]


INF = float("inf")
CANNOT_BE = [
    ({"pulse": [70, -1, 70]}, "pulse[1]: -1 /min cannot be; expected 0 or more, or NaN where not observed"),
    ({"temperature": [NAN, 36.5, -0.1]}, "temperature[2]: -0.1 °C cannot be; expected 0 or more, or NaN"),
    ({"spo2": [INF, 97, 97]}, "spo2[0]: inf % cannot be; expected 0 or more"),
    ({"bp_systolic": [120, 120, -INF]}, "bp_systolic[2]: -inf mmHg cannot be"),
    ({"respiration_rate": ["12", "x", "14"]}, "respiration_rate: has type <U2; expected numbers"),
    ({"respiration_rate": [object()] * 3}, "respiration_rate: "),
    ({"pulse": [True, True, False]}, "pulse: has type bool; expected numbers"),
    ({"pulse": [70, 70]}, "pulse: has 2 values, respiration_rate has 3; expected one for each patient"),
    ({"pulse": 70}, "pulse: has shape (); expected (P,), one value for each patient"),
    ({"pulse": [[70, 70, 70]]}, "pulse: has shape (1, 3); expected (P,)"),
    ({"on_oxygen": [0, 2, 0]}, "on_oxygen[1]: 2 cannot be; expected 0 or 1, or NaN where not observed"),
    ({"on_oxygen": [0, 0.5, NAN]}, "on_oxygen[1]: 0.5 cannot be; expected 0 or 1"),
    ({"on_oxygen": [NAN, -1.0, 0]}, "on_oxygen[1]: -1.0 cannot be; expected 0 or 1"),
    ({"on_oxygen": np.array([0, 255, 0], dtype=np.uint8)}, "on_oxygen[1]: 255 cannot be; expected 0 or 1"),
    ({"consciousness": ["A", "X", "A"]}, "consciousness[1]: 'X' cannot be; expected one of ACVPU, or ''"),
    ({"consciousness": ["A", "a", "A"]}, "consciousness[1]: 'a' cannot be"),
    ({"consciousness": ["A", "A", "é"]}, "consciousness[2]: 'é' cannot be"),
    ({"consciousness": ["A", "Alert", "A"]}, "consciousness[1]: 'Alert' cannot be"),
    ({"consciousness": np.array(["A", 3, "A"], dtype=object)}, "consciousness[1]: 3 cannot be"),
    ({"consciousness": [0, 5, 1]}, "consciousness[1]: 5 cannot be; expected 0 or 1 or 2 or 3 or 4"),
    ({"consciousness": [0, 1.5, NAN]}, "consciousness[1]: 1.5 cannot be"),
    ({"consciousness": "A"}, "consciousness: has shape ()"),
    ({"spo2_scale": 3}, "spo2_scale[0]: 3 cannot be; expected 1 or 2"),
    ({"spo2_scale": [1, 2, 0]}, "spo2_scale[2]: 0 cannot be; expected 1 or 2"),
    ({"spo2_scale": [1, NAN, 2]}, "spo2_scale[1]: nan cannot be; expected 1 or 2"),
    ({"spo2_scale": [1, 1.5, 2]}, "spo2_scale[1]: 1.5 cannot be; expected 1 or 2"),
    ({"spo2_scale": [1, 2]}, "spo2_scale: has shape (2,)"),
    ({"spo2_scale": "1"}, "spo2_scale: has shape (3,) and type <U1; expected numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("changed", "sentence"), CANNOT_BE)
def test_what_cannot_be_is_refused_with_its_place(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(sentence)):
        news2(**arguments(**changed))


def test_a_refusal_in_a_later_block_names_the_patient() -> None:
    size = 70_000
    pulse = np.full(size, 70.0)
    pulse[66_000] = -5
    with pytest.raises(ValueError, match=r"^pulse\[66000\]"):
        news2(**arguments(size=size, pulse=pulse))
