"""Does one command bring a whole installation to life, show live patients, and leave nothing behind?"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import paho.mqtt.client as mqtt
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from homeward.local.broker import PrivateBroker
from homeward.local.programs import ensure_programs
from tests import waiting
from tests.homeward.running import (
    Running,
    answer,
    environment,
    home_folder,
    homeward,
    processes_of,
    running,
    service,
)
from tests.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo() -> Iterator[Running]:
    """One demonstration that the tests of this module share."""
    with home_folder() as home, running(home, "demo") as found:
        yield found


def sign_in(ready: dict[str, Any], role: str) -> httpx.Client:
    """Give a client of the API, signed in as the user with this role."""
    user = next(u for u in ready["users"] if u["role"] == role)
    given = {"sign_in": user["sign_in"], "password": user["password"]}
    token = waiting.post(f"{ready['http']}/api/v1/sign-in", json=given).raise_for_status().json()["token"]
    return httpx.Client(base_url=ready["http"], timeout=PATIENCE_S, headers={"Authorization": f"Bearer {token}"})


def publish(ready: dict[str, Any], topic: str, payload: dict[str, Any]) -> None:
    """Publish one message with the hub's login, and wait for the broker's PUBACK."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.username_pw_set(ready["mqtt_user"], ready["mqtt_password"])
    parts = urlsplit(ready["mqtt"])
    client.connect(parts.hostname or "", parts.port or 1883)
    client.loop_start()
    client.publish(topic, json.dumps(payload), qos=1).wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def test_the_ready_line_says_all_that_an_outsider_needs(demo: Running) -> None:
    ready = demo.ready
    assert ready["event"] == "ready"
    assert {user["role"] for user in ready["users"]} == {"clinician", "carer", "administrator"}
    assert all(user["password"] and user["name"] for user in ready["users"])
    assert {device["patient"] for device in ready["devices"]} == set(range(1, 61))
    assert all(device["topic"].endswith(f"/{device['id']}/observations") for device in ready["devices"])
    services = {"ingest", "clock", "notify", "dashboard", "simulator", "mail"}
    assert set(ready["pids"]) == {"postgres", "mosquitto", *services}


def test_it_answers_that_it_is_alive_and_ready(demo: Running) -> None:
    assert waiting.get(f"{demo.ready['http']}/healthz").json()["status"] == "ok"
    assert waiting.get(f"{demo.ready['http']}/readyz").json()["status"] == "ok"


def test_a_carer_sees_the_residents_of_one_home_and_a_nurse_everybody(demo: Running) -> None:
    with sign_in(demo.ready, "clinician") as nurse, sign_in(demo.ready, "carer") as carer:
        everybody = nurse.get("/api/v1/patients", params={"limit": 200}).json()["items"]
        residents = carer.get("/api/v1/patients", params={"limit": 200}).json()["items"]
    assert len(everybody) == 60
    assert len(residents) == 20
    assert {r["site"]["name"] if isinstance(r["site"], dict) else r["site"] for r in residents} == {"Rowan House"}


def test_there_are_14_days_of_history_and_a_morning_like_any_other(demo: Running) -> None:
    with psycopg.connect(demo.ready["database_url"]) as connection:
        days, patients = connection.execute(
            "select extract(epoch from now() - min(observed_at)) / 86400, count(distinct patient_id) "
            "from homeward.observation"
        ).fetchone() or (0, 0)
        active, waiting, acknowledged = connection.execute(
            "select count(*) filter (where phase = 'active' and severity >= 2),"
            " count(*) filter (where phase = 'active' and severity >= 2 and acknowledged_by is null),"
            " count(*) filter (where acknowledged_by is not null) from homeward.episode"
        ).fetchone() or (0, 0, 0)
    assert 13 < days < 14.1
    assert patients == 60
    assert 1 <= active <= 25
    assert waiting <= 15
    assert acknowledged > 20


