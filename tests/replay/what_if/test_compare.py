"""What a comparison says equals a count by hand, over a synthetic bank's customers one by one."""

import csv
import random
import threading
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from deploy.policy_files import read_policy
from deploy.reports.comparison import as_csv
from deploy.settings import POLICIES
from domain.accounts.monthly_facts import MonthlyFacts, Traits
from domain.calendar import next_month
from domain.tiering.assessment import Override, Standing, assess
from domain.tiering.policy import RETAIL, TierPolicy
from replay.rollout.compare_live import Read
from replay.what_if import compare
from replay.what_if.candidates import sensitivity, what_if
from replay.what_if.columns import BadColumns, Columns, TooLarge, columns_of, load, save
from replay.what_if.compare import Comparison
from replay.what_if.snapshot import keep_columns, kept_columns
from tests.conftest import NOON
from tests.domain.accounts.months import month

History = list[tuple[str, list[MonthlyFacts]]]
REGIONS = ("Beijing", "Tianjin", None)


@pytest.fixture(scope="module")
def bank() -> History:
    """Three hundred customers over half a year, some of them without any month yet."""
    chance, found = random.Random(5), []
    for number in range(300):
        traits = Traits(
            "company" if number % 9 == 0 else "person",
            region=REGIONS[number % 3],
            born=date(1930 + number % 80, 6, 30),
        )
        months, name = [], "2026-01"
        for _ in range(0 if number % 50 == 0 else 6):
            months.append(
                month(
                    name, chance.choice([5_000, 60_000, 180_000, 400_000, 3_000_000]), traits=traits
                )
            )
            name = next_month(name)
        found.append((f"customer:{number}", months))
    return found


@pytest.fixture(scope="module")
def columns(bank: History) -> Columns:
    """The same bank in columns."""
    return columns_of(bank)


@pytest.fixture(scope="module")
def policies() -> tuple[TierPolicy, TierPolicy]:
    """The live policy, and one with a lower bound for gold and less patience."""
    live = read_policy(POLICIES / "tiers" / "bohai-retail.yaml")
    said = live.model_dump()
    said.update(version=2, misses_allowed=1)
    said["tiers"][2]["reach"]["at_least"] = 15_000_000
    return live, TierPolicy.model_validate(said)


@pytest.fixture(scope="module")
def found(columns: Columns, policies: tuple[TierPolicy, TierPolicy]) -> Comparison:
    """The comparison of the two."""
    return what_if(columns, {RETAIL: policies[0]}, [policies[1]])[0]


def standing(policy: TierPolicy, months: list[MonthlyFacts]) -> Standing:
    """By the rule, month by month."""
    state = Standing()
    for facts in months:
        state = assess(policy, state, facts)
    return state


def test_the_matrix_counts_every_customer_once(
    bank: History, policies: tuple[TierPolicy, TierPolicy], found: Comparison
) -> None:
    """From each tier to each tier, as a count by hand has it."""
    pairs = Counter(
        tuple(standing(policy, months).tier or "unassessed" for policy in policies)
        for _, months in bank
    )
    shown = {
        (row, name): count
        for row, counts in zip(found.rows, found.counts, strict=True)
        for name, count in zip(found.columns, counts, strict=True)
        if count
    }

    assert shown == pairs
    assert found.customers == sum(pairs.values()) == 300


def test_a_mover_whose_tier_was_set_by_hand_is_shown_with_it(
    bank: History, columns: Columns, policies: tuple[TierPolicy, TierPolicy]
) -> None:
    """They stay in it until its end; all others have none."""
    held = Override("diamond", "head", "known", date(2026, 12, 31))
    found: list[list[Standing]] = []
    for policy in policies:
        stood = [standing(policy, months) for _, months in bank]
        found.append([replace(each, override=held) if place % 2 else each for place, each in enumerate(stood)])  # fmt: skip  # noqa: E501
    last = np.array([len(months) - 1 for _, months in bank]) + np.asarray(columns.first[:-1])
    last = np.where(np.asarray(columns.first[1:]) > columns.first[:-1], last, -1)
    before, after = (
        Read(np.array([place(policy, each) for each in stood], dtype=np.int64), last, stood)
        for policy, stood in zip(policies, found, strict=True)
    )

    movers = compare.compare(columns, *policies, before, after).movers

    said = {each.customer: each.by_hand for each in movers}
    assert len(set(said.values())) == 2
    assert said == {
        name: "diamond until 2026-12-31" if int(name.partition(":")[2]) % 2 else None
        for name in said
    }


