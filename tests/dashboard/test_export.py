"""Does a file of observations hold all of a span once, and does whoever takes it slowly keep nothing from others?"""

from __future__ import annotations

import contextlib
import csv
import io
import socket
from datetime import timedelta
from urllib.parse import urlsplit

from tests.dashboard.conftest import NOW, Served
from tests.waiting import PATIENCE_S

TAKERS = 12
"""More than the application has connections to the database."""


def test_a_file_holds_a_span_of_days_once(served: Served) -> None:
    patient = served.trusts.north.patients[1]
    served.ask(
        "insert into observation (observed_at, received_at, value, patient_id, device_id, vital) "
        "select %s - i * interval '4 h', now(), 70, %s, %s, 5 from generate_series(0, 59) i",
        NOW - timedelta(hours=1), patient.patient_id, patient.device_id,
    )  # fmt: skip
    with served.client("nurse") as nurse:
        span = {"since": (NOW - timedelta(days=9)).isoformat(), "until": NOW.isoformat()}
        answer = nurse.get(f"/api/v1/patients/{patient.patient_id}/observations.csv", params=span)
    times = [r["observed_at"] for r in csv.DictReader(io.StringIO(answer.text)) if r["value"] == "70"]
    assert times == sorted(set(times))
    assert len(times) == 9 * 6


def test_whoever_takes_a_file_slowly_keeps_nobody_out(fresh: Served) -> None:
    patient = fresh.trusts.north.patients[0]
    fresh.ask(
        "insert into observation (observed_at, received_at, value, patient_id, device_id, vital) "
        "select %s - i * interval '2 min', now(), 70, %s, %s, 5 from generate_series(1, 100000) i",
        NOW, patient.patient_id, patient.device_id,
    )  # fmt: skip
    where = urlsplit(fresh.url)
    span = f"since={NOW - timedelta(days=200):%Y-%m-%dT%H:%M:%SZ}&until={NOW:%Y-%m-%dT%H:%M:%SZ}"
    with fresh.client("nurse") as nurse, contextlib.ExitStack() as takers:
        asked = (
            f"GET /api/v1/patients/{patient.patient_id}/observations.csv?{span} HTTP/1.1\r\nHost: {where.netloc}\r\n"
            f"Authorization: {nurse.headers['Authorization']}\r\n\r\n"
        )
        for _ in range(TAKERS):
            taker = takers.enter_context(socket.socket())
            taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            taker.settimeout(PATIENCE_S)
            taker.connect((where.hostname, where.port))
            taker.sendall(asked.encode())
            # it has begun, and more is not taken
            assert taker.recv(12) == b"HTTP/1.1 200"
        for _ in range(20):
            assert nurse.get(f"/api/v1/patients/{patient.patient_id}").status_code == 200
