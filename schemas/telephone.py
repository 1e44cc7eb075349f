"""How is a telephone number kept? In one form, however a person or a gateway writes it: international (ITU-T E.164)."""

from __future__ import annotations

import re

HOME = "+44"
"""The country whose numbers are written without its code."""
# country code and number: at most 15 digits; what is shorter than 8 is a short code or a slip
_E164 = re.compile(r"\+[1-9][0-9]{7,14}\Z")
_BETWEEN = re.compile(r"[\s()./-]")


def read(given: str) -> str:
    """Give a number in the form in which it is kept.

    Raises
    ------
    ValueError
        Where it is none; the message says how to write one, and does not repeat what was written.
    """
    tidy = _BETWEEN.sub("", given.replace("(0)", ""))
    if tidy.startswith("00"):
        tidy = f"+{tidy[2:]}"
    elif tidy.startswith("0"):
        tidy = f"{HOME}{tidy[1:]}"
    if not _E164.match(tidy):
        raise ValueError(
            "That is no telephone number; write it like 07700 900123, or with its country code like +44 7700 900123 "
            "(8 to 15 digits after the +)."
        )
    return tidy


def read_or_leave(stored: str) -> str:
    """Give a stored number in that form, and one that cannot be read as it stands: it was kept before this form was."""
    try:
        return read(stored)
    except ValueError:
        return stored