def test_who_is_on_call_is_told_of_what_waits_since_no_display_is_connected(demo: Running) -> None:
    with psycopg.connect(demo.ready["database_url"], autocommit=True) as connection:
        wait_until(
            lambda: connection.execute(
                "select 1 from homeward.delivery where kind = 'wall' and status = 'waiting' "
                "and outcome = 'sent, no display was connected' limit 1"
            ).fetchone()
        )
    [first, *_] = wait_until(lambda: sorted(Path(demo.ready["mail"]).glob("*.eml")))
    assert b"To: nurse@larkfield.example" in first.read_bytes()
    made = answer(homeward(demo.home, "display", "add", "hall", "--site", "Rowan House", "--json"))
    assert made["user"] == "homeward-display-hall"
    assert made["topic"].startswith("homeward/v1/sites/")
    assert "ladder" not in homeward(demo.home, "doctor").stdout


def test_devices_send_within_a_minute(demo: Running) -> None:
    with psycopg.connect(demo.ready["database_url"], autocommit=True) as connection:
        wait_until(
            lambda: connection.execute(
                "select 1 from homeward.observation where received_at > now() - interval '60 seconds' limit 1"
            ).fetchone()
        )


@pytest.mark.parametrize("own_topic", [True, False], ids=["on the device's topic", "on the hub's topic"])
def test_what_the_hub_publishes_is_in_the_api(demo: Running, own_topic: bool) -> None:
    device = next(d for d in demo.ready["devices"] if d["kind"] == "oximeter")
    topic = device["topic"] if own_topic else demo.ready["mqtt_topic"]
    at = datetime.now(UTC).replace(microsecond=123_000 + own_topic)
    payload = {"device": device["id"], "time": at.isoformat(), "values": {"spo2": 97, "pulse": 71}}
    address = f"/api/v1/patients/{device['patient']}/observations"
    with sign_in(demo.ready, "clinician") as nurse:
        publish(demo.ready, topic, payload)

        def seen() -> bool:
            items = nurse.get(address, params={"vital": "spo2", "from": at.isoformat()}).raise_for_status().json()
            return any(datetime.fromisoformat(i["observed_at"]) == at for i in items["items"])

        wait_until(seen, "the API has what was published")


def test_its_quarantine_shows_what_quarantine_is_for(demo: Running) -> None:
    with sign_in(demo.ready, "administrator") as administrator:
        causes = administrator.get("/api/v1/quarantine/causes").raise_for_status().json()
    found = {c["reason"]: (c["messages"], c["newest"][0]["detail"]) for c in causes}
    assert set(found) >= {"unassigned", "unknown_device", "implausible", "future_time", "unit"}
    assert found["unassigned"][0] == 3
    assert found["implausible"][1] == "spo2: 379; expected 40 to 100 %"


def test_the_hub_may_not_speak_for_others(demo: Running) -> None:
    publish(demo.ready, "homeward/v1/3/somebody-else/observations", {"values": {"spo2": 97}})
    device = next(d for d in demo.ready["devices"] if d["kind"] == "oximeter")
    publish(demo.ready, device["topic"], {"time": datetime.now(UTC).isoformat(), "values": {"pulse": 70}})
    with psycopg.connect(demo.ready["database_url"], autocommit=True) as connection:
        wait_until(
            lambda: connection.execute(
                "select 1 from homeward.observation where received_at > now() - interval '5 seconds' limit 1"
            ).fetchone()
        )
        row = connection.execute(
            "select count(*) from homeward.quarantine where topic like '%somebody-else%'"
        ).fetchone()
    assert row == (0,)


def test_states_made_anew_are_the_ones_that_were_made_live(demo: Running) -> None:
    rebuilt = answer(homeward(demo.home, "state", "rebuild", "--json"))
    assert rebuilt == {"patients": 60, "changed": 0}


def test_a_service_that_is_killed_comes_back(demo: Running) -> None:
    killed = service(demo.home, "clock")
    assert killed is not None
    killed.kill()
    wait_until(lambda: (now := service(demo.home, "clock")) is not None and now.pid != killed.pid)


