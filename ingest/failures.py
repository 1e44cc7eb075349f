"""What may a log say of an unexpected failure? What it was and where; its text and variables can hold values."""

from __future__ import annotations

import traceback


def describe(failed: BaseException) -> dict[str, str]:
    """Name the kind of a failure and the line of code, for the log."""
    frames = traceback.extract_tb(failed.__traceback__)
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames[-4:]]
    return {"error": type(failed).__name__, "where": " > ".join(places)}
