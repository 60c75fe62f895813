"""A household is the sum of its members, by construction; a joint account is the sum
of its parts.
"""

from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.events import ExchangeRateFixed
from domain.accounts.exchange import Rates, fixed
from domain.accounts.ledger import Ledger, Part, opened, seen, shared, transacted
from domain.accounts.month_end import month_ended
from domain.accounts.monthly_facts import MonthlyFacts
from domain.households.membership import (
    Member,
    Membership,
    Memberships,
    Sums,
    counted_on,
    joined,
    left,
    summed,
)
from tests.domain.accounts.months import month

yuan = st.integers(min_value=-(10**9), max_value=10**9)
months = st.builds(
    lambda deposit, wealth, transactions: month(
        "2026-01", deposit, wealth=wealth, transactions=transactions, value_in={"CNY": abs(deposit)}
    ),
    yuan,
    yuan,
    st.integers(min_value=0, max_value=100),
)
permille = st.integers(min_value=0, max_value=1000)
members = st.lists(st.builds(Member, months, permille), min_size=1, max_size=6)
days = st.integers(min_value=1, max_value=31)


def assets(figures: MonthlyFacts | Sums) -> int:
    """All balances of a month, in minor units."""
    return sum(asset.average for asset in figures.assets)


@given(members)
def test_the_whole_is_the_sum_of_its_members(each: list[Member]) -> None:
    """Assets, transactions, values."""
    whole = summed(each)

    assert assets(whole) == sum(assets(member.facts) for member in each)
    assert whole.transactions == sum(member.facts.transactions for member in each)
    assert whole.value_in.get("CNY", 0) == sum(member.facts.value_in["CNY"] for member in each)


