"""What stands in the place of the charts: the table with its download, and the averages of home blood pressures?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html

from dashboard import averages as home
from dashboard import charts
from dashboard import patient_parts as parts
from dashboard.averages import Mean, Reading
from dashboard.chart_window import Window
from dashboard.shell import scrollable
from dashboard.text import patient as words

Row = dict[str, Any]


def table(patient: Row, observed: Sequence[Row], seen: Window) -> Any:
    """The observations of the stretch, and all of them as a file."""
    since, until = (at.isoformat().replace("+00:00", "Z") for at in (seen.since, seen.until))
    address = f"/api/v1/patients/{patient['patient_id']}/observations.csv?since={since}&until={until}"
    return html.Div(
        [
            html.A(words.CSV, href=address, download="", className="quiet-button"),
            html.Div(parts.observation_table(observed, patient["time_zone"], patient["now"]), id="patient-table"),
        ]
    )


def averages(rows: Sequence[Row], zone: str) -> Any:
    """The days of the protocol with their means, and what they come to."""
    found = home.average(readings(rows), zone)
    if not found.days:
        return html.P(words.NO_PRESSURES, className="empty")
    head = html.Tr([html.Th(name, scope="col") for name in (words.DAY, words.MORNING, words.EVENING)])
    listed = [
        html.Tr(
            [
                html.Th(f"{d.day:%a} {d.day.day} {d.day:%b}" + (f" ({words.DISCARDED})" if d.discarded else ""),
                        scope="row"),
                html.Td(_mean(d.morning)),
                html.Td(_mean(d.evening)),
            ],
            className="discarded" if d.discarded else "",
        )
        for d in found.days
    ]  # fmt: skip
    total = html.Tr([html.Th(words.OVERALL, scope="row"), html.Td(_mean(found.morning)), html.Td(_mean(found.evening))])
    overall = html.P([html.Strong(_mean(found.overall)), f" {words.OVERALL.lower()}"], className="average")
    return html.Div(
        [
            html.H3(words.AVERAGES),
            html.P(words.AVERAGES_LEAD, className="muted"),
            overall,
            None if found.is_enough else html.P(words.TOO_FEW_DAYS, className="caution"),
            scrollable(html.Table([html.Thead(head), html.Tbody([*listed, total])], className="list"), words.AVERAGES),
        ],
        className="averages",
    )


def readings(rows: Sequence[Row]) -> list[Reading]:
    """Put systolic and diastolic pressures of one instant together."""
    systolic, diastolic = charts.PRESSURES
    together: dict[Any, dict[int, float]] = {}
    for row in rows:
        together.setdefault(row["observed_at"], {})[row["vital"]] = row["value"]
    return [
        Reading(at, values[systolic], values[diastolic])
        for at, values in sorted(together.items())
        if systolic in values and diastolic in values
    ]


def _mean(mean: Mean | None) -> str:
    if mean is None:
        return "–"
    return f"{mean.systolic:.0f}/{mean.diastolic:.0f} mmHg ({mean.readings} {words.READINGS})"
