"""Running balances and monthly facts, against a count of every single day."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.ledger import Ledger, closed, opened, restated, seen, transacted, undone
from domain.accounts.month_end import facts_of, month_ended
from domain.calendar import days_in, first_day, month_of

JANUARY, FEBRUARY = "2026-01", "2026-02"

amounts = st.integers(min_value=-(10**9), max_value=10**9)
days = st.integers(min_value=1, max_value=59).map(
    lambda number: date(2026, 1, 1) + timedelta(days=number - 1)
)
movements = st.lists(st.tuples(days, amounts), max_size=40)


def paid(ledger: Ledger, amount: int, day: date, currency: str = "CNY") -> Ledger:
    """The ledger after one transaction on its account."""
    return transacted(ledger, [("a", currency, amount, day.isoformat())])


def folded(history: list[tuple[date, int]], since: date = date(2026, 1, 1)) -> Ledger:
    """A ledger, there since January, after these transactions."""
    ledger = seen(Ledger(), month_of(since))
    for day, amount in history:
        ledger = paid(ledger, amount, day, "CNY")
    return ledger


def by_the_day(history: list[tuple[date, int]], month: str) -> int:
    """The sum of the end-of-day balances of a month, counted day by day."""
    every = [first_day(month) + timedelta(days=number) for number in range(days_in(month))]
    return sum(sum(amount for when, amount in history if when <= day) for day in every)


@given(movements)
def test_monthly_facts_equal_a_count_of_every_day(history: list[tuple[date, int]]) -> None:
    """The day-weighted sum is exact, in the month of a movement and in the next."""
    _, rows = month_ended(folded(history), FEBRUARY)

    assert [row.month for row in rows] == [JANUARY, FEBRUARY]
    for row in rows:
        counted = by_the_day(history, row.month)
        assert sum(asset.balance_days for asset in row.assets) == counted
        assert sum(asset.closing for asset in row.assets) == sum(
            amount
            for day, amount in history
            if day <= first_day(row.month) + timedelta(row.days - 1)
        )


@given(movements, st.sampled_from(["2026-03", "2026-04", "2026-05", "2024-03", "2024-04"]))
def test_ninety_days_equal_a_count_of_every_day(history: list[tuple[date, int]], last: str) -> None:
    """The last 90 days to a month's end, whether three months have 89, 90, 91 or 92.

    Before the first movement there was nothing.
    """
    year = int(last[:4])
    moved = [(day.replace(year=year), amount) for day, amount in history]
    _, rows = month_ended(folded(moved, date(year, 1, 1)), last)
    end = first_day(last) + timedelta(days=days_in(last) - 1)
    every = [end - timedelta(days=number) for number in range(90)]

    assert sum(asset.ninety_days for asset in rows[-1].assets) == sum(
        sum(amount for when, amount in moved if when <= day) for day in every
    )


def test_a_streak_counts_months_in_a_row_with_and_without_an_active_day() -> None:
    """Two months of business, three of silence, one of business."""
    active = [date(2026, 1, 5), date(2026, 2, 5), date(2026, 6, 5)]
    _, rows = month_ended(folded([(day, 1) for day in active]), "2026-06")

    assert [row.streak for row in rows] == [1, 2, -1, -2, -3, 1]


@given(movements)
def test_the_facts_of_an_open_month_are_those_that_its_end_brings(
    history: list[tuple[date, int]],
) -> None:
    """If nothing more moves, the month comes to what it was heading for."""
    ledger = folded(history)

    assert facts_of(ledger, JANUARY) == month_ended(ledger, JANUARY)[1][0]


@given(movements, st.randoms(use_true_random=False))
def test_the_order_of_movements_does_not_matter(
    history: list[tuple[date, int]], chance: object
) -> None:
    """A month's facts depend on what moved, not on when it became known."""
    shuffled = sorted(history, key=lambda _each: chance.random())  # type: ignore[attr-defined]

    assert month_ended(folded(history), FEBRUARY)[1] == month_ended(folded(shuffled), FEBRUARY)[1]


@given(movements)
def test_the_balance_is_the_sum_of_the_transactions(history: list[tuple[date, int]]) -> None:
    """Money neither appears nor goes."""
    ledger = folded(history)

    assert sum(account.balance for account in ledger.accounts.values()) == sum(
        amount for _, amount in history
    )


@given(movements, movements)
def test_a_late_movement_counts_from_the_first_open_day(
    history: list[tuple[date, int]], late: list[tuple[date, int]]
) -> None:
    """Facts of a closed month do not change.

    What comes late counts from the first day of the first open month.
    """
    closed, before = month_ended(folded(history), JANUARY)
    for day, amount in late:
        closed = paid(closed, amount, min(day, date(2026, 1, 31)), "CNY")
    _, [after] = month_ended(closed, FEBRUARY)
    as_if = [*history, *((date(2026, 2, 1), amount) for _, amount in late)]

    assert month_ended(folded(history), JANUARY)[1] == before
    assert sum(asset.balance_days for asset in after.assets) == by_the_day(as_if, FEBRUARY)


