"""Which commands set up people, and look after policies, states and the audit log?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Report as JSON.")]
Organisation = Annotated[str | None, typer.Option(help="Which organisation, where there are several.")]

user = typer.Typer(no_args_is_help=True, help="Accounts of the people who sign in.")
device = typer.Typer(no_args_is_help=True, help="Devices and who has them.")
policy = typer.Typer(no_args_is_help=True, help="The rules of each pathway.")
state = typer.Typer(no_args_is_help=True, help="What the scoring remembers of each patient.")
audit = typer.Typer(no_args_is_help=True, help="The record of who looked at what and changed what.")


def register(app: typer.Typer) -> None:
    """Add these groups to the command line."""
    # for what they add to the groups of devices, policies and the audit log
    from homeward import audit_commands, device_commands, policy_commands  # noqa: F401

    for name, group in (("user", user), ("device", device), ("policy", policy), ("state", state), ("audit", audit)):
        app.add_typer(group, name=name)


@user.command("add")
def add_user(
    sign_in: str,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[str, typer.Option(help="administrator, clinician, carer, technician, auditor or read_only.")],
    site: Annotated[list[str] | None, typer.Option(help="A site they may see; every one where none is given.")] = None,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Make an account with a password made by chance, which is shown once."""
    from homeward import provisioning
    from homeward.reporting import SHOWN_ONCE, administrator, report

    password = provisioning.new_password()
    with administrator(organisation) as (connection, number):
        provisioning.add_account(connection, number, sign_in, name, role, password, site or ())
    made = {"sign_in": sign_in.lower(), "name": name, "role": role, "password": password}
    words = f"{name} signs in as {made['sign_in']} with the password {password}\n{SHOWN_ONCE}"
    report(made, as_json, words)


@user.command("list")
def list_users(organisation: Organisation = None, as_json: Json = False) -> None:
    """List the accounts."""
    from homeward import provisioning
    from homeward.reporting import administrator, report_rows

    with administrator(organisation) as (connection, number):
        rows = provisioning.accounts(connection, number)
    report_rows(rows, as_json, ["sign_in", "name", "role", "all_sites", "sites", "enabled"])


@user.command("password")
def set_password(sign_in: str, organisation: Organisation = None, as_json: Json = False) -> None:
    """Give an account another password, read from standard input or made by chance, and end its sessions."""
    from homeward import provisioning
    from homeward.reporting import SHOWN_ONCE, administrator, report

    typed = "" if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    password = typed or provisioning.new_password()
    with administrator(organisation) as (connection, number):
        provisioning.set_password(connection, number, sign_in, password)
    shown = {} if typed else {"password": password}
    words = "the password given." if typed else f"the password {password}\n{SHOWN_ONCE}"
    report({"sign_in": sign_in.lower(), **shown}, as_json, f"{sign_in.lower()} signs in with {words}")


@policy.command("list")
def list_policies(organisation: Organisation = None, as_json: Json = False) -> None:
    """List the policies in force."""
    from homeward import provisioning
    from homeward.reporting import administrator, report_rows

    with administrator(organisation) as (connection, number):
        rows = provisioning.pathways(connection, number)
    report_rows(rows, as_json, ["name", "title", "version", "author", "reason", "published_at", "enrolled"])


