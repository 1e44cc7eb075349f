"""What can this server do? The CapabilityStatement that FHIR clients ask for first."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from schemas.fhir import DEFINITION, MEDIA_TYPE

DATE = "2026-11-25"
"""When what the statement says last changed."""


def statement(base: str) -> dict[str, Any]:
    """Write the CapabilityStatement of the server at an address."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "kind": "instance",
        "software": {"name": "Homeward", "version": version("homeward")},
        "implementation": {"description": "Observations made at home and in care homes", "url": base},
        "fhirVersion": "4.0.1",
        "format": [MEDIA_TYPE, "json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "description": "People: a bearer token of POST /api/v1/sign-in. Devices and hubs, which only "
                    "write: their own token, as a bearer or as the password of their code."
                },
                "resource": [_observation(), _patient()],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
            }
        ],
    }


def _observation() -> dict[str, Any]:
    return {
        "type": "Observation",
        "supportedProfile": [
            DEFINITION + name
            for name in ("vitalsigns", "bp", "heartrate", "resprate", "oxygensat", "bodytemp", "bodyweight")
        ],
        "interaction": [{"code": "read"}, {"code": "search-type"}, {"code": "create"}],
        "versioning": "no-version",
        "searchParam": [
            {"name": "patient", "type": "reference"},
            {"name": "subject", "type": "reference"},
            {"name": "code", "type": "token"},
            {"name": "date", "type": "date"},
        ],
    }


def _patient() -> dict[str, Any]:
    return {
        "type": "Patient",
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "searchParam": [{"name": "identifier", "type": "token"}, {"name": "_id", "type": "token"}],
    }