def test_a_month_whose_end_was_never_reported_is_closed_with_the_next() -> None:
    """A lost end of day loses no month."""
    _, rows = month_ended(folded([(date(2026, 1, 31), 3100)]), FEBRUARY)

    assert [(row.month, row.assets[0].average) for row in rows] == [
        (JANUARY, 100),
        (FEBRUARY, 3100),
    ]


def test_a_month_closes_once() -> None:
    """The same end of month, told again, gives no second row."""
    ledger, _ = month_ended(folded([]), JANUARY)

    assert month_ended(ledger, JANUARY) == (ledger, ())


def test_a_reported_balance_is_what_the_account_holds() -> None:
    """A system of record states the balance; the difference moves, and is no transaction."""
    ledger = opened(seen(Ledger(), JANUARY), "w", "wealth", "CNY")
    ledger = restated(ledger, "w", 500, "CNY", date(2026, 1, 1).isoformat())
    ledger = restated(ledger, "w", 300, "CNY", date(2026, 1, 31).isoformat())
    _, [row] = month_ended(ledger, JANUARY)

    assert (
        row.assets[0].asset_class,
        row.assets[0].closing,
        row.assets[0].balance_days,
        row.transactions,
    ) == ("wealth", 300, 30 * 500 + 300, 0)


def test_a_late_end_of_day_balance_leaves_later_money_alone() -> None:
    """The nightly file says 1000 for the 2nd; 500 came on the 3rd, in real time."""
    ledger = restated(
        folded([(date(2026, 1, 1), 900)]), "a", 1000, "CNY", date(2026, 1, 1).isoformat()
    )
    ledger = paid(ledger, 500, date(2026, 1, 3), "CNY")
    ledger = restated(ledger, "a", 1000, "CNY", date(2026, 1, 2).isoformat())

    assert ledger.accounts["a"].balance == 1500


def test_a_stated_balance_contains_the_transactions_of_its_day() -> None:
    """One that becomes known after the statement is counted, and moves nothing after that day."""
    ledger = restated(folded([]), "a", 1000, "CNY", date(2026, 1, 10).isoformat())
    ledger = paid(ledger, 300, date(2026, 1, 5), "CNY")
    _, [row] = month_ended(ledger, JANUARY)

    assert (row.assets[0].closing, row.transactions) == (1000, 1)
    assert row.assets[0].balance_days == 300 * 5 + 1000 * 22


def test_a_late_statement_of_a_day_within_a_closed_month_leaves_later_money_alone() -> None:
    """What moved after it in that month is no longer known by days, so it comes too late.

    That of the last day does not.
    """
    ledger = restated(seen(Ledger(), "2025-12"), "a", 300_000, "CNY", "2025-12-31")
    ledger, _ = month_ended(ledger, "2025-12")
    ledger, _ = month_ended(paid(ledger, 200_000, date(2026, 1, 20)), JANUARY)
    within = restated(ledger, "a", 300_000, "CNY", "2026-01-15")
    _, [february] = month_ended(within, FEBRUARY)

    assert (within.accounts["a"].balance, february.assets[0].average) == (500_000, 500_000)
    assert restated(ledger, "a", 510_000, "CNY", "2026-01-31").accounts["a"].balance == 510_000


@given(st.permutations([("stated", 10), ("stated", 31), ("paid", 5), ("paid", 20)]))
def test_each_stated_balance_holds_whatever_becomes_known_later(
    order: list[tuple[str, int]],
) -> None:
    """100 on the 10th and 100 on the 31st.

    So stood the account, whenever its movements become known.
    """
    ledger = seen(Ledger(), JANUARY)
    for what, day in order:
        ledger = (
            restated(ledger, "a", 100, "CNY", f"2026-01-{day}")
            if what == "stated"
            else paid(ledger, 3000, date(2026, 1, day))
        )
    _, [january] = month_ended(ledger, JANUARY)

    assert january.assets[0].balance_days == 5 * 3_000 + 10 * 100 + 11 * 3_100 + 100
    assert (january.assets[0].closing, january.transactions) == (100, 2)


def test_a_closed_account_is_closed_in_every_currency_and_may_be_opened_again() -> None:
    """It counts as a product while it is open."""
    ledger = closed(paid(folded([(date(2026, 1, 1), 700)]), 100, date(2026, 1, 1), "USD"), "a")
    again = opened(ledger, "a", "deposit", "CNY")

    assert [account.closed for account in ledger.accounts.values()] == [True, True]
    assert not again.accounts["a"].closed


