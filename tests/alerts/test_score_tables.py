"""Is another banded score another table, and nothing else?

The tables here have numbers that mean nothing: they are no clinical score.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.cohort import read_observations, read_outcomes
from alerts.documents import Policy, rule_key
from alerts.evaluation import Cohort, figures, mark
from alerts.explain import explanation, sentence
from alerts.load_rules import RuleError
from alerts.notation import PolicyError
from alerts.overrides import Override, personalise
from alerts.plain_words import in_words
from alerts.policy import parse
from alerts.score_tables import NEWS2, SHIPPED, ScoreTable, load_tables
from schemas.vital_signs import BY_NAME
from tests.alerts.in_memory_ward import HOUR, START, Seen, Ward, story
from tests.alerts.made_up_policies import opening
from tests.alerts.test_any_order import agrees_with_the_reference, courses, minutes

pytestmark = pytest.mark.pure

COLUMNS = "parameter,scale,on_oxygen,lower,upper,points,unit,resolution,source,verified"
# parameter, lower, upper, points, unit, resolution; pulse gives a point whatever it is
MADE_UP = """
pulse          | .    | 60   | 5 | /min   | 1
pulse          | 61   | 100  | 1 | /min   | 1
pulse          | 101  | .    | 4 | /min   | 1
glucose        | .    | 4.0  | 3 | mmol/L | 0.1
glucose        | 4.1  | .    | 0 | mmol/L | 0.1
temperature    | .    | 36.4 | 2 | Cel    | 0.1
temperature    | 36.5 | .    | 0 | Cel    | 0.1
consciousness  | A    | C    | 0 | 1      | 1
consciousness  | V    | U    | 6 | 1      | 1
"""
FINE = MADE_UP.replace("L | 0.1", "L | 0.00001").replace("4.1 ", "4.00001")
SECOND = """
bp_diastolic   | .    | 80   | 0 | mm[Hg] | 1
bp_diastolic   | 81   | .    | 2 | mm[Hg] | 1
pulse          | .    | 90   | 0 | /min   | 1
pulse          | 91   | .    | 1 | /min   | 1
on_oxygen      | 0    | 0    | 0 | 1      | 1
on_oxygen      | 1    | 1    | 2 | 1      | 1
"""
HEAD = opening("local_scores", "Local scores", actionable="40 d")
MADE_UP_RULE = """
[[score]]
name = "made_up"
title = "Made-up score"
table = "made_up"
yellow = 4
red = 8
red_score = "amber"
red_points = 5
valid = "4 h"
source = "test"
"""
ROSE = """
[[change]]
name = "rose"
title = "Rose"
vital = "made_up"
side = "high"
every = "1 d"
over = "3 d"
at_least = 2
reference = "median"
yellow = 2
source = "test"
"""
BESIDE_NEWS2 = (
    HEAD
    + MADE_UP_RULE.replace("yellow = 4", "yellow = 3")
    + """
