"""How do FHIR R4 Observations come in over HTTP, alone or in a Bundle, and what is each answered?

A resource is checked against the R4 models first, then against the vital signs profile that it states, and then read as
everywhere else. A transaction is stored whole or not at all, of a batch each entry for itself. What is stored already
is answered with the one that is there.
"""

# Annotations are not postponed here: FastAPI could not find the dependency that is passed in.
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.observation import Observation
from pydantic import ValidationError

from ingest import fhir_profiles
from ingest.admission import Admitted, Incoming
from ingest.entrance import Answer, Entrance, Once
from ingest.fhir_subjects import TOPIC, keep_to_subjects
from ingest.formats import fhir, json_document
from ingest.formats.json_document import Refused
from ingest.http import Sender, by_hand, read_body, refusals
from ingest.writer import Outcome
from schemas.fhir import MEDIA_TYPE, NHS_NUMBER, PANEL, PREFIX, ObservationId, issue, outcome, patient_of
from schemas.quarantine import Reason
from schemas.vital_signs import BY_NAME

_PRESSURES = {BY_NAME["bp_systolic"].code, BY_NAME["bp_diastolic"].code}
_ISSUE = {Reason.NOT_PERMITTED: "forbidden", Reason.UNKNOWN_DEVICE: "not-found", Reason.MALFORMED: "structure"}


class RefusedError(Exception):
    """Nothing of the request is stored: the status, and what is wrong, as issues."""

    def __init__(self, status: int, issues: Sequence[dict[str, Any]]) -> None:
        super().__init__(status)
        self.status, self.issues = status, issues


@dataclass
class Entry:
    """One Observation of a request, on its way: where it stands, what is wrong with it, and for whom it is entered."""

    where: str
    resource: dict[str, Any]
    issues: list[dict[str, Any]] = field(default_factory=list)
    patient: int = 0


def routes(entrance: Entrance, authenticate: Callable[..., Any]) -> APIRouter:
    """Make the router; ``authenticate`` is a dependency that gives the `Sender`, or refuses the request."""
    router = APIRouter(prefix=PREFIX, include_in_schema=False)

    @router.post("/Observation")
    async def create(
        request: Request,
        sender: Annotated[Sender, Depends(authenticate)],
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    ) -> JSONResponse:
        document, payload = await _document(request)
        try:
            entry = Entry("Observation", document)
            _refuse(400, _faults(Observation, document, "Observation"))
            _refuse(422, fhir_profiles.faults(document, "Observation"))
            code = await _prepare(entrance, sender, [entry])
            _refuse(422, entry.issues)
        except RefusedError as refused:
            return _json(refused.status, outcome(refused.issues))
        once = _once(sender, idempotency_key, b"POST Observation\n" + payload)
        return await _store(entrance, sender, code, [entry], _single, once)

    @router.post("")
    @router.post("/", include_in_schema=False)
    async def bundle(
        request: Request,
        sender: Annotated[Sender, Depends(authenticate)],
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    ) -> JSONResponse:
        document, payload = await _document(request)
        try:
            entries, is_whole = _entries(document)
            code = await _prepare(entrance, sender, [entry for entry in entries if not entry.issues])
            _refuse(422, [one for entry in entries for one in entry.issues if is_whole])
        except RefusedError as refused:
            return _json(refused.status, outcome(refused.issues))
        once = _once(sender, idempotency_key, b"POST\n" + payload)
        say = _whole if is_whole else _each
        return await _store(entrance, sender, code, entries, say, once, whole=is_whole)

    return router


# ------------------------------------------------------------------------------------------------------- what is asked


def _refuse(status: int, issues: Sequence[dict[str, Any]]) -> None:
    """Refuse the request where there is something to say."""
    if issues:
        raise RefusedError(status, issues)


async def _document(request: Request) -> tuple[dict[str, Any], bytes]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (MEDIA_TYPE, "application/json"):
        raise HTTPException(415, f"Content-Type {kind or 'is missing'}; expected {MEDIA_TYPE}.")
    payload = await read_body(request)
    try:
        document = json_document.read(payload)
        json_document.refuse_doubled(document, "body")
    except Refused as refused:
        raise HTTPException(400, str(refused)) from refused
    if not isinstance(document, dict):
        raise HTTPException(400, "The body is no resource: expected an object with resourceType.")
    return document, payload


