"""Which ways to the outside does this notifier have, and how does one message take one of them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from homeward.notify.channels import email, sms, team, webhook
from homeward.notify.channels.email import MailServer
from homeward.notify.channels.wall import Wall
from homeward.notify.failure import DeliveryError
from homeward.notify.message import Message
from homeward.notify.outgoing import Outgoing
from schemas import telephone
from schemas.sealed import SealError, unseal


@dataclass(frozen=True)
class Outside:
    """What an installation's settings say of the outside."""

    public_url: str = ""
    smtp_url: str | None = None
    networks: Sequence[str] = ()
    mqtt_url: str | None = None
    mqtt_user: str = ""
    mqtt_password: str = ""


class Ways:
    """All of them, opened; `close` ends the connection to the broker."""

    def __init__(self, outside: Outside, private_key: bytes | None) -> None:
        self.public_url = outside.public_url.rstrip("/")
        self._mail = MailServer.of(outside.smtp_url) if outside.smtp_url else None
        self._outgoing = Outgoing.of(outside.networks)
        self._wall = Wall(outside.mqtt_url, outside.mqtt_user, outside.mqtt_password) if outside.mqtt_url else None
        self._key = private_key

    def close(self) -> None:
        """Let go of the broker."""
        if self._wall is not None:
            self._wall.close()

    def open(self, sealed: bytes | None) -> str:
        """Open a secret of a channel; there may be none."""
        if sealed is None:
            return ""
        if self._key is None:
            raise DeliveryError("its secret is sealed for a key that this notifier has not got", permanent=True)
        try:
            return unseal(self._key, bytes(sealed))
        except SealError as exc:
            raise DeliveryError("its secret cannot be opened; enter it again", permanent=True) from exc

    def send(self, delivery: dict[str, Any], message: Message, now: datetime) -> None:
        """Send a message by the way that its row names; raises `DeliveryError`."""
        kind, settings = delivery["kind"], delivery["settings"] or {}
        if delivery["retired_at"] is not None:
            raise DeliveryError("the channel is no longer in use", permanent=True)
        if kind == "email":
            if self._mail is None:
                raise DeliveryError("no mail server is set; set HOMEWARD_SMTP_URL")
            email.send(self._mail, self._address(delivery), message)
        elif kind == "sms":
            if not settings:
                raise DeliveryError("no way for text messages is set up", permanent=True)
            sms.send(self._outgoing, settings, self.open(delivery["channel_sealed"]), self._address(delivery), message)
        elif kind == "webhook":
            webhook.send(self._outgoing, settings["url"], self.open(delivery["channel_sealed"]), message, now)
        elif kind == "apprise":
            team.send(self._outgoing, self.open(delivery["channel_sealed"]), message)
        else:
            if self._wall is None:
                raise DeliveryError("no broker is set; set HOMEWARD_MQTT_URL")
            self._wall.send(message)

    @property
    def kinds(self) -> list[str]:
        """Which ways the installation's own settings open, for those who ask whether anybody can be reached."""
        opened = {"email": self._mail is not None, "wall": self._wall is not None}
        return [kind for kind, is_open in opened.items() if is_open]

    def displays(self, sites: Sequence[int]) -> dict[int, bool]:
        """Say at which sites a display is connected; raises `DeliveryError` where nobody can say."""
        if self._wall is None:
            raise DeliveryError("no broker is set; set HOMEWARD_MQTT_URL")
        return self._wall.heard(sites)

    def _address(self, delivery: dict[str, Any]) -> str:
        address = str(delivery["contact"] or delivery["address"])
        if not address:
            raise DeliveryError("the address was removed", permanent=True)
        # a ladder or a contact may be older than the one form of numbers
        return telephone.read_or_leave(address) if delivery["kind"] == "sms" else address
