"""The compiled fold is the same rule as `assess`: any policy, any history, the same bytes."""

from datetime import date
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.accounts.monthly_facts import AssetFacts, MonthlyFacts, Traits
from domain.calendar import days_in
from domain.rules.conditions import AllOf, AnyOf, AtLeast, AtMost, Condition, Holds, OneOf
from domain.rules.quantities import COUNTS, Balances, Points, Scored
from domain.tiering.assessment import Standing, assess
from domain.tiering.policy import FastTrack, LifeCycle, Tier, TierPolicy
from replay.what_if import compiled
from replay.what_if.columns import Columns, columns_of, load, month_named, month_number, save
from replay.what_if.compiled import standings
from tests.conftest import NOON

FIRST = month_number("2024-11")
money = st.one_of(
    st.integers(min_value=-(10**15), max_value=10**15), st.integers(min_value=-500, max_value=2_000)
)
small = st.integers(min_value=0, max_value=12)
classes = st.sampled_from(["deposit", "wealth", "loan"])
currencies = st.sampled_from(["CNY", "USD"])
words = st.sampled_from(["AA", "B", "north"])
assets = st.builds(
    AssetFacts, classes, currencies, money, money, money, money.map(lambda amount: amount * 90)
)
traits = st.builds(
    Traits,
    kind=st.sampled_from([None, "person", "company"]),
    rating=st.none() | words,
    industry=st.none() | words,
    region=st.none() | words,
    born=st.none() | st.dates(date(1930, 1, 1), date(2010, 1, 1)),
    holdings=st.lists(st.sampled_from(["card", "fund", "safe"]), unique=True).map(
        lambda held: tuple(sorted(held))
    ),
    open_cases=st.integers(min_value=0, max_value=1),
)


@st.composite
def months(draw: st.DrawFn) -> list[MonthlyFacts]:
    """A customer's months, in a row."""
    found = []
    tenure = draw(small)
    for number in range(draw(st.integers(min_value=0, max_value=8))):
        name = month_named(FIRST + number)
        held = {
            (asset.asset_class, asset.currency): asset
            for asset in draw(st.lists(assets, max_size=3))
        }
        moved = draw(st.dictionaries(currencies, st.tuples(small, small), max_size=2))
        came, went = (
            {currency: each[side] for currency, each in sorted(moved.items())} for side in (0, 1)
        )
        streak = draw(st.integers(min_value=-8, max_value=8))
        row = (
            tuple(held[key] for key in sorted(held)),
            draw(small),
            came,
            went,
            draw(small),
            draw(small),
            tenure + number + 1,
            streak,
            draw(traits),
        )
        found.append(MonthlyFacts(name, days_in(name), *row))
    return found


