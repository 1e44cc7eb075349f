"""How are the parts of an ingest worker put together, and how does it leave?"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from ingest.counters import Counters
from ingest.device_clocks import DeviceClocks
from ingest.inbox import Inbox
from ingest.lane_session import Broker
from ingest.lanes import LaneKeeper
from ingest.micro_batch import MicroBatches
from ingest.parcels import Parcels
from ingest.presence import Presence
from ingest.registry import RegistryKeeper
from ingest.statuses import StatusBook, StatusWriter
from ingest.subscriber import Subscriber
from schemas.database import open_pool

ROLE = "homeward_ingest"

log = structlog.get_logger()


def run(
    database_url: str,
    mqtt_url: str,
    user: str | None,
    password: str | None,
    stop: threading.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Take messages from the broker into the database until ``stop``; call ``ready`` when lanes are first held.

    On ``stop`` the micro-batch under way is finished and confirmed; what waits behind it is left with the broker.
    """
    counters, inbox, statuses = Counters(), Inbox(), StatusBook()
    presence = Presence("ingest", counters)
    with open_pool(database_url, ROLE, min_size=4, max_size=6, application=presence.application) as pool:
        keeper = RegistryKeeper(pool)
        subscriber = Subscriber(Broker(mqtt_url, user, password), inbox, statuses)
        lanes = LaneKeeper(pool, subscriber, presence, counters)
        clocks = DeviceClocks()
        batches = MicroBatches(pool, keeper, inbox, subscriber, counters, clocks)
        parcels = Parcels(pool, keeper, inbox)
        status_writer = StatusWriter(pool, statuses, counters)
        leave = threading.Event()
        threads = {
            "writer": threading.Thread(target=batches.run, args=(stop,), name="writer", daemon=True),
            "registry": threading.Thread(target=keeper.watch, args=(stop,), name="registry", daemon=True),
            "clocks": threading.Thread(target=clocks.run, args=(pool, leave), name="clocks", daemon=True),
            "parcels": threading.Thread(target=parcels.run, args=(stop,), name="parcels", daemon=True),
            "statuses": threading.Thread(target=status_writer.run, args=(stop,), name="statuses", daemon=True),
            "lanes": threading.Thread(target=lanes.run, args=(leave,), name="lanes", daemon=True),
        }
        subscriber.start()
        for thread in threads.values():
            thread.start()
        announcer = threading.Thread(target=_announce, args=(lanes.ready, stop, ready), name="announcer", daemon=True)
        announcer.start()
        stop.wait()
        subscriber.leave_all()
        inbox.wake()
        threads["writer"].join()
        leave.set()
        threads["lanes"].join()
        threads["clocks"].join()
        subscriber.close()
        threads["registry"].join()
        threads["parcels"].join()
        threads["statuses"].join()
    log.info("ingest left", action="ingest_left")


def _announce(held: threading.Event, stop: threading.Event, ready: Callable[[], None]) -> None:
    while not stop.is_set():
        if held.wait(0.2):
            ready()
            return
