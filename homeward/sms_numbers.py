"""Which gateways may hand in text messages, and whose telephones are known?

Like `homeward.provisioning`: a connection of role ``homeward_admin``, one transaction for one organisation, an entry in
its audit log.
"""

from __future__ import annotations

import re
import secrets

import psycopg

from homeward.provisioning import Connection, ProvisioningError, Row, audit, run
from schemas import telephone
from schemas.database import acting_for

_WORD = re.compile(r"[a-z]{2,20}\Z")


def add_gateway(connection: Connection, organisation: int, name: str) -> str:
    """Let a gateway hand in text messages; give the secret with which it signs, which is shown once."""
    secret = secrets.token_urlsafe(32)
    with acting_for(connection, organisation):
        connection.execute("delete from sms_gateway where name = %s", [name])
        try:
            with connection.transaction():
                connection.execute(
                    "insert into sms_gateway (organisation_id, name, secret) values (%s, %s, %s)",
                    [organisation, name, secret],
                )
        except psycopg.errors.UniqueViolation as exc:
            raise ProvisioningError(f"The gateway's name {name!r} is taken; choose another.") from exc
        except psycopg.errors.CheckViolation as exc:
            raise ProvisioningError(f"Gateway {name!r}: a name has small letters, digits, '_' and '-'.") from exc
        audit(connection, organisation, "sms_gateway_added", f"sms_gateway:{name}")
    return secret


def add_phone(connection: Connection, organisation: int, phone: str, patient: int, word: str) -> str:
    """Say whose telephone it is; people who share one are told apart by a word. Give the number as it is kept."""
    try:
        number = telephone.read(phone)
    except ValueError as wrong:
        raise ProvisioningError(f"Telephone {phone!r}: {wrong}") from wrong
    if word and not _WORD.match(word):
        raise ProvisioningError(f"Word {word!r}: 2 to 20 letters, such as mum.")
    with acting_for(connection, organisation):
        if not run(connection, "patient", patient=patient):
            raise ProvisioningError(f"There is no patient {patient} in care in this organisation.")
        others = connection.execute(
            "select word from patient_phone where phone = %s and patient_id <> %s", [number, patient]
        ).fetchall()
        if others and (not word or ("",) in others):
            raise ProvisioningError(
                "Somebody else has this number: each of the two needs a --word with which their messages begin. Take "
                "it away with --remove and add both with their words."
            )
        if (word,) in others:
            raise ProvisioningError(f"The word {word!r} is the other one's; choose another.")
        connection.execute(
            "insert into patient_phone (organisation_id, phone, patient_id, word) values (%s, %s, %s, %s) "
            "on conflict (organisation_id, phone, patient_id) do update set word = excluded.word",
            [organisation, number, patient, word],
        )
        audit(connection, organisation, "phone_added", f"patient/{patient}")
    return number


def remove_phone(connection: Connection, organisation: int, phone: str, patient: int) -> None:
    """Forget a number of a patient's."""
    with acting_for(connection, organisation):
        gone = connection.execute(
            "delete from patient_phone where phone = %s and patient_id = %s", [telephone.read_or_leave(phone), patient]
        ).rowcount
        if not gone:
            raise ProvisioningError(f"Patient {patient} has no such number.")
        audit(connection, organisation, "phone_removed", f"patient/{patient}")


def phones(connection: Connection, organisation: int) -> list[Row]:
    """List the numbers."""
    with acting_for(connection, organisation):
        rows = connection.execute("select phone, patient_id, word from patient_phone order by phone, word").fetchall()
    return [{"phone": phone, "patient": patient, "word": word} for phone, patient, word in rows]
