"""How are tenants, sites, accounts, policies and devices set up?

The functions behind the commands `user` and `policy`, and what an installation sets up of devices by itself. Each takes
a connection of role ``homeward_admin``, is one transaction for one organisation, and leaves an entry in that
organisation's audit log.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from dashboard.device_acts import DEVICE_KINDS
from dashboard.passwords import hash_password, refusal
from dashboard.policies import Draft
from schemas import named_queries
from schemas.database import acting_for
from schemas.topic import DEVICE_CODE, lane_of

Connection = psycopg.Connection[Any]
Row = dict[str, Any]
ROLES = ("administrator", "clinician", "carer", "technician", "auditor", "read_only")

# a device is registered and a policy put in force by the same words here and on the pages
_QUERIES = {
    **named_queries.load("dashboard", "devices.sql"),
    **named_queries.load("dashboard", "policies.sql"),
    **named_queries.load("homeward", "provisioning.sql"),
}


class ProvisioningError(Exception):
    """Something cannot be set up as asked; the message says why and what to do."""


def run(connection: Connection, query: str, /, **parameters: Any) -> list[Row]:
    """Run one of this module's named queries in the transaction that is open."""
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_QUERIES[query].encode(), parameters)
        return cursor.fetchall() if cursor.description else []


def new_password() -> str:
    """Make a password that can be read out over the telephone: four groups of four, without look-alikes."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


# ------------------------------------------------------------------------------------------- organisations and sites


def ensure_organisation(connection: Connection, name: str) -> int:
    """Find or make the organisation of this name."""
    with connection.transaction():
        run(connection, "add_organisation", name=name)
        return next(int(o["organisation_id"]) for o in run(connection, "organisations") if o["name"] == name)


def only_organisation(connection: Connection, name: str | None) -> int:
    """Find or make the organisation of this name; where none is given, the only one there is, or a first one."""
    with connection.transaction():
        known = [str(o["name"]) for o in run(connection, "organisations")]
    if name is None and len(known) > 1:
        return find_organisation(connection, None)
    return ensure_organisation(connection, name or next(iter(known), "My organisation"))


def find_organisation(connection: Connection, name: str | None = None) -> int:
    """Find an organisation by its name, or the only one there is."""
    with connection.transaction():
        known = {o["name"]: int(o["organisation_id"]) for o in run(connection, "organisations")}
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if not known:
        raise ProvisioningError("There is no organisation yet; start the installation once with `homeward up`.")
    if name is None:
        raise ProvisioningError(f"There are several organisations ({', '.join(known)}); name one with --organisation.")
    if name not in known:
        raise ProvisioningError(f"There is no organisation {name!r}; there are: {', '.join(known)}.")
    return known[name]


def ensure_site(connection: Connection, organisation: int, name: str, kind: str) -> int:
    """Find or make a site of an organisation."""
    with acting_for(connection, organisation):
        run(connection, "add_site", organisation=organisation, name=name, kind=kind)
        return _site(connection, organisation, name)


def _site(connection: Connection, organisation: int, name: str) -> int:
    known = {s["name"]: int(s["site_id"]) for s in run(connection, "sites", organisation=organisation)}
    if name not in known:
        raise ProvisioningError(f"There is no site {name!r}; there are: {', '.join(known) or 'none'}.")
    return known[name]


# ---------------------------------------------------------------------------------------------------------- accounts


def add_account(
    connection: Connection,
    organisation: int,
    sign_in: str,
    name: str,
    role: str,
    password: str,
    sites: Sequence[str] = (),
) -> int:
    """Make an account that sees the named sites, or every site of the organisation where none is named."""
    if role not in ROLES:
        raise ProvisioningError(f"Role {role!r}: expected one of {', '.join(ROLES)}.")
    _check_password(password, sign_in, name)
    with acting_for(connection, organisation):
        chosen = [_site(connection, organisation, site) for site in sites]
        try:
            with connection.transaction():
                [made] = run(
                    connection,
                    "add_account",
                    organisation=organisation,
                    sign_in=sign_in.lower(),
                    name=name,
                    role=role,
                    all_sites=not chosen,
                    password_hash=hash_password(password),
                )
        except psycopg.errors.UniqueViolation as exc:
            raise ProvisioningError(f"The sign-in {sign_in!r} is taken; choose another.") from exc
        except psycopg.errors.CheckViolation as exc:
            raise ProvisioningError("A sign-in and a name cannot be empty.") from exc
        account = int(made["account_id"])
        run(connection, "add_account_sites", organisation=organisation, account=account, sites=chosen)
        audit(connection, organisation, "account_added", f"account:{account}", role=role, sites=chosen)
    return account


def set_password(connection: Connection, organisation: int, sign_in: str, password: str) -> None:
    """Give an account another password, and end its sessions."""
    _check_password(password, sign_in)
    with acting_for(connection, organisation):
        changed = run(connection, "set_password", sign_in=sign_in.lower(), password_hash=hash_password(password))
        if not changed:
            raise ProvisioningError(f"There is no account {sign_in!r} in this organisation.")
        account = changed[0]["account_id"]
        run(connection, "end_sessions", account=account)
        audit(connection, organisation, "password_set", f"account:{account}")


def _check_password(password: str, sign_in: str, name: str = "") -> None:
    why_not = refusal(password, sign_in, name)
    if why_not:
        raise ProvisioningError(why_not)


def accounts(connection: Connection, organisation: int) -> list[Row]:
    """List the accounts of an organisation."""
    with acting_for(connection, organisation):
        return run(connection, "accounts", organisation=organisation)


# ---------------------------------------------------------------------------------------------------------- policies


def publish_policy(
    connection: Connection, organisation: int, text: str, *, author: str, reason: str
) -> tuple[str, int]:
    """Put a policy document in force as the next version of its pathway; give the pathway's name and the version.

    The document that is in force already is not published again.

    Raises
    ------
    alerts.notation.PolicyError
        Where the document is not a valid policy.
    ProvisioningError
        Where author or reason are missing.
    """
    if not author.strip() or not reason.strip():
        raise ProvisioningError(
            "A version of a policy needs an author who answers for it and a reason, for the record."
        )
    draft = Draft.read(text)
    with acting_for(connection, organisation):
        run(connection, "add_pathway", organisation=organisation, name=draft.name, title=draft.title)
        [pathway] = run(connection, "lock_pathway", organisation=organisation, name=draft.name)
        if pathway["sha256"] == draft.sha256:
            return draft.name, int(pathway["version"])
        version = int(pathway["version"]) + 1
        draft.refuse_misfits(run(connection, "overrides_of_pathway", name=draft.name))
        run(
            connection,
            "add_policy",
            organisation=organisation,
            pathway=pathway["pathway_id"],
            version=version,
            author=author,
            reason=reason,
            **draft.columns(),
        )
        audit(connection, organisation, "policy_published", f"pathway:{draft.name}", version=version, reason=reason)
    return draft.name, version


def pathways(connection: Connection, organisation: int) -> list[Row]:
    """List the pathways of an organisation with the policy version in force."""
    with acting_for(connection, organisation):
        return run(connection, "pathways", organisation=organisation)


# ----------------------------------------------------------------------------------------------------------- devices


def add_device(
    connection: Connection, organisation: int, code: str, kind: str, *, site: str | None = None, hub: str | None = None
) -> int:
    """Register a device; its login at the broker is given by `homeward.devices`."""
    if not DEVICE_CODE.match(code):
        raise ProvisioningError(f"Device {code!r}: a code has 1 to 64 letters, digits, '.', '_' or '-'.")
    if kind not in DEVICE_KINDS:
        raise ProvisioningError(f"Kind {kind!r}: expected one of {', '.join(DEVICE_KINDS)}.")
    with acting_for(connection, organisation):
        made = run(
            connection,
            "add_device",
            organisation=organisation,
            site=None if site is None else _site(connection, organisation, site),
            hub=None if hub is None else _device(connection, hub, kind="hub"),
            code=code,
            kind=kind,
            lane=lane_of(code),
        )
        if not made:
            raise ProvisioningError(f"The device code {code!r} is taken; choose another.")
        device = int(made[0]["device_id"])
        audit(connection, organisation, "device_added", f"device:{device}", kind=kind)
    return device


def ensure_manual_device(connection: Connection, organisation: int) -> None:
    """Register the device under which the organisation's observations by hand are kept, where there is none."""
    if not any(d["kind"] == "manual" and not d["retired"] for d in devices(connection, organisation)):
        add_device(connection, organisation, f"by-hand-{organisation}", "manual")


def devices(connection: Connection, organisation: int) -> list[Row]:
    """List the devices of an organisation with who has them now."""
    with acting_for(connection, organisation):
        return run(connection, "devices", organisation=organisation)


def _device(connection: Connection, code: str, kind: str | None = None) -> int:
    found = run(connection, "device", code=code)
    if not found or found[0]["retired_at"] is not None:
        raise ProvisioningError(f"There is no device {code!r} in use in this organisation.")
    if kind is not None and found[0]["kind"] != kind:
        raise ProvisioningError(f"Device {code!r} is a {found[0]['kind']}, not a {kind}.")
    return int(found[0]["device_id"])


def audit(connection: Connection, organisation: int, action: str, subject: str, **detail: Any) -> None:
    """Leave an entry in the organisation's audit log."""
    run(
        connection,
        "audit",
        organisation=organisation,
        action=action,
        object=subject,
        detail=Jsonb(detail),
    )
