"""Which two organisations have a row in every table, so that each table can be looked at with the other's eyes?"""

from typing import Any

from tests.conftest import TestDatabase
from tests.dashboard.conftest import Organisation, Trusts, connect, make_trusts

# What `make_trusts` leaves empty, in an order in which what is referred to is there already.
STATEMENTS = (
    "insert into account_site values (%(account)s, %(site)s, %(organisation)s) on conflict do nothing",
    "insert into session values (sha256(%(tag)s), %(organisation)s, %(account)s, now(), now(), 'infinity')",
    "insert into enrolment (organisation_id, patient_id, pathway_id) "
    "select organisation_id, %(patient)s, pathway_id from pathway where organisation_id = %(organisation)s",
    "insert into enrolment_override (organisation_id, patient_id, enrolment_id, version, document, "
    "policy_id, author, reason) "
    "select e.organisation_id, e.patient_id, e.enrolment_id, 1, '{}', y.policy_id, 'x', 'x' "
    "from enrolment e join policy y using (pathway_id) where e.patient_id = %(patient)s limit 1",
    "insert into device_standing (device_id, organisation_id, online, since, reported_at) "
    "select device_id, organisation_id, true, now(), now() from device where organisation_id = "
    "%(organisation)s limit 1",
    "insert into patient_state (patient_id, machine) values (%(patient)s, '')",
    "insert into patient_snapshot (patient_id, at, machine) values (%(patient)s, now(), '')",
    "insert into note (organisation_id, patient_id, account_id, body) "
    "values (%(organisation)s, %(patient)s, %(account)s, 'x')",
    "insert into patient_pause (organisation_id, patient_id, since, ends_at, reason, account_id) "
    "values (%(organisation)s, %(patient)s, now(), 'infinity', 'x', %(account)s)",
    "insert into device_clock (device_id, organisation_id, delays_us, skew_us, heard_at) "
    "values (%(device)s, %(organisation)s, '{0}', 0, now())",
    "insert into handover (organisation_id, patient_id, number, version, sections, facts, signed_by, "
    "signed_name, signed_role) "
    "values (%(organisation)s, %(patient)s, 1, 1, '{}', '{}', %(account)s, 'x', 'x')",
    "insert into shift_handover (organisation_id, site_id, since, until, number, version, document, "
    "signed_by, signed_name, signed_role) values (%(organisation)s, %(site)s, now() - interval '12 h', "
    "now(), 1, 1, '{}', %(account)s, 'x', 'x')",
    "insert into notification_job (organisation_id, episode_id, key, severity) "
    "values (%(organisation)s, %(episode)s, %(organisation)s::text, 3)",
    "insert into retention (organisation_id, months, set_by, reason) values (%(organisation)s, 24, 'x', 'x')",
    "insert into device_account (device_id, organisation_id, numbers, observations, duplicates, since) "
    "select min(device_id), organisation_id, '{[1,2)}', 1, 0, now() from device "
    "where organisation_id = %(organisation)s group by organisation_id",
    "insert into device_excess (device_id, organisation_id, messages, not_kept) "
    "values (%(device)s, %(organisation)s, 1, 0)",
    "insert into audit_log (organisation_id, action, object) values (%(organisation)s, 'x', 'x')",
    "insert into device_token (device_id, organisation_id, token_hash) "
    "values (%(device)s, %(organisation)s, sha256(%(tag)s))",
    "insert into answered_request (organisation_id, sender, key, asked_sha256) "
    "values (%(organisation)s, 'x', 'x', sha256('x'))",
    "insert into sms_gateway (organisation_id, name, secret) "
    "values (%(organisation)s, 'gateway-' || %(organisation)s, repeat('x', 32))",
    "insert into patient_phone (organisation_id, phone, patient_id) "
    "values (%(organisation)s, '+447700900123', %(patient)s)",
    "insert into second_factor (account_id, organisation_id, secret) values (%(account)s, %(organisation)s, 'x')",
    "insert into recovery_code (organisation_id, account_id, code_hash) "
    "values (%(organisation)s, %(account)s, sha256(%(tag)s))",
    "insert into account_link (token_hash, organisation_id, account_id, expires_at) "
    "values (sha256(%(tag)s), %(organisation)s, %(account)s, 'infinity')",
    "insert into external_identity (issuer, subject, organisation_id, account_id) "
    "values ('https://x', %(organisation)s::text, %(organisation)s, %(account)s)",
    "insert into identity_rule (organisation_id, issuer, claim, value, role) "
    "values (%(organisation)s, 'https://x', 'c', %(organisation)s::text, 'carer')",
    "insert into emergency_access (organisation_id, account_id, patient_id, reason, expires_at) "
    "values (%(organisation)s, %(account)s, %(patient)s, 'a reason to open', now() + interval '1 h')",
    "insert into ladder (organisation_id, site_id, version, document, author, reason) "
    "values (%(organisation)s, %(site)s, 1, '{}', 'x', 'x')",
    "insert into rota (organisation_id, name, version, document, author, reason) "
    "values (%(organisation)s, 'x', 1, '{}', 'x', 'x')",
    "insert into channel (organisation_id, kind, name) values (%(organisation)s, 'sms', 'x')",
    "insert into contact (organisation_id, account_id, kind, address) "
    "values (%(organisation)s, %(account)s, 'email', 'x@example.org')",
    "insert into delivery (organisation_id, account_id, purpose, kind, key) "
    "values (%(organisation)s, %(account)s, 'alert', 'email', %(organisation)s::text)",
    "insert into site_display (organisation_id, site_id, is_connected, since, looked_at) "
    "values (%(organisation)s, %(site)s, true, now(), now())",
    "insert into delivery_episode (organisation_id, delivery_id, job_id, episode_id) "
    "select d.organisation_id, d.delivery_id, j.job_id, j.episode_id from delivery d "
    "join notification_job j using (organisation_id) where d.organisation_id = %(organisation)s",
)


def make_filled_trusts(database: TestDatabase) -> Trusts:
    """Make both, and fill what is empty yet."""
    made = make_trusts(database)
    with connect(database) as connection:
        for organisation in (made.north, made.south):
            for statement in STATEMENTS:
                connection.execute(statement.encode(), _numbers(organisation))
    return made


def _numbers(organisation: Organisation) -> dict[str, Any]:
    patient = organisation.patients[0]
    return {
        "account": next(iter(organisation.accounts.values())),
        "site": patient.site_id,
        "organisation": organisation.organisation_id,
        "patient": patient.patient_id,
        "episode": patient.episode_id,
        "device": patient.device_id,
        "tag": str(organisation.organisation_id).encode(),
    }
