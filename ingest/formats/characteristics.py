"""What do the bytes of a Bluetooth characteristic say?

The layouts are those of the Bluetooth SIG's GATT Specification Supplement, numbers those of IEEE 11073-20601: a
mantissa and a power of ten, with five words that are no numbers. Every flag is heeded: a record that is shorter or
longer than its flags announce is refused whole, because then nothing in it is where it seems to be.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingest.formats.json_document import Refused
from schemas.observation import Flag
from schemas.quarantine import Reason
from schemas.units import to_catalogue_unit
from schemas.vital_signs import BY_NAME

_SPECIAL_32 = {0x007FFFFF: "not a number", 0x00800000: "not at this resolution", 0x007FFFFE: "infinite",
               0x00800002: "minus infinite", 0x00800001: "reserved"}  # fmt: skip
_SPECIAL_16 = {0x07FF: "not a number", 0x0800: "not at this resolution", 0x07FE: "infinite",
               0x0802: "minus infinite", 0x0801: "reserved"}  # fmt: skip
_NOBODY = 0xFF


@dataclass
class Record:
    """What one record said.

    Attributes
    ----------
    values : dict of vital sign → value in the catalogue's unit
    refusals : list of Refused
        One for each value that it has the place of and does not give.
    local : datetime or None
        What the device's own clock showed.
    clock_unset : bool
        Whether it says that its clock is not to be believed.
    user : int or None
    flags : Flag
    """

    values: dict[str, float] = field(default_factory=dict)
    refusals: list[Refused] = field(default_factory=list)
    local: datetime | None = None
    clock_unset: bool = False
    user: int | None = None
    flags: Flag = field(default_factory=lambda: Flag(0))

    def measured(self, vital: str, value: float | str, unit: str) -> None:
        """Note a value, or the word that stands in its place."""
        if isinstance(value, str):
            self.refusals.append(Refused(Reason.NO_VALUE, f"value: {vital} is {value}; take the measurement again"))
        else:
            self.values[vital] = to_catalogue_unit(BY_NAME[vital], value, unit)

    def unusable(self, why: str, reason: Reason = Reason.NO_VALUE) -> None:
        """Refuse every value: the device itself says that they are not to be used."""
        self.refusals += [Refused(reason, f"value: {vital}: {why}") for vital in self.values]
        self.values = {}


class _Bytes:
    """A record's bytes, taken from the front."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def number(self, form: str, what: str) -> int:
        """Take a little-endian integer of ``struct``'s form."""
        size = struct.calcsize(f"<{form}")
        part = self._content[self._at : self._at + size]
        if len(part) < size:
            raise Refused(Reason.MALFORMED, f"value: ends after {len(self._content)} bytes, before {what}")
        self._at += size
        found: int = struct.unpack(f"<{form}", part)[0]
        return found

    def flags(self, known: int) -> int:
        """Take the flags of a record; one that is not defined may announce anything."""
        flags = self.number("B", "its flags")
        if flags & ~known:
            raise Refused(
                Reason.WRONG_TYPE, f"value: flags 0x{flags:02X} are not defined; expected within 0x{known:02X}"
            )
        return flags

    def sfloat(self, what: str) -> float | str:
        """Take a 16-bit number: 4 bits of exponent and 12 of mantissa, both signed."""
        word = self.number("H", what)
        return _SPECIAL_16.get(word) or _power(_signed(word & 0xFFF, 12), _signed(word >> 12, 4))

    def float32(self, what: str) -> float | str:
        """Take a 32-bit number: 8 bits of exponent and 24 of mantissa, both signed."""
        word = self.number("I", what)
        return _SPECIAL_32.get(word) or _power(_signed(word & 0xFFFFFF, 24), _signed(word >> 24, 8))

    def clock(self) -> datetime | None:
        """Take a date and time; None where the device says that it does not know it."""
        year = self.number("H", "its time")
        month, day, hour, minute, second = (self.number("B", "its time") for _ in range(5))
        if not (year and month and day):
            return None
        try:
            return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (its own clock, without a zone)
        except ValueError as wrong:
            raise Refused(Reason.WRONG_TYPE, f"value: its time is none: {wrong}") from None

    def user(self) -> int | None:
        """Take the number of a user; None where the device does not know who it was."""
        user = self.number("B", "its user")
        return None if user == _NOBODY else user

    def end(self) -> None:
        """Make sure that nothing is left."""
        left = len(self._content) - self._at
        if left:
            raise Refused(Reason.WRONG_TYPE, f"value: {left} bytes more than its flags announce")


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value


