"""How does a waiting message go out, and what is written down of it?

Its row stays locked while it is sent. A notifier that is killed lets go of it at once, and another sends the message
again under the same key: at least once, never not at all.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from homeward.notify.failure import DeliveryError
from homeward.notify.message import Message, Told
from homeward.notify.planning import AGAIN, LONGEST_PAUSE, PAUSED
from homeward.notify.sql import Connection, Row, run
from homeward.notify.ways import Ways

FIRST_PAUSE = timedelta(seconds=2)
GIVE_UP = {"alert": timedelta(hours=24), "test": timedelta(minutes=10), "code": timedelta(minutes=15)}

log = structlog.get_logger()


@dataclass(frozen=True)
class Attempt:
    """What became of one attempt."""

    status: str
    kind: str
    purpose: str
    waited_s: float


def send_next(connection: Connection, ways: Ways, now: datetime) -> Attempt | None:
    """Take the most urgent message that is due, send it, and write the outcome in the transaction that is open."""
    rows = run(connection, "take_delivery", now=now)
    if not rows:
        return None
    delivery = rows[0]
    status, outcome = _attempt(connection, ways, delivery, now)
    run_at = now + pause(delivery["attempts"] + 1) if status == "waiting" else now
    run(connection, "record", delivery=delivery["delivery_id"], status=status, outcome=outcome, run_at=run_at, now=now)
    if delivery["purpose"] == "alert" and (status != "waiting" or delivery["attempts"] == 0):
        _tell_pages(connection, delivery)
    facts = {"delivery": delivery["delivery_id"], "way": delivery["kind"], "attempts": delivery["attempts"] + 1}
    if status in ("waiting", "failed"):
        log.warning("message did not get through", action=f"message_{status}", reason=outcome, **facts)
    return Attempt(status, delivery["kind"], delivery["purpose"], (now - delivery["created_at"]).total_seconds())


def _tell_pages(connection: Connection, delivery: Row) -> None:
    """Let those who look at a patient see what became of the message, or that the first attempt failed."""
    patients = run(connection, "patients_of", delivery=delivery["delivery_id"])
    given = [row["patient_id"] for row in patients]
    run(connection, "tell_browsers", organisation=delivery["organisation_id"], patients=given)


def pause(attempts: int) -> timedelta:
    """Give how long to wait after so many attempts: twice as long each time, up to a limit, and never all at once."""
    longest: timedelta = min(FIRST_PAUSE * 2 ** min(attempts - 1, 20), LONGEST_PAUSE)
    spread = random.uniform(0.5, 1.0)  # noqa: S311 - hides nothing
    return longest * spread


def _attempt(connection: Connection, ways: Ways, delivery: Row, now: datetime) -> tuple[str, str]:
    message = _message(connection, ways, delivery, now) if delivery["purpose"] == "alert" else None
    if delivery["purpose"] == "alert" and message is None:
        return "cancelled", "no longer needed"
    try:
        ways.send(delivery, message or _other(ways, delivery), now)
    except DeliveryError as failed:
        over = failed.permanent or now - delivery["created_at"] >= GIVE_UP[delivery["purpose"]]
        return ("failed" if over else "waiting"), failed.reason
    except Exception as failed:
        # a fault of ours must not hold up the others; the row says that there was one, the log which
        log.error("sending failed", action="sending_failed", error=type(failed).__name__, way=delivery["kind"])
        return "waiting", f"a fault in Homeward ({type(failed).__name__})"
    return "delivered", ""


def _message(connection: Connection, ways: Ways, delivery: Row, now: datetime) -> Message | None:
    """Put an alert together from what still waits; nothing where nobody needs to be told any more."""
    found = [row for row in run(connection, "episodes_of", delivery=delivery["delivery_id"], now=now) if row["waits"]]
    waiting = [row for row in found if not row["is_paused"]]
    if len(waiting) < len(found):
        later = [row["episode_id"] for row in found if row["is_paused"]]
        given = {"at": now + AGAIN, "outcome": PAUSED}
        run(connection, "hold_unsent", delivery=delivery["delivery_id"], episodes=later, **given)
    told = tuple(
        Told(row["episode_id"], row["patient_id"], row["severity"], row["since"], row["name"] or "") for row in waiting
    )
    if not told:
        return None
    return Message(
        delivery["key"], "alert", delivery["site_id"], delivery["site"], delivery["time_zone"], delivery["tier"],
        delivery["step"], ways.public_url, told, again=delivery["again"],
    )  # fmt: skip


def _other(ways: Ways, delivery: Row) -> Message:
    code = ways.open(delivery["sealed"]) if delivery["purpose"] == "code" else ""
    return Message(
        delivery["key"], delivery["purpose"], delivery["site_id"], delivery["site"] or "", public_url=ways.public_url,
        code=code,
    )  # fmt: skip
