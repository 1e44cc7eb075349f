"""Is a policy that says something impossible refused, with the place and what to do?"""

from __future__ import annotations

import tomllib

import msgspec
import pytest

from alerts.bank import PolicyBank
from alerts.documents import Document, rule_key
from alerts.notation import SECOND, PolicyError, duration
from alerts.policy import parse, shipped, shipped_names, template_of

pytestmark = pytest.mark.pure

GOOD = shipped("pulse_oximetry_home").text


def test_every_template_parses_and_states_its_sources() -> None:
    assert {"blood_pressure_home", "care_home_news2", "pulse_oximetry_home", "heart_failure"} <= set(shipped_names())
    for name in shipped_names():
        policy = shipped(name)
        assert policy.document.name == name
        assert all(rule.source for rule in policy.rules)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('vital = "spo2"', 'vital = "spo3"', "rule low_saturation: unknown vital sign 'spo3'; expected one of"),
        ("amber = 94", "amber = 91", "red = 92 would be met before amber = 91; exchange them"),
        ("red = 92", "red = 20", "red = 20 can never be met: Oxygen saturation is taken as plausible from 40 to 100 %"),
        ('side = "low"', 'side = "lower"', r"\$.limit\[0\].side"),
        ('gap = "30 min"', 'gap = "half an hour"', "gap: 'half an hour' is not a duration"),
        ("consecutive = 2 }", "consecutive = 0 }", r"\$.limit\[0\].raise_after.consecutive"),
        ('name = "saturation_overdue"', 'name = "low_saturation"', "two rules have this name; rename one"),
        ('lateness = "12 h"', "", "missing required field `lateness`"),
        ("amber = 94", "ambre = 94", "unknown field `ambre`"),
        ('vitals = ["spo2"]', 'vitals = ["saturation"]', "unknown vital sign 'saturation'"),
        ("amber = 94\nred = 92\n", "", "no threshold; state at least one of yellow, amber, red"),
        ("[[limit]]", "[[limit]", "not TOML"),
        (
            "amber = 94",
            'amber = 94\nnight = { from = "22:00", to = "22:00", amber = 90 }',
            "a night has a beginning",
        ),
        ("amber = 94", 'amber = 94\nnight = { from = "22:00", to = "24:00" }', r"\$.limit\[0\].night.to"),
        ("amber = 94", 'amber = 94\nnight = { from = "22:00", to = "06:00" }', "night: no threshold; state those that"),
        (
            "amber = 94",
            'amber = 94\nnight = { from = "22:00", to = "06:00", yellow = 95 }',
            "yellow is no threshold",
        ),
        ("amber = 94", 'amber = 94\nnight = { from = "22:00", to = "06:00", amber = 91 }', "met before amber"),
        ("amber = 94", "amber = 94\nlatching = true\nquiet = true", "latching has no episode to hold in a quiet rule"),
    ],
)
def test_a_bad_policy_is_refused_with_its_place(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(PolicyError, match=message):
        parse(GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('vital = "spo2"', 'vital = "spo3"', 'vital = "spo3"'),
        ('vitals = ["spo2"]', 'vitals = ["saturation"]', 'vitals = ["saturation"]'),
        ("red = 92", "red = 20", "red = 20"),
        ('side = "low"', 'side = "lower"', 'side = "lower"'),
        ('gap = "30 min"', 'gap = "half an hour"', 'gap = "half an hour"'),
        ("consecutive = 2 }", "consecutive = 0 }", "raise_after = { consecutive = 0 }"),
        ('name = "saturation_overdue"', 'name = "low_saturation"', ""),
        ("amber = 94", "ambre = 94", "ambre = 94"),
        ('lateness = "12 h"', 'lateness = "12 o\'clock"', 'lateness = "12 o\'clock"'),
    ],
)
def test_an_error_names_file_and_line(old: str, new: str, line: str) -> None:
    text = GOOD.replace(old, new)
    with pytest.raises(PolicyError) as refused:
        parse(text, file="mine.toml")
    file, number = str(refused.value).split(":")[:2]
    assert file == "mine.toml"
    if line:
        assert text.splitlines()[int(number) - 1] == line
    else:  # the second of two that have the same name
        assert int(number) > text.splitlines().index("[[overdue]]")