banks = st.lists(months(), min_size=1, max_size=6).map(
    lambda each: [(f"customer:{number}", months) for number, months in enumerate(each)]
)
weights = st.dictionaries(classes, st.integers(min_value=0, max_value=1000), min_size=1)
MEASURES = ("assets", "points")
quantities = st.sampled_from([*COUNTS, *MEASURES])
bounds = st.one_of(st.integers(min_value=-20, max_value=1_500), money)
atoms = st.one_of(
    st.builds(AtLeast, quantity=quantities, at_least=bounds),
    st.builds(AtMost, quantity=quantities, at_most=bounds),
    st.builds(
        OneOf,
        trait=st.sampled_from(["rating", "industry", "region"]),
        one_of=st.lists(words, min_size=1).map(tuple),
    ),
    st.builds(
        OneOf,
        trait=st.just("kind"),
        one_of=st.sampled_from([("person",), ("company",), ("person", "company")]),
    ),
    st.builds(
        OneOf,
        trait=st.just("stage"),
        one_of=st.lists(st.sampled_from(["new", "active", "dormant"]), min_size=1).map(tuple),
    ),
    st.builds(
        Holds, holds=st.lists(st.sampled_from(["card", "fund", "boat"]), min_size=1).map(tuple)
    ),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    atoms,
    lambda inner: (
        st.builds(AllOf, all_of=st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(AnyOf, any_of=st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=5,
)
overs = st.sampled_from(["month-average", "rolling-90-days", "closing"])
scores = st.lists(
    st.builds(
        Scored,
        quantity=st.sampled_from([*COUNTS, "assets"]),
        each=st.integers(1, 500),
        points=small,
        at_most=st.none() | st.integers(1, 50),
    ),
    min_size=1,
).map(tuple)
several = st.integers(min_value=1, max_value=3)


@st.composite
def policies(draw: st.DrawFn) -> TierPolicy:
    """Any policy, also one that would be refused because some tier cannot be reached.

    The rule must hold all the same.
    """
    tiers = [Tier(tier="t0", name={})]
    drops = st.sampled_from([None, "level", "one-step"])
    tiers += [
        Tier(
            tier=f"t{n}",
            name={},
            reach=draw(conditions),
            misses_allowed=draw(st.none() | several),
            drop_to=draw(drops),
        )
        for n in (1, 2, 3)
    ]
    return TierPolicy.model_construct(
        policy="p", version=1, source="s", currency="CNY", effective=date(2024, 1, 1), author="a",
        applies_to=draw(st.sampled_from(["everyone", "person", "company"])),
        measures={"assets": Balances(kind="balances", over=draw(overs), weights_percent=draw(weights)), "points": Points(kind="points", of=draw(scores))},  # noqa: E501
        tiers=tuple(tiers), scope=None, assessed_in=draw(st.sampled_from([tuple(range(1, 13)), (6, 12), (1, 3)])),  # noqa: E501
        up=draw(st.sampled_from(["at-once", "next-month"])), misses_allowed=draw(several), drop_to=draw(st.sampled_from(["level", "one-step"])),  # noqa: E501
        fast_track=draw(st.none() | st.builds(FastTrack, through_months=st.integers(1, 6), over=overs)), freeze_in_dispute=draw(st.booleans()),  # noqa: E501
        life_cycle=LifeCycle(new_through_months=draw(small), dormant_from_months=draw(several)),
    )  # fmt: skip


def by_the_rule(policy: TierPolicy, history: list[MonthlyFacts]) -> Standing:
    """The left fold that runs live."""
    standing = Standing()
    for facts in history:
        standing = assess(policy, standing, facts)
    return standing


def spelt(each: list[Standing]) -> bytes:
    """Standings as they are kept."""
    return msgspec.json.encode(each, order="deterministic")


def each_customer(columns: Columns) -> list[tuple[str, list[MonthlyFacts]]]:
    """The customers as they were."""
    rows = [range(int(first), int(last)) for first, last in pairwise(columns.first)]
    return [
        (columns.name(customer), [columns.facts(row) for row in each])
        for customer, each in enumerate(rows)
    ]


@given(banks, st.lists(policies(), min_size=1, max_size=3))
def test_the_compiled_fold_is_the_rule(
    bank: list[tuple[str, list[MonthlyFacts]]], some: list[TierPolicy]
) -> None:
    """Everybody's standing, under each policy, to the byte."""
    columns = columns_of(bank)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(compiled, "CHUNK_CUSTOMERS", 2)
        folded = standings(some, columns)
    for policy, found in zip(some, folded, strict=True):
        by_columns = [found.standing(policy, columns, customer) for customer in range(len(bank))]

        assert spelt(by_columns) == spelt([by_the_rule(policy, history) for _, history in bank])


@given(banks)
def test_columns_give_back_what_was_put_in(bank: list[tuple[str, list[MonthlyFacts]]]) -> None:
    """No fact is lost or changed on the way through the columns."""
    assert each_customer(columns_of(bank)) == bank


def test_columns_are_kept_in_files(tmp_path: Path) -> None:
    """What was saved is what is loaded, and runs the same."""
    bank = [
        (
            "customer:1",
            [MonthlyFacts("2026-01", 31, (AssetFacts("deposit", "CNY", 31, 10**9, 1, 90),))],
        )
    ]
    save(columns_of(bank), tmp_path / "facts", NOON)
    loaded: Columns = load(tmp_path / "facts")
    policy = read_policy(POLICIES / "tiers" / "cmb-sunflower.yaml")

    assert each_customer(loaded) == bank
    assert standings([policy], loaded)[0].standing(policy, loaded, 0).tier == "private"
