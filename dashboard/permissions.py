"""What may a person in each role do?

The one table. Which patients a person may do it to is not decided here: row-level security in the database decides it.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType

from dashboard.identity import Person


class Permission(StrEnum):
    """Something that not everybody may do."""

    SEE_PATIENTS = "see_patients"
    ACKNOWLEDGE = "acknowledge"
    WRITE_NOTES = "write_notes"
    PAUSE_PATIENTS = "pause_patients"
    SET_LIMITS = "set_limits"
    SIGN_HANDOVERS = "sign_handovers"
    SEE_DEVICES = "see_devices"
    ASSIGN_DEVICES = "assign_devices"
    MANAGE_DEVICES = "manage_devices"
    SEE_QUARANTINE = "see_quarantine"
    SEE_PAYLOADS = "see_payloads"
    MEND_QUARANTINE = "mend_quarantine"
    SEE_SYSTEM = "see_system"
    SEE_AUDIT = "see_audit"
    SEE_POLICIES = "see_policies"
    PUBLISH_POLICIES = "publish_policies"
    REGISTER_PATIENTS = "register_patients"
    OPEN_IN_EMERGENCY = "open_in_emergency"
    MANAGE_ACCOUNTS = "manage_accounts"
    MANAGE_SITES = "manage_sites"
    SET_UP_MESSAGES = "set_up_messages"


_CARE = frozenset(
    {
        Permission.SEE_PATIENTS,
        Permission.ACKNOWLEDGE,
        Permission.WRITE_NOTES,
        Permission.PAUSE_PATIENTS,
        Permission.SIGN_HANDOVERS,
        Permission.SEE_DEVICES,
    }
)
_RUNNING = frozenset(
    {Permission.SEE_DEVICES, Permission.SEE_QUARANTINE, Permission.MEND_QUARANTINE, Permission.SEE_SYSTEM}
)
# What was sent is somebody's, and may say whose: who sees no patient sees its form, without its figures and free text.
_CLINICAL = frozenset({Permission.SEE_PATIENTS, Permission.SEE_PAYLOADS})
_GOVERNING = frozenset(
    {
        Permission.SEE_POLICIES,
        Permission.PUBLISH_POLICIES,
        Permission.REGISTER_PATIENTS,
        Permission.MANAGE_ACCOUNTS,
        Permission.MANAGE_SITES,
        Permission.SET_UP_MESSAGES,
    }
)
_DEVICES = frozenset({Permission.ASSIGN_DEVICES, Permission.MANAGE_DEVICES})

PERMISSIONS = MappingProxyType(
    {
        # runs the organisation's installation; taking a patient on is a clinical act and not part of that
        "administrator": _RUNNING | _DEVICES | _CLINICAL | _GOVERNING | {Permission.SEE_AUDIT},
        "clinician": _CARE
        | _RUNNING
        | _CLINICAL
        | {
            Permission.SET_LIMITS,
            Permission.ASSIGN_DEVICES,
            Permission.SEE_POLICIES,
            Permission.REGISTER_PATIENTS,
            Permission.OPEN_IN_EMERGENCY,
        },
        "carer": _CARE,
        # mends what is broken and needs no patient's record for it
        "technician": _RUNNING | _DEVICES,
        "auditor": frozenset({Permission.SEE_AUDIT, Permission.SEE_SYSTEM, Permission.SEE_POLICIES}),
        "read_only": frozenset({Permission.SEE_PATIENTS, Permission.SEE_DEVICES}),
    }
)


HOMES = MappingProxyType({"carer": "/residents"})
"""Where a role begins its day; everybody else begins with triage."""


class NotPermittedError(Exception):
    """The person's role does not include this."""


def may(person: Person | None, permission: str) -> bool:
    """Say whether the person's role includes the permission; nobody and unknown roles may do nothing."""
    return person is not None and Permission(permission) in PERMISSIONS.get(person.role, frozenset())


def require(person: Person, permission: str) -> None:
    """Go on only where the person's role includes the permission.

    Raises
    ------
    NotPermittedError
        Where it does not; the message is for the person.
    """
    if not may(person, permission):
        what = Permission(permission).value.replace("_", " ")
        raise NotPermittedError(f"The role {person.role.replace('_', ' ')} may not {what}; ask an administrator.")
