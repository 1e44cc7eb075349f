"""How good is a policy on a recorded cohort? The command around `alerts.evaluation`: files in, figures out."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from alerts.cohort import CohortError, read_observations, read_outcomes
from alerts.documents import Policy
from alerts.evaluation import NAMES, Cohort, report
from alerts.notation import PolicyError, duration
from alerts.policy import parse, shipped, shipped_names

_T = TypeVar("_T")
_LABELS = {
    "sensitivity": "sensitivity",
    "median_lead_hours": "median lead [h]",
    "episodes_per_patient_day": "alert episodes per patient-day without the outcome",
    "alerted_time_fraction": "share of their time under alert",
    "ppv": "positive predictive value of an episode",
    "auroc": "AUROC of the score",
}


def run(observations: Path, outcomes: Path, policy: str, horizon: str, baseline: str | None, as_json: bool) -> None:
    """Evaluate a policy, and a bare rule beside it, and print the figures."""
    chosen = load_policy(policy)
    span = duration(horizon, "--horizon")
    if span <= 0:
        raise PolicyError(f"--horizon: {horizon!r} is no time at all; give some hours such as 12h")
    recording = read_file(read_observations, observations)
    found = report(chosen, Cohort.of(recording, read_file(read_outcomes, outcomes)), span, baseline)
    if as_json:
        print(json.dumps(found))
    else:
        Console(soft_wrap=True).print(_table(found))


def load_policy(name: str) -> Policy:
    """Read a policy from a file, or a shipped one by its name."""
    file = Path(name)
    if not file.is_file() and name in shipped_names():
        return shipped(name)
    if not file.is_file():
        raise PolicyError(f"policy {name!r}: no such file, and not one of the shipped {', '.join(shipped_names())}")
    try:
        return parse(file.read_text(encoding="utf-8"), file=name)
    except UnicodeDecodeError as exc:
        raise PolicyError(f"policy {name!r}: not a text file; expected a policy document in TOML") from exc
    except OSError as exc:
        raise PolicyError(f"policy {name!r}: cannot be read ({exc.strerror or exc})") from exc


def read_file(reader: Callable[[Iterator[str], str], _T], path: Path) -> _T:
    """Read a CSV, plain or gzip, with one of the readers of `alerts.cohort`."""
    try:
        with _lines(path) as lines:
            return reader(lines, path.name)
    except UnicodeDecodeError as exc:
        raise CohortError(f"{path.name}: not a text file in UTF-8; expected a CSV, or one in gzip") from exc
    except csv.Error as exc:
        raise CohortError(f"{path.name}: not a CSV ({exc}); look for a quotation mark that nothing closes") from exc
    except (OSError, EOFError, zlib.error) as exc:
        raise CohortError(f"{path}: cannot be read ({exc}); check the path and that the file is whole") from exc


@contextmanager
def _lines(path: Path) -> Iterator[Iterator[str]]:
    """Open a CSV, plain or gzip whatever its name says."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with ExitStack() as opened:
            stream: Any = opened.enter_context(gzip.open(raw)) if packed else raw
            yield opened.enter_context(io.TextIOWrapper(stream, encoding="utf-8", newline=""))


def _table(found: dict[str, Any]) -> Table:
    columns = [found] + ([found["baseline"]] if "baseline" in found else [])
    table = Table("", *(str(c.get("rule", c.get("policy"))) for c in columns), box=None, pad_edge=False)
    for name in NAMES:
        table.add_row(_LABELS[name], *(_cell(column[name], column[f"{name}_interval"]) for column in columns))
    table.add_row("people with onset, without outcome", f"{found['with_onset']}, {found['without_outcome']}")
    for name, count in found["counts"].items():
        if count:
            table.add_row(name.replace("_", " "), f"{count:,}")
    return table


def _cell(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return "not defined"
    return f"{value:.3g}" + (f" ({interval[0]:.3g}–{interval[1]:.3g})" if interval else "")
