"""Does the database itself refuse what a role may not write, whatever the application asks of it?"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from dashboard.permissions import PERMISSIONS
from schemas.database import acting_for
from tests.conftest import TestDatabase
from tests.dashboard.conftest import Trusts, connect, make_trusts


@pytest.fixture(scope="module")
def trusts(module_database: TestDatabase) -> Trusts:
    """Two trusts in the module's database."""
    return make_trusts(module_database)


WRITES = {
    "administrator": {
        "insert into site (organisation_id, name, kind) values (%(o)s, 'x', 'ward')",
        "update site set name = 'y' where site_id = %(site)s",
        "update organisation set second_factor_roles = '{}'",
        "insert into account (organisation_id, sign_in, name, role) values (%(o)s, 'x', 'x', 'carer')",
        "update account set role = 'carer' where account_id = %(other)s",
        "update account set disabled_at = now() where account_id = %(other)s",
        "insert into account_site values (%(other)s, %(site)s, %(o)s)",
        "insert into identity_rule (organisation_id, issuer, claim, value, role) "
        "values (%(o)s, 'x', 'x', 'x', 'carer')",
        "insert into account_link (token_hash, organisation_id, account_id, expires_at) "
        "values (sha256('y'), %(o)s, %(other)s, now())",
        "insert into pathway (organisation_id, name, title) values (%(o)s, 'x', 'x')",
        "insert into policy (organisation_id, pathway_id, version, document, sha256, author, source, reason) "
        "select %(o)s, pathway_id, 9, '', sha256(''), 'x', 'x', 'x' from pathway limit 1",
    },
    "clinician": {
        "select open_in_emergency('9434765919', '1940-05-06', 'a long enough reason', 60)",
    },
}
BOTH = {
    "insert into patient (organisation_id, site_id, family_name, given_name, born_on) "
    "values (%(o)s, %(site)s, 'x', 'x', '1950-01-01')",
    "update patient set room = 'x' where patient_id = %(patient)s",
}


@pytest.mark.parametrize("role", sorted(PERMISSIONS))
def test_the_database_refuses_to_each_role_what_is_not_its_own(
    module_database: TestDatabase, trusts: Trusts, role: str
) -> None:
    north = trusts.north
    account = north.accounts["reader"]
    with connect(module_database) as connection:
        connection.execute("update account set role = %s where account_id = %s", [role, account])
    parameters = {
        "o": north.organisation_id,
        "site": north.sites["Elm House"],
        "other": north.accounts["technician"],
        "patient": north.patients[0].patient_id,
    }
    expected = {True: WRITES.get(role, set()) | (BOTH if role in ("administrator", "clinician") else set())}
    url = module_database.url_for("homeward_dashboard")
    with psycopg.connect(url, options="-c search_path=homeward,public") as connection:
        for statement in sorted(WRITES["administrator"] | WRITES["clinician"] | BOTH):
            assert _is_done(connection, north.organisation_id, account, statement, parameters) == (
                statement in expected[True]
            ), (role, statement)


def _is_done(
    connection: psycopg.Connection[Any], organisation: int, account: int, statement: str, parameters: dict[str, Any]
) -> bool:
    """Try, and take it back; what row-level security hides is not changed either."""
    try:
        with acting_for(connection, organisation, account):
            done = connection.execute(statement.encode(), parameters).rowcount > 0
            raise _TakeBack
    except _TakeBack:
        return done
    except psycopg.errors.InsufficientPrivilege:
        return False


class _TakeBack(Exception):
    pass


def test_nobody_gives_themselves_rights(module_database: TestDatabase, trusts: Trusts) -> None:
    north = trusts.north
    for name in ("nurse", "carer", "technician", "admin"):
        account = north.accounts[name]
        url = module_database.url_for("homeward_dashboard")
        with psycopg.connect(url, options="-c search_path=homeward,public") as connection:
            for change in ("role = 'auditor'", "disabled_at = now()"):
                with (
                    pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)),
                    acting_for(connection, north.organisation_id, account),
                ):
                    connection.execute(f"update account set {change} where account_id = %s".encode(), [account])
