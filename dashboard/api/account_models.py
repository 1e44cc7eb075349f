"""What do the documents about accounts, sites, registrations, policies and the audit log look like?"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from dashboard.api.models import Document

RoleWord = Literal["administrator", "clinician", "carer", "technician", "auditor", "read_only"]
KindWord = Literal["home", "care_home", "ward"]
SexWord = Literal["female", "male", "other", "unknown"]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Reason = Annotated[str, Field(min_length=1, max_length=1000)]


class Rights(Document):
    """What an account may: a role, and the sites by number; ``null`` stands for every site."""

    name: Name
    role: RoleWord
    sites: Annotated[list[Number], Field(min_length=1, max_length=10_000)] | None = None


class NewAccount(Rights):
    """Somebody who shall sign in."""

    sign_in: Name


class PasswordLink(Document):
    """A link that lets its holder choose a password once: ``/choose-password?token=…``."""

    account_id: int
    path: str
    expires_at: datetime


class AccountSummary(Document):
    """An account in the list."""

    account_id: int
    sign_in: str
    name: str
    role: str
    sites: list[int] | None
    disabled_at: datetime | None
    created_at: datetime
    second_factor_at: datetime | None
    last_seen_at: datetime | None


class Identity(Document):
    """How a provider of identities knows somebody."""

    issuer: Annotated[str, Field(min_length=1, max_length=500)]
    subject: Annotated[str, Field(min_length=1, max_length=500)]


class PasswordChange(Document):
    """One's own password: the present one, and the next."""

    current: Annotated[str, Field(max_length=1000)]
    new: Annotated[str, Field(max_length=1000)]


class PasswordConfirmation(Document):
    """One's own password, said again."""

    current: Annotated[str, Field(max_length=1000)]


class SecondFactorSecret(Document):
    """What an authenticator app is told, in base 32."""

    secret: str


class Code(Document):
    """Six digits of an authenticator app."""

    code: Annotated[str, Field(min_length=1, max_length=100)]


class RecoveryCodes(Document):
    """Each lets you in once without the app; they are shown only now."""

    recovery_codes: list[str]


class SessionSummary(Document):
    """One of one's own sign-ins."""

    session_id: int
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    method: str
    agent: str
    is_this: bool


class RoleList(Document):
    """Roles that need a second factor."""

    roles: list[RoleWord]


class NewRule(Document):
    """Whoever has this value of a claim of the provider gets an account of this role at the first sign-in."""

    issuer: Annotated[str, Field(min_length=1, max_length=500)]
    claim: Name
    value: Name
    role: RoleWord
    site_id: Number | None = None


class Rule(NewRule):
    """A rule with its number."""

    rule_id: int


class NewSite(Document):
    """A home, a care home or a ward."""

    name: Name
    kind: KindWord
    time_zone: Annotated[str, Field(max_length=60)] = "Europe/London"
    emergency_advice: Annotated[str, Field(max_length=160)] | None = None


class SiteId(Document):
    """The number of a site."""

    site_id: int


class Target(Document):
    """A target saturation [%] that the pathway's policy permits."""

    lowest: float
    highest: float


class NewPatient(Document):
    """Somebody to be taken into care."""

    family_name: Annotated[str, Field(min_length=1, max_length=100)]
    given_name: Annotated[str, Field(min_length=1, max_length=100)]
    born_on: date
    site_id: Number
    nhs_number: Annotated[str, Field(max_length=20)] = ""
    sex: SexWord = "unknown"
    pregnant: bool = False
    room: Annotated[str, Field(max_length=50)] = ""
    contact: Annotated[str, Field(max_length=200)] = ""
    allergies: Annotated[str, Field(max_length=500)] = ""
    resuscitation: Annotated[str, Field(max_length=200)] = ""
    pathway: Annotated[str, Field(max_length=64)] = ""
    target_saturation: Target | None = None
    usual_news2: Annotated[int, Field(ge=0, le=20)] | None = None
    devices: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20, default_factory=list)]


class PatientId(Document):
    """The number of a patient."""

    patient_id: int


class Discharge(Document):
    """Why somebody is let go."""

    reason: Reason


class Move(Document):
    """Where somebody is from now on."""

    site_id: Number
    room: Annotated[str, Field(max_length=50)] = ""
    reason: Annotated[str, Field(max_length=1000)] = ""


class Readmission(Document):
    """Where somebody who was discharged is in care again, and on which pathway."""

    site_id: Number
    pathway: Annotated[str, Field(max_length=64)] = ""
    reason: Reason


class EmergencyOpening(Document):
    """Whom a clinician opens outside their sites, why, and for how long."""

    nhs_number: Annotated[str, Field(max_length=20)]
    born_on: date
    reason: Reason
    minutes: Annotated[int, Field(ge=1, le=720)] = 60


class EmergencyAccess(Document):
    """Somebody was opened in an emergency."""

    access_id: int
    account_id: int
    account: str
    patient_id: int
    reason: str
    started_at: datetime
    expires_at: datetime


class PolicySummary(Document):
    """A pathway and the version of its policy that is in force."""

    name: str
    title: str
    version: int
    author: str
    source: str
    reason: str
    published_at: datetime
    derived_from: str | None
    enrolled: int


class PolicyVersion(Document):
    """One version of a policy."""

    version: int
    author: str
    reason: str
    published_at: datetime
    in_force: bool
    document: str


class NewVersion(Document):
    """A document to put in force; ``after`` is the version that it was compared with."""

    document: Annotated[str, Field(max_length=200_000)]
    author: Reason
    reason: Reason
    after: Annotated[int, Field(ge=0)] | None = None


class Published(Document):
    """What is in force now."""

    name: str
    version: int


class AuditEntry(Document):
    """Who did what to what; the entry's hash covers it and the entry before."""

    audit_id: int
    at: datetime
    account_id: int | None
    account: str | None
    action: str
    object: str
    detail: dict[str, Any]
    hash: str


class AuditVerification(Document):
    """Whether every entry is as it was written; keep ``last_hash``, and look for it the next time."""

    intact: bool
    entries: int
    first_broken: int | None
    last_hash: str


When = AwareDatetime
