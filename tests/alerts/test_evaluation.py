"""Are the figures of an evaluation what docs/evaluation.md says, and is every unusable file told what is wrong?"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alerts.cohort import CohortError, Recording, read_observations, read_outcomes
from alerts.evaluation import HOUR, NAMES, Cohort, auroc, bare_rule, figures, mark, report
from alerts.notation import PolicyError
from alerts.policy import parse, shipped
from homeward import cli

pytestmark = pytest.mark.pure

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "recordings"
SEPSIS, OUTCOMES = RECORDINGS / "sepsis_2019.csv.gz", RECORDINGS / "sepsis_2019_outcomes.csv"
recorded = pytest.mark.skipif(not SEPSIS.is_file(), reason="the recordings are not on this machine")

HEADER = "patient,device,observed_at,vital,value"
OUTCOME_HEADER = "patient,from,to,outcome,onset"


def observed(*rows: str) -> Recording:
    """Read rows written as ``patient hour vital value`` of 2 March 2026."""
    lines = [HEADER]
    for row in rows:
        patient, hour, vital, value = row.split()
        lines.append(f"{patient},d,2026-03-02T{int(hour):02d}:00:00Z,{vital},{value}")
    return read_observations(lines, "o.csv")


def cohort(recording: Recording, *rows: str) -> Cohort:
    """Bring outcomes written as ``patient from to outcome onset`` (hours, ``-`` for none) to a recording."""
    lines = [OUTCOME_HEADER]
    for row in rows:
        patient, start, end, outcome, onset = row.split()
        times = [f"2026-03-02T{int(h):02d}:00:00Z" for h in (start, end)]
        when = "" if onset == "-" else f"2026-03-02T{int(onset):02d}:00:00Z"
        lines.append(f"{patient},{times[0]},{times[1]},{outcome.replace('-', '')},{when}")
    return Cohort.of(recording, read_outcomes(lines, "x.csv"))


def pulses(patient: str, values: dict[int, int]) -> list[str]:
    return [f"{patient} {hour} pulse {value}" for hour, value in values.items()]


# a: alert 2–4 h and 8–10 h, onset at 12. b: alert 4–5 h, none. c: outcome without onset. d: never an alert, onset at 9.
PEOPLE = [
    *pulses("a", {1: 80, 2: 130, 4: 80, 8: 130, 10: 80, 14: 130, 15: 80}),
    *pulses("b", {1: 80, 4: 130, 5: 80}),
    *pulses("c", {1: 130, 2: 80}),
    *pulses("d", {1: 80}),
]
ENDS = ["a 0 20 sepsis 12", "b 0 20 - -", "c 0 20 sepsis -", "d 0 20 sepsis 9"]


def test_each_figure_by_hand() -> None:
    found = figures(mark(bare_rule("pulse>=120"), cohort(observed(*PEOPLE), *ENDS), 6 * HOUR))
    assert (found["with_onset"], found["without_outcome"]) == (2, 1)
    assert found["sensitivity"] == 0.5
    assert found["median_lead_hours"] == 4
    assert found["episodes_per_patient_day"] == pytest.approx(24 / 20)
    assert found["alerted_time_fraction"] == pytest.approx(1 / 20)
    # a's first alert was over before the horizon and b's is false; a's third came after the onset and does not count
    assert found["ppv"] == pytest.approx(1 / 3, abs=1e-4)
    assert found["auroc"] is None
    assert found["sensitivity_interval"] == [0, 1]
    assert all(f"{name}_interval" in found for name in NAMES)


def test_the_horizon_bounds_the_lead() -> None:
    people = cohort(observed(*pulses("a", {1: 130})), "a 0 20 sepsis 18")
    found = figures(mark(bare_rule("pulse>=120"), people, 12 * HOUR))
    assert (found["sensitivity"], found["median_lead_hours"]) == (1, 12)
    assert found["episodes_per_patient_day"] is found["alerted_time_fraction"] is found["auroc"] is None


def test_an_alert_at_the_onset_itself_comes_too_late() -> None:
    people = cohort(observed(*pulses("a", {12: 130})), "a 0 20 sepsis 12")
    assert figures(mark(bare_rule("pulse>=120"), people, 12 * HOUR))["sensitivity"] == 0


def test_yellow_overdue_and_quiet_are_no_alerts() -> None:
    policy = parse("""
