"""What does a trust look like on the screens: patients, devices, weeks of observations, and some who are unwell?

Written straight into the tables by the database's owner, so that the pages are tested on their own. Seeded: the same
numbers every time, placed before a given instant.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
from pwdlib.hashers.argon2 import Argon2Hasher

from alerts import explain, policy, state
from alerts.documents import rule_key
from alerts.episodes import ACTIVATED, TRANSITION
from alerts.news2 import news2
from alerts.news2_chart import PARAMETERS
from schemas.vital_signs import BY_NAME

PASSWORD = "a-long-enough-password"
GIVEN = [
    "Margaret",
    "Arthur",
    "Doris",
    "Gordon",
    "Eileen",
    "Norman",
    "Brenda",
    "Reginald",
    "Maureen",
    "Derek",
    "Phyllis",
    "Raymond",
    "Joan",
    "Ernest",
    "Beryl",
    "Leonard",
    "Sheila",
    "Harold",
    "Audrey",
    "Kenneth",
    "Grace",
    "Amrit",
    "Fatima",
    "Desmond",
    "Blessing",
]
FAMILY = [
    "Okafor",
    "Ramsbottom",
    "Sutcliffe",
    "Pemberton",
    "Ahmed",
    "Bennett",
    "Ashworth",
    "O'Neill",
    "Pritchard",
    "Hughes",
    "Nwosu",
    "MacLeod",
    "Entwistle",
    "Kaur",
    "Whitfield",
    "Doyle",
    "Fernandes",
    "Hargreaves",
    "Iqbal",
    "Jones",
    "Kowalska",
    "Lowe",
    "Mbeki",
    "Nolan",
    "Osborne",
]
USUAL = {"respiration_rate": 15, "spo2": 96.6, "bp_systolic": 132, "bp_diastolic": 76, "pulse": 72, "temperature": 36.6}
SPREAD = {"respiration_rate": 1, "spo2": 0.7, "bp_systolic": 8, "bp_diastolic": 5, "pulse": 4, "temperature": 0.2}
# How far each vital sign has drifted by now, and over how many hours.
STORIES: list[tuple[dict[str, float], float]] = [
    ({"spo2": -8, "respiration_rate": 11, "pulse": 42, "temperature": 1.9}, 9),
    ({"bp_systolic": -50, "bp_diastolic": -24, "pulse": 52, "respiration_rate": 11}, 12),
    ({"respiration_rate": 13, "spo2": -5.5, "pulse": 28}, 16),
    ({"temperature": 2.6, "pulse": 42, "respiration_rate": 7}, 14),
    ({"pulse": 54, "respiration_rate": 6.5}, 8),
    ({"respiration_rate": 11, "pulse": 10}, 18),
    ({"temperature": 1.8, "pulse": 24}, 20),
    ({"respiration_rate": 7, "spo2": -1.5}, 15),
]
Story = tuple[dict[str, float], float]


@dataclass
class Seeded:
    """What was written: the ids that tests ask for."""

    now: datetime
    organisation: int
    sites: dict[str, int] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    patients: list[int] = field(default_factory=list)
    unwell: list[int] = field(default_factory=list)


def seed(url: str, *, patients: int = 60, days: int = 14, now: datetime | None = None) -> Seeded:
    """Fill an empty, migrated database."""
    rng = np.random.default_rng(7)
    with psycopg.connect(url) as connection:
        connection.execute("select set_config('search_path', 'homeward, public', true)")
        found = Seeded(now or datetime.now(UTC), _organisation(connection))
        _sites(connection, found)
        _accounts(connection, found)
        pathways = _pathways(connection, found)
        for number in range(patients):
            _patient(connection, rng, found, pathways, number, days)
    return found


def _one(connection: psycopg.Connection, query: str, *parameters: Any) -> Any:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


def _organisation(connection: psycopg.Connection) -> int:
    return int(
        _one(connection, "insert into organisation (name) values (%s) returning organisation_id", "Northmoor Trust")
    )


def _sites(connection: psycopg.Connection, found: Seeded) -> None:
    for name, kind in (("Willow Court", "care_home"), ("Ashgrove House", "care_home"), ("Virtual ward", "ward")):
        found.sites[name] = _one(
            connection,
            "insert into site (organisation_id, name, kind) values (%s, %s, %s) returning site_id",
            found.organisation, name, kind,
        )  # fmt: skip


def _accounts(connection: psycopg.Connection, found: Seeded) -> None:
    hashed = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)  # checked at once
    people = [
        ("nurse", "Rosa Mbeki", "clinician", True),
        ("carer", "Leah Doyle", "carer", False),
        ("admin", "Tom Whitfield", "administrator", True),
    ]
    for sign_in, name, role, everywhere in people:
        found.accounts[sign_in] = _one(
            connection,
            "insert into account (organisation_id, sign_in, name, role, all_sites, password_hash) "
            "values (%s, %s, %s, %s, %s, %s) returning account_id",
            found.organisation, sign_in, name, role, everywhere, hashed,
        )  # fmt: skip
    connection.execute(
        "insert into account_site (account_id, site_id, organisation_id) values (%s, %s, %s)",
        [found.accounts["carer"], found.sites["Willow Court"], found.organisation],
    )


def _pathways(connection: psycopg.Connection, found: Seeded) -> dict[str, tuple[int, int]]:
    result = {}
    for name in ("care_home_news2", "pulse_oximetry_home", "blood_pressure_home"):
        document = policy.shipped(name)
        pathway = _one(
            connection,
            "insert into pathway (organisation_id, name, title) values (%s, %s, %s) returning pathway_id",
            found.organisation, name, document.document.title,
        )  # fmt: skip
        version = _one(
            connection,
            "insert into policy (organisation_id, pathway_id, version, document, sha256, author, source, reason) "
            "values (%s, %s, 1, %s, %s, %s, %s, %s) returning policy_id",
            found.organisation, pathway, document.text, hashlib.sha256(document.text.encode()).digest(),
            document.document.author, document.document.source, document.document.reason,
        )  # fmt: skip
        connection.execute("update pathway set policy_id = %s where pathway_id = %s", [version, pathway])
        result[name] = (pathway, version)
    return result


def _patient(
    connection: psycopg.Connection,
    rng: np.random.Generator,
    found: Seeded,
    pathways: dict[str, tuple[int, int]],
    number: int,
    days: int,
) -> None:
    site = ("Willow Court", "Ashgrove House", "Virtual ward")[number % 3]
    pathway = "care_home_news2" if number % 3 < 2 else ("pulse_oximetry_home", "blood_pressure_home")[number // 3 % 2]
    patient = _one(
        connection,
        "insert into patient (organisation_id, site_id, family_name, given_name, nhs_number, born_on, sex, room, "
        "contact, allergies, resuscitation, spo2_scale, usual_news2) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning patient_id",
        found.organisation, found.sites[site], FAMILY[(number * 7) % len(FAMILY)], GIVEN[number % len(GIVEN)],
        nhs_number(943_476_000 + number), date(1931 + number % 25, 1 + number % 12, 1 + number % 28),
        "female" if number % 2 == 0 else "male", "" if site == "Virtual ward" else f"room {1 + number // 3}",
        "Daughter, 01632 960 143", "Penicillin" if number % 4 == 0 else "None known",
        "ReSPECT: hospital transfer" if number % 3 == 0 else "", 2 if number % 10 == 8 else 1, number % 3,
    )  # fmt: skip
    found.patients.append(patient)
    connection.execute(
        "insert into enrolment (organisation_id, patient_id, pathway_id, started_at) values (%s, %s, %s, %s)",
        [found.organisation, patient, pathways[pathway][0], found.now - timedelta(days=days)],
    )
    device = _device(connection, found, patient, site, number, days)
    vitals = {
        "care_home_news2": (*USUAL, "on_oxygen", "consciousness"),
        "pulse_oximetry_home": ("spo2", "pulse"),
        "blood_pressure_home": ("bp_systolic", "bp_diastolic", "pulse"),
    }[pathway]
    silent = number % 17 == 16
    story = STORIES[number % len(STORIES)] if number < 30 and number % 3 < 2 and not silent else None
    times, values = _observations(rng, found.now, number, days, vitals, story, 26.0 if silent else 0.3)
    _store(connection, patient, device, times, values, number)
    _state(connection, found, patient, times, values)
    if story:
        found.unwell.append(patient)
        _episode(connection, found, patient, pathways[pathway][1], {n: float(v[-1]) for n, v in values.items()}, number)
    elif silent:
        _overdue(connection, found, patient, pathways[pathway][1], times[-1])


def _device(connection: psycopg.Connection, found: Seeded, patient: int, site: str, number: int, days: int) -> int:
    kind = "monitor" if number % 3 < 2 else ("oximeter", "cuff")[number // 3 % 2]
    device = _one(
        connection,
        "insert into device (organisation_id, site_id, code, kind, lane) values (%s, %s, %s, %s, %s) "
        "returning device_id",
        found.organisation, found.sites[site], f"{kind}-{number + 1:03d}", kind, number % 16,
    )  # fmt: skip
    connection.execute(
        "insert into device_assignment (organisation_id, device_id, patient_id, during) "
        "values (%s, %s, %s, tstzrange(%s, null))",
        [found.organisation, device, patient, found.now - timedelta(days=days + 1)],
    )
    return int(device)


def nhs_number(nine: int) -> str:
    """Complete nine digits by the check digit, moving on where there is none."""
    digits = [int(d) for d in f"{nine:09d}"]
    check = 11 - sum(d * (10 - i) for i, d in enumerate(digits)) % 11
    return nhs_number(nine + 100_003) if check == 10 else f"{nine:09d}{0 if check == 11 else check}"


def _observations(
    rng: np.random.Generator,
    now: datetime,
    number: int,
    days: int,
    vitals: tuple[str, ...],
    story: Story | None,
    silent_h: float,
) -> tuple[list[datetime], dict[str, Any]]:
    """Sets every few hours; every tenth patient is on a monitor and gives one every five minutes."""
    step_h = 5 / 60 if number % 10 == 0 else 1.5 if story else 6
    hours = np.arange(days * 24, silent_h, -step_h)
    hours = hours[(hours > 52) | (hours < 49.5)] if number % 10 == 0 else hours + rng.normal(0, 0.2, len(hours))
    hours = np.unique(np.clip(hours, 0.05, None))[::-1]
    values = {}
    for name in vitals:
        if name in ("on_oxygen", "consciousness"):
            values[name] = np.zeros(len(hours))
            continue
        daily = SPREAD[name] * np.sin((hours + 3) / 24 * 2 * np.pi)
        wander = np.cumsum(rng.normal(0, 0.08, len(hours))) * SPREAD[name]
        value = USUAL[name] + daily + wander * 0.3 + rng.normal(0, SPREAD[name] * 0.5, len(hours))
        if story:
            value = value + np.clip(1 - (hours - 0.3) / story[1], 0, 1) * story[0].get(name, 0)
        catalogue = BY_NAME[name]
        value = np.clip(value, catalogue.plausible_low, catalogue.plausible_high)
        values[name] = np.round(value / catalogue.resolution) * catalogue.resolution
    return [now - timedelta(hours=float(h)) for h in hours], values


def _store(
    connection: psycopg.Connection,
    patient: int,
    device: int,
    times: list[datetime],
    values: dict[str, Any],
    number: int,
) -> None:
    columns = "observed_at, received_at, value, patient_id, device_id, vital, flags"
    with connection.cursor().copy(f"copy observation ({columns}) from stdin") as copy:
        for name, series in values.items():
            code = BY_NAME[name].code
            rare = name in ("bp_systolic", "bp_diastolic", "temperature", "consciousness", "on_oxygen")
            for position, (at, value) in enumerate(zip(times, series, strict=True)):
                if number % 10 == 0 and rare and position % 48:
                    continue
                # care staff do not count every breath: some sets stay incomplete
                if name == "respiration_rate" and number % 10 and position % 7 == 3:
                    continue
                repeat = name.startswith("bp_") and position % 19 == 7
                copy.write_row((at, at + timedelta(seconds=2), float(value), patient, device, code, int(repeat)))


def _state(
    connection: psycopg.Connection, found: Seeded, patient: int, times: list[datetime], values: dict[str, Any]
) -> None:
    machine = state.initial(1)
    for name, series in values.items():
        newest = [round(t.timestamp() * 1e6) for t in times[::-1][: state.RING]]
        machine["recent_at"][0, BY_NAME[name].code, : len(newest)] = newest
        machine["recent"][0, BY_NAME[name].code, : len(newest)] = series[::-1][: state.RING]
    connection.execute(
        "insert into patient_state (patient_id, machine, last_observed_at) values (%s, %s, %s)",
        [patient, state.pack(machine)[0], times[-1]],
    )


def _episode(
    connection: psycopg.Connection,
    found: Seeded,
    patient: int,
    version: int,
    last: dict[str, float],
    number: int,
) -> None:
    scores = news2(**{name: [last[name]] for name in PARAMETERS}, spo2_scale=1)
    aggregate = int(scores.aggregate[0])
    severity = 3 if aggregate >= 7 else 2 if aggregate >= 5 or scores.red[0] else 1
    begun = found.now - timedelta(minutes=11 + 23 * number)
    acknowledged = number % 4 == 3
    episode = _one(
        connection,
        "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, severity, "
        "peak_severity, sentence, explanation, acknowledged_by, acknowledged_at) "
        "values (%s, %s, %s, 'news2', %s, %s, 'active', %s, %s, %s, %s, %s, %s) returning episode_id",
        found.organisation, patient, version, begun, begun, severity, severity, f"NEWS2 {aggregate}.",
        json.dumps(_explanation(last, aggregate, begun)), found.accounts["nurse"] if acknowledged else None,
        begun + timedelta(minutes=6) if acknowledged else None,
    )  # fmt: skip
    events = [("opened", begun, None), ("activated", begun, None)]
    if acknowledged:
        events.append(("acknowledged", begun + timedelta(minutes=6), found.accounts["nurse"]))
    for kind, at, account in events:
        connection.execute(
            "insert into episode_event (organisation_id, episode_id, patient_id, kind, at, severity, account_id) "
            "values (%s, %s, %s, %s, %s, %s, %s)",
            [found.organisation, episode, patient, kind, at, severity, account],
        )
    if number % 2 == 0:
        connection.execute(
            "insert into note (organisation_id, patient_id, account_id, at, body) values (%s, %s, %s, %s, %s)",
            [found.organisation, patient, found.accounts["nurse"], begun + timedelta(minutes=8),
             "Called the home. Drowsy but rousable, drinking little. GP asked to visit this morning."],
        )  # fmt: skip


def _explanation(last: dict[str, float], aggregate: int, begun: datetime) -> dict[str, Any]:
    rule = policy.shipped("care_home_news2").document.score[0]
    return {
        "policy": "care_home_news2", "version": 1, "author": "Homeward clinical templates", "title": rule.title,
        "source": rule.source, "advice": rule.advice, "thresholds": {"yellow": 3, "amber": 5, "red": 7},
        "values": {name: last[name] for name in PARAMETERS}, "value": aggregate, "at": round(begun.timestamp() * 1e6),
    }  # fmt: skip


def _overdue(connection: psycopg.Connection, found: Seeded, patient: int, version: int, last: datetime) -> None:
    document = _one(connection, "select document from policy where policy_id = %s", version)
    followed = policy.parse(document, version=1)
    rule = followed.document.overdue[0]
    since = last + timedelta(hours=14)
    transition = np.zeros(1, TRANSITION)[0]
    transition["rule"], transition["severity"], transition["value"] = rule_key(rule.name), 1, np.nan
    transition["kind"], transition["at"] = ACTIVATED, round(since.timestamp() * 1e6)
    # all of them are silent
    transition["window"][[BY_NAME[name].code for name in rule.vitals]] = 1
    connection.execute(
        "insert into episode (organisation_id, patient_id, policy_id, rule, opened_at, activated_at, phase, severity, "
        "peak_severity, sentence, explanation) values (%s, %s, %s, %s, %s, %s, 'active', 1, 1, %s, %s)",
        [
            found.organisation,
            patient,
            version,
            rule.name,
            since,
            since,
            explain.sentence(followed, transition),
            json.dumps(explain.explanation(followed, transition)),
        ],
    )