def place(policy: TierPolicy, stood: Standing) -> int:
    """The place of a tier among all, -1 for none."""
    rank = policy.rank(stood.tier)
    return -1 if rank is None else rank


def test_assets_are_those_at_the_end_of_the_last_month(bank: History, found: Comparison) -> None:
    """Every yuan stands in one cell."""
    assert sum(map(sum, found.assets)) == sum(
        months[-1].assets[0].closing for _, months in bank if months
    )


def test_yearly_fees_change_by_what_each_customer_pays_in_their_tier(
    bank: History, policies: tuple[TierPolicy, TierPolicy], found: Comparison
) -> None:
    """As a count by hand has it: who rises from the two lowest tiers no longer pays.

    Dollars are not set off against yuan.
    """
    paid = {
        policy.label: {tier.tier: sum(tier.service.fees.values()) for tier in policy.tiers}
        for policy in policies
    }
    old, new = (
        [paid[policy.label].get(standing(policy, months).tier or "", 0) for _, months in bank]
        for policy in policies
    )

    assert found.fees_change == sum(new) - sum(old) != 0
    assert (
        what_if(
            columns_of(bank),
            {RETAIL: policies[0]},
            [read_policy(POLICIES / "tiers" / "citi-relationship.yaml")],
        )[0].fees_change
        is None
    )


def test_who_rises_and_falls_is_counted_in_every_segment(
    bank: History, policies: tuple[TierPolicy, TierPolicy], found: Comparison
) -> None:
    """By kind, region and age band; and each customer is in one segment of each."""
    places = [
        [policy.rank(standing(policy, months).tier) or 0 for policy in policies]
        for _, months in bank
    ]

    assert found.up == sum(after > before for before, after in places) > 0
    assert found.down == sum(after < before for before, after in places) > 0
    for by in ("kind", "region", "age"):
        segments = [each for each in found.segments if each.by == by]
        assert (
            sum(each.customers for each in segments),
            sum(each.up for each in segments),
            sum(each.down for each in segments),
        ) == (300, found.up, found.down)
        assert sum(each.fees or 0 for each in segments) == found.fees_change
        moving = sum(
            amount
            for row, amounts in zip(found.rows, found.assets, strict=True)
            for name, amount in zip(found.columns, amounts, strict=True)
            if name != row
        )
        assert sum(each.assets for each in segments) == moving


def test_age_bands_are_full_years_at_the_end_of_the_last_month(
    bank: History, found: Comparison
) -> None:
    """Who was born on 30 June is a year older on 30 June."""
    ages = Counter(
        2026 - months[-1].traits.born.year
        for _, months in bank
        if months and months[-1].traits.born
    )
    shown = {each.segment: each.customers for each in found.segments if each.by == "age"}

    assert shown["65 and over"] == sum(count for age, count in ages.items() if age >= 65)
    assert shown["18 to 29"] == sum(count for age, count in ages.items() if 18 <= age <= 29)
    assert shown["unknown"] == 6


def test_every_mover_is_named_with_grounds_the_largest_first(
    bank: History, policies: tuple[TierPolicy, TierPolicy], found: Comparison
) -> None:
    """From where to where, what was seen, and what is missing for the next tier."""
    by_hand = {name: [standing(policy, months) for policy in policies] for name, months in bank}
    moved = {name for name, (before, after) in by_hand.items() if before.tier != after.tier}

    assert {mover.customer for mover in found.movers} == moved
    assert [mover.assets for mover in found.movers] == sorted(
        (mover.assets for mover in found.movers), reverse=True
    )
    for mover in found.movers:
        before, after = by_hand[mover.customer]
        assert (mover.before, mover.after) == (before.tier, after.tier)
        assert mover.seen == (after.grounds.seen if after.grounds else None)
    [gained] = {
        mover.missing
        for mover in found.movers
        if (mover.before, mover.after, mover.seen["assets"]) == ("affluent", "gold", 18_000_000)
    }
    assert gained == ("assets 18,000,000, at least 50,000,000",)


