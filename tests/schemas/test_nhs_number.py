"""Is an NHS number told from a slip of the finger?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nhs_number import check_digit, read

NUMBERS = st.text("0123456789", min_size=9, max_size=9).filter(lambda nine: check_digit(nine) is not None)


@pytest.mark.parametrize("text", ["9434765919", "943 476 5919", " 943-476-5919 "])
def test_a_number_is_read_as_people_write_it(text: str) -> None:
    # the example of the NHS Data Dictionary
    assert read(text) == "9434765919"


@given(NUMBERS, st.integers(0, 9), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(nine: str, place: int, more: int) -> None:
    number = nine + str(check_digit(nine))
    assert read(number) == number
    wrong = number[:place] + str((int(number[place]) + more) % 10) + number[place + 1 :]
    with pytest.raises(ValueError, match="last digit"):
        read(wrong)


@given(NUMBERS, st.integers(0, 8))
def test_two_digits_exchanged_are_always_found(nine: str, place: int) -> None:
    number = nine + str(check_digit(nine))
    wrong = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    if wrong != number:
        with pytest.raises(ValueError, match="last digit"):
            read(wrong)


@pytest.mark.parametrize("text", ["", "943476591", "94347659190", "943476591x", "٩٤٣٤٧٦٥٩١٩", "943\n476\0591"])
def test_what_has_not_ten_digits_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="ten digits"):
        read(text)
