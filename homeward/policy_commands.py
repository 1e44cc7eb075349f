"""Which commands say how a policy is written, and put people on one with limits of their own?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homeward.administration import Json, Organisation, policy, read_document

if TYPE_CHECKING:
    from alerts.documents import Document

Patient = Annotated[int, typer.Argument(help="The patient's number.")]


def refuse_borrowed_author(document: Document, file: str) -> None:
    """Refuse a changed copy of a template that still names the template's author: a version's author never changes."""
    from alerts.notation import PolicyError
    from alerts.policy import template_of

    template = template_of(document)
    if template is None or template.document == document or template.document.author != document.author:
        return
    raise PolicyError(
        f"{file}: it is not the template as it comes, and {document.author!r} did not write these numbers; "
        "put who answers for them into `author`, or say --author."
    )


@policy.command("schema")
def schema() -> None:
    """Print the JSON Schema of a policy document, made from the code that reads it."""
    import json

    import msgspec

    from alerts.documents import Document

    print(json.dumps(msgspec.json.schema(Document), indent=2))


@policy.command("enrol")
def enrol(patient: Patient, name: str, organisation: Organisation = None, as_json: Json = False) -> None:
    """Put a patient on a policy, and off the one that they are on."""
    from homeward import enrolment
    from homeward.reporting import administrator, report

    with administrator(organisation) as (connection, number):
        enrolment.enrol(connection, number, patient, name)
    report({"patient": patient, "policy": name}, as_json, f"Patient {patient} is on {name}.")


@policy.command("override")
def override(
    patient: Patient,
    file: Annotated[Path, typer.Argument(help="What is theirs, in TOML; an empty file takes everything back.")],
    author: Annotated[str, typer.Option(help="Who answers for it.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Give a patient limits, a target saturation or a usual NEWS2 of their own."""
    from homeward import enrolment
    from homeward.reporting import administrator, report

    text = read_document(file)
    with administrator(organisation) as (connection, number):
        version = enrolment.set_override(connection, number, patient, text, author=author, reason=reason)
    report({"patient": patient, "version": version}, as_json, f"Version {version} is in force for patient {patient}.")


@policy.command("overrides")
def overrides(patient: Patient, organisation: Organisation = None, as_json: Json = False) -> None:
    """List what has been a patient's own, newest first."""
    from homeward import enrolment
    from homeward.reporting import administrator, report_rows

    with administrator(organisation) as (connection, number):
        rows = enrolment.overrides(connection, number, patient)
    report_rows(rows, as_json, ["policy", "version", "document", "author", "reason", "created_at"])
