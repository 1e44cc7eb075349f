"""Coverage-guided search for a payload that breaks a decoder.

`python -m tests.ingest.formats.fuzz CORPUS -max_total_time=600` goes on for ten minutes from what it found before. It
needs atheris, which is installed by hand and no dependency of ours. The first byte chooses the topic, the rest is the
payload. What is checked of every payload is what the tests check: nothing is raised, all is accounted for, each
rejection names a place, and nothing takes long.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-not-found]

with atheris.instrument_imports():
    from ingest.formats import detect
    from ingest.formats.decoded import Decoded

from tests.ingest.formats.reading import PAYLOADS, accounted, check_columns
from tests.ingest.formats.test_any_input import GOOD, TOPICS, ZONES


def try_one(content: bytes) -> None:
    """Read one payload."""
    topic, payload = TOPICS[content[0] % len(TOPICS)] if content else "", content[1:]
    out = Decoded()
    detect.decode(payload, 0, out, topic, "cuff-7", ZONES)
    check_columns(out)
    assert accounted(out) >= 1


def seed(corpus: Path) -> None:
    """Begin with good messages of every format, and with others' samples where they are at hand."""
    corpus.mkdir(parents=True, exist_ok=True)
    found = [content.encode() for _, content, _ in GOOD.values()]
    found += [path.read_bytes() for path in PAYLOADS.rglob("*.json")]
    for number, content in enumerate(found):
        for place in range(4):
            (corpus / f"seed-{number}-{place}").write_bytes(bytes([place]) + content)


if __name__ == "__main__":
    seed(Path(sys.argv[1]))
    atheris.Setup([*sys.argv, "-timeout=10", "-max_len=8192"], try_one)
    atheris.Fuzz()
