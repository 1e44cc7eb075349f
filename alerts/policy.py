"""Is this document a policy, and which policies are shipped?

A policy is a TOML document. `parse` checks all that can be checked without patients, and refuses with the place, what
was expected and what to do.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from itertools import pairwise

import msgspec

from alerts.bank import PolicyBank
from alerts.documents import (
    AverageRule,
    CombinationRule,
    Document,
    Graded,
    LimitRule,
    Night,
    Personal,
    Policy,
    QualityRule,
    Range,
    Rise,
    ScoreRule,
)
from alerts.notation import PolicyError, refuse_no_numbers
from alerts.places import line_of
from alerts.reach import check_reach
from alerts.score_tables import NEWS2, SHIPPED, ScoreTable
from alerts.state import SLOTS
from schemas.vital_signs import BY_NAME


def parse(
    text: str,
    *,
    policy_id: int = 0,
    version: int = 0,
    file: str = "policy",
    tables: Mapping[str, ScoreTable] = SHIPPED,
) -> Policy:
    """Read and check a policy document; ``file`` is what errors call it, ``tables`` the scores that it can name.

    Raises
    ------
    PolicyError
        With the place in the document, what is wrong and what was expected.
    """
    try:
        loaded = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise PolicyError(f"{file}: not TOML: {exc}") from exc
    try:
        refuse_no_numbers(loaded)
        document = msgspec.convert(loaded, Document)
        check(document, tables)
    except (msgspec.ValidationError, PolicyError) as exc:
        raise _placed(file, text, str(exc)) from exc
    return Policy(document, text, policy_id, version, tables=tables)


@lru_cache(maxsize=4096)
def parse_version(text: str, policy_id: int, version: int) -> Policy:
    """Read a published version; kept, because a version never changes."""
    return parse(text, policy_id=policy_id, version=version)


def shipped(name: str) -> Policy:
    """Read one of the templates in ``alerts/policies``."""
    file = resources.files("alerts").joinpath("policies", f"{name}.toml")
    if not file.is_file():
        raise PolicyError(f"policy {name!r} is not shipped; there are {', '.join(shipped_names())}")
    return parse(file.read_text(encoding="utf-8"))


def shipped_names() -> list[str]:
    """Name the templates in ``alerts/policies``."""
    files = resources.files("alerts").joinpath("policies").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def _placed(file: str, text: str, message: str) -> PolicyError:
    line = line_of(text, message)
    return PolicyError(f"{file}: {message}" if line is None else f"{file}:{line}: {message}")


def template_of(document: Document) -> Policy | None:
    """Find the shipped template that a document says it comes from, or whose name it bears."""
    if document.derived_from is not None or document.name in shipped_names():
        return shipped(document.derived_from or document.name)
    return None


def check(document: Document, tables: Mapping[str, ScoreTable] = SHIPPED) -> None:
    """Raise `PolicyError` where a document that has the right form says something impossible."""
    if not document.rules:
        raise PolicyError(f"policy {document.name}: no rule; add at least one")
    if len(document.rules) > SLOTS:
        raise PolicyError(f"policy {document.name}: {len(document.rules)} rules; a policy holds at most {SLOTS}")
    _check_targets(document)
    seen: set[str] = set()
    for rule in document.rules:
        where = f"policy {document.name}, rule {rule.name}"
        if rule.name in seen:
            raise PolicyError(f"{where}: two rules have this name; rename one")
        seen.add(rule.name)
        if isinstance(rule, Graded):
            _check_thresholds(rule, where)
        if isinstance(rule, Graded | CombinationRule | QualityRule) and rule.latching and rule.quiet:
            raise PolicyError(f"{where}: latching has no episode to hold in a quiet rule; take one of the two out")
        if isinstance(rule, Personal) and rule.personal is not None:
            _check_range(rule.personal, where)
    # compiling reads every duration, vital sign and name, so what it refuses is refused here
    PolicyBank([Policy(document, "", tables=tables)])
    for rule in document.rules:
        where = f"policy {document.name}, rule {rule.name}"
        if isinstance(rule, ScoreRule):
            _check_score(rule, where)
        check_reach(rule, document, where, tables)
        if isinstance(rule, LimitRule) and rule.night is not None:
            _check_night(rule, rule.night, document, where)


def _check_targets(document: Document) -> None:
    where, known = f"policy {document.name}, target_saturation", set[tuple[float, float]]()
    for target in document.target_saturation:
        span = (target.lowest, target.highest)
        if not target.lowest < target.highest or not all(map(BY_NAME["spo2"].is_plausible, span)):
            raise PolicyError(f"{where}: {target.lowest:g} to {target.highest:g} is no range of a saturation in %")
        if span in known:
            raise PolicyError(f"{where}: {target.lowest:g} to {target.highest:g} is there twice; keep one of them")
        known.add(span)


def _check_thresholds(rule: Graded, where: str) -> None:
    low = isinstance(rule, LimitRule | AverageRule) and rule.side == "low"
    stated = [(w, t) for w in ("yellow", "amber", "red") if (t := getattr(rule, w)) is not None]
    if not stated and not (isinstance(rule, ScoreRule) and rule.red_score):
        raise PolicyError(f"{where}: no threshold; state at least one of yellow, amber, red")
    for (milder, mild), (worse, bad) in pairwise(stated):
        if (bad > mild) if low else (bad < mild):
            raise PolicyError(f"{where}: {worse} = {bad:g} would be met before {milder} = {mild:g}; exchange them")


def _check_night(rule: LimitRule, night: Night, document: Document, where: str) -> None:
    if night.begins == night.ends:
        raise PolicyError(f"{where}: night: from and to are both {night.begins}; a night has a beginning and an end")
    stated = {w: t for w in ("yellow", "amber", "red", "extreme") if (t := getattr(night, w)) is not None}
    if not stated:
        raise PolicyError(f"{where}: night: no threshold; state those that differ, or leave night out")
    new = [w for w in stated if getattr(rule, w) is None]
    if new:
        raise PolicyError(f"{where}: night: {new[0]} is no threshold of the day; state it there too, or leave it out")
    at_night = msgspec.structs.replace(rule, **stated)
    _check_thresholds(at_night, f"{where}, night")
    check_reach(at_night, document, f"{where}, night")


def _check_score(rule: ScoreRule, where: str) -> None:
    """Refuse to give one score what belongs to another."""
    if rule.table == NEWS2:
        if rule.red_points is not None:
            raise PolicyError(f"{where}, red_points: NEWS2's own chart says what a red score is; leave it out")
        return
    if (rule.red_score is None) != (rule.red_points is None):
        raise PolicyError(f"{where}, red_score: state it together with red_points, or neither")
    if rule.over_usual != Rise():
        raise PolicyError(f"{where}, over_usual: what is known of a person is their usual NEWS2; leave it out")


def _check_range(permitted: Range, where: str) -> None:
    lowest, highest = permitted.lowest, permitted.highest
    if lowest is None and highest is None:
        raise PolicyError(f"{where}: personal permits any threshold; state lowest, highest or both, or leave it out")
    if lowest is not None and highest is not None and lowest > highest:
        raise PolicyError(f"{where}: personal: lowest = {lowest:g} is above highest = {highest:g}; exchange them")
