"""Which panels does a patient's chart have, from the rows that the database gave? Rows in, `figures.Panel` out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from alerts.awareness import AWAKE, SIGNS, is_in_doubt
from alerts.score_tables import SHIPPED
from dashboard import text
from dashboard.figure_parts import Mark, Panel, Scores, Series, Shade
from dashboard.standing import NEWS2_CODES, LimitLine, Standard, score
from dashboard.wording import microseconds
from schemas.episode import Severity
from schemas.observation import Flag
from schemas.vital_signs import BY_NAME, CATALOGUE, VITALS

Row = dict[str, Any]
MOST_POINTS = 400
"""A vital sign with more observations than this in the span is drawn as the middle and range of buckets."""
PRESSURES = (BY_NAME["bp_systolic"].code, BY_NAME["bp_diastolic"].code)
_NOT_DRAWN = (BY_NAME["on_oxygen"].code, BY_NAME["consciousness"].code)
# the order of the NEWS2 chart; what it does not have comes after it
_ORDER = ("respiration_rate", "spo2", "bp_systolic", "pulse", "temperature", "weight", "glucose")


def _ordinary_spans() -> dict[str, float]:
    """How wide the band of no points is, by vital sign, on scale 1 and on air."""
    found = {}
    for row in SHIPPED["news2"].bands:
        sign = BY_NAME[row.parameter]
        usual = row.points == 0 and row.scale in (None, 1) and not row.on_oxygen
        if usual and row.lower is not None and sign.code not in _NOT_DRAWN:
            found[sign.name] = float(sign.plausible_high if row.upper is None else row.upper) - float(row.lower)
    return found


ORDINARY_SPANS = _ordinary_spans()
"""A chart is at least so high: ordinary noise that fills it would look like a plunge."""

_STEPS = [timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 120, 240, 360, 720, 1440)]
_BUCKETS, _SCORES = 366, 168
"""At most so many buckets and scores lie beside each other."""
LONG = timedelta(days=31)
"""A longer span is read in buckets altogether: a year is never fetched row by row."""


@dataclass(frozen=True)
class Resolution:
    """How finely a span is read."""

    bucket: timedelta
    score_bucket: timedelta


def resolution(span: timedelta) -> Resolution:
    """Choose buckets that fill the width of a chart, however long the span."""

    def step(most: int) -> timedelta:
        return next((s for s in _STEPS if span <= s * most), _STEPS[-1])

    return Resolution(step(_BUCKETS), step(_SCORES))


def dense(counts: dict[int, int]) -> list[int]:
    """The vital signs that are drawn in buckets."""
    return [code for code, count in counts.items() if count > MOST_POINTS and code not in _NOT_DRAWN]


def panels(
    single: Sequence[Row],
    bucketed: Sequence[Row],
    scores: Scores | None,
    followed: Standard | None,
    spo2_scale: int,
) -> list[Panel]:
    """Build the stack: NEWS2 first, then each vital sign that was observed."""
    lines = _single(single) | _bucketed(bucketed)
    repeats = _repeats(single)
    stack = [_score_panel(scores, followed)] if scores is not None else []
    for position, name in enumerate(_ORDER):
        codes = PRESSURES if name == "bp_systolic" else (BY_NAME[name].code,)
        drawn = [lines[c] for c in codes if c in lines]
        if not drawn and not any(c in repeats for c in codes):
            continue
        sign = BY_NAME[name]
        title = text.BLOOD_PRESSURE if len(codes) > 1 else sign.label
        stack.append(
            Panel(
                f"<b>{title}</b>  {sign.display_unit}",
                tuple(_coloured(s, position) for s in drawn),
                tuple(repeats[c] for c in codes if c in repeats),
                tuple(limit for c in codes for limit in _limits(c, followed, spo2_scale, named=len(codes) > 1)),
                decimals=sign.decimals,
                least_span=ORDINARY_SPANS.get(name, 0.0),
                names_limits=len(codes) > 1,
            )
        )
    return stack


def _limits(code: int, followed: Standard | None, spo2_scale: int, *, named: bool) -> list[LimitLine]:
    lines = followed.lines(code, spo2_scale) if followed else ()
    label = CATALOGUE[code - 1].short_label
    # amber and red of one value are one line, and the worse colour is the one to see
    worst = {(line.value, line.hours): line for line in sorted(lines, key=lambda line: line.severity)}
    return [LimitLine(x.value, x.severity, label if named else x.label, x.hours) for x in worst.values()]


def _coloured(series: Series, position: int) -> Series:
    return Series(series.name, series.at, series.value, series.low, series.high, (position + 1) % 4, series.unit)


def _score_panel(scores: Scores, followed: Standard | None) -> Panel:
    rule = followed.score_rule if followed else None
    limits = tuple(
        LimitLine(limit, level, rule.title)
        for level in (Severity.YELLOW, Severity.AMBER, Severity.RED)
        if rule is not None and (limit := getattr(rule, level.word)) is not None
    )
    return Panel(f"<b>{text.NEWS2}</b>", limits=limits, scores=scores)


def _grouped(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        if row["vital"] not in _NOT_DRAWN:
            found.setdefault(row["vital"], []).append(row)
    return found


def _series(code: int, rows: Sequence[Row], at: str, value: str) -> Series:
    sign = CATALOGUE[code - 1]
    return Series(
        sign.label,
        np.array([microseconds(r[at]) for r in rows], dtype=np.int64),
        np.array([r[value] for r in rows], dtype=np.float64),
        unit=sign.display_unit,
    )


def _single(rows: Sequence[Row]) -> dict[int, Series]:
    kept = (r for r in rows if not r["flags"] & Flag.SUSPECTED_REPEAT)
    return {code: _series(code, own, "observed_at", "value") for code, own in _grouped(kept).items()}


def _repeats(rows: Sequence[Row]) -> dict[int, Series]:
    kept = (r for r in rows if r["flags"] & Flag.SUSPECTED_REPEAT)
    return {code: _series(code, own, "observed_at", "value") for code, own in _grouped(kept).items()}


def _bucketed(rows: Sequence[Row]) -> dict[int, Series]:
    found = {}
    for code, own in _grouped(rows).items():
        middle = _series(code, own, "at", "middle")
        low = np.array([r["low"] for r in own], dtype=np.float64)
        high = np.array([r["high"] for r in own], dtype=np.float64)
        found[code] = Series(middle.name, middle.at, middle.value, low, high, 0, middle.unit)
    return found


def scores_over_time(rows: Sequence[Row], valid_us: int, spo2_scale: int) -> Scores | None:
    """Score each bucket in which something was observed, with what still counts from the buckets before it.

    Parameters
    ----------
    rows : sequence of mappings
        ``at``, ``vital``, ``value``, ``observed_at``: the last observation of each bucket and vital sign, by ``at``.
    valid_us : int
        How long an observation counts in the score [µs].
    spo2_scale : int
        1 or 2.

    Returns
    -------
    Scores or None
        One row a bucket at its newest observation; lower and upper differ where something is missing.
    """
    if not rows:
        return None
    buckets = sorted({r["at"] for r in rows})
    position = {at: i for i, at in enumerate(buckets)}
    value = np.full((len(buckets), VITALS), np.nan)
    seen = np.zeros((len(buckets), VITALS), dtype=np.int64)
    for row in rows:
        value[position[row["at"]], row["vital"]] = row["value"]
        seen[position[row["at"]], row["vital"]] = microseconds(row["observed_at"])
    at = seen.max(axis=1)
    # the bucket in which each vital sign was last seen, carried forward
    source = np.maximum.accumulate(np.where(seen > 0, np.arange(len(buckets))[:, None], -1), axis=0)
    column = np.arange(VITALS)[None, :]
    carried = np.where(source >= 0, value[source, column], np.nan)
    carried_at = np.where(source >= 0, seen[source, column], 0)
    counting = np.where(at[:, None] - carried_at <= valid_us, carried, np.nan)
    counting[is_in_doubt(carried, carried_at), AWAKE] = np.nan
    result = score(counting, np.full(len(buckets), spo2_scale))
    return Scores(at, result.lower.astype(np.float64), result.upper.astype(np.float64))


def highest_of_buckets(scores: Scores, since_us: int, width_us: int) -> Scores:
    """Keep the highest score of each bucket since an instant: what is certain counts first, then what is possible.

    Parameters
    ----------
    scores : Scores
        In the order of time; what lies before ``since_us`` only lent its values and is dropped.
    since_us, width_us : int
        Where the first bucket begins, and how wide each is [µs].
    """
    kept = np.flatnonzero(scores.at >= since_us)
    bucket = (scores.at[kept] - since_us) // width_us
    ranked = kept[np.lexsort((-scores.at[kept], scores.upper[kept], scores.lower[kept], bucket))]
    ends = np.flatnonzero(np.diff(np.sort(bucket), append=-1))
    highest = ranked[ends]
    return Scores(scores.at[highest], scores.lower[highest], scores.upper[highest])


def shades(episodes: Sequence[Row], gaps: Sequence[Row], pauses: Sequence[Row], now_us: int) -> list[Shade]:
    """What lies behind the charts: episodes from beginning to end, or to now; silences of devices; pauses."""
    silences = [Shade(microseconds(g["since"]), microseconds(g["until"]), Severity.NONE, "gap") for g in gaps]
    paused = [Shade(microseconds(x["since"]), microseconds(x["until"]), Severity.NONE, "pause") for x in pauses]
    return [
        *silences,
        *paused,
        *_of_episodes(episodes, now_us),
    ]


def _of_episodes(episodes: Sequence[Row], now_us: int) -> list[Shade]:
    return [
        Shade(
            microseconds(e["activated_at"] or e["opened_at"]),
            microseconds(e["resolved_at"]) if e["resolved_at"] else now_us,
            Severity(e["peak_severity"]),
        )
        for e in episodes
    ]


def score_codes() -> list[int]:
    """The vital signs that NEWS2 is made of, and the one that says whether an "alert" from before still counts."""
    return [*NEWS2_CODES, SIGNS]


def marks(events: Sequence[Row], notes: Sequence[Row]) -> list[Mark]:
    """What people did and wrote, to stand at the top of the charts."""
    acts = [
        Mark(microseconds(e["at"]), f"{text.EVENT_WORDS[e['kind']]} by {e['account']}") for e in events if e["account"]
    ]
    written = [
        Mark(microseconds(n["at"]), f"{'Call' if n['kind'] == 'call' else 'Note'} by {n['account']}: {n['body'][:80]}")
        for n in notes
    ]
    return sorted([*acts, *written], key=lambda mark: mark.at)
