"""How does a person come into care, to another site, and out of care again?

A registration is one transaction: the patient, the pathway, what is their own within it, and the devices that they are
given; either all of it is there or nothing. What is wrong is said of the field in which it stands.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg

from alerts.notation import PolicyError
from alerts.overrides import Override, TargetRange, override_json, personalise, spo2_scale
from alerts.policy import parse_version
from dashboard import audit, identity, store
from dashboard.actions import InvalidActionError, NotThereError
from dashboard.permissions import Permission, require
from dashboard.wording import age
from schemas import nhs_number

FILE = "registration.sql"
SEXES = ("female", "male", "other", "unknown")
OLDEST = 130
LONGEST = {"family_name": 100, "given_name": 100, "room": 50, "contact": 200, "allergies": 500, "resuscitation": 200}
Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Any]


class RefusedFieldError(InvalidActionError):
    """One field of a registration cannot be taken as it is."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class KnownPatientError(RefusedFieldError):
    """The NHS number is registered already; ``patient_id`` where the person at work may see whose it is."""

    def __init__(self, message: str, patient_id: int | None, *, discharged: bool = False) -> None:
        super().__init__("nhs_number", message)
        self.patient_id = patient_id
        self.discharged = discharged


@dataclass(frozen=True)
class NewPatient:
    """Somebody to be taken into care; only name, date of birth and site must be known."""

    family_name: str
    given_name: str
    born_on: date
    site: int
    nhs_number: str = ""
    sex: str = "unknown"
    pregnant: bool = False
    room: str = ""
    contact: str = ""
    allergies: str = ""
    resuscitation: str = ""
    pathway: str = ""
    target: tuple[float, float] | None = None
    usual_news2: int | None = None
    devices: tuple[str, ...] = ()


async def pathways(born_on: date | None = None, *, pregnant: bool = False) -> list[Row]:
    """List the pathways with a policy in force; of somebody whose age is known, those that are meant for them."""
    require(identity.current(), Permission.REGISTER_PATIENTS)
    found = await store.fetch_from(FILE, "pathways")
    return [row for row in found if born_on is None or _is_meant(row, born_on, pregnant)]


def targets(pathway: Row) -> list[tuple[float, float]]:
    """Give the target saturations that a pathway's policy permits."""
    try:
        policy = parse_version(pathway["document"], pathway["policy_id"], pathway["version"])
    except PolicyError:
        return []
    return [(t.lowest, t.highest) for t in policy.document.target_saturation]


async def register(new: NewPatient) -> int:
    """Take somebody into care and give their number.

    Raises
    ------
    RefusedFieldError
        With the field; `KnownPatientError` where the NHS number is registered already.
    """
    person = identity.current()
    require(person, Permission.REGISTER_PATIENTS)
    given = _checked(new)
    async with store.transaction() as connection:
        await _refuse_known(connection, given["nhs_number"])
        patient = await _add(connection, person, given)
        if new.pathway:
            await _enrol(connection, patient, new)
        elif new.target is not None or new.usual_news2 is not None:
            raise RefusedFieldError("pathway", "Target saturation and usual NEWS2 belong to a pathway; choose one.")
        for code in dict.fromkeys(new.devices):
            await _give_device(connection, patient, code)
        await audit.write(
            connection, person, "patient_registered", f"patient/{patient}", site=new.site, pathway=new.pathway or None,
            devices=len(new.devices),
        )  # fmt: skip
        await _tell(connection, [patient])
    return patient


async def discharge(patient_id: int, reason: str) -> None:
    """Let somebody go: nothing is scored any more, and their devices are free; what was observed stays."""
    async with _changing(patient_id) as change:
        why = _reason(reason)
        if change.found["discharged_at"] is not None:
            raise InvalidActionError("This patient is discharged already.")
        for step in ("end_enrolment", "end_assignments", "discharge"):
            await change.write(step)
        await change.note("patient_discharged", reason=why)


async def readmit(patient_id: int, site: int, pathway: str, reason: str) -> None:
    """Take somebody who was discharged into care again, with all that is known of them."""
    async with _changing(patient_id) as change:
        why = _reason(reason)
        if change.found["discharged_at"] is None:
            raise InvalidActionError("This patient is in care already.")
        await change.write("readmit", site=site)
        if pathway:
            born_on, pregnant = change.found["born_on"], change.found["pregnant"]
            new = NewPatient("", "", born_on, site, pregnant=pregnant, pathway=pathway)
            await _enrol(change.connection, patient_id, new)
        await change.note("patient_readmitted", site=site, reason=why)