def _power(mantissa: int, exponent: int) -> float:
    # divided, not multiplied by a tenth that no computer has: 364 and -1 are 36.4 exactly as written
    return mantissa / 10**-exponent if exponent < 0 else float(mantissa * 10**exponent)


def _clock_of(record: Record, content: _Bytes) -> None:
    record.local = content.clock()
    record.clock_unset |= record.local is None


# ---------------------------------------------------------------------------------------------------- the six records


def _blood_pressure(content: _Bytes) -> Record:
    """0x2A35. The mean pressure, which a cuff computes from the others, is read past."""
    record, flags = Record(), content.flags(0x1F)
    unit = "kPa" if flags & 0x01 else "mm[Hg]"
    record.measured("bp_systolic", content.sfloat("the systolic pressure"), unit)
    record.measured("bp_diastolic", content.sfloat("the diastolic pressure"), unit)
    content.sfloat("the mean pressure")
    if flags & 0x02:
        _clock_of(record, content)
    if flags & 0x04:
        record.measured("pulse", content.sfloat("the pulse"), "/min")
    if flags & 0x08:
        record.user = content.user()
    status = content.number("H", "its status") if flags & 0x10 else 0
    for bit, flag in ((0, Flag.MOVEMENT), (1, Flag.CUFF_FIT), (2, Flag.IRREGULAR_PULSE), (5, Flag.POSITION)):
        record.flags |= flag if status >> bit & 1 else Flag(0)
    return record


_SENSOR_FAILS = {
    1: "its equipment fails", 7: "the signal has no pulse", 11: "no finger is in the sensor",
    12: "its sensor is not known", 13: "the sensor is displaced", 14: "the sensor fails", 15: "the sensor is off",
}  # fmt: skip
_SENSOR_DOUBTS = (2, 3, 4, 5, 6, 8, 10)
_MEASUREMENT_FAILS = {
    10: "it is for demonstration", 11: "it is for testing", 12: "the device is being calibrated",
    13: "no measurement is available", 15: "the measurement is invalid",
}  # fmt: skip
_MEASUREMENT_DOUBTS = (14,)


def _oximeter_status(record: Record, content: _Bytes, measurement: int, sensor: int) -> None:
    """Heed what the oximeter thinks of its own measurement; where it stands in the record is said by the bits given."""
    status = content.number("H", "the measurement's status") if measurement else 0
    low = content.number("H", "the sensor's status") if sensor else 0
    status_of_sensor = low | (content.number("B", "the sensor's status") << 16 if sensor else 0)
    for bits, fails, doubts in (
        (status, _MEASUREMENT_FAILS, _MEASUREMENT_DOUBTS),
        (status_of_sensor, _SENSOR_FAILS, _SENSOR_DOUBTS),
    ):
        for bit, why in fails.items():
            if bits >> bit & 1:
                record.unusable(f"the oximeter says that {why}")
        if any(bits >> bit & 1 for bit in doubts):
            record.flags |= Flag.POOR_SIGNAL


def _oximeter(record: Record, content: _Bytes) -> None:
    record.measured("spo2", content.sfloat("the saturation"), "%")
    record.measured("pulse", content.sfloat("the pulse"), "/min")


def _oximeter_spot(content: _Bytes) -> Record:
    """0x2A5E. The pulse amplitude index is read past."""
    record, flags = Record(), content.flags(0x1F)
    _oximeter(record, content)
    if flags & 0x01:
        _clock_of(record, content)
    _oximeter_status(record, content, flags & 0x02, flags & 0x04)
    if flags & 0x08:
        content.sfloat("the pulse amplitude")
    record.clock_unset |= bool(flags & 0x10)
    return record


def _oximeter_continuous(content: _Bytes) -> Record:
    """0x2A5F. Of the same signal averaged thrice the normal one is taken; the fast and the slow are read past."""
    record, flags = Record(), content.flags(0x1F)
    _oximeter(record, content)
    for bit in (0x01, 0x02):
        if flags & bit:
            content.sfloat("another average of the saturation")
            content.sfloat("another average of the pulse")
    _oximeter_status(record, content, flags & 0x04, flags & 0x08)
    if flags & 0x10:
        content.sfloat("the pulse amplitude")
    return record


