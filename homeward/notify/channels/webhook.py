"""How does a message go to a program? A POST that is signed as the Standard Webhooks specification says.

The signature covers id, time and body, so that a receiver knows who sent it, drops a repeat by its id, and refuses one
that somebody kept and sends again later. https://www.standardwebhooks.com
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime

from homeward.notify.message import Message
from homeward.notify.outgoing import Outgoing


def send(outgoing: Outgoing, url: str, secret: str, message: Message, now: datetime) -> None:
    """Post it once."""
    sent_at, body = str(int(now.timestamp())), message.json
    headers = {
        "webhook-id": message.key,
        "webhook-timestamp": sent_at,
        "webhook-signature": signature(secret, message.key, sent_at, body),
    }
    outgoing.post(url, body, headers)


def signature(secret: str, key: str, sent_at: str, body: bytes) -> str:
    """Sign a message: ``v1,`` and the HMAC-SHA256 of id, time and body."""
    signed = f"{key}.{sent_at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()
