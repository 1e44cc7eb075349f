"""How does `homeward replay` find the installation, and say what came out?"""

from __future__ import annotations

from typing import Any

from alerts.explain_scores import retold
from dashboard.wording import microseconds
from homeward.instants import read_instant
from homeward.logs import log_to_file
from homeward.progress import Progress
from homeward.reporting import addresses, report
from homeward.settings import load_settings
from ingest.replay import Replayed, replay_all, replay_episode
from ingest.service import ROLE
from schemas.database import open_pool

SHOWN = 100
"""Differences written out as sentences; JSON has them all."""


def run(episode: int | None, since: str | None, as_json: bool) -> int:
    """Replay one episode, or everything since an instant; give the exit code."""
    begin = microseconds(read_instant(since, "--since")) if since else 0
    log_to_file(load_settings().home / "logs" / "homeward.log")
    explained = None
    with Progress() as progress, open_pool(addresses().database_url(ROLE), ROLE) as pool:
        progress.say("Scoring the stored observations again")
        if episode is not None:
            explained, found = replay_episode(pool, episode)
        else:
            found = replay_all(pool, begin, lambda done, of: progress.detail(f"{done} of {of} patients"))
    report(_as_data(found, explained), as_json, "\n".join(_sentences(found, explained)))
    return 1 if found.differences else 0


def _as_data(found: Replayed, explained: dict[str, Any] | None) -> dict[str, Any]:
    data = {
        "patients": found.patients,
        "episodes": found.episodes,
        "transitions": found.transitions,
        "same": not found.differences,
        "differences": [{"patient": patient, "sentence": d.sentence} for patient, d in found.differences],
    }
    return data if explained is None else {"episode": explained, **data}


def _sentences(found: Replayed, explained: dict[str, Any] | None) -> list[str]:
    lines = _explanation(explained) if explained else []
    lines += [f"Patient {patient}: {d.sentence}" for patient, d in found.differences[:SHOWN]]
    if len(found.differences) > SHOWN:
        lines.append(f"… and {len(found.differences) - SHOWN} more.")
    what = f"{found.transitions} transitions of {found.episodes} episodes of {found.patients} patients"
    if found.differences:
        return [*lines, f"{what} were scored again, and {len(found.differences)} do not agree with what is stored."]
    return [*lines, f"{what} came out again exactly as they are stored."]


def _explanation(explained: dict[str, Any]) -> list[str]:
    """Say what is stored to explain the episode, a fact a line."""
    e, kept = explained, explained["explanation"]
    why = retold(e["sentence"], kept, e["severity"] or e["peak_severity"])
    lines = [
        f"Episode {e['episode_id']} of patient {e['patient_id']}: {why}.",
        f"rule: {e['rule']} ({kept.get('title', '')}), policy {e['policy']} version {e['version']} by {e['author']}",
    ]
    facts = {name: kept[name] for name in _FACTS if kept.get(name) not in (None, "")}
    return lines + [f"{name}: {value}" for name, value in facts.items()]


_FACTS = ("source", "value", "count", "thresholds", "values", "points", "window", "baseline", "of", "vitals", "every",
          "grace")  # fmt: skip