[[score]]
name = "second"
title = "Second score"
table = "second"
amber = 3
valid = "2 h"
raise_after = { consecutive = 2 }
clear_after = { consecutive = 2 }
latching = true
source = "test"
[[score]]
name = "news2"
title = "NEWS2"
table = "news2"
amber = 5
red_score = "yellow"
valid = "4 h"
source = "test"
[[combination]]
name = "both"
title = "Both"
of = ["made_up", "news2"]
at_least = 2
severity = "red"
source = "test"
"""
)


def write(folder: Path, name: str, bands: str) -> None:
    rows = []
    for line in bands.strip().splitlines():
        cells = (cell.strip() for cell in line.split("|"))
        parameter, lower, upper, points, unit, step = ("" if cell == "." else cell for cell in cells)
        rows.append(f"{parameter},,,{lower},{upper},{points},{unit},{step},made up for a test,no")
    (folder / f"{name}_bands.csv").write_text("\n".join([COLUMNS, *rows]) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ScoreTable]:
    folder = tmp_path_factory.mktemp("rules")
    write(folder, "made_up", MADE_UP)
    write(folder, "second", SECOND)
    return dict(SHIPPED) | load_tables(folder)


@pytest.fixture(scope="module")
def policy(tables: dict[str, ScoreTable]) -> Policy:
    return parse(HEAD + MADE_UP_RULE, tables=tables)


def seen(minute: float, **values: float) -> list[Seen]:
    return [Seen(0, minute, BY_NAME[name].code, value) for name, value in values.items()]


@pytest.mark.parametrize(
    ("values", "lower", "severity"),
    [
        ({"pulse": 80}, 1, 0),
        ({"temperature": 36.4}, 3, 0),  # the pulse is not known, and gives one point whatever it is
        ({"temperature": 36.44}, 3, 0),
        ({"temperature": 36.45}, 1, 0),  # charted as 36.5
        ({"glucose": 4.0}, 4, 1),
        ({"pulse": 101}, 4, 1),
        ({"pulse": 60}, 5, 2),  # five points in one parameter
        ({"consciousness": 2.0}, 7, 2),
        ({"pulse": 101, "glucose": 4.0, "temperature": 36.0}, 9, 3),
        ({"pulse": 101, "glucose": 4.0, "temperature": 36.5, "consciousness": 0.0}, 7, 1),
    ],
)
def test_a_table_in_a_folder_is_scored(policy: Policy, values: dict[str, float], lower: int, severity: int) -> None:
    ward = Ward([policy])
    transitions = ward.feed(seen(0, **values), START).transitions
    assert story(ward, "made_up") == ([("active", severity, severity)] if severity else [])
    assert [t["value"] for t in transitions] == [lower] * bool(severity)


def test_what_is_not_observed_again_is_not_clear(policy: Policy) -> None:
    ward = Ward([policy])
    ward.feed(seen(0, pulse=120, glucose=3.1), START)
    ward.feed(seen(300, pulse=70), START + 6 * HOUR)  # five hours later the glucose is stale
    assert story(ward, "made_up") == [("active", 1, 1)]
    ward.feed(seen(320, glucose=5.2), START + 6 * HOUR)
    assert story(ward, "made_up") == [("resolved", 0, 1)]


def test_it_is_explained_in_a_sentence_and_as_data(policy: Policy, tables: dict[str, ScoreTable]) -> None:
    (raised,) = Ward([policy]).feed(seen(0, pulse=120, temperature=35.9, glucose=5.2), START).transitions
    assert sentence(policy, raised) == "Made-up score at least 6, limit 4 or more; not observed: consciousness."
    why = explanation(policy, raised)
    assert why["values"] == {"pulse": 120, "glucose": 5.2, "temperature": 35.9, "consciousness": None}
    assert why["points"] == {"pulse": 4, "glucose": 0, "temperature": 2}
    assert (why["table"], why["table_version"]) == ("made_up", tables["made_up"].version)
    (words,) = in_words(policy.document)
    assert words.when == (
        ("red", "MADE UP of 8 or more"),
        ("yellow", "MADE UP of 4 or more"),
        ("amber", "5 points or more in any one parameter"),
    )


def test_the_usual_news2_says_nothing_of_another_score(policy: Policy) -> None:
    own = personalise(policy, Override(usual_news2=3))
    (raised,) = Ward([own]).feed(seen(0, pulse=120), START).transitions
    assert sentence(own, raised) == (
        "Made-up score at least 4, limit 4 or more; not observed: capillary glucose, temperature, consciousness."
    )


@settings(max_examples=25, deadline=None)
@given(
    observed=courses,
    data=st.data(),
    scale=st.sampled_from([1, 2]),
    cuts_of_pauses=st.lists(minutes, max_size=6, unique=True),
)
def test_any_order_split_and_duplication_gives_the_reference(
    tables: dict[str, ScoreTable], observed: list[Seen], data: st.DataObject, scale: int, cuts_of_pauses: list[int]
) -> None:
    hourly = ROSE.replace('"1 d"', '"1 h"').replace('"3 d"', '"9 h"')
    rules = parse(BESIDE_NEWS2 + data.draw(st.sampled_from(["", hourly])), tables=tables)
    agrees_with_the_reference(rules, observed, data, scale, cuts_of_pauses)


def test_news2_is_laid_out_like_any_other_table() -> None:
    news2 = SHIPPED[NEWS2]
    assert (news2.least.sum(), news2.most.sum()) == (0, 20)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('table = "made_up"', 'table = "unheard_of"', "table: there is no score 'unheard_of'; name one of .*made_up"),
        ("red = 8", "red = 18", "red = 18 can never be met: MADE UP goes from 1 to 16"),
        ("yellow = 4", "yellow = 1", "yellow = 1 is always met: MADE UP goes from 1 to 16"),
        (
            "red_points = 5",
            "red_points = 7",
            "red_points: 7 can never be met: no parameter of MADE UP gives more than 6",
        ),
        ("red_points = 5", "", "red_score: state it together with red_points"),
        ('red_score = "amber"', "", "red_score: state it together with red_points"),
        ('valid = "4 h"', 'valid = "4 h"\nover_usual = { red = 2 }', "over_usual: what is known of a person is"),
        ('table = "made_up"', 'table = "news2"', "red_points: NEWS2's own chart says"),
    ],
)
def test_a_rule_that_does_not_fit_its_table_is_refused(
    tables: dict[str, ScoreTable], old: str, new: str, message: str
) -> None:
    with pytest.raises(PolicyError, match=message) as refused:
        parse(HEAD + MADE_UP_RULE.replace(old, new), tables=tables)
    assert str(refused.value).startswith("policy:")


def test_a_policy_follows_the_course_of_one_score_that_it_has(tables: dict[str, ScoreTable]) -> None:
    with pytest.raises(PolicyError, match="rule of NEWS2; add one"):
        parse(HEAD + MADE_UP_RULE + ROSE.replace("made_up", "news2"), tables=tables)
    again = ROSE.replace('"rose"', '"rose_too"').replace("made_up", "second")
    with pytest.raises(PolicyError, match="follows the course of one score, and this one that of made_up already"):
        parse(BESIDE_NEWS2 + ROSE + again, tables=tables)
    with pytest.raises(PolicyError, match="yellow = 16 can never be met: values are at most 15 apart"):
        parse(HEAD + MADE_UP_RULE + ROSE.replace("yellow = 2", "yellow = 16"), tables=tables)


def test_the_course_of_another_score_is_said_as_that_of_a_vital_sign(tables: dict[str, ScoreTable]) -> None:
    rules = parse(HEAD + MADE_UP_RULE + ROSE, tables=tables)
    days = [(0, 80), (1440, 80), (2880, 120)]
    batch = [one for minute, pulse in days for one in seen(minute, pulse=pulse)]
    rose = next(t for t in Ward([rules]).feed(batch, START + 49 * HOUR).transitions if t["rule"] == rule_key("rose"))
    assert sentence(rules, rose) == "MADE UP 4, 3 more than usual, 1, limit 2."
    (_, words) = in_words(rules.document)
    told = "newest MADE UP 2 above the median of the steps before it, over 3 d in steps of 1 d, from 2 steps on"
    assert words.when == (("yellow", told),)


def test_auroc_is_that_of_whichever_score_the_policy_follows(tables: dict[str, ScoreTable]) -> None:
    lines = ["patient,device,observed_at,vital,value"]
    lines += [
        f"{who},d,2026-03-02T{h:02d}:00:00Z,pulse,{x}" for who, h, x in (("a", 8, 50), ("b", 8, 80), ("b", 9, 50))
    ]
    outcomes = ["patient,from,to,outcome,onset", "a,2026-03-02T00:00Z,2026-03-03T00:00Z,fall,2026-03-02T12:00:00Z"]
    outcomes.append("b,2026-03-02T00:00Z,2026-03-03T00:00Z,,")
    cohort = Cohort.of(read_observations(lines, "o.csv"), read_outcomes(outcomes, "x.csv"))
    marks = mark(parse(HEAD + MADE_UP_RULE, tables=tables), cohort, 12 * HOUR)
    assert marks.scores.shape == (2, 17)
    assert [np.flatnonzero(row).tolist() for row in marks.scores] == [[5], [1, 5]]
    assert figures(marks)["auroc"] == 0.75


@pytest.mark.parametrize(
    ("name", "bands", "message"),
    [
        ("made_up", MADE_UP.replace("| 61 ", "| 62 "), "made_up_bands.csv:2: pulse has no band for 61"),
        ("made_up", MADE_UP.replace("| 3 | mmol", "| 0 | mmol"), "glucose gives 0 points whatever it is"),
        ("made_up", MADE_UP.replace("| 5 |", "| 500 |"), "made_up_bands.csv:2: 'points' is 500; expected 99 at most"),
        (
            "made_up",
            FINE,
            "steps of 0.00001; use a coarser 'resolution'",
        ),
        ("pulse", MADE_UP, "'pulse' cannot name a score"),
        ("Other", MADE_UP, "'Other' cannot name a score"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, name: str, bands: str, message: str) -> None:
    write(tmp_path, name, bands)
    with pytest.raises(RuleError, match=message):
        load_tables(tmp_path)


def test_only_news2_has_two_scales(tmp_path: Path) -> None:
    write(tmp_path, "made_up", MADE_UP)
    rows = [f"spo2,{s},,,90,3,%,1,test,no\nspo2,{s},,91,,0,%,1,test,no\n" for s in (1, 2)]
    with (tmp_path / "made_up_bands.csv").open("a", encoding="utf-8") as file:
        file.writelines(rows)
    with pytest.raises(RuleError, match="only NEWS2 has 'scale' and 'on_oxygen'"):
        load_tables(tmp_path)


def test_a_score_has_as_many_parameters_as_the_state_has_bits(tmp_path: Path) -> None:
    for number, most in ((8, True), (9, False)):
        names = [v for v in BY_NAME.values() if v.name not in ("on_oxygen", "consciousness")][:number]
        bands = "\n".join(f"{v.name}|.|5|0|{v.unit}|1\n{v.name}|6|.|1|{v.unit}|1" for v in names)
        write(tmp_path, "long", bands)
        if most:
            assert len(load_tables(tmp_path)["long"].parameters) == number
        else:
            with pytest.raises(RuleError, match="9 parameters; a score has at most 8"):
                load_tables(tmp_path)