def test_statements_out_of_order_end_with_the_latest_day() -> None:
    """The file of the 2nd after that of the 3rd."""
    ledger = restated(folded([]), "a", 700, "CNY", date(2026, 1, 3).isoformat())
    ledger = restated(ledger, "a", 400, "CNY", date(2026, 1, 2).isoformat())
    _, [row] = month_ended(ledger, JANUARY)

    assert (row.assets[0].closing, row.assets[0].balance_days) == (700, 400 + 700 * 29)


def test_an_average_is_rounded_half_up() -> None:
    """One rounding rule, exact in integers, below zero too."""
    _, [up] = month_ended(folded([(date(2026, 1, 16), 1)]), JANUARY)
    _, [down] = month_ended(folded([(date(2026, 1, 17), 1)]), JANUARY)

    assert (up.assets[0].average, down.assets[0].average) == (1, 0)


def test_money_in_a_second_currency_is_a_balance_of_its_own() -> None:
    """A hundred dollars are not a hundred yuan."""
    ledger = paid(folded([(date(2026, 1, 1), 700)]), 100, date(2026, 1, 1), "USD")
    _, [row] = month_ended(ledger, JANUARY)

    assert {asset.currency: asset.closing for asset in row.assets} == {"CNY": 700, "USD": 100}
    assert row.value_in == {"CNY": 700, "USD": 100}


def test_what_moved_before_an_account_was_known_moves_to_its_class() -> None:
    """A loan's first payment may arrive before the loan's opening.

    Nothing stays behind as a deposit.
    """
    ledger = opened(folded([(date(2026, 1, 10), -500)]), "a", "loan", "CNY")
    _, [row] = month_ended(ledger, JANUARY)

    assert {asset.asset_class: asset.closing for asset in row.assets} == {"loan": -500}
    assert ledger.accounts["a"].balance == -500


undoings = st.lists(st.tuples(days, amounts, st.integers(0, 20)), max_size=10)


@given(movements, undoings)
def test_what_was_undone_moved_money_and_counts_among_no_movements(
    history: list[tuple[date, int]], mistakes: list[tuple[date, int, int]]
) -> None:
    """The balance of every day has it from its day until it was undone; values, counts and active
    days are those of a customer to whom it never happened.
    """
    end = date(2026, 2, 28)
    mistakes = [(day, amount, min(day + timedelta(after), end)) for day, amount, after in mistakes]
    ledger = folded(history + [(day, amount) for day, amount, _ in mistakes])
    for day, amount, then in mistakes:
        ledger = undone(ledger, "a", "CNY", amount, day.isoformat(), then.isoformat())
    moved = [
        *history,
        *((day, amount) for day, amount, _ in mistakes),
        *((then, -amount) for _, amount, then in mistakes),
    ]
    [account] = ledger.accounts.values() or [None]
    for month, facts in (
        (JANUARY, facts_of(ledger, JANUARY)),
        (FEBRUARY, facts_of(ledger, FEBRUARY)),
    ):
        never = facts_of(folded(history), month)
        assert sum(each.balance_days for each in facts.assets) == by_the_day(moved, month)
        assert (facts.transactions, facts.active_days, facts.active) == (
            never.transactions,
            never.active_days,
            never.active,
        )
        assert sum(facts.value_in.values()) == sum(never.value_in.values())
        assert sum(facts.value_out.values()) == sum(never.value_out.values())
    assert account is None or account.balance == sum(amount for _, amount in moved)


def test_what_was_undone_behind_its_months_end_corrects_the_balance_alone() -> None:
    """Facts of a closed month do not change; the money goes back on the day that is said."""
    ledger, before = month_ended(folded([(date(2026, 1, 5), 500)]), JANUARY)
    ledger = undone(ledger, "a", "CNY", 500, "2026-01-05", "2026-02-03")
    _, after = month_ended(ledger, FEBRUARY)

    assert before[0].transactions == 1
    assert after[0].transactions == 0
    assert ledger.accounts["a"].balance == 0
    assert sum(each.balance_days for each in after[0].assets) == 2 * 500


def test_a_stated_balance_contains_what_was_undone_before_it() -> None:
    """As it contains what moved."""
    ledger = paid(seen(Ledger(), JANUARY), 500, date(2026, 1, 5))
    ledger = restated(ledger, "a", 90, "CNY", "2026-01-10")
    ledger = undone(ledger, "a", "CNY", 500, "2026-01-05", "2026-01-08")

    assert ledger.accounts["a"].balance == 90
    assert undone(ledger, "a", "CNY", 90, "2026-01-10", "2026-01-12").accounts["a"].balance == 0
