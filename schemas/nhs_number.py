"""Is this an NHS number: ten digits, of which the last follows from the nine before it?"""

from __future__ import annotations

DIGITS = 10
# NHS Data Dictionary, NHS NUMBER: weights 10 down to 2, the check digit is 11 less the remainder by 11.
_WEIGHTS = range(DIGITS, 1, -1)


def check_digit(nine: str) -> int | None:
    """Give the digit that follows nine others; ``None`` where no number begins with these."""
    digit = 11 - sum(int(d) * weight for d, weight in zip(nine, _WEIGHTS, strict=True)) % 11
    return None if digit == 10 else digit % 11


def read(text: str) -> str:
    """Read an NHS number as people write it, with spaces or dashes, and give its ten digits.

    Raises
    ------
    ValueError
        Where it is none; the message says what is wrong, without the number.
    """
    digits = "".join(text.replace("-", " ").split())
    if not (digits.isascii() and digits.isdigit()) or len(digits) != DIGITS:
        raise ValueError("An NHS number has ten digits, such as 943 476 5919.")
    if check_digit(digits[:-1]) != int(digits[-1]):
        raise ValueError("This is not an NHS number: its last digit does not follow from the others. Read it again.")
    return digits
