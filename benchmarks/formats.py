"""What does it cost to read a message of each format, beside one of our own devices?

python -m benchmarks.formats [--json]

Each reads one good message again and again on one core, the formats in turn, and the best of five rounds counts. Beside
each stands its ratio to the native format; a value is an observation in it.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from ingest.formats import detect, native
from ingest.formats.decoded import Decoded

ROUNDS, SECONDS = 5, 0.4
AT = "2026-11-22T08:00:00+00:00"
ZONES = {"cuff-7": "Europe/London"}


def _component(code: str, value: float) -> dict[str, Any]:
    quantity = {"value": value, "system": "http://unitsofmeasure.org", "code": "mm[Hg]"}
    return {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": quantity}


OBSERVATION = {
    "resourceType": "Observation",
    "status": "final",
    "category": [{"coding": [{"code": "vital-signs"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "subject": {"reference": "Patient/17"},
    "device": {"reference": "Device/cuff-7"},
    "effectiveDateTime": AT,
    "component": [_component("8480-6", 142), _component("8462-4", 88)],
}
PRESSURES = {
    "systolic_blood_pressure": {"value": 142, "unit": "mmHg"},
    "diastolic_blood_pressure": {"value": 88, "unit": "mmHg"},
}
ROWS = "".join(f"2026-11-{day:02} 08:00:00,88,142,71,0,0\n" for day in range(1, 21))
MESSAGES: dict[str, tuple[str, Any]] = {
    "native": ("", {"time": AT, "values": {"bp_systolic": 142, "bp_diastolic": 88, "pulse": 71}}),
    "fhir_observation": ("", OBSERVATION),
    "fhir_bundle_of_20": ("", {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": OBSERVATION}] * 20}),
    "open_mhealth": ("", {**PRESSURES, "effective_time_frame": {"date_time": AT}}),
    "bluetooth": ("", {"characteristic": "2A35", "value": "048e0058006a004700", "encoding": "hex", "time": AT}),
    "theengs": ("home/g/BTtoMQTT/A4C138123456",
                {"id": "A4:C1:38:12:34:56", "rssi": -71, "weight": 82.4, "unit": "kg", "UTCtime": AT}),
    "export2garmin": ("data", "1795334400;58.4;521;3.5;5"),
    "omblepy_of_20_rows": ("", "datetime,dia,sys,bpm,mov,ihb\n" + ROWS),
    "garbage": ("", "[" * 100),
}  # fmt: skip


def _per_s(payload: bytes, topic: str) -> tuple[float, int]:
    """Read one message as admission does, for a while; give messages a second, and the values of each."""
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        out = Decoded()
        for position in range(200):
            if not native.take(payload, position, out):
                detect.decode(payload, position, out, topic, "cuff-7", ZONES)
        done += 200
    return done / (time.perf_counter() - began), len(out.value) // 200


def measure() -> dict[str, Any]:
    """Read every format, in rounds; give the best round of each."""
    payloads = {
        name: (topic, (content if isinstance(content, str) else json.dumps(content)).encode())
        for name, (topic, content) in MESSAGES.items()
    }
    best = dict.fromkeys(payloads, (0.0, 0))
    for _ in range(ROUNDS):
        for name, (topic, payload) in payloads.items():
            best[name] = max(best[name], _per_s(payload, topic))
    beside = best["native"][0]
    return {
        name: {"messages_per_s": round(rate), "of_native": round(rate / beside, 3), "values": values}
        for name, (rate, values) in best.items()
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    figures = measure()
    if parser.parse_args().json:
        print(json.dumps(figures))
        return
    for name, row in figures.items():
        print(
            f"{name:20} {row['messages_per_s']:>9,} a second  {row['of_native']:6.3f} of native  {row['values']} values"
        )


if __name__ == "__main__":
    main()