def _faults(model: type[Observation] | type[Bundle], document: Any, where: str) -> list[dict[str, Any]]:
    """Check a resource against its R4 model."""
    try:
        model.model_validate(document)
    except ValidationError as wrong:
        return [
            issue("invalid", error["msg"], ".".join([where, *map(str, error["loc"])])) for error in wrong.errors()[:20]
        ]
    except (TypeError, ValueError, RecursionError, AttributeError) as wrong:
        # the models raise what their own checks trip over
        return [issue("invalid", f"{type(wrong).__name__} while the resource was checked", where)]
    return []


def _entries(document: dict[str, Any]) -> tuple[list[Entry], bool]:
    """Read a Bundle; say also whether it is a transaction."""
    if document.get("resourceType") != "Bundle":
        raise RefusedError(400, [issue("invalid", "expected a Bundle here, an Observation at /Observation", "Bundle")])
    kind = document.get("type")
    if kind not in ("batch", "transaction"):
        raise RefusedError(400, [issue("not-supported", "expected batch or transaction", "Bundle.type")])
    # each resource is checked for itself, so that of a batch one wrong entry does not spoil the others
    bare = [{k: v for k, v in e.items() if k != "resource"} if isinstance(e, dict) else e for e in _list(document)]
    _refuse(400, _faults(Bundle, document | ({"entry": bare} if bare else {}), "Bundle"))
    try:
        devices = {part.where: part for part in fhir.parts(document)}
    except Refused as refused:
        raise RefusedError(422, [issue("processing", str(refused), "Bundle")]) from refused
    entries = []
    for position, one in enumerate(_list(document)):
        where = f"Bundle.entry[{position}]"
        resource = one.get("resource") if isinstance(one, dict) else None
        entry = Entry(where, resource if isinstance(resource, dict) else {})
        asked = one.get("request", {}) if isinstance(one, dict) else {}
        entry.issues = _refuse_request(asked, entry.resource, where)
        if not entry.issues and entry.resource.get("resourceType") == "Observation":
            place = f"{where}.resource"
            entry.issues = _faults(Observation, entry.resource, place) or fhir_profiles.faults(entry.resource, place)
            _name_device(entry, devices.get(f"{where}.resource"))
        entries.append(entry)
    return entries, kind == "transaction"


def _list(document: dict[str, Any]) -> list[Any]:
    found = document.get("entry")
    return found if isinstance(found, list) else []


def _refuse_request(asked: Any, resource: dict[str, Any], where: str) -> list[dict[str, Any]]:
    kind = resource.get("resourceType")
    method, url = (asked.get(name) if isinstance(asked, dict) else None for name in ("method", "url"))
    if method == "POST" and url == kind and kind in ("Observation", "Device"):
        return []
    said = f"{method} {url}"
    return [issue("not-supported", f"{said!r:.100}; only POST Observation is taken here", f"{where}.request")]


def _name_device(entry: Entry, part: fhir.Part | None) -> None:
    """Write the device into the Observation itself: it is kept, and perhaps tried again, without its Bundle."""
    if entry.issues or part is None or "device" not in entry.resource:
        return
    try:
        code = fhir.device_of(part)
    except Refused as refused:
        entry.issues = [issue("not-found", str(refused), f"{entry.where}.resource.device")]
        return
    if code is not None:
        entry.resource = entry.resource | {"device": {"identifier": {"value": code}}}


async def _prepare(entrance: Entrance, sender: Sender, entries: Sequence[Entry]) -> str:
    """Find for whom each Observation is entered, and give the code under which they are taken."""
    if sender.device is not None:
        return sender.device
    for entry in entries:
        if entry.resource.get("resourceType") != "Observation":
            continue
        # whose it is, a person says; by what it was measured stays with the one who entered it
        entry.resource = {name: value for name, value in entry.resource.items() if name != "device"}
        patient = await _subject(sender, entry.resource)
        where = f"{entry.where.removesuffix('.resource')}.subject"
        if patient is None:
            text = f"expected Patient/ and a number of a patient whom you may see, or an identifier of {NHS_NUMBER}"
            entry.issues.append(issue("not-found", text, where))
        else:
            entry.patient = patient
    return await by_hand(entrance, sender.organisation_id)


async def _subject(sender: Sender, resource: dict[str, Any]) -> int | None:
    reference = fhir.subject_of(resource)
    if reference is not None:
        number = patient_of(reference)
        return number if number is not None and await sender.may_enter_for(number) else None
    subject = resource.get("subject")
    identifier = subject.get("identifier") if isinstance(subject, dict) else None
    if isinstance(identifier, dict) and identifier.get("system") == NHS_NUMBER:
        return await sender.patient_of_nhs_number(str(identifier.get("value", "")))
    return None


