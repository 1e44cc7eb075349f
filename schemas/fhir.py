"""Which words of FHIR R4 do the way in and the way out share: systems, identities, and what is said of an error?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "/fhir/R4"
MEDIA_TYPE = "application/fhir+json"
NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
DEFINITION = "http://hl7.org/fhir/StructureDefinition/"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
PANEL = "bp"
"""In place of a vital sign's code: systolic and diastolic pressure of one instant."""

# IssueType by HTTP status; anything else is "processing"
ISSUE_TYPES: Mapping[int, str] = {
    400: "invalid",
    401: "login",
    403: "forbidden",
    404: "not-found",
    405: "not-supported",
    406: "not-supported",
    409: "conflict",
    413: "too-long",
    415: "not-supported",
    422: "processing",
    429: "throttled",
    500: "exception",
    503: "transient",
}

_ID = re.compile(r"([1-9]\d{0,9})-(bp|[1-9]\d{0,3})-(\d{1,18})-([1-9]\d{0,9})\Z")
_PATIENT = re.compile(r"(?:.*/)?Patient/([1-9]\d{0,9})\Z")


@dataclass(frozen=True)
class ObservationId:
    """What makes an observation the same one; ``vital`` is a code of the catalogue, or `PANEL`.

    ``at`` is in microseconds since 1970 UTC.
    """

    patient_id: int
    vital: int | str
    at: int
    device_id: int

    def __str__(self) -> str:
        return f"{self.patient_id}-{self.vital}-{self.at}-{self.device_id}"

    @classmethod
    def read(cls, text: str) -> ObservationId | None:
        """Read a logical id; None where it is none of ours."""
        found = _ID.match(text)
        if found is None:
            return None
        patient, vital, at, device = found.groups()
        numbers = int(patient), int(device)
        if max(numbers) > 2**31 - 1:
            return None
        return cls(numbers[0], vital if vital == PANEL else int(vital), int(at), numbers[1])


def patient_of(reference: str) -> int | None:
    """Give the number in a reference such as ``Patient/17``; None where it is none of ours."""
    found = _PATIENT.match(reference)
    number = int(found[1]) if found else 0
    return number if 0 < number < 2**31 else None


def issue(code: str, text: str, where: str = "", severity: str = "error") -> dict[str, Any]:
    """Write one issue of an OperationOutcome."""
    found: dict[str, Any] = {"severity": severity, "code": code, "diagnostics": text}
    return found | {"expression": [where]} if where else found


def outcome(issues: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Write an OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": list(issues)}