def test_the_commands_find_the_running_installation(demo: Running) -> None:
    home = demo.home
    made = answer(homeward(home, "user", "add", "Relief", "--name", "R. Lief", "--role", "clinician", "--json"))
    assert made["sign_in"] == "relief"
    with sign_in({**demo.ready, "users": [made]}, "clinician") as relief:
        assert relief.get("/api/v1/me").status_code == 200
    taken = homeward(home, "user", "add", "relief", "--name", "Other", "--role", "carer")
    assert taken.returncode == 1
    assert taken.stderr.strip() == "The sign-in 'relief' is taken; choose another."
    assert len(answer(homeward(home, "user", "list", "--json"))) == 4
    answer(homeward(home, "user", "password", "relief", "--json", given="another-long-password\n"))
    assert [p["version"] for p in answer(homeward(home, "policy", "list", "--json"))] == [1, 1, 1]
    verified = answer(homeward(home, "audit", "verify", "--json"))
    assert verified["intact"]
    assert answer(homeward(home, "audit", "verify", "--expect", verified["last_hash"], "--json"))["intact"]
    cut = homeward(home, "audit", "verify", "--expect", "0" * 64)
    assert cut.returncode == 1
    assert "the one with the expected hash is not among them" in cut.stdout


def test_a_device_gets_its_login_and_loses_it(demo: Running) -> None:
    home, ready = demo.home, demo.ready
    made = answer(homeward(home, "device", "add", "cuff-new", "--kind", "cuff", "--site", "Elm Court", "--json"))
    answer(homeward(home, "device", "assign", "cuff-new", "--patient", "21", "--json"))
    own = {**ready, "mqtt_user": "cuff-new", "mqtt_password": made["password"]}
    pressure = {"time": datetime.now(UTC).isoformat(), "values": {"bp_systolic": 131, "bp_diastolic": 82}}
    publish(own, made["topic"], pressure)
    with psycopg.connect(ready["database_url"], autocommit=True) as connection:
        wait_until(
            lambda: connection.execute(
                "select 1 from homeward.observation o join homeward.device d using (device_id) "
                "where d.code = 'cuff-new' and o.patient_id = 21"
            ).fetchone()
        )
    answer(homeward(home, "device", "retire", "cuff-new", "--json"))
    listed = {d["code"]: d["retired"] for d in answer(homeward(home, "device", "list", "--json"))}
    assert listed["cuff-new"]


def test_simulated_people_join_a_running_installation(demo: Running) -> None:
    words = ["--patients", "3", "--scenario", "stable", "--speed", "max", "--hours", "24", "--enrol", "care_home_news2"]
    tally = answer(homeward(demo.home, "simulate", *words, "--json"))
    assert tally["published"] > 0
    assert tally["published"] == tally["stored"] + tally["duplicates"] + tally["quarantined"]
    again = answer(homeward(demo.home, "policy", "publish", "care_home_news2", "--reason", "unchanged", "--json"))
    assert again == {"name": "care_home_news2", "version": 1}


def test_simulated_people_publish_over_tls(demo: Running) -> None:
    """As from another machine: the broker's address with TLS, the authority's certificate, a login of its own."""
    broker = PrivateBroker(demo.home / "broker", ensure_programs())
    authority = answer(homeward(demo.home, "device", "authority", "--json"))
    assert authority["ca_sha256"] == demo.ready["mqtt_ca"]
    (demo.home / "ca.crt").write_text(authority["ca_certificate"])
    user, password = broker.admin
    elsewhere = {
        "HOMEWARD_DATABASE_URL": demo.ready["database_url"],
        "HOMEWARD_MQTT_URL": demo.ready["mqtt_tls"].replace("mqtts://", f"mqtts://{user}:{password}@"),
    }
    words = ["simulate", "--patients", "1", "--scenario", "stable", "--speed", "max", "--hours", "24", "--json"]
    refused = homeward(demo.home, *words, **elsewhere)
    assert refused.returncode == 1
    assert "certificate verify failed" in refused.stderr
    tally = answer(homeward(demo.home, *words, **elsewhere, SSL_CERT_FILE=str(demo.home / "ca.crt")))
    assert tally["published"] > 0
    assert tally["unaccounted"] == 0
    with psycopg.connect(demo.ready["database_url"], autocommit=True) as connection:
        wait_until(
            lambda: connection.execute(
                "select 1 from homeward.device_standing join homeward.device using (device_id) "
                "where starts_with(code, 'simulator-') and online is false and firmware = 'simulator'"
            ).fetchone()
        )


