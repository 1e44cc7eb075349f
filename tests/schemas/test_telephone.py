"""Is a telephone number kept in one form, however it is written, and what is none refused?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import telephone


@pytest.mark.parametrize(
    "written",
    ["07700 900123", "07700900123", "+44 7700 900123", "+44 (0)7700 900123", "0044 7700 900123", "(07700) 900-123",
     "+44.7700.900123", " 07700/900123 "],
)  # fmt: skip
def test_each_way_to_write_a_number_is_kept_in_one_form(written: str) -> None:
    assert telephone.read(written) == "+447700900123"


@pytest.mark.parametrize(
    "written", ["", "0", "112", "+44 7700 90012x", "+447700900123;1", "٠٧٧٠٠٩٠٠١٢٣", "+0447700900123", "7700900123"]
)
def test_what_is_no_number_is_refused_with_how_to_write_one(written: str) -> None:
    with pytest.raises(ValueError, match="write it like 07700 900123"):
        telephone.read(written)
    assert telephone.read_or_leave(written) == written


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True))
def test_what_is_kept_is_read_as_itself(kept: str) -> None:
    assert telephone.read(kept) == kept


@given(st.from_regex(r"0[1-9][0-9]{6,9}", fullmatch=True), st.integers(2, 5))
def test_a_number_of_this_country_is_the_same_with_its_code(written: str, place: int) -> None:
    kept = telephone.read(written)
    assert kept == telephone.HOME + written[1:]
    assert telephone.read(f"{written[:place]} {written[place:]}") == kept == telephone.read(f"0044{written[1:]}")
