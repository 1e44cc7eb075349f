"""How do a person's own limits, target saturation and usual score change the policy that they are scored by?

What is a person's own belongs to their enrolment. It is checked against the policy, which says what may be a person's
own, and within which range; then it is written into a copy of the policy, so that scoring, explaining and drawing know
nothing of it. Thresholds of a hard rule can only become stricter, whatever the override says.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from alerts.documents import AverageRule, Document, LimitRule, Name, Night, Personal, Policy, Rule, ScoreRule
from alerts.notation import PolicyError, refuse_no_numbers
from alerts.policy import check, parse_version
from alerts.score_tables import NEWS2

WORDS = ("yellow", "amber", "red")


class Thresholds(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """A person's own thresholds of one rule; what is not stated stays as the policy has it."""

    yellow: float | None = None
    amber: float | None = None
    red: float | None = None
    extreme: float | None = None

    def stated(self) -> dict[str, float]:
        """Those that are stated."""
        return {name: value for name in (*WORDS, "extreme") if (value := getattr(self, name)) is not None}


class TargetRange(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The saturation that a clinician wants this person to have [%]."""

    lowest: float
    highest: float


class Override(msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """What is a person's own: thresholds by the name of the rule, target saturation, usual NEWS2."""

    limits: dict[Name, Thresholds] = {}
    target_saturation: TargetRange | None = None
    usual_news2: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None


def read_override(text: str) -> Override:
    """Read an override from TOML, or from JSON as the database keeps it.

    Raises
    ------
    PolicyError
        With the field, and what was expected.
    """
    try:
        if text.lstrip().startswith("{"):
            return msgspec.json.decode(text, type=Override)
        loaded = tomllib.loads(text)
        refuse_no_numbers(loaded)
        return msgspec.convert(loaded, Override)
    except tomllib.TOMLDecodeError as exc:
        raise PolicyError(f"override: not TOML: {exc}") from exc
    except (msgspec.DecodeError, PolicyError) as exc:
        raise PolicyError(f"override: {exc}") from exc


def override_json(override: Override) -> str:
    """Write an override as the database keeps it; the same override always gives the same text."""
    return msgspec.json.encode(override, order="deterministic").decode()


def spo2_scale(policy: Policy, override: Override) -> int | None:
    """Give the SpO2 scale that goes with the person's target saturation; None where no target is set."""
    wanted = override.target_saturation
    if wanted is None:
        return None
    permitted = policy.document.target_saturation
    for target in permitted:
        if (target.lowest, target.highest) == (wanted.lowest, wanted.highest):
            return target.spo2_scale
    there_are = ", ".join(f"{t.lowest:g} to {t.highest:g}" for t in permitted) or "none"
    raise PolicyError(
        f"override, target_saturation: {wanted.lowest:g} to {wanted.highest:g} is not a target that policy "
        f"{policy.document.name} permits ({there_are}); choose one of those, or another policy"
    )


def personalise(policy: Policy, override: Override) -> Policy:
    """Give the policy as it is for a person with these overrides.

    Raises
    ------
    PolicyError
        Where the policy does not permit one of them, with the place and what to do.
    """
    spo2_scale(policy, override)
    named = {rule.name: rule for rule in policy.rules}
    changed: dict[str, Rule] = {}
    for name, thresholds in override.limits.items():
        where = f"override, limits.{name}"
        if name not in named:
            raise PolicyError(f"{where}: policy {policy.document.name} has no such rule; it has {', '.join(named)}")
        changed[name] = _own_thresholds(named[name], thresholds, where)
    usual = override.usual_news2
    if usual is not None:
        for rule in policy.rules:
            if isinstance(rule, ScoreRule) and rule.table == NEWS2:
                changed[rule.name] = _over_usual(rule, usual)
    document = _with_rules(policy.document, changed)
    try:
        check(document, policy.tables)
    except PolicyError as exc:
        raise PolicyError(f"override: what comes of it is no policy: {exc}") from exc
    own = override_json(override)
    own = "" if own == "{}" else own
    return Policy(document, policy.text, policy.policy_id, policy.version, usual, own, policy.tables)


def permitted(policy: Policy, override: Override, usual_news2: int | None = None) -> tuple[Policy, list[str]]:
    """Give the policy with as much of an override as it permits, and a sentence for each part that it does not."""
    own, refused = Override(), list[str]()
    usual = usual_news2 if override.usual_news2 is None else override.usual_news2
    parts: list[dict[str, Any]] = [{"usual_news2": usual}] if usual is not None else []
    parts += [{"target_saturation": override.target_saturation}] if override.target_saturation else []
    parts += [{"limits": {name: thresholds}} for name, thresholds in override.limits.items()]
    for part in parts:
        if "limits" in part:
            part = {"limits": own.limits | part["limits"]}
        more = msgspec.structs.replace(own, **part)
        try:
            personalise(policy, more)
        except PolicyError as exc:
            refused.append(str(exc))
        else:
            own = more
    return personalise(policy, own), refused


@lru_cache(maxsize=65_536)
def own_policy(text: str, policy_id: int, version: int, document: str, usual_news2: int | None) -> Policy:
    """Make a published version somebody's own, from an override as the database keeps it and the usual score on record.

    Kept, because neither ever changes, and because the registry is read anew whenever anybody's does.
    """
    override = read_override(document)
    if override.usual_news2 is None and usual_news2 is not None:
        override = msgspec.structs.replace(override, usual_news2=usual_news2)
    return personalise(parse_version(text, policy_id, version), override)


def _own_thresholds(rule: Rule, own: Thresholds, where: str) -> Rule:
    if not isinstance(rule, Personal) or rule.personal is None:
        raise PolicyError(f"{where}: the policy permits no thresholds of a person's own here; leave it out")
    stated = own.stated()
    if "extreme" in stated and not isinstance(rule, LimitRule):
        raise PolicyError(f"{where}.extreme: only a limit has an extreme; leave it out")
    for word, value in stated.items():
        _check_range(rule, word, value, f"{where}.{word}")
    if isinstance(rule, LimitRule) and rule.night is not None:
        return msgspec.structs.replace(rule, night=_own_night(rule, stated), **stated)
    return msgspec.structs.replace(rule, **stated)


def _own_night(rule: LimitRule, stated: dict[str, float]) -> Night:
    """Let a person's own threshold hold at night too; of a hard rule the stricter of theirs and the night's."""
    assert rule.night is not None
    own: dict[str, Any] = {}
    for word, value in stated.items():
        shared = getattr(rule.night, word)
        if shared is not None:
            stricter = max(value, shared) if rule.side == "low" else min(value, shared)
            own[word] = stricter if rule.hard else value
    return msgspec.structs.replace(rule.night, **own)


def _check_range(rule: Personal, word: str, value: float, where: str) -> None:
    assert rule.personal is not None
    lowest, highest = rule.personal.lowest, rule.personal.highest
    # asked for what is right: of a number that is none every comparison is wrong
    if not ((lowest is None or value >= lowest) and (highest is None or value <= highest)):
        span = f"{'' if lowest is None else f'{lowest:g}'} to {'' if highest is None else f'{highest:g}'}".strip()
        raise PolicyError(f"{where}: {value:g} is outside what the policy permits, {span}; choose a value within")
    shared = getattr(rule, word)
    if not rule.hard or shared is None:
        return
    # a low limit is stricter where it is higher; every amount of change where it is smaller
    low = isinstance(rule, LimitRule | AverageRule) and rule.side == "low"
    if (value < shared) if low else (value > shared):
        raise PolicyError(
            f"{where}: {value:g} is looser than the policy's {shared:g}, and this rule is hard; choose {shared:g} or "
            f"{'more' if low else 'less'}, or enrol the person on a policy that fits them"
        )


def _over_usual(rule: ScoreRule, usual: int) -> ScoreRule:
    """Count a rise above the usual score beside the thresholds: the lower of the two decides."""
    own: dict[str, Any] = {}
    for word in WORDS:
        rise, shared = getattr(rule.over_usual, word), getattr(rule, word)
        if rise is not None:
            own[word] = usual + rise if shared is None else min(shared, usual + rise)
    # a rise that is already severe is not milder than one that is smaller
    for milder, worse in (("amber", "red"), ("yellow", "amber")):
        upper, lower = own.get(worse, getattr(rule, worse)), own.get(milder, getattr(rule, milder))
        if upper is not None and lower is not None:
            own[milder] = min(lower, upper)
    return msgspec.structs.replace(rule, **own)


def _with_rules(document: Document, changed: dict[str, Rule]) -> Document:
    families = {
        family: [changed.get(rule.name, rule) for rule in rules]
        for family in document.__struct_fields__
        if isinstance(rules := getattr(document, family), list) and rules and isinstance(rules[0], Rule)
    }
    return msgspec.structs.replace(document, **families)
