"""How do devices and services get their logins at the broker?

Through Mosquitto's dynamic security plug-in, over MQTT, while it runs. Works with any Mosquitto that has the plug-in.
"""

import json
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Self
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from homeward.local.broker import DISPLAY_ROLE, SERVICE_ROLE, access_rules
from homeward.local.errors import SetupError
from schemas.topic import Stream

REQUESTS = "$CONTROL/dynamic-security/v1"
ANSWERS = f"{REQUESTS}/response"
COMMANDS_PER_MESSAGE = 200
TIMEOUT_S = 30.0
EXISTS = "already exists"


class BrokerAwayError(SetupError):
    """The broker cannot be asked just now; nothing is known of what it lets us do."""


class BrokerAccounts:
    """A connection as the broker's account administrator; use it as a context manager, or `close` it."""

    def __init__(self, url: str, admin_user: str, admin_password: str) -> None:
        parts = urlsplit(url)
        self._changed = threading.Condition()
        self._state = ""
        self._answers: dict[str, str] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.username_pw_set(admin_user, admin_password)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        secure = parts.scheme == "mqtts"
        if secure:
            self._client.tls_set()
        where = f"{parts.hostname}:{parts.port or (8883 if secure else 1883)}"
        try:
            self._client.connect(parts.hostname or "", parts.port or (8883 if secure else 1883))
        except OSError as failed:
            raise BrokerAwayError(f"No broker answers at {where} ({failed}); check HOMEWARD_MQTT_URL.") from failed
        self._client.loop_start()
        self._await(lambda: self._state != "", f"The broker at {where} did not answer in {TIMEOUT_S:.0f} s.")
        if self._state != "ready":
            self.close()
            raise SetupError(f"The broker at {where} refused the account administrator: {self._state}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def add_device(self, user: str, password: str) -> None:
        """Give a device its login, or a known one a new password."""
        self.add_devices([(user, password)])

    def add_devices(self, logins: Iterable[tuple[str, str]]) -> None:
        """Give many devices their logins; the access file lets each use the topics of its own name."""
        self._add([(user, password, None) for user, password in logins])

    def add_service(self, user: str, password: str, role: str = SERVICE_ROLE) -> None:
        """Give a service its login: ingest's hears every device and sends receipts."""
        rules = {"rolename": role, "acls": access_rules(role)}
        if self._send([{"command": "createRole", **rules}], EXISTS):
            self._send([{"command": "modifyRole", **rules}], "")  # it may be of an earlier version
        self._add([(user, password, role)])

    def add_display(self, user: str, password: str, topic: str) -> None:
        """Give a display on a wall its login: it hears one topic."""
        role = f"{DISPLAY_ROLE}-{user}"
        rules = [
            {"acltype": kind, "topic": topic, "priority": 0, "allow": True}
            for kind in ("publishClientReceive", "subscribeLiteral")
        ]
        if self._send([{"command": "createRole", "rolename": role, "acls": rules}], EXISTS):
            self._send([{"command": "modifyRole", "rolename": role, "acls": rules}], "")
        self._add([(user, password, role)])

    def add_hub(self, user: str, password: str, topics: Sequence[str]) -> None:
        """Give a hub its login: beside its own topics it may use those of the devices it speaks for."""
        self._add([(user, password, self.allow_hub(user, topics))])

    def allow_hub(self, user: str, topics: Sequence[str]) -> str:
        """Say on which topics a hub may publish for its devices, in place of what was said before; give its role."""
        role = f"homeward-hub-{user}"
        senders = [topic.rpartition("/")[0] for topic in topics]
        rules = [
            {"acltype": "publishClientSend", "topic": f"{sender}/{stream}", "priority": 0, "allow": True}
            for sender in senders
            for stream in Stream
        ]
        receipts = [f"{sender}/receipts" for sender in senders]
        rules += [{"acltype": "publishClientReceive", "topic": t, "priority": 0, "allow": True} for t in receipts]
        if self._send([{"command": "createRole", "rolename": role, "acls": rules}], EXISTS):
            self._send([{"command": "modifyRole", "rolename": role, "acls": rules}], "")
        return role

    def is_managed(self, within_s: float = 3.0) -> bool:
        """Tell whether this broker has the plug-in; one without it takes the question and never answers."""
        key = uuid.uuid4().hex
        question = {"commands": [{"command": "getDefaultACLAccess", "correlationData": key}]}
        self._client.publish(REQUESTS, json.dumps(question), qos=1)
        with self._changed:
            return self._changed.wait_for(partial(self._has_answered, {key}), within_s)

    def remove(self, user: str) -> None:
        """Take a login away; its connection ends at once. One that is not there is no error."""
        self._send([{"command": "deleteClient", "username": user}], "not found")

    def _add(self, logins: list[tuple[str, str, str | None]]) -> None:
        commands: list[dict[str, Any]] = []
        for user, password, role in logins:
            roles = {"roles": [{"rolename": role}]} if role else {}
            commands.append({"command": "createClient", "username": user, "password": password, **roles})
        known = self._send(commands, EXISTS)
        self._send([{**command, "command": "modifyClient"} for command in known], "")

    def _send(self, commands: list[dict[str, Any]], tolerated: str) -> list[dict[str, Any]]:
        """Send commands, wait for every answer, and return those refused with the tolerated complaint."""
        ids = [uuid.uuid4().hex for _ in commands]
        numbered = [{**command, "correlationData": key} for command, key in zip(commands, ids, strict=True)]
        for first in range(0, len(numbered), COMMANDS_PER_MESSAGE):
            batch = numbered[first : first + COMMANDS_PER_MESSAGE]
            self._client.publish(REQUESTS, json.dumps({"commands": batch}), qos=1)
            awaited = {command["correlationData"] for command in batch}
            self._await(partial(self._has_answered, awaited), "The broker's dynamic security plug-in did not answer.")
        refused = []
        for command, key in zip(commands, ids, strict=True):
            complaint = self._answers.pop(key)
            if complaint and tolerated and tolerated in complaint.lower():
                refused.append(command)
            elif complaint:
                raise SetupError(f"The broker refused {command['command']}: {complaint}.")
        return refused

    def _has_answered(self, keys: set[str]) -> bool:
        return keys <= self._answers.keys()

    def _await(self, condition: Callable[[], bool], sentence: str) -> None:
        with self._changed:
            if not self._changed.wait_for(condition, TIMEOUT_S):
                raise BrokerAwayError(sentence)

    def _tell(self, state: str) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._tell(str(reason))
        else:
            client.subscribe(ANSWERS, qos=1)

    def _on_subscribe(
        self, _client: mqtt.Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self._tell(str(reasons[0]) if reasons[0].is_failure else "ready")

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        answers = json.loads(message.payload).get("responses", [])
        with self._changed:
            for answer in answers:
                if "correlationData" in answer:
                    self._answers[answer["correlationData"]] = answer.get("error", "")
            self._changed.notify_all()
