"""What does a search ask for? FHIR's parameters become what the queries are given; what is not known is refused.

A parameter that is ignored would answer another question than was asked: another system would take the longer list for
the one that it meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import HTTPException
from starlette.datastructures import QueryParams

from dashboard.fhir.resources import DIASTOLIC, LOINC, SNOMED, SYSTOLIC
from schemas.fhir import NHS_NUMBER, patient_of
from schemas.vital_signs import CATALOGUE

COUNT, MOST = 50, 500
_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)
_CODES = {("", "85354-9"), ("", "75367002"), (LOINC, "85354-9"), (SNOMED, "75367002")}
_DATE = re.compile(
    r"(?P<prefix>eq|ne|gt|lt|ge|le|sa|eb|ap)?(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T(?P<time>\d\d:\d\d(:\d\d(\.\d{1,6})?)?)(?P<offset>Z|[+-]\d\d:\d\d))?)?)?\Z"
)


def refuse_unknown(given: QueryParams, known: Sequence[str]) -> None:
    """Refuse a parameter that is not known here, or given twice where once is meant."""
    for name in given:
        if name not in known and name not in ("_format", "_pretty"):
            raise HTTPException(400, f"Parameter {name}: not supported; there are {', '.join(known)}.")
        if name != "date" and len(given.getlist(name)) > 1:
            raise HTTPException(400, f"Parameter {name}: given twice.")


def patient_in(given: QueryParams) -> int:
    """Give the patient of a search; without one there is no list."""
    stated = given.get("patient") or given.get("subject")
    if stated is None or ("patient" in given and "subject" in given):
        raise HTTPException(400, "State one patient: patient=17.")
    number = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 10 else patient_of(stated)
    if not number:
        raise HTTPException(400, "Parameter patient: expected a number, or Patient/ and a number.")
    return number


def count_in(given: QueryParams) -> int:
    """Give how many are wanted at once."""
    stated = given.get("_count", str(COUNT))
    if not (stated.isascii() and stated.isdigit()) or not int(stated[:9]) > 0:
        raise HTTPException(400, "Parameter _count: expected a number above 0.")
    return min(int(stated[:9]), MOST)


def vitals_in(given: QueryParams) -> list[int] | None:
    """Give the vital signs that ``code`` names, by ``system|code`` or the code alone; None where it is not given."""
    if "code" not in given:
        return None
    found: set[int] = set()
    for token in given["code"].split(","):
        system, bar, code = token.rpartition("|")
        if (system, code) in _CODES:
            found |= {SYSTOLIC.code, DIASTOLIC.code}
        for sign in CATALOGUE:
            own = [(s, c) for s, c in ((LOINC, sign.loinc), (SNOMED, sign.snomed)) if c]
            if any(code == c and (not bar or system == s) for s, c in own):
                found.add(sign.code)
    return sorted(found)


def span_in(given: QueryParams) -> tuple[datetime, datetime]:
    """Give from when to before when ``date`` asks."""
    since, until = _FIRST, _LAST
    for stated in given.getlist("date"):
        prefix, start, end = _period(stated)
        if prefix in ("eq", "ge", "sa", "gt"):
            since = max(since, start if prefix in ("eq", "ge") else end)
        if prefix in ("eq", "le", "eb", "lt"):
            until = min(until, end if prefix in ("eq", "le") else start)
        if prefix in ("ne", "ap"):
            raise HTTPException(
                400, f"Parameter date: {prefix} is not supported; there are eq, gt, ge, lt, le, sa, eb."
            )
    return since, until


def _period(stated: str) -> tuple[str, datetime, datetime]:
    """Read a date as the span that it stands for: a day is the whole day, in UTC; a time needs its offset."""
    # a plus sign that was not encoded arrives as a space
    found = _DATE.match(stated.replace(" ", "+"))
    span = None if found is None else _span(found)
    if found is None or span is None:
        raise HTTPException(
            400, "Parameter date: expected such as ge2026-11-22, or ge2026-11-22T08:00:00Z with its offset."
        )
    return found["prefix"] or "eq", *span


def _span(found: re.Match[str]) -> tuple[datetime, datetime] | None:
    year, month, day, time = found["year"], found["month"] or "01", found["day"] or "01", found["time"]
    try:
        start = datetime.fromisoformat(f"{year}-{month}-{day}T{time or '00:00'}{found['offset'] or '+00:00'}")
        if time is not None:
            # as exact as it was written
            exact = 60_000_000 if len(time) == 5 else 10 ** (6 - len(time.partition(".")[2]))
            return start, start + timedelta(microseconds=exact)
        if found["day"]:
            return start, start + timedelta(days=1)
        if found["month"]:
            return start, (start + timedelta(days=32)).replace(day=1)
        return start, start.replace(year=start.year + 1)
    except (ValueError, OverflowError):
        return None


def search_of_patients(*, patient: int | None = None, nhs_number: str | None = None) -> dict[str, Any]:
    """Give the parameters of the query for patients."""
    return {"patient": patient, "nhs_number": nhs_number}


def nhs_number_in(given: QueryParams) -> str:
    """Give the NHS number that ``identifier`` states, with its system or alone."""
    system, bar, value = given["identifier"].rpartition("|")
    if bar and system != NHS_NUMBER:
        return ""  # nobody has an identifier of another system
    return value.replace(" ", "")
