"""Numbers of people are found in what people write, whatever stands around them.

Other numbers are not.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access.redaction import CHECKS, WEIGHTS, numbers_in, without_numbers

CARD = "4111111111111111"


def identity(digits: str) -> str:
    """Seventeen digits, with their check digit."""
    return (
        digits
        + CHECKS[
            sum(weight * int(digit) for weight, digit in zip(WEIGHTS, digits, strict=True)) % 11
        ]
    )


@given(
    st.builds(
        lambda region, year, rest: f"{region}{year}{rest}",
        st.from_regex(r"[1-9][0-9]{5}", fullmatch=True),
        st.integers(1850, 2050),
        st.from_regex(r"[0-9]{7}", fullmatch=True),
    )
)
def test_every_identity_card_is_found(digits: str) -> None:
    """Between Chinese characters, before other numbers, in groups."""
    number = identity(digits)
    for text in (
        f"我的身份证{number}号",
        f"{number} 2 times",
        f"id {number[:6]} {number[6:14]} {number[14:]}.",
    ):
        assert number[:6] not in without_numbers(text)
        assert next(numbers_in(text)).kind == "identity-card"


@pytest.mark.parametrize(
    "text",
    [
        "13800138000 2 times",
        "13800138000 8号",
        "+86 138-0013-8000",
        "8613800138000",
        "13800138000".translate({0x30 + digit: 0xFF10 + digit for digit in range(10)}),
        "电话13800138000",
    ],
)
def test_phones_are_found_whatever_follows(text: str) -> None:
    """Blanks and digits behind them, full-width digits, the country's number."""
    assert [found.kind for found in numbers_in(text)] == ["phone"]
    assert "0013" not in without_numbers(text)


@pytest.mark.parametrize(
    "text", [CARD, "4111 1111 1111 1111", f"{CARD} 10 yuan", "4111-1111-1111-1111"]
)
def test_bank_cards_are_found_by_their_check_digit(text: str) -> None:
    """And one digit off is none."""
    assert [found.kind for found in numbers_in(text)] == ["bank-card"]
    assert list(numbers_in(text.replace("1", "2", 1))) == []


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-25T10:15:00Z",
        "1048576 events",
        "12345678901234567890123",
        "a13800138000b",
        "amount 1,234,567,890.00",
        "11010519491231002x1",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    """Times, counts, amounts, names of things."""
    assert without_numbers(text) == text