def test_from_the_first_start_to_the_second_and_to_a_killed_parent() -> None:
    with home_folder() as home:
        with running(home, "demo") as first:
            wait_until(lambda: (home / "tallies").exists() and list((home / "tallies").iterdir()))
            code, end = first.end(signal.SIGINT)
        assert code == 0
        assert end["event"] == "end"
        assert end["published"] > 0
        assert end["published"] == end["stored"] + end["duplicates"] + end["quarantined"]
        assert set(end["episodes"]) == {"red", "amber", "yellow"}
        assert processes_of(home) == []
        with running(home, "demo") as second:
            assert second.ready["users"] == first.ready["users"]
            assert second.ready["devices"] == first.ready["devices"]
            os.kill(second.process.pid, signal.SIGKILL)
            second.process.communicate()
            wait_until(lambda: processes_of(home) == [])


def test_an_empty_installation_stops_by_itself() -> None:
    with home_folder() as home:
        with running(home, "up", "--seconds", "1", "--hub", "ward-hub") as empty:
            out, _ = empty.process.communicate(timeout=PATIENCE_S)
        assert empty.process.returncode == 0
        assert json.loads(out)["published"] == 0
        [administrator] = empty.ready["users"]
        assert administrator["role"] == "administrator"
        assert administrator["password"]
        assert empty.ready["devices"] == []
        assert empty.ready["mqtt_user"] == "ward-hub"
        assert "simulator" not in empty.ready["pids"]
        assert processes_of(home) == []


def test_a_taken_port_is_said_in_one_sentence() -> None:
    with home_folder() as home, socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = homeward(home, "demo", HOMEWARD_HTTP=address)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert address in done.stderr
    assert "HOMEWARD_HTTP" in done.stderr


def test_the_examples_of_the_ways_in_and_out_work_when_they_are_pasted_in_order(demo: Running) -> None:
    text = (ROOT / "docs" / "interfaces.md").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S))
    given = blocks.replace("http://127.0.0.1:8080", demo.ready["http"]).replace("/tmp/", f"{demo.home.parent}/")
    given = given.replace(".venv/bin/python", sys.executable).replace(
        ".venv/bin/homeward", f"{sys.executable} -m homeward"
    )
    # what is refused ends it, as nobody looks at each answer
    strict = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; echo; }\n'
    done = subprocess.run(
        ["bash", "-c", strict + given],
        cwd=ROOT,
        env=environment(demo.home),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"stored":3,"duplicate":0,"quarantined":0' in done.stdout
    assert '"stored":1,"duplicate":0,"quarantined":0' in done.stdout
    assert '{"stored":2,"duplicate":0,"quarantined":0,"reasons":[]}' in done.stdout.splitlines()
    assert "BP 152/91" in done.stdout or "152/91" in done.stdout
    assert "2 rows read: 2 observations stored" in done.stdout
    assert done.stdout.count('"resourceType":"Patient"') == 2
    assert "OperationOutcome" not in done.stdout


def test_the_doctor_knows_the_demonstration_itself(demo: Running) -> None:
    address = demo.ready["http"].removeprefix("http://")
    done = homeward(demo.home, "doctor", "--json", HOMEWARD_HTTP=address)
    found = {(f["subject"], f["state"]): f["sentence"] for f in json.loads(done.stdout)["findings"]}
    assert found["dashboard", "ok"] == f"Homeward itself answers at {address}."
    assert found["mail server", "ok"] == f"None is set; the demonstration's mails lie in {demo.home / 'mail'}."
    assert {state for subject, state in found if subject == "certificates"} == {"ok"}
    assert done.returncode == 0
