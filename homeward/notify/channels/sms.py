"""How does a text message go? Through GOV.UK Notify, as NHS bodies do, or a gateway that takes JSON."""

from __future__ import annotations

import json
import logging
from typing import Any

import requests
from notifications_python_client.errors import HTTPError, InvalidResponse
from notifications_python_client.notifications import NotificationsAPIClient

from homeward.notify.failure import DeliveryError
from homeward.notify.message import Message
from homeward.notify.outgoing import Outgoing

NOTIFY_URL = "https://api.notifications.service.gov.uk"
# its warnings repeat what the service answers, which may name a number
logging.getLogger("notifications_python_client").setLevel(logging.CRITICAL)


def send(outgoing: Outgoing, settings: dict[str, Any], secret: str, number: str, message: Message) -> None:
    """Send by the organisation's provider."""
    if settings.get("provider") == "govuk_notify":
        _by_notify(settings, secret, number, message)
    else:
        _by_gateway(outgoing, settings, secret, number, message)


def _by_notify(settings: dict[str, Any], api_key: str, number: str, message: Message) -> None:
    """Fill the organisation's template, which has the one field ``((message))``."""
    try:
        client = NotificationsAPIClient(api_key, base_url=settings.get("url") or NOTIFY_URL, timeout=10)
        client.send_sms_notification(
            number, settings["template"], personalisation={"message": message.short}, reference=message.key
        )
    except HTTPError as exc:
        status = exc.status_code
        raise DeliveryError(f"GOV.UK Notify answered {status}", permanent=status in (400, 401, 403, 404)) from exc
    except (InvalidResponse, requests.RequestException, AssertionError, ValueError) as exc:
        raise DeliveryError(f"GOV.UK Notify cannot be used ({type(exc).__name__})") from exc


def _by_gateway(outgoing: Outgoing, settings: dict[str, Any], token: str, number: str, message: Message) -> None:
    """Post number, text and key; the key is what a repeat is known by."""
    body = {"to": number, "text": message.short, "reference": message.key}
    headers = {"Idempotency-Key": message.key} | ({"Authorization": f"Bearer {token}"} if token else {})
    outgoing.post(settings["url"], json.dumps(body).encode(), headers)