@given(members, st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_the_members_does_not_matter(
    each: list[Member], by_share: bool, chance: object
) -> None:
    """Nobody comes first in a household."""
    shuffled = sorted(each, key=lambda _member: chance.random())  # type: ignore[attr-defined]

    assert summed(shuffled, by_share=by_share) == summed(each, by_share=by_share)


@given(members, members)
def test_shares_add_up_in_parts(some: list[Member], others: list[Member]) -> None:
    """The whole by shares is the sum of any two parts of it."""
    parts = [summed(part, by_share=True) for part in (some, others)]

    assert assets(summed([*some, *others], by_share=True)) == sum(map(assets, parts))


@given(months, permille)
def test_a_share_is_never_more_than_the_whole(facts: MonthlyFacts, share: int) -> None:
    """Rounded down, each class by itself."""
    by_share = summed([Member(facts, share)], by_share=True)

    assert all(
        part.average * 1000 <= whole.average * share
        for part, whole in zip(by_share.assets, facts.assets, strict=True)
    )


def test_who_joins_another_household_leaves_the_one_before() -> None:
    """Each counts on its own days; a company group is another matter."""
    first = joined({}, "household:1", Membership(1000, date(2026, 1, 5)))
    moved = joined(
        joined(first, "company:7", Membership(600, date(2026, 1, 6))),
        "household:2",
        Membership(500, date(2026, 3, 1)),
    )

    assert counted_on(moved, date(2026, 1, 4)) == {}
    assert counted_on(moved, date(2026, 2, 28)) == {"company:7": 600, "household:1": 1000}
    assert counted_on(moved, date(2026, 3, 1)) == {"company:7": 600, "household:2": 500}


def test_who_left_does_not_count_from_that_day_on_and_may_come_back() -> None:
    """An interval has its first day, and not its last.

    A leaving that becomes known late ends the one that it belongs to.
    """
    first = joined({}, "household:1", Membership(1000, date(2026, 1, 5)))
    gone = left(first, "household:1", date(2026, 2, 10))
    back = joined(gone, "household:1", Membership(300, date(2026, 4, 1)))
    late = left(
        joined(first, "household:1", Membership(300, date(2026, 4, 1))),
        "household:1",
        date(2026, 2, 10),
    )

    assert counted_on(gone, date(2026, 2, 9)) == {"household:1": 1000}
    assert counted_on(gone, date(2026, 2, 10)) == {}
    assert [counted_on(back, date(2026, month, 1)) for month in (1, 2, 3, 4)] == [
        {},
        {"household:1": 1000},
        {},
        {"household:1": 300},
    ]
    assert late == back


def test_of_two_that_begin_on_one_day_the_last_known_counts() -> None:
    """A mistake that is put right at once leaves nobody in two households."""
    first = joined({}, "household:1", Membership(1000, date(2026, 1, 5)))
    both = joined(
        joined(first, "household:2", Membership(1000, date(2026, 1, 5))),
        "company:7",
        Membership(600, date(2026, 1, 5)),
    )

    assert counted_on(both, date(2026, 1, 6)) == {"company:7": 600, "household:2": 1000}


def test_a_share_that_becomes_known_after_the_leaving_does_not_undo_it() -> None:
    """Half from the twentieth of January on; gone since the tenth of February."""
    gone = left(
        joined({}, "household:1", Membership(1000, date(2026, 1, 5))),
        "household:1",
        date(2026, 2, 10),
    )
    halved = joined(gone, "household:1", Membership(500, date(2026, 1, 20)))

    assert [
        counted_on(halved, date(2026, *day)) for day in ((1, 19), (1, 20), (2, 9), (2, 10))
    ] == [
        {"household:1": 1000},
        {"household:1": 500},
        {"household:1": 500},
        {},
    ]


happened = st.lists(
    st.tuples(st.sampled_from(["household:1", "household:2", "company:7"]), days, permille),
    max_size=6,
    unique_by=lambda each: each[1],
)


@given(happened, st.randoms(use_true_random=False))
def test_memberships_do_not_depend_on_the_order_in_which_they_become_known(
    each: list[tuple[str, int, int]], chance: object
) -> None:
    """Shares that change, households that follow one another.

    On every day one of a kind, the last that had begun.
    """
    shuffled = sorted(each, key=lambda _joined: chance.random())  # type: ignore[attr-defined]
    found = []
    for order in (each, shuffled):
        memberships: Memberships = {}
        for whole, day, share in order:
            memberships = joined(memberships, whole, Membership(share, date(2026, 1, day)))
        found.append([counted_on(memberships, date(2026, 1, day)) for day in range(1, 32)])

    def last(kind: str, day: int) -> dict[str, int]:
        begun = sorted(
            (on, whole, share) for whole, on, share in each if whole.startswith(kind) and on <= day
        )
        return {whole: share for _, whole, share in begun[-1:]}

    by_day = [last("household", day) | last("company", day) for day in range(1, 32)]

    assert found == [by_day, by_day]


moves = st.lists(
    st.tuples(
        st.integers(min_value=-(10**9), max_value=10**9), days, st.sampled_from(["CNY", "USD"])
    ),
    max_size=12,
)


@given(moves, st.lists(permille, max_size=3))
def test_the_parts_of_a_joint_account_add_up_to_it(
    movements: list[tuple[int, int, str]], cuts: list[int]
) -> None:
    """Whatever moves and whatever the parts.

    Balances, averages' sums and values, to the last unit, converted money too.
    """
    rates = Rates()
    for number, rate in ((1, 7_012_345), (9, 7_100_001)):
        rates = fixed(
            rates,
            ExchangeRateFixed(currency="USD", base="CNY", numerator=rate, denominator=999_983),
            f"2026-01-{number:02d}",
        )
    account = opened(seen(Ledger(), "2026-01"), "joint", "deposit", "CNY")
    account = transacted(
        account,
        [("joint", currency, amount, f"2026-01-{on:02d}") for amount, on, currency in movements],
    )

    def figures(part: Part) -> list[int]:
        [row] = month_ended(shared(account, "joint", part, "2026-01-01"), "2026-01", rates)[1]
        held = (
            [row.assets[0].balance_days, row.assets[0].closing, row.assets[0].ninety_days]
            if row.assets
            else [0, 0, 0]
        )
        return [*held, row.value_in.get("CNY", 0), row.value_out.get("CNY", 0)]

    parts = [figures(Part(*edges)) for edges in pairwise(sorted({0, 1000, *cuts}))]

    assert [sum(each) for each in zip(*parts, strict=True)] == figures(Part(0, 1000))


def test_a_part_counts_from_its_day_on() -> None:
    """Ten days whole, then half."""
    account = shared(
        transacted(seen(Ledger(), "2026-01"), [("joint", "CNY", 100, "2026-01-01")]),
        "joint",
        Part(0, 500),
        "2026-01-11",
    )
    [row] = month_ended(account, "2026-01")[1]

    assert (row.assets[0].balance_days, row.assets[0].closing) == (10 * 100 + 21 * 50, 50)


def test_a_joint_account_without_movements_or_rates_counts_by_its_part() -> None:
    """Half of a hundred and one is fifty for the one, and fifty-one for the other."""
    account = transacted(seen(Ledger(), "2026-01"), [("joint", "CNY", 101, "2026-01-01")])
    rows = [
        month_ended(shared(account, "joint", part, "2026-01-01"), "2026-01")[1][0]
        for part in (Part(0, 500), Part(500, 1000))
    ]

    assert [row.assets[0].closing for row in rows] == [50, 51]