def test_a_template_is_known_by_its_name_or_by_what_the_document_says() -> None:
    own = parse(GOOD.replace('name = "pulse_oximetry_home"', 'name = "ours"\nderived_from = "pulse_oximetry_home"'))
    assert template_of(own.document) == shipped("pulse_oximetry_home") == template_of(parse(GOOD).document)
    assert template_of(parse(GOOD.replace('name = "pulse_oximetry_home"', 'name = "ours"')).document) is None


def test_the_schema_describes_what_is_shipped() -> None:
    schema = msgspec.json.schema(Document)
    names = set(schema["$defs"]["Document"]["properties"])
    for name in shipped_names():
        assert set(tomllib.loads(shipped(name).text)) <= names


def test_a_policy_without_rules_is_refused() -> None:
    with pytest.raises(PolicyError, match="no rule; add at least one"):
        parse(GOOD[: GOOD.index("[[limit]]")])


def test_a_template_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(
        PolicyError, match="'nope' is not shipped; there are blood_pressure_home, care_home_news2, copd"
    ):
        shipped("nope")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90 s", 90), ("15 min", 900), ("1.5 h", 5400), ("14 d", 1_209_600), ("0 s", 0)]
)
def test_duration(text: str, seconds: int) -> None:
    assert duration(text, "here") == seconds * SECOND


def test_a_bank_finds_the_rules_of_each_policy() -> None:
    bank = PolicyBank([shipped(n) for n in ("blood_pressure_home", "care_home_news2", "pulse_oximetry_home")])
    found = bank.rule(2, rule_key("low_saturation"))
    assert found is not None
    assert found.title == "Low oxygen saturation"
    assert bank.rule(1, rule_key("low_saturation")) is None


NO_GAP = {"consecutive = 2 }": 'consecutive = 2, hold = "1 min" }', 'gap = "30 min"': 'gap = "0 s"'}
BOTH_RED = {"at_least = 1\neach": "at_least = 2\neach", 'each = "amber"': 'each = "red"'}


@pytest.mark.parametrize(
    ("template", "changes", "message"),
    [
        ("care_home_news2", {"red = 7": "red = 21"}, "red = 21 can never be met: NEWS2 goes from 0 to 20"),
        ("care_home_news2", {"yellow = 3": "yellow = 0"}, "yellow = 0 is always met: NEWS2 goes from 0 to 20"),
        ("pulse_oximetry_home", {"extreme = 83": "extreme = 20"}, "extreme = 20 can never be met"),
        ("pulse_oximetry_home", NO_GAP, "lets no time count towards hold"),
        ("heart_failure", {"amber = 2.1": "amber = 2000"}, "can never be met: values are at most"),
        ("heart_failure", {"yellow = 1.36": "yellow = 0"}, "is met by no change at all; state more than 0"),
        ("deterioration", BOTH_RED, "of its rules 1 can be red or worse, and at_least = 2"),
        ("blood_pressure_home", {'at_most = "14 h"': 'at_most = "30 min"'}, "at_most: 30 min holds no multiple of 1 h"),
        ("care_home_news2", {'every = "12 h"': 'every = "0 s"'}, "every: 0 s is always over"),
        ("heart_failure", {"amber = 2.1": "amber = nan"}, r"policy:\d+: nan is no number .* `\$.change\[0\].amber`"),
        (
            "deterioration",
            {'lateness = "': 'lateness = "9999999999 d" #'},
            "lateness: '9999999999 d' is more than a hundred",
        ),
        (
            "pulse_oximetry_home",
            {"consecutive = 2 }": 'consecutive = 2, hold = "50 d" }'},
            "longer than anything is held",
        ),
        (
            "pulse_oximetry_home",
            {"deadband = 0": "deadband = 8"},
            "deadband: 8 is too wide: amber would be over only above",
        ),
        ("pulse_oximetry_home", {"deadband = 0": "deadband = inf"}, "inf is no number"),
        ("blood_pressure_home", {"skip = 1": "skip = 27"}, "leave none of the"),
        ("copd", {"highest = 92": "highest = 80"}, "target_saturation: 88 to 80 is no range of a saturation"),
        ("copd", {"lowest = 94, highest = 98": "lowest = 88, highest = 92"}, "88 to 92 is there twice"),
    ],
)
def test_a_rule_that_is_never_met_or_always_is_refused(template: str, changes: dict[str, str], message: str) -> None:
    text = shipped(template).text
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(PolicyError, match=message):
        parse(text)
