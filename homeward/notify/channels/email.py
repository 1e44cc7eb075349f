"""How does a message go by e-mail? One SMTP dialogue a message, with TLS and a login where the setting has them."""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from functools import cached_property
from urllib.parse import parse_qs, unquote, urlsplit

from homeward.notify.failure import DeliveryError
from homeward.notify.message import Message

TIMEOUT_S = 15.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in: ``smtp://user:password@host:587?from=homeward@trust.example``, or ``smtps://…``."""

    host: str
    port: int
    secure: bool
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What certificates are checked against; made once, since reading them takes tens of milliseconds."""
        return ssl.create_default_context()

    @classmethod
    def of(cls, url: str) -> MailServer:
        """Read the setting, which was checked when it was loaded."""
        parts = urlsplit(url)
        secure, user = parts.scheme == "smtps", unquote(parts.username or "")
        host = parts.hostname or ""
        sender = parse_qs(parts.query).get("from", [user if "@" in user else f"homeward@{host}"])[0]
        return cls(host, parts.port or (465 if secure else 587), secure, user, unquote(parts.password or ""), sender)


def send(server: MailServer, address: str, message: Message) -> None:
    """Hand a message to the mail server."""
    mail = _mail(server, address, message)
    try:
        with _connect(server) as smtp:
            if server.user:
                smtp.login(server.user, server.password)
            smtp.send_message(mail, from_addr=server.sender, to_addrs=[address])
    except smtplib.SMTPRecipientsRefused as exc:
        code = next(iter(exc.recipients.values()))[0]
        raise DeliveryError(f"the mail server refused the address ({code})", permanent=code >= 500) from exc
    except smtplib.SMTPAuthenticationError as exc:
        raise DeliveryError(f"the mail server refused our sign-in ({exc.smtp_code})") from exc
    except smtplib.SMTPResponseException as exc:
        refused = isinstance(exc, smtplib.SMTPDataError) and exc.smtp_code >= 500
        raise DeliveryError(f"the mail server answered {exc.smtp_code}", permanent=refused) from exc
    except ssl.SSLError as exc:
        raise DeliveryError("the mail server's certificate or TLS cannot be used") from exc
    except (smtplib.SMTPException, OSError) as exc:
        raise DeliveryError(f"the mail server does not answer ({type(exc).__name__})") from exc


def _connect(server: MailServer) -> smtplib.SMTP:
    if server.secure:
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=server.tls)
    smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    smtp.ehlo()
    if smtp.has_extn("starttls"):
        smtp.starttls(context=server.tls)
        smtp.ehlo()
    elif server.user and server.host not in _LOOPBACK:
        smtp.close()
        raise DeliveryError("the mail server offers no TLS, and our password is not sent without it")
    return smtp


def _mail(server: MailServer, address: str, message: Message) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"Homeward <{server.sender}>"
    mail["To"] = address
    mail["Subject"] = message.subject
    mail["Date"] = formatdate(localtime=False)
    # the same in every attempt: mail servers and people's programs drop a repeat by it
    mail["Message-ID"] = f"<{message.key}@{server.sender.rpartition('@')[2] or 'homeward'}>"
    mail["X-Homeward-Key"] = message.key
    mail["Auto-Submitted"] = "auto-generated"
    if message.severity == 3:
        mail["Importance"] = "high"
    mail.set_content(message.text)
    return mail
