"""What do the JSON interface's documents look like?"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Item = TypeVar("Item")
SeverityWord = Literal["none", "yellow", "amber", "red"]
PhaseWord = Literal["pending", "active", "resolved", "withdrawn"]


class Document(BaseModel):
    """What every document has in common: nothing that is not written here goes out or comes in."""

    model_config = ConfigDict(extra="forbid")


class Page(Document, Generic[Item]):
    """A part of a list; ``next`` is given back as ``after`` to get the following part, ``null`` at the end."""

    items: list[Item]
    next: str | None


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class SignInRequest(Document):
    """A person's sign-in name and password, and the code of the second factor where they have one."""

    sign_in: Annotated[str, Field(max_length=200)]
    password: Annotated[str, Field(max_length=1000)]
    code: Annotated[str, Field(max_length=100)] = ""


class Account(Document):
    """The signed-in person."""

    account_id: int
    organisation_id: int
    name: str
    role: str
    permissions: list[str]


class SignedIn(Document):
    """A new session; the token goes into ``Authorization: Bearer``. Use moves its end, up to 12 h after sign-in."""

    token: str
    expires_at: datetime
    account: Account


class Site(Document):
    """A home, a care home or a ward."""

    site_id: int
    name: str
    kind: str
    time_zone: str


class PatientSummary(Document):
    """A patient in a list; ``severity`` is the worst of the active episodes, ``waiting`` those nobody has taken on."""

    patient_id: int
    family_name: str
    given_name: str
    nhs_number: str | None
    born_on: date
    sex: str
    site_id: int
    site: str
    room: str
    discharged_at: datetime | None
    last_observed_at: datetime | None
    severity: SeverityWord
    waiting: int
    paused_until: datetime | None


class NewPause(Document):
    """Until when a patient is paused, and why: in hospital, away."""

    until: AwareDatetime
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class Pause(Document):
    """A pause in force: nothing of the patient is paged and nothing falls due."""

    since: datetime
    until: datetime
    reason: str
    by: str


class Patient(PatientSummary):
    """One patient."""

    contact: str
    allergies: str
    resuscitation: str
    spo2_scale: int
    usual_news2: int | None
    pathway: str | None
    policy_version: int | None
    enrolled_at: datetime | None
    pause: Pause | None


class Observation(Document):
    """One value of one vital sign at one instant, in the unit given (UCUM)."""

    vital: str
    value: float
    unit: str
    observed_at: datetime
    received_at: datetime
    device: str | None
    quality: list[str]


class Episode(Document):
    """An alert's life; ``sentence`` says why it was raised, by what was observed at ``sentence_at``."""

    episode_id: int
    patient_id: int
    rule: str
    phase: PhaseWord
    severity: SeverityWord
    peak_severity: SeverityWord
    opened_at: datetime
    activated_at: datetime | None
    resolved_at: datetime | None
    retrospective: bool
    sentence: str
    sentence_at: datetime | None
    acknowledged_by: int | None
    acknowledged_name: str | None
    acknowledged_at: datetime | None
    snoozed_until: datetime | None
    waits_for_reset: bool


class EpisodeEvent(Document):
    """Something that happened to an episode; ``retracted``: later observations showed that it did not happen so."""

    event_id: int
    kind: str
    at: datetime
    severity: SeverityWord
    value: float | None
    retracted: bool
    note: str
    account: str | None


class EpisodeInFull(Episode):
    """One episode with what explains it and what happened to it.

    ``now`` is how it is by the newest observations, of ``now_at``; ``stays`` says why it is open although it is over.
    """

    pathway: str
    policy_version: int
    policy_author: str
    explanation: dict[str, Any]
    now: str
    now_at: datetime | None
    stays: str
    events: list[EpisodeEvent]


class ActionNote(Document):
    """What a person may add to an act."""

    note: Annotated[str, Field(max_length=4000)] = ""


class Snooze(ActionNote):
    """Until when an episode is put off: at most a week ahead."""

    until: AwareDatetime


class EpisodeList(ActionNote):
    """Several episodes at once."""

    episodes: Annotated[list[Annotated[int, Field(ge=1, le=2**63 - 1)]], Field(min_length=1, max_length=500)]


class Acknowledgement(Document):
    """Who has taken an episode on, and when."""

    episode_id: int
    acknowledged_by: int
    acknowledged_name: str
    acknowledged_at: datetime


class Acknowledgements(Document):
    """What became of each episode: taken on now, held by somebody already, or not there for this person."""

    acknowledged: list[int]
    held: list[Acknowledgement]
    missing: list[int]


class NewNote(Document):
    """A note to be written, on an episode where one is named; sent twice with the same ``key`` it is one note."""

    body: Annotated[str, Field(min_length=1, max_length=4000)]
    key: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    episode_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None


class NoteId(Document):
    """The number of a written note."""

    note_id: int


class Note(NoteId):
    """A written note."""

    at: datetime
    body: str
    account: str


class Quarantined(Document):
    """What could not be stored, why, and what to do; ``payload`` is its beginning, as text.

    Who may not see payloads gets every digit of it as 0. ``note`` says why it was discarded.
    """

    quarantine_id: int
    reason: str
    remedy: str
    detail: str
    topic: str
    device: str | None
    observations: int
    received_at: datetime
    status: str
    note: str
    handled_at: datetime | None
    payload_bytes: int
    payload: str


class Service(Document):
    """A process of the installation and what it has counted."""

    service: str
    started_at: datetime
    seen_at: datetime
    is_live: bool
    counters: dict[str, Any]


class System(Document):
    """How the installation is: ``ok`` or a sentence for each part, and its processes of the last day."""

    parts: dict[str, str]
    services: list[Service]
