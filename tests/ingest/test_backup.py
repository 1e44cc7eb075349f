"""Does a dump, restored as documented, give the same installation: observations, states, alerts and audit log?"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg

from dashboard.audit import verify
from homeward.local.postgres import SUPERUSER, PrivatePostgres
from homeward.local.programs import Programs
from ingest.rebuild import rebuild
from ingest.replay import replay_all
from schemas.database import migrate, open_pool
from tests.ingest.conftest import Desk
from tests.ingest.test_writer import ILL, WELL

RESTORED = "restored"


def test_a_dump_of_the_hypertable_restores_whole(
    make_desk: Callable[..., Desk], postgres_server: PrivatePostgres, programs: Programs, tmp_path: Path
) -> None:
    desk = make_desk(2)
    for hour in range(40, 0, -1):
        desk.write(desk.message(0, -60 * hour, ILL if hour in (20, 19, 18, 3, 2) else WELL), now=desk.at(-60 * hour))
        desk.write(desk.message(1, -60 * hour, WELL), now=desk.at(-60 * hour))
    desk.write(desk.message(0, 1, {"mood": 3}))
    desk.ask("insert into audit_log (organisation_id, action, object) values (1, 'a', 'b'), (1, 'c', 'd') returning 1")
    tables = ("observation", "episode", "episode_event", "quarantine", "patient_state", "audit_log", "patient_snapshot")
    before = {table: desk.ask(f"select count(*), sum(hashtext(t::text)::bigint) from {table} t") for table in tables}
    dump = tmp_path / "homeward.dump"
    _run(programs, "pg_dump", "--format=custom", f"--file={dump}", desk.database.url)
    url = postgres_server.url_for(SUPERUSER, RESTORED)
    with psycopg.connect(postgres_server.url_for(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(f"create database {RESTORED}".encode())
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create extension timescaledb")
            connection.execute("select timescaledb_pre_restore()")
        _run(programs, "pg_restore", "--exit-on-error", f"--dbname={url}", str(dump))
        with psycopg.connect(url, autocommit=True, options="-c search_path=homeward,public") as connection:
            connection.execute("select timescaledb_post_restore()")
            connection.execute("analyze")
            for table, found in before.items():
                query = f"select count(*), sum(hashtext(t::text)::bigint) from {table} t"
                assert connection.execute(query.encode()).fetchall() == found, table
            chunks = connection.execute("select count(*) from timescaledb_information.chunks").fetchone()
            assert chunks is not None
            assert chunks[0] >= 1
            assert verify(connection, 1).intact
        assert migrate(url) == []
        ingest = postgres_server.url_for("homeward_ingest", RESTORED)
        with open_pool(ingest, "homeward_ingest", min_size=2, max_size=4) as pool:
            assert replay_all(pool, 0).differences == []
            assert rebuild(pool).changed == 0
    finally:
        with psycopg.connect(postgres_server.url_for(SUPERUSER, "postgres"), autocommit=True) as connection:
            connection.execute(f"drop database {RESTORED} with (force)".encode())


def _run(programs: Programs, name: str, *arguments: str) -> None:
    done = subprocess.run([programs.postgres_bin / name, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