_SKIN = {4: "finger", 8: "toe"}


def _temperature(content: _Bytes) -> Record:
    """0x2A1C."""
    record, flags = Record(), content.flags(0x07)
    record.measured("temperature", content.float32("the temperature"), "[degF]" if flags & 0x01 else "Cel")
    if flags & 0x02:
        _clock_of(record, content)
    place = content.number("B", "where it was measured") if flags & 0x04 else 0
    if place in _SKIN:
        record.unusable(f"measured at a {_SKIN[place]}, which is not the body's", Reason.UNKNOWN_VITAL_SIGN)
    return record


def _weight(content: _Bytes) -> Record:
    """0x2A9D. Body mass index and height are read past."""
    record, flags = Record(), content.flags(0x0F)
    raw = content.number("H", "the weight")
    in_pounds = bool(flags & 0x01)
    value: float | str = raw / 100 if in_pounds else raw / 200
    record.measured("weight", "not measured" if raw == 0xFFFF else value, "[lb_av]" if in_pounds else "kg")
    if flags & 0x02:
        _clock_of(record, content)
    if flags & 0x04:
        record.user = content.user()
    if flags & 0x08:
        content.number("H", "the body mass index")
        content.number("H", "the height")
    return record


_SPECIMENS = {
    3: "venous blood", 4: "venous plasma", 5: "arterial blood", 6: "arterial plasma", 9: "interstitial fluid",
    10: "control solution",
}  # fmt: skip
_METER_FAILS = {
    1: "its sensor failed", 2: "the sample was too small", 3: "the strip was put in wrongly", 4: "the strip is wrong",
    5: "the value is higher than it can say", 6: "the value is lower than it can say", 7: "it was too warm",
    8: "it was too cold", 9: "the strip was pulled out", 10: "it has a fault",
}  # fmt: skip
_METER_CLOCK = 11


def _glucose(content: _Bytes) -> Record:
    """0x2A18. Whether a meal or a drug preceded is in another characteristic and read past."""
    record, flags = Record(), content.flags(0x1F)
    content.number("H", "its number")
    _clock_of(record, content)
    if flags & 0x01:
        minutes = content.number("h", "the offset of its time")
        record.local = _moved(record.local, minutes)
    if flags & 0x02:
        _concentration(record, content, in_moles=bool(flags & 0x04))
    status = content.number("H", "the meter's status") if flags & 0x08 else 0
    for bit, why in _METER_FAILS.items():
        if status >> bit & 1:
            record.unusable(f"the meter says that {why}")
    record.clock_unset |= bool(status >> _METER_CLOCK & 1)
    return record


def _concentration(record: Record, content: _Bytes, *, in_moles: bool) -> None:
    concentration = content.sfloat("the concentration")
    if not isinstance(concentration, str):
        # 1 mol/L is 1000 mmol/L; 1 kg/L is 100,000 mg/dL
        concentration *= 1_000 if in_moles else 100_000
    record.measured("glucose", concentration, "mmol/L" if in_moles else "mg/dL")
    specimen = content.number("B", "the specimen") & 0x0F
    if specimen in _SPECIMENS:
        record.unusable(f"of {_SPECIMENS[specimen]}; expected capillary blood", Reason.UNKNOWN_VITAL_SIGN)


def _moved(local: datetime | None, minutes: int) -> datetime | None:
    try:
        return None if local is None else local + timedelta(minutes=minutes)
    except OverflowError:
        raise Refused(Reason.WRONG_TYPE, "value: its time lies beyond the calendar") from None


READERS: Mapping[str, Callable[[_Bytes], Record]] = {
    "2A18": _glucose,
    "2A1C": _temperature,
    "2A35": _blood_pressure,
    "2A5E": _oximeter_spot,
    "2A5F": _oximeter_continuous,
    "2A9D": _weight,
}


def read(characteristic: str, value: bytes) -> Record:
    """Read a record of one of the `READERS`.

    Raises
    ------
    Refused
        Where the bytes are no such record.
    """
    content = _Bytes(value)
    record = READERS[characteristic](content)
    content.end()
    if not record.values and not record.refusals:
        raise Refused(Reason.NO_VALUE, "value: has no measurement in it")
    return record
