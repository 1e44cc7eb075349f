"""Is it time to see to another certificate, and how is that done?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from homeward.certificates import certificates
from homeward.findings import Finding
from homeward.installation import Addresses
from homeward.local.errors import SetupError
from schemas.certificates import Certificate, Holder

_WHOSE = {
    Holder.AUTHORITY: "The authority of this installation, which hubs trust,",
    Holder.BROKER: "The broker's certificate at {}",
    Holder.PAGES: "The pages' certificate at {}",
}
_REMEDY = {
    Holder.AUTHORITY: "Move the folder broker/authority away, start anew, and give every hub its new login.",
    Holder.BROKER: "Start the installation anew, which renews a private broker's; else ask whoever runs the broker.",
    Holder.PAGES: "Renew it at the proxy that ends TLS.",
}
_NAMED = 5


def look(addresses: Addresses) -> Iterator[Finding]:
    """Say how many days each has left, and of devices' how many there are and which end first."""
    now = datetime.now(UTC)
    try:
        found = certificates(addresses)
    except (SetupError, PermissionError) as failed:
        yield Finding("certificates", "warn", str(failed))
        return
    for one in found:
        if one.holder is not Holder.DEVICE:
            words = f"{_WHOSE[one.holder].format(one.name)} {_when(one, now)}"
            remedy = _REMEDY[one.holder]
            yield _judged(soon=one.ends_soon(now), past=one.ends <= now, words=words, remedy=remedy)
    devices = sorted((c for c in found if c.holder is Holder.DEVICE), key=lambda c: c.ends)
    if devices:
        yield _of_devices(devices, now)


def _of_devices(devices: Sequence[Certificate], now: datetime) -> Finding:
    soon = [d for d in devices if d.ends_soon(now)]
    if not soon:
        words = f"{len(devices)} of devices; the first, {devices[0].name}'s, {_when(devices[0], now)}"
        return Finding("certificates", "ok", words)
    named = ", ".join(f"{d.name} ({d.days_left(now)} days)" for d in soon[:_NAMED])
    more = f" and {len(soon) - _NAMED} more" if len(soon) > _NAMED else ""
    words = f"Of {len(devices)} devices' these end soon or have ended: {named}{more}."
    return _judged(
        soon=True, past=False, words=words, remedy="`homeward device rotate CODE --certificate` gives a device another."
    )


def _judged(*, soon: bool, past: bool, words: str, remedy: str) -> Finding:
    return Finding("certificates", "fail" if past else "warn" if soon else "ok", words, remedy if soon else "")


def _when(one: Certificate, now: datetime) -> str:
    days = one.days_left(now)
    if one.ends <= now:
        return f"ended on {one.ends:%Y-%m-%d}."
    return f"ends in {days} days, on {one.ends:%Y-%m-%d}."
