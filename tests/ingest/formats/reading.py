"""What have the formats' tests in common: reading one payload, and saying briefly what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.formats import detect
from ingest.formats.decoded import Decoded
from schemas.vital_signs import CATALOGUE

PAYLOADS = Path(__file__).parents[4] / "shared" / "data" / "payloads"


def decoded(
    content: bytes | str | Any, topic: str = "", sender: str = "", zones: Mapping[str, str] | None = None
) -> Decoded:
    """Read one payload; what is neither bytes nor text is written as JSON first."""
    if isinstance(content, str):
        content = content.encode()
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    out = Decoded()
    detect.decode(content, 0, out, topic, sender, zones or {})
    check_columns(out)
    return out


def check_columns(out: Decoded) -> None:
    """What holds for whatever was read."""
    assert len(out.value) == len(out.vital) == sum(out.size)
    assert {len(c) for c in (out.message, out.device, out.user, out.observed_at, out.flags)} == {len(out.size)}
    assert all(isinstance(v, float) and v == v and abs(v) != float("inf") for v in out.value)
    assert all(0 <= u <= 32_767 for u in out.user)
    assert all(abs(at) < 2**62 for at in out.observed_at)
    for rejection in out.rejections:
        assert rejection.detail
        assert ":" in rejection.detail, "names the place"
        assert "\0" not in rejection.detail
        assert rejection.observations > 0


def values(out: Decoded) -> dict[str, float]:
    """What was taken, by vital sign."""
    names = [CATALOGUE[code - 1].name for code in out.vital]
    assert len(set(names)) == len(names)
    return dict(zip(names, [round(v, 4) for v in out.value], strict=True))


def reasons(out: Decoded) -> list[str]:
    """Why the rest was not, in order, each as often as it counts."""
    return [r.reason.value for r in out.rejections for _ in range(r.observations)]


def instants(out: Decoded) -> list[str]:
    """When, in UTC."""
    return [datetime.fromtimestamp(at / 1_000_000, UTC).isoformat() for at in out.observed_at]


def accounted(out: Decoded) -> int:
    """How many values have been taken or counted as rejected."""
    return len(out.value) + sum(r.observations for r in out.rejections)


def samples(folder: str, pattern: str = "*.json") -> list[Path]:
    """Others' samples, where they are beside this checkout."""
    return sorted((PAYLOADS / folder).glob(pattern))


def require_samples() -> None:
    """Skip without the samples, but not in continuous integration."""
    if not PAYLOADS.exists():
        assert not os.environ.get("CI"), f"{PAYLOADS} is missing"
        pytest.skip("the samples of payloads are not beside this checkout")
