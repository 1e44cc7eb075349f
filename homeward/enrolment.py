"""How does a patient come onto a policy, and to limits of their own within it?

Like `homeward.provisioning`: each function takes a connection of role ``homeward_admin``, is one transaction for one
organisation, and leaves an entry in that organisation's audit log.
"""

from __future__ import annotations

import psycopg

from alerts.overrides import override_json, personalise, read_override, spo2_scale
from alerts.policy import parse_version
from homeward.provisioning import Connection, ProvisioningError, Row, audit, run
from schemas.database import acting_for


def enrol(connection: Connection, organisation: int, patient: int, pathway: str) -> None:
    """Put a patient on a pathway, and off the one that they are on; what was their own there stays behind."""
    with acting_for(connection, organisation):
        known = {w["name"]: w["pathway_id"] for w in run(connection, "pathways", organisation=organisation)}
        if pathway not in known:
            raise ProvisioningError(
                f"There is no policy {pathway!r} in force; there are: {', '.join(known) or 'none'}."
            )
        if not run(connection, "patient", patient=patient):
            raise ProvisioningError(f"There is no patient {patient} in care in this organisation.")
        try:
            with connection.transaction():
                run(connection, "end_enrolment", patient=patient, pathway=known[pathway])
                run(connection, "enrol", organisation=organisation, patient=patient, pathway=known[pathway])
        except psycopg.errors.CheckViolation as exc:
            raise ProvisioningError(exc.diag.message_primary or str(exc)) from exc
        audit(connection, organisation, "patient_enrolled", f"patient:{patient}", pathway=pathway)


def set_override(
    connection: Connection, organisation: int, patient: int, text: str, *, author: str, reason: str
) -> int:
    """Give a patient limits, a target saturation or a usual NEWS2 of their own; give the version, which is in force.

    An empty document takes everything back. What was in force before is kept.

    Raises
    ------
    alerts.notation.PolicyError
        Where the patient's policy does not permit it.
    """
    override = read_override(text)
    if not author.strip() or not reason.strip():
        raise ProvisioningError("A person's own limits need an author and a reason.")
    with acting_for(connection, organisation):
        found = run(connection, "lock_enrolment", patient=patient)
        if not found:
            raise ProvisioningError(f"Patient {patient} is on no policy in this organisation; enrol them first.")
        [enrolment] = found
        policy = parse_version(enrolment["document"], enrolment["policy_id"], enrolment["version"])
        personalise(policy, override)
        version = int(enrolment["last_override"]) + 1
        run(
            connection,
            "add_override",
            organisation=organisation,
            patient=patient,
            enrolment=enrolment["enrolment_id"],
            version=version,
            document=override_json(override),
            spo2_scale=spo2_scale(policy, override),
            usual_news2=override.usual_news2,
            policy=enrolment["policy_id"],
            author=author,
            reason=reason,
        )
        audit(connection, organisation, "override_set", f"patient:{patient}", version=version, reason=reason)
    return version


def overrides(connection: Connection, organisation: int, patient: int) -> list[Row]:
    """List what has been a patient's own, newest first."""
    with acting_for(connection, organisation):
        return run(connection, "overrides", patient=patient)
