"""How is a backtest's report shown to a person? The figures are those of ``--json``, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

_Row = tuple[str, float | None, float | None]


def show(found: dict[str, Any]) -> None:
    """Print the report."""
    # names of sites and rules are people's own, and no markup
    console = Console(soft_wrap=True, markup=False, highlight=False)
    if not console.is_terminal:
        # a table in a file or a pipe is not cut at the width of a screen
        console = Console(soft_wrap=True, markup=False, highlight=False, width=1000)
    console.print(
        f"{found['patients']:,} patients, {found['patient_days']:,.0f} patient-days, "
        f"{found['since'][:16]} to {found['until'][:16]} UTC. {_whose(found)}"
    )
    table = Table("alerts per patient-day", f"draft: {found['policy']}", "in force", box=None, pad_edge=False)
    for title, rows in _parts(found):
        if title:
            table.add_row()
            table.add_row(title)
        for name, draft, in_force in rows:
            table.add_row(f"  {name}" if title else name, _cell(draft), _cell(in_force))
    console.print(table)
    console.print()
    for what, side, sign in (("gain alerts", "gain", "+"), ("lose some", "lose", "-")):
        console.print(_changes(found, what, side, sign))
    for refused in found["overrides_not_applied"]:
        console.print(f"Patient {refused['patient']}, not applied to the draft: {refused['why']}")
    for event in found["events"]:
        leads = (event["draft_lead_hours"], event["in_force_lead_hours"])
        words = [f"{lead:.1f} h before" if lead is not None else "none" for lead in leads]
        console.print(f"Patient {event['patient']}, {event['at'][:16]} UTC: draft {words[0]}, in force {words[1]}")


def _whose(found: dict[str, Any]) -> str:
    """Say whom the draft was tried on."""
    if found["pathway"] is None:
        return "Of every pathway, each beside the policy in force on it; say --pathway for one."
    return f"Of the pathway {found['pathway']}."


def _parts(found: dict[str, Any]) -> Iterator[tuple[str, list[_Row]]]:
    draft, in_force = found["draft"], found["in_force"]
    yield "", [("all", draft["per_patient_day"], in_force["per_patient_day"])]
    severities = draft["by_severity"].items()
    yield "by severity", [(word, rate, in_force["by_severity"][word]) for word, rate in severities]
    rules = [{(x["rule"], x["severity"]): x["per_patient_day"] for x in side["by_rule"]} for side in (draft, in_force)]
    keys = sorted(set(rules[0]) | set(rules[1]))
    yield "by rule", [(", ".join(key), rules[0].get(key, 0.0), rules[1].get(key, 0.0)) for key in keys]
    yield "by site", [(name, rate, in_force["by_site"][name]) for name, rate in draft["by_site"].items()]
    zones = found["time_zones"]
    where = zones[0] if len(zones) == 1 else "each site's own time"
    hours = enumerate(zip(draft["by_hour"], in_force["by_hour"], strict=True))
    yield (
        f"by hour of the day, {where}: the rate in that hour",
        [(f"from {hour:02d}:00", *rates) for hour, rates in hours],
    )


def _changes(found: dict[str, Any], what: str, side: str, sign: str) -> str:
    """Name those for whom most would change; the report knows of no more."""
    count, named = found[f"patients_{'gaining' if side == 'gain' else 'losing'}"], found[side]
    who = ", ".join(f"{one['patient']} ({sign}{one['alerts']})" for one in named)
    more = f" and {count - len(named):,} more" if count > len(named) else ""
    return f"{count:,} patients {what}{': patients ' if who else ''}{who}{more}."


def _cell(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.3f}"
