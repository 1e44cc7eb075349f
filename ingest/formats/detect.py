"""In which format is a payload, and who reads it?

What is native is read by the native fast path before anything else is asked. Only what that does not take is looked at:
its topic, and then the fields that no other format has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.formats import bluetooth, export2garmin, fhir, json_document, native, omblepy, open_mhealth, parcel, theengs
from ingest.formats.decoded import Decoded, Rejection
from ingest.formats.json_document import Refused
from ingest.limits import LARGEST_PAYLOAD, LONGEST_DETAIL
from schemas.quarantine import Reason

NO_ZONES: Mapping[str, str] = {}


def decode(
    payload: bytes, message: int, out: Decoded, topic: str = "", sender: str = "", zones: Mapping[str, str] = NO_ZONES
) -> None:
    """Read one payload of any format into ``out``.

    Whatever the bytes are, every value ends in the columns or is counted in a rejection; nothing is raised.

    Parameters
    ----------
    payload : bytes
    message : int
        Its position among those taken together.
    out : Decoded
    topic, sender : str
        Where it came, and the device code in that.
    zones : mapping of device code → time zone
        For clocks that show local time; a device that is not in it has none.
    """
    if native.take(payload, message, out):
        return
    if len(payload) > LARGEST_PAYLOAD:
        detail = f"payload: {len(payload)} bytes; expected at most {LARGEST_PAYLOAD}, send it in several messages"
        out.rejections.append(Rejection(message, Reason.TOO_LARGE, detail))
    elif payload.startswith(parcel.MAGIC):
        _decode_parcel(payload, message, out, topic, sender, zones)
    elif omblepy.is_table(payload):
        omblepy.decode(payload, message, out, zones.get(sender))
    elif topic == export2garmin.TOPIC or export2garmin.is_line(payload):
        export2garmin.decode(payload, message, out)
    else:
        _decode_json(payload, message, out, topic, sender, zones)


def _decode_parcel(
    payload: bytes, message: int, out: Decoded, topic: str, sender: str, zones: Mapping[str, str]
) -> None:
    try:
        contents = parcel.unpack(payload)
    except Refused as refused:
        out.rejections.append(Rejection(message, refused.reason, str(refused)))
        return
    for position, content in enumerate(contents):
        known = len(out.rejections)
        if content.startswith(parcel.MAGIC):
            out.rejections.append(Rejection(message, Reason.MALFORMED, "payload: a parcel in a parcel"))
        else:
            decode(content, message, out, topic, sender, zones)
        for rejection in out.rejections[known:]:
            rejection.detail = f"({position}) {rejection.detail}"[:LONGEST_DETAIL]


def _decode_json(payload: bytes, message: int, out: Decoded, topic: str, sender: str, zones: Mapping[str, str]) -> None:
    try:
        document = json_document.read(payload)
    except Refused as refused:
        out.rejections.append(Rejection(message, refused.reason, str(refused)))
        return
    first: Any = document[0] if isinstance(document, list) and document else document
    if isinstance(document, dict) and "resourceType" in document:
        fhir.decode(document, message, out)
    elif bluetooth.is_record(first):
        bluetooth.decode(document, message, out, sender, zones)
    elif open_mhealth.is_document(first):
        open_mhealth.decode(document, message, out)
    elif theengs.is_gateway_topic(topic) or theengs.is_advertisement(document):
        theengs.decode(document, message, out, topic)
    else:
        native.read(document, message, out)