async def move(patient_id: int, site: int, room: str = "", reason: str = "") -> None:
    """Move somebody with their devices to another site; who works there sees them from now on."""
    async with _changing(patient_id) as change:
        if not await _run(change.connection, "site", site=site):
            raise RefusedFieldError("site", "There is no such site.")
        tidy = _text("room", room)
        await _run(change.connection, "move_devices", patient=patient_id, site=site)
        await change.write("move", site=site, room=tidy)
        await change.note("patient_moved", site=site, site_before=change.found["site_id"], reason=reason[:1000])


async def patients(*, discharged: bool = False) -> list[Row]:
    """List the patients, for the command line."""
    return await store.fetch_from(FILE, "patients", discharged=discharged)


# ------------------------------------------------------------------------------------------------------------- parts


@dataclass(frozen=True)
class _Change:
    """What is being done to one patient, in the transaction that holds their row."""

    connection: Connection
    patient_id: int
    found: Row

    async def write(self, query: str, **parameters: Any) -> None:
        """Write to the patient's record; a refusal is one of the site."""
        await _write(self.connection, "site", query, patient=self.patient_id, **parameters)

    async def note(self, action: str, **detail: Any) -> None:
        """Add the entry of the audit log that tells of it."""
        await audit.write(self.connection, identity.current(), action, f"patient/{self.patient_id}", **detail)


@asynccontextmanager
async def _changing(patient_id: int) -> AsyncIterator[_Change]:
    """Change a patient who is registered; who has them on a screen hears of it."""
    require(identity.current(), Permission.REGISTER_PATIENTS)
    async with store.transaction() as connection:
        yield _Change(connection, patient_id, await _lock(connection, patient_id))
        await _tell(connection, [patient_id])


def _checked(new: NewPatient) -> Row:
    """Tidy what was typed, or say of the first field that cannot be taken why."""
    given: Row = {name: _text(name, getattr(new, name)) for name in LONGEST}
    for name, words in (("family_name", "family name"), ("given_name", "given name")):
        if not given[name]:
            raise RefusedFieldError(name, f"A {words} is needed.")
    today = datetime.now(UTC).date()
    if not 0 <= age(new.born_on, today) <= OLDEST or new.born_on > today:
        raise RefusedFieldError("born_on", "This is no date of birth: it lies ahead, or too far back.")
    if new.sex not in SEXES:
        raise RefusedFieldError("sex", f"Expected one of {', '.join(SEXES)}.")
    if new.pregnant and new.sex == "male":
        raise RefusedFieldError("pregnant", "This person is entered as male and as pregnant; mend one of the two.")
    try:
        number = nhs_number.read(new.nhs_number) if new.nhs_number.strip() else None
    except ValueError as exc:
        raise RefusedFieldError("nhs_number", str(exc)) from exc
    return given | {
        "born_on": new.born_on, "sex": new.sex, "site": new.site, "pregnant": new.pregnant, "nhs_number": number
    }  # fmt: skip


def _text(field: str, given: str) -> str:
    tidy = " ".join(given.split())
    if len(tidy) > LONGEST[field]:
        raise RefusedFieldError(field, f"At most {LONGEST[field]} characters.")
    if not tidy.isprintable():
        raise RefusedFieldError(field, "This has a character that is no text.")
    return tidy


def _reason(given: str) -> str:
    tidy = " ".join(given.split())
    if not 0 < len(tidy) <= 1000:
        raise RefusedFieldError("reason", "A reason is needed, for the record; at most 1000 characters.")
    return tidy


async def _refuse_known(connection: Connection, number: str | None) -> None:
    if number is None:
        return
    found = await _run(connection, "patient_by_nhs_number", nhs_number=number)
    if found:
        row = found[0]
        how = "was discharged" if row["discharged_at"] else "is in care"
        raise KnownPatientError(
            f"{row['given_name']} {row['family_name']} has this NHS number and {how} at {row['site']}.",
            row["patient_id"],
            discharged=row["discharged_at"] is not None,
        )
    if identity.current().account_id and (await _run(connection, "is_known_elsewhere", nhs_number=number))[0]["known"]:
        raise KnownPatientError(
            "Somebody with this NHS number is registered at a site that you do not work for; ask an administrator to "
            "move them.",
            None,
        )


