"""Why can a message or a value not be stored, and what should a technician do about it?"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The code in ``quarantine.reason``, in receipts and in the metrics."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_DEVICE = "unknown_device"
    UNASSIGNED = "unassigned"
    NOT_PERMITTED = "not_permitted"
    UNKNOWN_VITAL_SIGN = "unknown_vital_sign"
    UNIT = "unit"
    MISSING_TIME = "missing_time"
    TIME_WITHOUT_ZONE = "time_without_zone"
    AMBIGUOUS_TIME = "ambiguous_time"
    FUTURE_TIME = "future_time"
    TOO_OLD = "too_old"
    NOT_FINAL = "not_final"
    SUMMARY = "summary"
    NO_VALUE = "no_value"
    IMPLAUSIBLE = "implausible"
    CONTRADICTORY = "contradictory"
    UNKNOWN_NUMBER = "unknown_number"
    UNREADABLE_TEXT = "unreadable_text"
    TOO_MANY = "too_many"
    NOT_KEPT = "not_kept"
    UNPROCESSABLE = "unprocessable"


REMEDY: dict[Reason, str] = {
    Reason.MALFORMED: "The message is in no known format, or broken; check the sender's software.",
    Reason.TOO_LARGE: "The message is larger than ingest accepts; send the observations in several messages.",
    Reason.WRONG_TYPE: "A field is not what its format says; compare the message with the documents of its format.",
    Reason.UNKNOWN_DEVICE: "No device has this code, or it is retired; register it, then replay.",
    Reason.UNASSIGNED: "The device belonged to nobody at that time; assign it for that time, then replay.",
    Reason.NOT_PERMITTED: "The sender may not speak for this device; make it the device's hub, or find who misuses it.",
    Reason.UNKNOWN_VITAL_SIGN: "The name is not in the catalogue of vital signs; correct it at the sender.",
    Reason.UNIT: "The unit cannot be converted to the vital sign's own; state its UCUM code at the sender.",
    Reason.MISSING_TIME: "The message has no time of observation; set the device's clock or let the hub add the time.",
    Reason.TIME_WITHOUT_ZONE: "The time has no offset from UTC, so the instant is not known; send it with one.",
    Reason.AMBIGUOUS_TIME: "The local time did not exist, or existed twice, when the clocks changed; send an instant.",
    Reason.FUTURE_TIME: "The time lies in the future; set the device's clock.",
    Reason.TOO_OLD: "The time lies further back than stored observations are taken live; import it as history.",
    Reason.NOT_FINAL: "The sender calls it preliminary, corrected, cancelled or an error; a person must look at both.",
    Reason.SUMMARY: "The value stands for a span of time, such as an average; send what was observed at one instant.",
    Reason.NO_VALUE: "The sender says that there is no value, or that it must not be used; take the observation again.",
    Reason.IMPLAUSIBLE: "No device can measure this value; check the sensor's placement and the unit.",
    Reason.CONTRADICTORY: "Two values exclude each other, or another is stored for this instant; see which is right.",
    Reason.UNKNOWN_NUMBER: "No patient has this telephone number; register it, then replay.",
    Reason.UNREADABLE_TEXT: "The text was not understood and its sender was asked; ring them, or enter it by hand.",
    Reason.TOO_MANY: "The sender had more than its share; it is kept whole, and read when there is time. Find out why.",
    Reason.NOT_KEPT: "The sender has used up what is kept of one in a day; the rest is only counted. Stop the sender.",
    Reason.UNPROCESSABLE: "Homeward itself failed on this message; report it, and replay after the next update.",
}
