"""How does a demonstration come to have people, accounts and 14 days of history, or to catch up with today?

History is made by the simulated devices and goes through the same scoring and the same transaction as live messages;
only notifications are not sent. At a later start the time in between is filled in the same way, so that nobody is
reported overdue because a laptop slept.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import ConnectionPool

from alerts.policy import shipped
from device_sim.cohort import EPOCH, history
from device_sim.physiology import HOUR_US
from device_sim.provisioning import DeviceEntry, provision, topic_of
from homeward import demo_quarantine, provisioning
from homeward.demonstration import DAY_US, Cast, Past, Script, load_script
from homeward.installation import ADMIN_ROLE, Installation, Login, write_secret
from homeward.progress import Progress
from ingest import history as ingest_history
from ingest.registry import RegistryKeeper
from ingest.service import ROLE as INGEST_ROLE
from schemas import named_queries
from schemas.database import acting_for, open_pool
from schemas.observation import ObservationBatch

_QUERIES = named_queries.load("homeward", "seeding.sql")
Row = dict[str, Any]


@dataclass(frozen=True)
class Demonstration:
    """What a running demonstration consists of."""

    users: list[dict[str, str]]
    devices: list[dict[str, Any]]
    hub: Login
    cast: Cast


@dataclass(frozen=True)
class _Members:
    """The registry's ids of the cast: patients in the cast's order, devices by code."""

    patients: list[int]
    devices: dict[str, int]


def now_us() -> int:
    """Give the present [µs since 1970 UTC]."""
    return time.time_ns() // 1000


def prepare(installation: Installation, progress: Progress) -> Demonstration:
    """Make the demonstration, or bring the one there is up to the present, and give its hub a login."""
    script = load_script()
    notebook = Notebook.read(installation.home / "demo.json")
    url = installation.addresses.database_url(ADMIN_ROLE)
    with open_pool(url, ADMIN_ROLE, min_size=1) as pool, pool.connection() as connection:
        organisation = provisioning.ensure_organisation(connection, script.trust)
        seeder = _Seeder(installation, connection, organisation, script, progress)
        known = notebook if notebook is not None and seeder.has_people(notebook) else None
        notebook = seeder.begin() if known is None else seeder.catch_up(known)
        notebook.write(installation.home / "demo.json")
        members = seeder.members
    topics = [topic_of(code) for code in members.devices]
    return Demonstration(
        notebook.users,
        seeder.described(),
        installation.hub_login(installation.hub_code(script.hub), topics),
        seeder.cast,
    )


@dataclass(frozen=True)
class Notebook:
    """What is kept between two starts, readable by this account alone: the sign-ins, and where the stories stand."""

    users: list[dict[str, str]]
    past: Past

    @classmethod
    def read(cls, path: Path) -> Notebook | None:
        """Read it, if there is one."""
        if not path.exists():
            return None
        found = json.loads(path.read_text())
        return cls(found["users"], Past(**found["past"]))

    def write(self, path: Path) -> None:
        """Keep it."""
        write_secret(path, json.dumps({"users": self.users, "past": asdict(self.past)}, indent=1))


class _Seeder:
    """One start's work on the demonstration's data."""

    def __init__(
        self,
        installation: Installation,
        connection: psycopg.Connection[Any],
        organisation: int,
        script: Script,
        progress: Progress,
    ) -> None:
        self._installation = installation
        self._connection = connection
        self._organisation = organisation
        self._script = script
        self._progress = progress
        self._hub = installation.hub_code(script.hub)
        self.cast = Cast.of(Past(0, 0))
        self.members = _Members([], {})

    def has_people(self, notebook: Notebook) -> bool:
        """Tell whether the database is the one that the notebook is about."""
        self.cast = Cast.of(notebook.past)
        self.members = self._find_members()
        return len(self.members.patients) == len(self.cast.cohort)

    def begin(self) -> Notebook:
        """Make the trust, its accounts and its people, and write their history."""
        now = now_us()
        past = Past(now - self._script.days * DAY_US, now)
        self.cast = Cast.of(past)
        self._progress.say(f"Registering {self._script.trust}: {len(self.cast.cohort)} people and their devices")
        users = self._make_accounts()
        self._make_ladder()
        self._make_contact()
        self._register(past)
        self.members = self._find_members()
        self._progress.say(f"Writing {self._script.days} days of history")
        self._write_history(past.begun, now)
        self._put_aside(now)
        self._hand_over(past.begun)
        return Notebook(users, past)

    def catch_up(self, notebook: Notebook) -> Notebook:
        """Fill in what happened since the last start; after a long pause the stories are told anew."""
        self._make_contact()
        now = now_us()
        last = self._last_received()
        if now - last > self._script.story.anew_after_hours * HOUR_US:
            notebook = Notebook(notebook.users, Past(notebook.past.begun, now))
            self.cast = Cast.of(notebook.past)
        # after a long absence only as much as a first start would have
        since = max(last, now - self._script.days * DAY_US)
        self._progress.say("Catching up with the time since the last start")
        self._write_history(since, now)
        self._hand_over(since)
        return notebook

    def described(self) -> list[dict[str, Any]]:
        """List the devices as the ready line names them."""
        kinds = {entry.code: (entry.kind, entry.holders) for entry in self.cast.cohort.devices()}
        codes = self.cast.cohort.codes
        described = []
        for code, (kind, holders) in kinds.items():
            patients = [self.members.patients[codes.index(key)] for key in holders.values()]
            described.append({"id": code, "topic": topic_of(code), "patient": patients[0], "kind": kind})
        return described

    def _make_accounts(self) -> list[dict[str, str]]:
        for site in self._script.site:
            provisioning.ensure_site(self._connection, self._organisation, site.name, site.kind)
        provisioning.ensure_manual_device(self._connection, self._organisation)
        known = {a["sign_in"] for a in provisioning.accounts(self._connection, self._organisation)}
        users = []
        for account in self._script.account:
            password = provisioning.new_password()
            if account.sign_in in known:
                provisioning.set_password(self._connection, self._organisation, account.sign_in, password)
            else:
                provisioning.add_account(
                    self._connection,
                    self._organisation,
                    account.sign_in,
                    account.name,
                    account.role,
                    password,
                    account.sites,
                )
            users.append({"name": account.name, "sign_in": account.sign_in, "role": account.role, "password": password})
        return users

    def _make_ladder(self) -> None:
        """Say who is told when nobody takes an alert on."""
        if self._run("ladders"):
            return
        on_call = self._script.on_call
        ids = {a["sign_in"]: a["account_id"] for a in self._run("account_ids", organisation=self._organisation)}
        rota = {"shifts": [{"account": ids[on_call.sign_in]}]}
        receivers = {False: [{"kind": "wall"}], True: [{"kind": "wall"}, {"kind": "rota", "rota": on_call.name}]}
        tiers = [
            {"name": t.name, "after_min": t.after_min, "severity": t.severity, "receivers": receivers[t.on_call]}
            for t in self._script.tier
        ]
        self._run("add_rota", organisation=self._organisation, name=on_call.name, document=Jsonb(rota))
        self._run("add_ladder", organisation=self._organisation, document=Jsonb({"tiers": tiers}))

    def _make_contact(self) -> None:
        """Let whoever is on call be told by mail."""
        on_call = self._script.on_call
        ids = {a["sign_in"]: a["account_id"] for a in self._run("account_ids", organisation=self._organisation)}
        whose = {"organisation": self._organisation, "account": ids[on_call.sign_in]}
        self._run("add_contact", address=on_call.email, **whose)

    def _register(self, past: Past) -> None:
        people, entries = self.cast.cohort.persons(), self.cast.cohort.devices()
        for group, rows in self.cast.groups:
            policy = shipped(group.pathway)
            provisioning.publish_policy(
                self._connection,
                self._organisation,
                policy.text,
                author=policy.document.author,
                reason=policy.document.reason,
            )
            keys = {people[row].key for row in rows}
            theirs = [e for e in entries if keys & set(e.holders.values())]
            self._register_group(group.site, group.pathway, [people[row] for row in rows], theirs, past)

    def _register_group(
        self, site: str, pathway: str, people: list[Any], devices: list[DeviceEntry], past: Past
    ) -> None:
        site_id = provisioning.ensure_site(self._connection, self._organisation, site, "home")
        [pathway_id] = [
            p["pathway_id"] for p in provisioning.pathways(self._connection, self._organisation) if p["name"] == pathway
        ]
        found = provision(self._connection, self._organisation, site_id, people, devices, pathway_id, hub=self._hub)
        since = _moment(past.begun)
        patients = list(found.patients.values())
        self._run("in_care_since", since=since, patients=patients)
        in_rooms = next(s.kind for s in self._script.site if s.name == site) == "care_home"
        self._run("complete_records", patients=patients, rooms=in_rooms, **msgspec.structs.asdict(self._script.records))

    def _find_members(self) -> _Members:
        entries = {entry.code: entry.holders for entry in self.cast.cohort.devices()}
        rows = self._run("patients_by_device", codes=list(entries))
        by_key = {entries[r["code"]].get(r["device_user"]): int(r["patient_id"]) for r in rows}
        patients = [by_key[code] for code in self.cast.cohort.codes if code in by_key]
        return _Members(patients, {r["code"]: int(r["device_id"]) for r in rows})

    def _write_history(self, since: int, until: int) -> None:
        busy_since = max(since, until - round(self._script.live.hours * HOUR_US))
        patients, devices = self.members.patients, self.members.devices
        batch = ObservationBatch.concatenate(
            [
                history(self.cast.with_hands(), patients, devices, since, busy_since),
                history(self.cast.busy(), patients, devices, busy_since, until),
            ]
        )
        with self._ingest_pool() as pool:
            keeper = RegistryKeeper(pool)
            half_day = batch.observed_at // (DAY_US // 2)
            # half a day at a time: what was paged then was within the policies' time for acting
            for number in np.unique(half_day).tolist():
                ingest_history.load(pool, batch.take(np.flatnonzero(half_day == number)), keeper=keeper)
                self._progress.detail(f"{_moment(number * DAY_US // 2):%-d %B}")

    def _put_aside(self, now: int) -> None:
        """Let some messages come that cannot be stored as they are."""
        known = {d["code"] for d in provisioning.devices(self._connection, self._organisation)}
        if demo_quarantine.SPARE not in known:
            site = self._script.site[0].name
            provisioning.add_device(
                self._connection, self._organisation, demo_quarantine.SPARE, "oximeter", site=site, hub=self._hub
            )
        with self._ingest_pool() as pool:
            demo_quarantine.put(pool, self._hub, list(self.members.devices), now)

    def _hand_over(self, since: int) -> None:
        """Let the shift before have taken on what it would have."""
        morning = self._script.morning
        with acting_for(self._connection, self._organisation):
            ids = {a["sign_in"]: a["account_id"] for a in self._run("account_ids", organisation=self._organisation)}
            nurse = next(a.sign_in for a in self._script.account if a.role == "clinician")
            taken = self._run(
                "acknowledge_before",
                since=_moment(since),
                nurse=ids[nurse],
                settled=morning.settled,
                waiting_hours=morning.waiting_hours,
                **{word: morning.waiting.get(word, 0) for word in ("red", "amber", "yellow")},
            )
            self._run("tell_of_waiting")
            for one, body in zip(taken, morning.notes, strict=False):
                self._run(
                    "add_note",
                    organisation=self._organisation,
                    patient=one["patient_id"],
                    account=one["account_id"],
                    at=one["seen_at"],
                    body=body,
                )

    def _last_received(self) -> int:
        with self._ingest_pool() as pool, pool.connection() as connection:
            row = connection.execute(
                "select max(last_observed_at) from patient_state where patient_id = any(%s)", [self.members.patients]
            ).fetchone()
        found = None if row is None else row[0]
        return self.cast.past.begun if found is None else round((found - EPOCH) / timedelta(microseconds=1))

    def _ingest_pool(self) -> ConnectionPool:
        return open_pool(self._installation.addresses.database_url(INGEST_ROLE), INGEST_ROLE, max_size=2)

    def _run(self, query: str, /, **parameters: Any) -> list[Row]:
        with (
            acting_for(self._connection, self._organisation),
            self._connection.cursor(row_factory=dict_row) as cursor,
        ):
            cursor.execute(_QUERIES[query].encode(), parameters)
            return cursor.fetchall() if cursor.description else []


def _moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)