async def _add(connection: Connection, person: identity.Person, given: Row) -> int:
    if not await _run(connection, "site", site=given["site"]):
        raise RefusedFieldError("site", "Choose a site.")
    try:
        [made] = await _write(connection, "site", "add_patient", organisation=person.organisation_id, **given)
    except psycopg.errors.UniqueViolation as exc:  # somebody was faster
        raise KnownPatientError("Somebody with this NHS number was registered just now.", None) from exc
    return int(made["patient_id"])


async def _enrol(connection: Connection, patient: int, new: NewPatient) -> None:
    """Put the patient on the pathway, with a target saturation and usual score of their own where given."""
    person = identity.current()
    known = {row["name"]: row for row in await _run(connection, "pathways")}
    if new.pathway not in known:
        raise RefusedFieldError("pathway", "There is no such pathway in force.")
    row = known[new.pathway]
    try:
        async with connection.transaction():
            [made] = await _run(
                connection,
                "enrol",
                organisation=person.organisation_id,
                patient=patient,
                pathway=row["pathway_id"],
            )
    except psycopg.errors.CheckViolation as exc:
        raise RefusedFieldError("pathway", "This pathway is not meant for this person; choose another.") from exc
    if new.target is None and new.usual_news2 is None:
        return
    own = Override(
        target_saturation=None if new.target is None else TargetRange(*new.target), usual_news2=new.usual_news2
    )
    try:
        policy = parse_version(row["document"], row["policy_id"], row["version"])
        personalise(policy, own)
        scale = spo2_scale(policy, own)
    except PolicyError as exc:
        raise RefusedFieldError("target", str(exc)) from exc
    await _run(
        connection,
        "add_override",
        organisation=person.organisation_id,
        patient=patient,
        enrolment=made["enrolment_id"],
        document=override_json(own),
        spo2_scale=scale,
        usual_news2=own.usual_news2,
        policy=row["policy_id"],
        author=person.name,
        reason="Registration",
    )


async def _give_device(connection: Connection, patient: int, code: str) -> None:
    found = await _run(connection, "device", code=code.strip())
    if not found or found[0]["retired_at"] is not None:
        raise RefusedFieldError("devices", f"There is no device {code.strip()[:64]!r} in use at your sites.")
    if found[0]["kind"] in ("hub", "manual"):
        raise RefusedFieldError("devices", f"{code.strip()} speaks for other devices and is worn by nobody.")
    if found[0]["worn_by"] is not None:
        raise RefusedFieldError("devices", f"{code.strip()} belongs to somebody else now; take it back first.")
    person = identity.current()
    await _run(connection, "assign", organisation=person.organisation_id, device=found[0]["device_id"], patient=patient)
    await audit.write(connection, person, "device_assigned", f"device/{found[0]['device_id']}", patient=patient)


async def _lock(connection: Connection, patient_id: int) -> Row:
    found = await _run(connection, "lock_patient", patient=patient_id)
    if not found:
        if await store.rows(connection, store.queries("actions.sql")["visible_patient"], patient=patient_id):
            # opened in an emergency: to look and to act, not to keep
            raise RefusedFieldError("site", "You do not work where this patient is; whoever does can change that.")
        raise NotThereError("There is no such patient.")
    return found[0]


async def _write(connection: Connection, field: str, query: str, /, **parameters: Any) -> list[Row]:
    """Write what row-level security may refuse because of the site, and say so of that field."""
    try:
        async with connection.transaction():
            return await _run(connection, query, **parameters)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ForeignKeyViolation) as exc:
        raise RefusedFieldError(field, "You do not work for this site; choose another.") from exc


async def _tell(connection: Connection, changed: Sequence[int], *, moved: bool = False) -> None:
    payload: dict[str, Any] = {"organisation": identity.current().organisation_id, "patients": list(changed)}
    payload |= {"episodes": True, "moved": moved}
    await store.rows(connection, store.queries("actions.sql")["tell_browsers"], payload=json.dumps(payload))


def _is_meant(row: Row, born_on: date, pregnant: bool) -> bool:
    """Say what the database's trigger would: the document's own words on whom it is meant for."""
    old_enough = row["lowest_age"] is None or age(born_on, datetime.now(UTC).date()) >= row["lowest_age"]
    return old_enough and (row["pregnancy"] is None or row["pregnancy"] == pregnant)


async def _run(connection: Connection, query: str, /, **parameters: Any) -> list[Row]:
    return await store.rows(connection, store.queries(FILE)[query], **parameters)