name = "three"
title = "t"
author = "t"
source = "t"
reason = "t"
lateness = "1 d"
actionable = "1 h"
[[limit]]
name = "mild"
title = "t"
vital = "pulse"
side = "high"
yellow = 100
source = "t"
[[limit]]
name = "silent"
title = "t"
vital = "pulse"
side = "high"
red = 100
quiet = true
source = "t"
[[overdue]]
name = "late"
title = "t"
vitals = ["pulse"]
every = "1 h"
grace = "1 h"
severity = "red"
source = "t"
""")
    people = cohort(observed(*pulses("b", {1: 130})), "b 0 20 - -")
    assert figures(mark(policy, people, HOUR))["episodes_per_patient_day"] == 0


def test_what_two_rules_cover_at_once_is_two_episodes_and_one_time() -> None:
    text = bare_rule("pulse>=120").text
    double = parse(text + text[text.index("[[limit]]") :].replace('name = "bare"', 'name = "again"'))
    people = cohort(observed(*pulses("b", {1: 130, 3: 80})), "b 0 20 - -")
    found = figures(mark(double, people, HOUR))
    assert found["episodes_per_patient_day"] == pytest.approx(2 * 24 / 20)
    assert found["alerted_time_fraction"] == pytest.approx(2 / 20)


def test_the_bare_score_carries_values_forward_and_needs_no_oxygen() -> None:
    rows = ["a 1 respiration_rate 26", "a 2 spo2 92", "a 5 temperature 37", "a 6 respiration_rate 16", "b 1 pulse 80"]
    people = cohort(observed(*rows), "a 0 20 sepsis 10", "b 0 20 - -")
    # 3 for respiration and 2 for saturation make 5 from hour 2 until respiration is well again at hour 6
    found = figures(mark(bare_rule("news2>=5"), people, 12 * HOUR))
    assert (found["sensitivity"], found["median_lead_hours"]) == (1, 8)
    assert found["auroc"] == 1


def test_auroc_counts_ties_half_and_is_undefined_without_both() -> None:
    assert auroc(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 0.5
    assert auroc(np.array([0.0, 3.0]), np.array([2.0, 0.0])) == 1
    assert np.isnan(auroc(np.zeros(2), np.ones(2)))


def test_rows_in_any_order_and_twice_give_the_same() -> None:
    one = report(bare_rule("pulse>=120"), cohort(observed(*PEOPLE), *ENDS), 6 * HOUR)
    other = report(bare_rule("pulse>=120"), cohort(observed(*PEOPLE[::-1], PEOPLE[0]), *ENDS), 6 * HOUR)
    assert other.pop("counts") | {"repeated": 0} == one.pop("counts")
    assert one == other


def test_what_is_left_out_is_counted() -> None:
    people = cohort(
        observed("a 1 pulse 80", "a 2 pulse 900", "a 15 pulse 80", "z 1 pulse 80"), "a 0 10 - -", "e 0 9 - -"
    )
    assert people.counts == {
        "people": 2,
        "observations": 1,
        "implausible": 1,
        "repeated": 0,
        "outside_from_and_to": 1,
        "people_without_outcome_row": 1,
        "people_without_observations": 1,
        "outcome_without_onset": 0,
    }


def test_a_letter_of_acvpu_is_read() -> None:
    lines = [HEADER, "a,d,2026-03-02T01:00:00+01:00,consciousness,V", "a,d,2026-03-02T00:00:00Z,pulse,80"]
    batch = read_observations(lines, "o.csv").observations
    assert sorted(batch.value.tolist()) == [2, 80]
    assert len(set(batch.observed_at.tolist())) == 1


GOOD = "a,d,2026-03-02T10:00:00Z,pulse,80"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "o.csv: the file is empty; expected the header patient,device"),
        (["a,b"], "o.csv:1: columns are a,b; expected patient,device"),
        ([HEADER], "o.csv: no observations; expected at least one row"),
        ([HEADER, GOOD, "a,d"], "o.csv:3: 2 cells; expected 5"),
        ([HEADER, GOOD, ",d,2026-03-02T10:00:00Z,pulse,80"], "o.csv:3: no patient"),
        (
            [HEADER, "a,d,2026-03-02T10:00:00,pulse,80"],
            "o.csv:2: observed_at is '2026-03-02T10:00:00'; expected a time",
        ),
        ([HEADER, "a,d,noon,pulse,80"], "o.csv:2: observed_at is 'noon'"),
        ([HEADER, "a,d,2026-03-02T10:00:00Z,heart,80"], "o.csv:2: unknown vital sign 'heart'; expected one of"),
        ([HEADER, "a,d,2026-03-02T10:00:00Z,pulse,"], "o.csv:2: value is ''; expected a number in /min"),
        ([HEADER, "a,d,2026-03-02T10:00:00Z,pulse,nan"], "o.csv:2: value is 'nan'"),
        ([HEADER, "a,d,2026-03-02T10:00:00Z,pulse,8_0"], "o.csv:2: value is '8_0'; expected a number in /min"),
        (
            [HEADER, "a,d,1926-03-02T10:00:00Z,pulse,80"],
            "o.csv:2: observed_at is '1926-03-02T10:00:00Z'; expected a time",
        ),
        ([HEADER, GOOD, "b" + GOOD[1:], GOOD.replace("80", "81")], "o.csv:4: contradicts line 2"),
        # a line is one of the file, also after blank ones and quoted line breaks
        ([HEADER, "", GOOD, '"b\n', 'b"' + GOOD[1:], GOOD.replace("80", "81")], "o.csv:6: contradicts line 3"),
        ([HEADER, '"a\n', 'b"' + GOOD[1:], "", "a,d"], "o.csv:5: 2 cells; expected 5"),
    ],
)
def test_unusable_observations_are_refused_with_their_place(lines: list[str], sentence: str) -> None:
    with pytest.raises(CohortError) as refused:
        read_observations(lines, "o.csv")
    assert sentence in str(refused.value)


def test_blank_lines_are_no_rows() -> None:
    assert len(read_observations([HEADER, "", GOOD, ""], "o.csv").observations) == 1
    assert read_outcomes([OUTCOME_HEADER, "", f"a,{HOURS},,", ""], "x.csv").patients == ["a"]


HOURS = "2026-03-02T10:00:00Z,2026-03-02T20:00:00Z"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "x.csv: the file is empty"),
        (["patient,onset"], "x.csv:1: columns are patient,onset"),
        ([OUTCOME_HEADER], "x.csv: no outcomes"),
        ([OUTCOME_HEADER, "a,b"], "x.csv:2: 2 cells"),
        ([OUTCOME_HEADER, f"a,{HOURS},,", f"a,{HOURS},,"], "x.csv:3: patient 'a' is on line 2 already"),
        (
            [OUTCOME_HEADER, f"a,{','.join(HOURS.split(',')[::-1])},,"],
            "x.csv:2: to = 2026-03-02T10:00:00Z is not after",
        ),
        ([OUTCOME_HEADER, f"a,{HOURS},,2026-03-02T12:00:00Z"], "x.csv:2: an onset without an outcome"),
        ([OUTCOME_HEADER, f"a,{HOURS},sepsis,2026-03-03T12:00:00Z"], "x.csv:2: onset = 2026-03-03T12:00:00Z is not"),
        (
            [OUTCOME_HEADER, f"a,1926{HOURS[4:]},,"],
            "x.csv:2: from is '1926-03-02T10:00:00Z'; expected a time after 1970",
        ),
        ([OUTCOME_HEADER, f"a,{HOURS},sepsis,later"], "x.csv:2: onset is 'later'; expected a time"),
        ([OUTCOME_HEADER, '"a\n', f'b",{HOURS},,', "", "a,b"], "x.csv:5: 2 cells"),
    ],
)
def test_unusable_outcomes_are_refused_with_their_place(lines: list[str], sentence: str) -> None:
    with pytest.raises(CohortError) as refused:
        read_outcomes(lines, "x.csv")
    assert sentence in str(refused.value)


def test_files_of_different_cohorts_are_refused() -> None:
    with pytest.raises(CohortError, match="no patient in common"):
        cohort(observed("a 1 pulse 80"), "b 0 20 - -")


@pytest.mark.parametrize("text", ["news2", "news2<=5", "heart>=5", "pulse>=fast", "pulse>=500"])
def test_a_baseline_that_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        bare_rule(text)


def _command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["homeward", "evaluate", *words])
    return cli.main()


def test_the_command_prints_json_and_a_table_and_needs_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / "o.csv.gz", tmp_path / "x.csv"]
    rows = "\n".join([HEADER, GOOD.replace("80", "150"), GOOD.replace("T10", "T12")])
    files[0].write_bytes(gzip.compress(rows.encode()))
    files[1].write_text(f"{OUTCOME_HEADER},age\na,{HOURS},sepsis,2026-03-02T13:00:00Z,61\n")
    words = ["--observations", str(files[0]), "--outcomes", str(files[1]), "--policy", "care_home_news2"]
    assert _command(monkeypatch, *words, "--baseline", "pulse>=120", "--horizon", "2h", "--json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {"with_onset", "without_outcome", *NAMES, *(f"{n}_interval" for n in NAMES)} <= set(found)
    assert set(NAMES) <= set(found["baseline"])
    assert found["baseline"]["median_lead_hours"] == 2
    assert _command(monkeypatch, *words) == 0
    assert "sensitivity" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("policy", "horizon", "sentence"),
    [
        ("nothing", "12h", "no such file, and not one of the shipped"),
        ("care_home_news2", "soon", "--horizon: 'soon' is not a duration"),
        ("care_home_news2", "0h", "is no time at all"),
        ("care_home_news2", "99999999999d", "--horizon: '99999999999d' is more than a hundred years"),
    ],
)
def test_the_command_says_what_is_wrong_in_a_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    policy: str,
    horizon: str,
    sentence: str,
) -> None:
    (tmp_path / "o.csv").write_text(f"{HEADER}\n{GOOD}\n")
    (tmp_path / "x.csv").write_text(f"{OUTCOME_HEADER}\na,{HOURS},,\n")
    words = ["--observations", str(tmp_path / "o.csv"), "--outcomes", str(tmp_path / "x.csv")]
    assert _command(monkeypatch, *words, "--policy", policy, "--horizon", horizon) == 1
    assert sentence in capsys.readouterr().err
    draft = tmp_path / "draft.toml"
    draft.write_text('name = "x"\ntitle = 7\n')
    assert _command(monkeypatch, *words, "--policy", str(draft)) == 1
    assert capsys.readouterr().err.startswith(f"{draft}:2: Expected `str`")
    words[1] = str(tmp_path / "missing.csv")
    assert _command(monkeypatch, *words, "--policy", "care_home_news2") == 1
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "o.csv").write_text(f'{HEADER}\n{GOOD}\n"{"a" * 200_000}')
    words[1] = str(tmp_path / "o.csv")
    assert _command(monkeypatch, *words, "--policy", "care_home_news2") == 1
    assert "o.csv: not a CSV" in capsys.readouterr().err


@pytest.fixture(scope="module")
def sepsis() -> Cohort:
    """The recorded intensive-care stays."""
    with gzip.open(SEPSIS, "rt") as observations, OUTCOMES.open() as outcomes:
        return Cohort.of(read_observations(observations, SEPSIS.name), read_outcomes(outcomes, OUTCOMES.name))


@recorded
def test_bare_scores_come_near_what_is_known_of_such_data(sepsis: Cohort) -> None:
    five = figures(mark(bare_rule("news2>=5"), sepsis, 12 * HOUR))
    assert (five["with_onset"], five["without_outcome"]) == (30, 120)
    assert five["sensitivity"] == pytest.approx(0.63, abs=0.05)
    assert five["episodes_per_patient_day"] == pytest.approx(1.1, abs=0.25)
    assert five["alerted_time_fraction"] == pytest.approx(0.11, abs=0.03)
    seven = figures(mark(bare_rule("news2>=7"), sepsis, 12 * HOUR))
    assert seven["sensitivity"] == pytest.approx(0.32, abs=0.05)
    assert seven["episodes_per_patient_day"] == pytest.approx(0.31, abs=0.05)
    assert seven["alerted_time_fraction"] == pytest.approx(0.02, abs=0.01)


@recorded
def test_deterioration_warns_as_often_as_the_bare_score_at_half_its_episodes(sepsis: Cohort) -> None:
    found = report(shipped("deterioration"), sepsis, 12 * HOUR, "news2>=5")
    bare = found["baseline"]
    assert found["sensitivity"] >= bare["sensitivity"]
    assert found["episodes_per_patient_day"] <= 0.5 * bare["episodes_per_patient_day"]
    assert found["alerted_time_fraction"] <= bare["alerted_time_fraction"]
