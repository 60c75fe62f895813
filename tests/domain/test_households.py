"""A household is the sum of its members, by construction."""

from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from domain.facts import MonthlyFacts
from domain.households import Member, together
from tests.domain.months import month

yuan = st.integers(min_value=-(10**9), max_value=10**9)
months = st.builds(
    lambda deposit, wealth, transactions: month("2026-01", deposit, wealth=wealth, transactions=transactions, value_in={"CNY": abs(deposit)}),
    yuan,
    yuan,
    st.integers(min_value=0, max_value=100),
)
members = st.lists(st.builds(Member, months, st.integers(min_value=0, max_value=1000)), min_size=1, max_size=6)
takes = st.sampled_from(["sum", "share"])


def assets(facts: MonthlyFacts) -> int:
    """All balances of a month, in minor units."""
    return sum(asset.average for asset in facts.assets)


@given(members)
def test_the_whole_is_the_sum_of_its_members(each: list[Member]) -> None:
    """Assets, transactions, values."""
    whole = together(each[0].facts, each, "sum")

    assert assets(whole) == sum(assets(member.facts) for member in each)
    assert whole.transactions == sum(member.facts.transactions for member in each)
    assert whole.value_in.get("CNY", 0) == sum(member.facts.value_in["CNY"] for member in each)


@given(members, takes, st.randoms(use_true_random=False))
def test_the_order_of_the_members_does_not_matter(each: list[Member], take: Literal["sum", "share"], chance: object) -> None:
    """Nobody comes first in a household."""
    shuffled = sorted(each, key=lambda _member: chance.random())  # type: ignore[attr-defined]

    assert together(each[0].facts, shuffled, take) == together(each[0].facts, each, take)


@given(members, members)
def test_shares_add_up_in_parts(some: list[Member], others: list[Member]) -> None:
    """The whole by shares is the sum of any two parts of it."""
    own = some[0].facts
    parts = [together(own, part, "share") for part in (some, others)]

    assert assets(together(own, [*some, *others], "share")) == sum(map(assets, parts))


@given(months, st.integers(min_value=0, max_value=1000))
def test_a_share_is_never_more_than_the_whole(facts: MonthlyFacts, permille: int) -> None:
    """Rounded down, each class by itself."""
    shared = together(facts, [Member(facts, permille)], "share")

    assert all(part.average * 1000 <= whole.average * permille for part, whole in zip(shared.assets, facts.assets, strict=True))
