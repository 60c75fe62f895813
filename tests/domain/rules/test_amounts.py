"""Amounts as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.currencies import MINOR_DIGITS, as_money
from domain.rules.amounts import minor_units


@pytest.mark.parametrize(
    ("said", "currency", "minor"),
    [
        ("500_000 CNY", "CNY", 50_000_000),
        ("500,000.05 CNY", "CNY", 50_000_005),
        ("50万", "CNY", 50_000_000),
        ("50 万元", "CNY", 50_000_000),
        ("\uff15\uff10万", "CNY", 50_000_000),
        ("1.5亿", "CNY", 15_000_000_000),
        ("5000万元", "CNY", 5_000_000_000),
        ("3千万", "CNY", 3_000_000_000),
        ("-1 CNY", "CNY", -100),
        ("1,200 JPY", "JPY", 1_200),
        ("50万", "JPY", 500_000),
        ("0.007 KWD", "KWD", 7),
    ],
)
def test_an_amount_is_what_people_read(said: str, currency: str, minor: int) -> None:
    """In minor units of the currency of its file."""
    assert minor_units(said, currency) == minor


@given(st.integers(-(10**18), 10**18), st.sampled_from(["CNY", "USD", *MINOR_DIGITS]))
def test_what_is_shown_can_be_written(minor: int, currency: str) -> None:
    """Any amount, in any currency, as it is shown back."""
    assert minor_units(as_money(minor, currency), currency) == minor


LONG = "9" * 1_000_000 + "万"


@pytest.mark.parametrize(
    "said",
    [
        "",
        "CNY",
        "1,00 CNY",
        "1__000 CNY",
        "1e6 CNY",
        "9" * 1_000_000 + "万",
        "٣ CNY",
        "1.CNY",
        "万",
        "1 万 万",
        "1\n",
    ],
)
def test_what_is_no_amount_is_refused(said: str) -> None:
    """Whatever it might have meant."""
    with pytest.raises(ValueError, match=r"is no amount|has no unit"):
        minor_units(said, "CNY")