# ----------------------------------------------------------------------------------------------------- what is answered


async def _store(
    entrance: Entrance,
    sender: Sender,
    code: str,
    entries: Sequence[Entry],
    say: Callable[[Sequence[Entry], "_Fates"], Answer],
    once: Once | None,
    *,
    whole: bool = False,
) -> JSONResponse:
    taken = [e for e in entries if not e.issues and e.resource.get("resourceType") == "Observation"]
    received_at = time.time_ns() // 1000
    messages = [
        Incoming(f"{TOPIC}{code}", json.dumps(e.resource).encode(), received_at, code, e.patient) for e in taken
    ]
    places = {id(entry): position for position, entry in enumerate(taken)}

    def answer(admitted: Admitted, done: Outcome) -> Answer:
        return say(entries, _Fates(admitted, done, places))

    def refuse(admitted: Admitted) -> Answer | None:
        if not whole or not admitted.rejections:
            return None
        return Answer(422, outcome(_issue_of(r.reason, r.detail, taken[r.message].where) for r in admitted.rejections))

    with refusals(entrance, sender):
        found = await run_in_threadpool(
            entrance.take, messages, answer, once=once, refuse=refuse, amend=keep_to_subjects
        )
    return _json(found.status, found.body, again=found.again)


@dataclass(frozen=True)
class _Fates:
    """What became of each entry."""

    admitted: Admitted
    done: Outcome
    place: dict[int, int]

    def of(self, entry: Entry) -> tuple[int, str | None, list[dict[str, Any]]]:
        """Give the status, the id, and what is to be said of an entry."""
        position = self.place.get(id(entry))
        if position is None:
            return (422, None, entry.issues) if entry.issues else (200, None, [])
        said = [r for r in self.admitted.rejections if r.message == position]
        issues = [_issue_of(r.reason, r.detail, entry.where) for r in said]
        here = self.admitted.message == position
        if not here.any():
            return 422, None, issues
        for one in issues:
            one["severity"] = "warning"
        return (201 if self.done.stored[position] else 200), str(self._id(here)), issues

    def _id(self, here: Any) -> ObservationId:
        batch = self.admitted.batch.take(here)
        vitals = set(batch.vital.tolist())
        vital = PANEL if vitals >= _PRESSURES else int(batch.vital[0])
        return ObservationId(int(batch.patient_id[0]), vital, int(batch.observed_at[0]), int(batch.device_id[0]))


def _single(entries: Sequence[Entry], fates: _Fates) -> Answer:
    [entry] = entries
    status, identity, issues = fates.of(entry)
    if identity is None:
        return Answer(status, outcome(issues))
    stored = entry.resource | {"id": identity}
    if issues:
        # what was left out is said with the resource, and is waiting in quarantine
        stored["contained"] = [*stored.get("contained", []), outcome(issues) | {"id": "left-out"}]
    return Answer(status, stored)


def _each(entries: Sequence[Entry], fates: _Fates) -> Answer:
    return Answer(200, _answered("batch-response", entries, fates))


def _whole(entries: Sequence[Entry], fates: _Fates) -> Answer:
    return Answer(200, _answered("transaction-response", entries, fates))


def _answered(kind: str, entries: Sequence[Entry], fates: _Fates) -> dict[str, Any]:
    words = {200: "200 OK", 201: "201 Created", 422: "422 Unprocessable Entity"}
    found = []
    for entry in entries:
        status, identity, issues = fates.of(entry)
        response: dict[str, Any] = {"status": words[status]}
        if identity is not None:
            response["location"] = f"Observation/{identity}"
        if issues:
            response["outcome"] = outcome(issues)
        found.append({"response": response})
    return {"resourceType": "Bundle", "type": kind, "entry": found}


def _issue_of(reason: Reason, detail: str, where: str) -> dict[str, Any]:
    return issue(_ISSUE.get(reason, "processing"), f"{reason.value}: {detail}", where)


def _once(sender: Sender, key: str | None, asked: bytes) -> Once | None:
    return Once(sender.organisation_id, f"{sender.name}/fhir", key, asked) if key else None


def _json(status: int, body: dict[str, Any], *, again: bool = False) -> JSONResponse:
    headers = {"Idempotent-Replayed": "true"} if again else {}
    if body.get("resourceType") == "Observation":
        headers["Location"] = f"{PREFIX}/Observation/{body['id']}"
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)
