"""Money of another currency counts in the bank's own: each day at its rate, exactly."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.events import ExchangeRateFixed
from domain.accounts.exchange import NO_RATES, Rate, Rates, fixed
from domain.accounts.ledger import Ledger, opened, seen, transacted
from domain.accounts.month_end import facts_of, month_ended
from domain.bank.events import DayClosed

JANUARY = "2026-01"


def rates(*told: tuple[str, int, int]) -> Rates:
    """Rates of the dollar, day by day."""
    found = NO_RATES
    for day, numerator, denominator in told:
        found = fixed(
            found,
            ExchangeRateFixed(
                currency="USD", base="CNY", numerator=numerator, denominator=denominator
            ),
            day,
        )
    return found


def dollars(*moves: tuple[str, int]) -> Ledger:
    """A customer with a dollar account."""
    ledger = opened(seen(Ledger(), JANUARY), "a", "deposit", "USD")
    return transacted(ledger, [("a", "USD", cents, day) for day, cents in moves])


def test_each_day_counts_at_the_rate_of_its_day() -> None:
    """Ten days at 7.00, then at 7.10; what was paid in on a day counts at that day's rate."""
    known = rates(("2026-01-01", 700, 100), ("2026-01-11", 710, 100))
    _, [row] = month_ended(dollars(("2026-01-01", 100), ("2026-01-11", 50)), JANUARY, known)
    [asset] = row.assets

    assert (asset.asset_class, asset.currency) == ("deposit", "CNY")
    assert asset.balance_days == 10 * 700 + 21 * 1065
    assert asset.closing == 1065
    assert row.value_in == {"CNY": 700 + 355}
    assert (row.transactions, row.active_days) == (2, 2)


def test_before_its_first_rate_money_counts_at_that_first_one() -> None:
    """A bank that begins to send rates in the middle of a month."""
    _, [row] = month_ended(dollars(("2026-01-01", 100)), JANUARY, rates(("2026-01-20", 7, 1)))

    assert row.assets[0].balance_days == 31 * 700


def test_without_a_rate_money_is_told_in_its_own_currency() -> None:
    """It is not lost, and no rule of the base currency counts it."""
    for known in (NO_RATES, rates(("2026-02-01", 7, 1))):
        _, [row] = month_ended(dollars(("2026-01-01", 100)), JANUARY, known)

        assert [(asset.currency, asset.closing) for asset in row.assets] == [("USD", 100)]


def test_both_currencies_of_a_customer_are_one_sum() -> None:
    """Dollars and yuan of one class."""
    both = transacted(dollars(("2026-01-01", 100)), [("b", "CNY", 1000, "2026-01-01")])
    _, [row] = month_ended(both, JANUARY, rates(("2026-01-01", 7, 1)))

    assert [(asset.currency, asset.closing) for asset in row.assets] == [("CNY", 1700)]


def test_the_open_month_is_seen_at_the_rates_of_the_last_end() -> None:
    """Where a month is heading needs no rate that is not known yet."""
    ledger, _ = month_ended(dollars(("2026-01-01", 100)), JANUARY, rates(("2026-01-01", 7, 1)))

    assert [(asset.currency, asset.closing) for asset in facts_of(ledger, "2026-02").assets] == [
        ("CNY", 700)
    ]


@pytest.mark.parametrize(("amount", "said"), [(1, 1), (-1, 0), (3, 2), (-3, -1), (0, 0)])
def test_halves_are_rounded_up(amount: int, said: int) -> None:
    """Towards plus infinity, below zero too."""
    assert Rate(1, 2).convert(amount) == said


def test_a_second_base_currency_is_not_heard() -> None:
    """One base currency per bank: the first that a rate is told in."""
    known = rates(("2026-01-01", 7, 1))
    again = fixed(
        known,
        ExchangeRateFixed(currency="USD", base="EUR", numerator=9, denominator=10),
        "2026-01-02",
    )

    assert again is known
    assert fixed(known, DayClosed(date=date(2026, 1, 1)), "2026-01-01") is known


days = st.integers(min_value=0, max_value=30).map(
    lambda number: (date(2026, 1, 1) + timedelta(days=number)).isoformat()
)
units = st.integers(min_value=1, max_value=10**6)


@given(
    st.lists(st.tuples(days, st.integers(min_value=-(10**9), max_value=10**9)), max_size=8),
    st.dictionaries(days, st.tuples(units, units), min_size=1, max_size=5),
)
def test_a_converted_month_is_the_sum_of_its_days_exactly(
    moves: list[tuple[str, int]], told: dict[str, tuple[int, int]]
) -> None:
    """As fractions would have it, rounded once a day.

    Whatever the order in which rates and movements came.
    """
    known = rates(*((day, *rate) for day, rate in told.items()))
    _, [row] = month_ended(dollars(*moves), JANUARY, known)
    balances = []
    for number in range(31):
        day = (date(2026, 1, 1) + timedelta(days=number)).isoformat()
        numerator, denominator = told[
            max((each for each in told if each <= day), default=min(told))
        ]
        exact = Fraction(
            sum(amount for when, amount in moves if when <= day) * numerator, denominator
        )
        balances.append((exact + Fraction(1, 2)).__floor__())

    assert sum(asset.balance_days for asset in row.assets) == sum(balances)
    assert sum(asset.closing for asset in row.assets) == balances[-1]
    assert month_ended(dollars(*moves[::-1]), JANUARY, known)[1] == (row,)
