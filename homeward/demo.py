"""How is the demonstration run: a trust with people whose devices send while somebody looks on?"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote, urlsplit

from device_sim.provisioning import topic_of
from device_sim.publisher import Tally
from device_sim.run import Broker, Standing, simulate
from homeward import seeding, services, up
from homeward.demonstration import Cast, load_script
from homeward.installation import Installation, with_login, write_secret
from homeward.local.errors import SetupError
from homeward.local.process import free_port
from homeward.progress import Progress
from homeward.settings import load_settings
from homeward.signals import service_stop
from homeward.supervisor import Service, Supervisor
from homeward.up import Content, Mailbox

# After the word to stop, the simulator waits this long for the receipts of what is under way.
RECEIPTS_S = 10.0


def run(*, seconds: float | None = None, as_json: bool = False) -> None:
    """Run the demonstration."""
    up.run(_fill, seconds=seconds, as_json=as_json, then=_start_others, tally=_add_up)


def _fill(installation: Installation, progress: Progress) -> Content:
    found = seeding.prepare(installation, progress)
    mail = None
    if installation.addresses.settings.smtp_url is None:
        mail = Mailbox(free_port(), installation.home / "mail")
    return Content(found.users, found.devices, found.hub, topic_of(found.hub.user), mail)


def _tallies(home: Path) -> Path:
    return home / "tallies"


def _start_others(installation: Installation, supervisor: Supervisor, content: Content) -> None:
    if content.mail is not None:
        words = services.command("demo-mail", str(content.mail.port))
        supervisor.start(Service("mail", words, installation.environment()))
    folder = _tallies(installation.home)
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    assert content.hub is not None
    environment = installation.environment(mqtt_url=with_login(installation.addresses.mqtt_url, content.hub))
    supervisor.start(
        Service("simulator", services.command("demo-devices"), environment, stage=services.SIMULATOR_STAGE)
    )


def run_devices() -> None:
    """Play the demonstration's devices until told to stop: the simulator's own process."""
    stop = service_stop()
    settings = load_settings()
    notebook = seeding.Notebook.read(settings.home / "demo.json")
    if notebook is None or settings.mqtt_url is None:
        raise SetupError("There is no demonstration to play; start it with `homeward demo`.")
    parts = urlsplit(settings.mqtt_url)
    broker = Broker(settings.mqtt_url, unquote(parts.username or load_script().hub), unquote(parts.password or ""))
    place = _tallies(settings.home) / f"{os.getpid()}.json"

    def keep(standing: Standing) -> None:
        write_secret(place, json.dumps(asdict(standing.tally)))

    cohort = Cast.of(notebook.past).live(seeding.now_us())
    tally = simulate(cohort, broker, stop=stop, on_progress=keep, receipts_timeout_s=RECEIPTS_S)
    write_secret(place, json.dumps(asdict(tally)))


def _add_up(installation: Installation) -> Tally:
    """Add up what each process of the simulator counted."""
    total = Tally()
    for place in _tallies(installation.home).glob("*.json"):
        total.add(Tally(**json.loads(place.read_text())))
    return total