@policy.command("show")
def show_policy(
    name: str,
    template: Annotated[
        bool, typer.Option("--template", help="The one that comes with Homeward, whatever is in force; asks nobody.")
    ] = False,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Print the document of a policy: the version in force, or the template where none is. A draft begins with it."""
    from alerts.policy import shipped, shipped_names
    from homeward import provisioning
    from homeward.reporting import administrator, report

    if template:
        if name not in shipped_names():
            raise provisioning.ProvisioningError(
                f"There is no template {name!r}; there are {', '.join(shipped_names())}."
            )
        text = shipped(name).text
        report({"name": name, "version": 0, "document": text}, as_json, text.rstrip())
        return
    with administrator(organisation) as (connection, number):
        found = {p["name"]: p for p in provisioning.pathways(connection, number)}
    if name not in found and name not in shipped_names():
        known = sorted({*found, *shipped_names()})
        raise provisioning.ProvisioningError(f"There is no policy {name!r}; there are {', '.join(known)}.")
    text = found[name]["document"] if name in found else shipped(name).text
    version = found[name]["version"] if name in found else 0
    report({"name": name, "version": version, "document": text}, as_json, text.rstrip())


@policy.command("check")
def check_policy(file: Path, as_json: Json = False) -> None:
    """Say whether a document is a valid policy; nothing is published."""
    from alerts.policy import parse
    from homeward.reporting import report

    found = parse(read_document(file), file=str(file))
    rules = [rule.name for rule in found.rules]
    report({"name": found.document.name, "rules": rules}, as_json, f"{file}: valid, with {len(rules)} rules.")


@policy.command("publish")
def publish_policy(
    file: Annotated[str, typer.Argument(help="A document, or the name of a template.")],
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    author: Annotated[
        str | None, typer.Option(help="Who answers for it; the document's author where not given.")
    ] = None,
    organisation: Organisation = None,
    as_json: Json = False,
) -> None:
    """Put a document in force as the next version of its pathway."""
    from alerts.policy import parse, shipped, shipped_names
    from homeward import provisioning
    from homeward.policy_commands import refuse_borrowed_author
    from homeward.reporting import administrator, report

    text = shipped(file).text if file in shipped_names() else read_document(Path(file))
    if author is None:
        document = parse(text, file=file).document
        refuse_borrowed_author(document, file)
        author = document.author
    with administrator(organisation) as (connection, number):
        name, version = provisioning.publish_policy(connection, number, text, author=author, reason=reason)
    report({"name": name, "version": version}, as_json, f"{name} is in force in version {version}.")


@state.command("rebuild")
def rebuild_state(
    patient: Annotated[list[int] | None, typer.Option(help="Only this patient's number; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Make what the scoring remembers anew from the observations; ingest may go on meanwhile."""
    from dataclasses import asdict

    from homeward.logs import log_to_file
    from homeward.progress import Progress
    from homeward.reporting import addresses, report
    from homeward.settings import load_settings
    from ingest.rebuild import rebuild
    from ingest.service import ROLE
    from schemas.database import open_pool

    log_to_file(load_settings().home / "logs" / "homeward.log")
    with Progress() as progress, open_pool(addresses().database_url(ROLE), ROLE) as pool:
        progress.say("Making states anew from the observations")
        found = rebuild(pool, patient, lambda done, of: progress.detail(f"{done} of {of} patients"))
    words = f"{found.patients} patients' states made anew; {found.changed} came out otherwise than they were."
    report(asdict(found), as_json, words)


@audit.command("verify")
def verify_audit(
    organisation: Organisation = None,
    expect: Annotated[str, typer.Option(metavar="HASH", help="An earlier report's last hash, to find again.")] = "",
    as_json: Json = False,
) -> None:
    """Walk along the audit log's chain and say whether any entry was changed, or was cut off at its end."""
    from dataclasses import asdict

    from dashboard.audit import verify
    from homeward.reporting import administrator, report
    from schemas.database import acting_for

    with administrator(organisation) as (connection, number), acting_for(connection, number):
        found = verify(connection, number, expect.strip().lower())
    if found.intact:
        words = f"{found.entries} entries, none changed. Last hash {found.last_hash or 'none'}."
    elif found.first_broken is not None:
        words = (
            f"Entry {found.first_broken} was changed, or one before it removed; {found.entries} before it are intact."
        )
    else:
        words = (
            f"{found.entries} entries, none changed, but the one with the expected hash is not among them: entries "
            "were cut off at the end, or the hash is another organisation's."
        )
    report({**asdict(found), "intact": found.intact}, as_json, words)
    if not found.intact:
        raise typer.Exit(1)


def read_document(file: Path) -> str:
    """Read a policy that was named on the command line."""
    return read_text(file, "a policy document")


def read_text(file: Path, expected: str) -> str:
    """Read a file that was named on the command line."""
    from homeward.local.errors import SetupError

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as failed:
        raise SetupError(f"{file} cannot be read ({failed}); name {expected}.") from failed