def test_between_two_ladders_nobody_rises_or_falls_but_stands_elsewhere(
    columns: Columns, policies: tuple[TierPolicy, TierPolicy]
) -> None:
    """What one bank calls gold another calls nothing; only `diamond` is known to both."""
    other = read_policy(POLICIES / "tiers" / "cmb-sunflower.yaml")
    [found] = what_if(columns, {RETAIL: policies[0]}, [other])
    from_diamond = sum(found.counts[found.rows.index("diamond")])

    assert found.up + found.down <= from_diamond
    assert found.elsewhere == 294 - from_diamond


def test_a_report_names_the_largest_and_counts_all(
    columns: Columns, policies: tuple[TierPolicy, TierPolicy], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report does not grow with the bank."""
    monkeypatch.setattr(compare, "NAMED", 3)
    [short] = what_if(columns, {RETAIL: policies[0]}, [policies[1]])

    assert len(short.movers) == 3 < short.up + short.down


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t"])
def test_no_cell_of_a_table_begins_a_formula(
    columns: Columns, policies: tuple[TierPolicy, TierPolicy], first: str
) -> None:
    """Whatever a bank calls its customers, tiers and reasons."""
    [found] = what_if(columns, {RETAIL: policies[0]}, [policies[1]])
    said = f"{first}SUM(A1)"
    spoilt = replace(found.movers[0], customer=said, before=said, why=(said,))
    [_, row] = csv.reader(as_csv([replace(found, movers=(spoilt,))]).decode().splitlines())

    assert row.count(f"'{said}") == 3
    assert not [cell for cell in row if cell.startswith(first)]


def test_assets_are_counted_without_loans_and_in_the_policys_currency(
    policies: tuple[TierPolicy, TierPolicy],
) -> None:
    """A loan is not what somebody holds, and dollars are no yuan."""
    mixed = columns_of(
        [
            ("customer:1", [month("2026-01", 100, loan=-70, wealth=5)]),
            ("customer:2", [month("2026-01", 9, currency="USD")]),
        ]
    )
    [found] = what_if(mixed, {RETAIL: policies[0]}, [policies[1]])

    assert sum(map(sum, found.assets)) == 105_00


def test_a_bank_in_its_first_month_has_nobody_to_move(
    policies: tuple[TierPolicy, TierPolicy],
) -> None:
    """Customers without a month yet are unassessed under both."""
    [found] = what_if(
        columns_of([("customer:1", []), ("customer:2", [])]), {RETAIL: policies[0]}, [policies[1]]
    )

    assert (found.counts[0][0], found.through, found.movers) == (2, None, ())


def test_what_does_not_fit_into_a_column_is_said_and_not_cut() -> None:
    """Numbers beyond any bank."""
    with pytest.raises(TooLarge, match=r"^somebody's active days do not fit into 8 bits$"):
        columns_of([("customer:1", [month("2026-01", active_days=400)])])


def test_who_has_more_than_a_column_holds_is_set_apart_and_counted(
    policies: tuple[TierPolicy, TierPolicy],
) -> None:
    """One customer stops a question for nobody else."""
    columns = columns_of(
        [
            ("customer:1", [month("2026-01", 2 * 10**13)]),
            ("customer:2", [month("2026-01", 100)]),
        ]
    )
    [found] = what_if(columns, {RETAIL: policies[0]}, [policies[1]])

    assert (found.customers, found.apart) == (1, 1)


def test_kept_columns_are_switched_at_one_blow(tmp_path: Path) -> None:
    """A reader finds the old ones or the new ones, never a mixture, never nothing.

    And who reads the old ones goes on.
    """
    banks = [
        columns_of(
            [(f"customer:{size}-{number}", [month("2026-01", size)]) for number in range(size)]
        )
        for size in (1, 50)
    ]
    keep_columns(banks[0], tmp_path, NOON)
    stop, whole = threading.Event(), list[bool]()

    def read() -> None:
        while not stop.is_set():
            found = kept_columns(tmp_path)
            assert found is not None
            whole.append(int(found.average.sum()) == len(found) * len(found) * 100)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        keep_columns(banks[number % 2], tmp_path, NOON)
    stop.set()
    reader.join()

    assert whole
    assert all(whole)


@pytest.mark.parametrize("harm", ["average.npy", "facts.json"])
def test_columns_that_are_broken_are_not_used(tmp_path: Path, harm: str) -> None:
    """A file that was cut, or one of another version."""
    save(columns_of([("customer:1", [month("2026-01", 1)])]), tmp_path / "facts", NOON)
    (tmp_path / "facts" / harm).write_bytes((tmp_path / "facts" / harm).read_bytes()[:-4])

    with pytest.raises(BadColumns, match="cannot be used"):
        load(tmp_path / "facts")


def test_nobody_moves_under_the_same_policy(
    columns: Columns, policies: tuple[TierPolicy, TierPolicy]
) -> None:
    """A rule compared with itself."""
    [same] = what_if(columns, {RETAIL: policies[0]}, [policies[0]])

    assert (same.up, same.down, same.movers) == (0, 0, ())


def test_the_digest_names_one_report(
    columns: Columns, policies: tuple[TierPolicy, TierPolicy], found: Comparison
) -> None:
    """The same question, the same digest; another one, another."""
    again, other = what_if(columns, {RETAIL: policies[0]}, [policies[1], policies[0]])

    assert again.digest == found.digest != other.digest


def test_a_curve_shows_how_many_reach_a_tier_threshold_by_threshold(
    bank: History, columns: Columns, policies: tuple[TierPolicy, TierPolicy]
) -> None:
    """Fewer and fewer, and at the present threshold as many as stand there."""
    live = policies[0]
    points = sensitivity(columns, live, "gold", [6_000_000, 20_000_000, 41_000_000]).points
    there = sum((live.rank(standing(live, months).tier) or 0) >= 2 for _, months in bank)

    assert points[0].customers > points[1].customers == there > points[2].customers


def test_a_curve_needs_a_tier_with_one_threshold(
    columns: Columns, policies: tuple[TierPolicy, TierPolicy]
) -> None:
    """The lowest tier has none, and it says so."""
    with pytest.raises(ValueError, match="no tier mass with a single threshold"):
        sensitivity(columns, policies[0], "mass", [1])


def test_movers_say_why() -> None:
    """Who rises: what the tier asks for, and what there was.

    Who falls: what is missing for the tier before; by the family, if that counts.
    """
    rule = read_policy(POLICIES / "tiers" / "hsbc-premier.yaml")
    alone = rule.model_copy(update={"policy": "alone", "scope": None})
    together = [
        ("customer:1", [month("2026-01", 300_000, wholes={"household:1": 1000})]),
        ("customer:2", [month("2026-01", 200_000, wholes={"household:1": 1000})]),
    ]
    [up] = what_if(columns_of(together), {RETAIL: alone}, [rule])
    patient = rule.model_copy(update={"policy": "patient", "misses_allowed": 2})
    strict = rule.model_copy(update={"policy": "strict", "misses_allowed": 1})
    [down] = what_if(
        columns_of([("customer:3", [month("2026-01", 600_000), month("2026-02", 400_000)])]),
        {RETAIL: patient},
        [strict],
    )

    assert [(mover.whole, mover.together, mover.why) for mover in up.movers] == [
        (
            "household:1",
            {"relationship": 50_000_000},
            ("relationship 50,000,000, at least 50,000,000",),
        )
    ] * 2
    assert [(mover.before, mover.after, mover.why) for mover in down.movers] == [
        ("premier", "personal", ("relationship 40,000,000, at least 50,000,000",))
    ]


def test_who_stands_in_a_tier_without_reaching_it_is_told_what_is_missing() -> None:
    """Patience holds gold: the reason names what gold asks for, and that it is not there."""
    rule = read_policy(POLICIES / "tiers" / "bohai-retail.yaml")
    strict, patient = (
        rule.model_copy(update={"version": misses, "misses_allowed": misses}) for misses in (1, 6)
    )
    [found] = what_if(
        columns_of([("customer:1", [month("2026-01", 300_000), month("2026-02", 1)])]),
        {RETAIL: strict},
        [patient],
    )

    assert [(mover.before, mover.after, mover.why) for mover in found.movers] == [
        ("mass", "gold", ("assets 100, at least 20,000,000",))
    ]
