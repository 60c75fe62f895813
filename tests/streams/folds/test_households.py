"""Households across shards.

Whoever works first, the sum is the same, everybody learns it once, and the tier follows.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.accounts.events import TransactionPosted
from domain.accounts.monthly_facts import MonthlyFacts
from domain.bank.events import DayClosed
from domain.calendar import days_in, last_day, next_month
from domain.customers.events import CustomerOnboarded, IdentitiesMerged
from domain.envelope import Proposed
from domain.households.events import HouseholdJoined, HouseholdLeft
from domain.households.membership import Member, summed
from domain.tiering.assessment import Standing, Waiting
from domain.tiering.policy import TierPolicy
from projections.accounts.months import MONTHS
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.households.group import CUSTOMER_GROUPS
from projections.households.totals import WHOLE, CustomerGroup
from projections.rollout.versions import Rules
from projections.store import GroupShard, MemoryStore
from projections.tiering.standing import standings, tier_under
from projections.views.history import customers_under
from replay.history.as_of import as_of
from replay.history.person import person_as_of
from replay.rebuild.digests import digests
from replay.rebuild.in_memory import rebuild
from replay.what_if.columns import columns_of
from replay.what_if.compiled import standings as compiled
from replay.what_if.snapshot import gathered
from streams.broker.routing import shard_of, spread
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import ShardFold
from streams.journal import Arrival, Journal, LogOffset
from tests.conftest import NOON, proposed
from tests.sizes import sized

SHARDS = 3
FAMILY = "household:1"
PEOPLE = ("customer:1", "customer:2", "customer:3", "customer:4", "customer:5")
PREMIER = read_policy(POLICIES / "tiers" / "hsbc-premier.yaml")
BY_SHARE = PREMIER.model_copy(
    update={
        "policy": "shares",
        "scope": PREMIER.scope and PREMIER.scope.model_copy(update={"take": "share"}),
    }
)
BY_BEST = PREMIER.model_copy(
    update={
        "policy": "best",
        "scope": PREMIER.scope and PREMIER.scope.model_copy(update={"take": "max"}),
    }
)
RULES = (PREMIER, BY_SHARE, BY_BEST)


class SmallBank:
    """A journal of a few shards and the folds over them.

    What follows from events is recorded as intake would.
    """

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.store = MemoryStore()
        self.groups = (
            CUSTOMERS,
            CASES,
            *(standings(rule.policy, rule, CUSTOMERS.name, CASES.name) for rule in RULES),
            CUSTOMER_GROUPS,
        )
        self.foldings = []
        for shard in journal:
            shard.claim()
            facts = ShardFold(
                CUSTOMERS, shard.number, self.store, journal, self.record, broadcast_streams=2
            )
            cases = ShardFold(CASES, shard.number, self.store, journal, self.record)
            of = {CUSTOMERS.name: facts, CASES.name: cases}
            derived = [
                DerivedFold(group, shard.number, self.store, journal, of=of)
                for group in self.groups[2:-1]
            ]
            self.foldings += [
                facts,
                cases,
                *derived,
                ShardFold(CUSTOMER_GROUPS, shard.number, self.store, journal, self.record),
            ]

    async def record(self, events: Iterable[Proposed]) -> None:
        """Record events in their shards."""
        for event in (copy for each in events for copy in spread(each, SHARDS)):
            shard = self.journal[shard_of(event.stream, SHARDS)]
            offset = shard.tracked("log") + 1
            shard.record([Arrival(offset, 0, b"", event)], LogOffset("log", offset), NOON)

    async def settle(self, chance: Random) -> None:
        """Let the folds work in any order until nothing follows any more."""
        heads: list[int] = []
        while heads != (heads := [shard.head() for shard in self.journal]):
            await self.work(chance)
        await self.work(chance)  # what is derived may have come before what it is derived from

    async def work(self, chance: Random) -> None:
        """Let every fold catch up once."""
        for folding in chance.sample(self.foldings, len(self.foldings)):
            await folding.catch_up()

    def whole(self, stream: str = FAMILY) -> CustomerGroup:
        """What is known of a household."""
        [kept] = asyncio.run(
            self.store.load(
                GroupShard(shard_of(stream, SHARDS), CUSTOMER_GROUPS.name), [(WHOLE.key, stream)]
            )
        )
        return WHOLE.decode(kept.state) if kept else CustomerGroup()

    def standing(self, rule: TierPolicy, stream: str) -> Standing:
        """How a customer stands."""
        part = tier_under(rule)
        [kept] = asyncio.run(
            self.store.load(
                GroupShard(
                    shard_of(stream, SHARDS),
                    standings(rule.policy, rule, CUSTOMERS.name, CASES.name).name,
                ),
                [(part.key, stream)],
            )
        )
        return part.decode(kept.state) if kept else Standing()


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[SmallBank]:
    """A bank without events."""
    journal = Journal(f"sqlite://{tmp_path}/journal", SHARDS)
    yield SmallBank(journal)
    journal.close()


def money(who: str, yuan: int, day: date) -> Proposed:
    """So many yuan on an account."""
    return proposed(
        TransactionPosted(
            transaction="t", account="a", amount=yuan * 100, currency="CNY", kind="transfer"
        ),
        f"{who}-{day}-{yuan}",
        who,
        day,
    )


def joins(who: str, day: date, share: int = 1000, family: str = FAMILY) -> Proposed:
    """Somebody joins a household."""
    return proposed(
        HouseholdJoined(household=family, role="spouse", share_permille=share),
        f"{who}-{family}-{day}",
        who,
        day,
    )


def leaves(who: str, day: date) -> Proposed:
    """Somebody leaves a household."""
    return proposed(HouseholdLeft(household=FAMILY), f"{who}-left-{day}", who, day)


def closed(month: str) -> list[Proposed]:
    """Every end of day of a month."""
    days = [last_day(month) - timedelta(days=number) for number in reversed(range(days_in(month)))]
    return [proposed(DayClosed(date=day), f"day-{day}", "bank", day) for day in days]


def run(bank: SmallBank, *parts: Sequence[Proposed], chance: Random | None = None) -> None:
    """Record events, and let all that follows from them settle."""

    async def recorded() -> None:
        for part in parts:
            await bank.record(part)
        await bank.settle(chance or Random(1))

    asyncio.run(recorded())


JANUARY = date(2026, 1, 1)


def test_a_familys_money_makes_its_members_premier(bank: SmallBank) -> None:
    """200,000 and 300,000 yuan in two shards are 500,000 together.

    Who belongs to nobody stands alone.
    """
    one, other, alone = PEOPLE[:3]
    run(
        bank,
        [
            money(one, 200_000, JANUARY),
            money(other, 300_000, JANUARY),
            money(alone, 300_000, JANUARY),
            joins(one, JANUARY),
            joins(other, JANUARY),
        ],
    )
    run(bank, closed("2026-01"))

    assert len({shard_of(who, SHARDS) for who in (one, other)}) == 2
    assert [bank.standing(PREMIER, who).tier for who in (one, other, alone)] == [
        "premier",
        "premier",
        "personal",
    ]
    grounds = bank.standing(PREMIER, one).grounds
    assert grounds is not None
    assert (grounds.whole, grounds.seen, grounds.together) == (
        FAMILY,
        {"relationship": 20_000_000},
        {"relationship": 50_000_000},
    )
    assert [bank.standing(BY_BEST, who).tier for who in (one, other)] == ["personal", "personal"]


def test_shares_count_by_share_and_the_best_member_counts_for_all(bank: SmallBank) -> None:
    """A member with 600,000 yuan, half of them the family's."""
    rich, other = PEOPLE[:2]
    run(
        bank,
        [
            money(rich, 600_000, JANUARY),
            money(other, 100_000, JANUARY),
            joins(rich, JANUARY, 500),
            joins(other, JANUARY),
        ],
        closed("2026-01"),
    )

    assert [bank.standing(rule, other).tier for rule in RULES] == ["premier", "personal", "premier"]
    assert bank.standing(BY_SHARE, rich).tier == "premier"


def test_a_member_counts_in_the_months_at_whose_end_they_belong_to_it(bank: SmallBank) -> None:
    """One joins in February and leaves in March."""
    one, other = PEOPLE[:2]
    run(
        bank,
        [money(one, 10, JANUARY), money(other, 20, JANUARY), joins(one, JANUARY)],
        closed("2026-01"),
    )
    run(
        bank,
        [joins(other, date(2026, 2, 28))],
        closed("2026-02"),
        [leaves(other, date(2026, 3, 31))],
        closed("2026-03"),
    )
    whole = bank.whole()

    assert [
        (month, sums.members, sums.total.assets[0].closing) for month, sums in whole.months.items()
    ] == [
        ("2026-01", 1, 1_000),
        ("2026-02", 2, 3_000),
        ("2026-03", 1, 1_000),
    ]
    assert [(held.since, held.until) for held in whole.members[other]] == [
        (date(2026, 2, 28), date(2026, 3, 31))
    ]


def test_a_standing_says_that_it_waits_for_the_family(bank: SmallBank) -> None:
    """As long as one shard has not closed the month, nobody in a household is assessed.

    All others are.
    """
    one, alone = PEOPLE[0], PEOPLE[2]

    async def begin() -> None:
        await bank.record(
            [
                money(one, 600_000, JANUARY),
                money(alone, 600_000, JANUARY),
                joins(one, JANUARY),
                *closed("2026-01"),
            ]
        )
        for folding in bank.foldings:
            if folding.place.shard != shard_of(PEOPLE[1], SHARDS) or folding.group is not CUSTOMERS:
                await folding.catch_up()

    asyncio.run(begin())
    waiting = bank.standing(PREMIER, one)
    run(bank)

    assert shard_of(PEOPLE[1], SHARDS) != shard_of(one, SHARDS)
    assert (waiting.tier, waiting.waiting) == (None, Waiting("2026-01"))
    assert bank.standing(PREMIER, alone).tier == "premier"
    assert (bank.standing(PREMIER, one).tier, bank.standing(PREMIER, one).waiting) == (
        "premier",
        None,
    )


def test_years_that_end_before_a_family_learns_of_the_first_month_are_assessed_in_order(
    bank: SmallBank,
) -> None:
    """History is fed faster than members hear of each other."""
    months = ["2026-01"]
    while len(months) < 14:
        months.append(next_month(months[-1]))
    one, other = PEOPLE[:2]
    run(
        bank,
        [
            money(one, 300_000, JANUARY),
            money(other, 300_000, JANUARY),
            joins(one, JANUARY),
            joins(other, JANUARY),
        ],
        *map(closed, months),
    )

    standing = bank.standing(PREMIER, one)
    assert (standing.tier, standing.through, standing.waiting) == ("premier", months[-1], None)
    assert list(bank.whole().months) == months
    assert not bank.whole().reported


def test_who_comes_late_counts_alone_in_months_that_were_summed_without_them(
    bank: SmallBank,
) -> None:
    """First heard of in February, with money and a household from January on.

    Nobody waits for a sum that never comes.
    """
    one, late = PEOPLE[:2]
    run(bank, [money(one, 400_000, JANUARY), joins(one, JANUARY)], closed("2026-01"))
    run(
        bank,
        [money(late, 200_000, date(2026, 1, 31)), joins(late, date(2026, 1, 31))],
        closed("2026-02"),
    )

    assert [_rows(bank, late)[month].wholes for month in ("2026-01", "2026-02")] == [
        {},
        {FAMILY: 1000},
    ]
    assert [(month, sums.members) for month, sums in bank.whole().months.items()] == [
        ("2026-01", 1),
        ("2026-02", 2),
    ]
    for who in (one, late):
        standing = bank.standing(PREMIER, who)
        assert (standing.tier, standing.through, standing.waiting) == ("premier", "2026-02", None)
    _check_past(bank)


def test_months_whose_ends_were_left_out_are_summed_with_the_next(bank: SmallBank) -> None:
    """January's end is told, and then April's: nobody falls because a month is missing."""
    one, other = PEOPLE[:2]
    run(
        bank,
        [
            money(one, 300_000, JANUARY),
            money(other, 300_000, JANUARY),
            joins(one, JANUARY),
            joins(other, JANUARY),
        ],
        closed("2026-01"),
        [proposed(DayClosed(date=last_day("2026-04")), "april", "bank", last_day("2026-04"))],
    )

    assert list(bank.whole().months) == ["2026-01", "2026-02", "2026-03", "2026-04"]
    assert {sums.members for sums in bank.whole().months.values()} == {2}
    assert not bank.whole().reported
    for who in (one, other):
        standing = bank.standing(PREMIER, who)
        assert (standing.tier, standing.through, standing.watch) == ("premier", "2026-04", 0)
    _check_past(bank)


@pytest.mark.parametrize("seed", range(4))
def test_a_person_counts_once_in_a_family_with_all_numbers_whoever_works_first(
    bank: SmallBank, seed: int
) -> None:
    """One of two numbers is in a household; the money of both counts, by every rule.

    The spouse is premier by it, and the person by either number; what-if counts them so too.
    """
    one, other, spouse = PEOPLE[:3]
    merged = IdentitiesMerged(other=other, reason="one passport")
    run(
        bank,
        [
            money(one, 200_000, JANUARY),
            money(other, 250_000, JANUARY),
            money(spouse, 60_000, JANUARY),
            joins(one, JANUARY, 500),
            joins(spouse, JANUARY),
            proposed(merged, "merged", one, JANUARY),
        ],
        chance=Random(seed),
    )
    run(bank, closed("2026-01"), chance=Random(seed))

    [sums] = bank.whole().months.values()
    assert (sums.members, sums.total.assets[0].closing) == (2, 51_000_000)
    assert sums.shared.assets[0].closing == 28_500_000
    assert [bank.standing(rule, spouse).tier for rule in RULES] == [
        "premier",
        "personal",
        "personal",
    ]
    columns = asyncio.run(gathered(bank.store, CUSTOMERS, CASES, SHARDS))
    for rule, found in zip(RULES, compiled(RULES, columns), strict=True):
        by_number = []
        for who in (one, other):
            then = person_as_of(bank.journal, Rules.of(rule), who)
            assert then is not None
            assert then.numbers == (one, other)
            by_number.append(then.states["tier"])
        assert by_number[0] == by_number[1] == found.standing(rule, columns, 0)


def test_an_old_months_end_told_once_more_changes_nothing(bank: SmallBank) -> None:
    """January's end comes again behind February's, under another id.

    While a family waits, and where nobody does.
    """
    one, alone = PEOPLE[0], PEOPLE[2]
    again = proposed(DayClosed(date=last_day("2026-01")), "again", "bank", last_day("2026-01"))
    run(
        bank,
        [money(one, 600_000, JANUARY), money(alone, 600_000, JANUARY), joins(one, JANUARY)],
        closed("2026-01"),
        [*closed("2026-02"), again],
    )

    assert [
        (bank.standing(PREMIER, who).through, bank.standing(PREMIER, who).waiting)
        for who in (one, alone)
    ] == [("2026-02", None)] * 2
    rebuilt = rebuild(bank.groups, bank.journal, processes=1)
    for group in bank.groups:
        assert asyncio.run(digests([group], bank.store, SHARDS)) == asyncio.run(
            digests([group], rebuilt, SHARDS)
        )


def test_a_months_end_that_is_sent_on_the_next_day_ends_that_month(bank: SmallBank) -> None:
    """The day that closed counts, not the day on which the bank said so."""
    one = PEOPLE[0]
    late = proposed(DayClosed(date=last_day("2026-01")), "late", "bank", date(2026, 2, 1))
    run(bank, [money(one, 600_000, JANUARY), joins(one, JANUARY)], [late])

    assert (bank.standing(PREMIER, one).tier, bank.standing(PREMIER, one).waiting) == (
        "premier",
        None,
    )
    assert list(bank.whole().months) == ["2026-01"]


def test_a_sum_has_the_date_of_its_month_however_late_it_is_worked_out(bank: SmallBank) -> None:
    """Six months fed at once.

    On a day in February the family is known to have been premier from February on.
    """
    one, other = PEOPLE[:2]
    months = ["2026-01"]
    while len(months) < 6:
        months.append(next_month(months[-1]))
    run(
        bank,
        [
            money(one, 300_000, JANUARY),
            money(other, 300_000, JANUARY),
            joins(one, JANUARY),
            joins(other, JANUARY),
        ],
        *map(closed, months),
    )
    past = as_of(bank.journal, customers_under([PREMIER]), one, occurred=date(2026, 2, 25))

    assert past is not None
    assert (past.standings[0].tier, past.standings[0].since, past.standings[0].through) == (
        "premier",
        date(2026, 2, 1),
        "2026-01",
    )


def test_nothing_but_amounts_and_counts_of_one_gets_into_the_stream_of_the_other(
    bank: SmallBank,
) -> None:
    """When somebody was born, where they live and what they hold is their own."""
    one, other = PEOPLE[:2]
    born = proposed(
        CustomerOnboarded(born=date(1980, 5, 1), region="Tianjin", source="branch"),
        "born",
        one,
        JANUARY,
    )
    run(
        bank,
        [
            born,
            money(one, 10, JANUARY),
            money(other, 20, JANUARY),
            joins(one, JANUARY),
            joins(other, JANUARY),
        ],
        closed("2026-01"),
    )
    stored = b"".join(
        row.state for shard in bank.journal for row in shard.read(0, 10_000) if row.stream == other
    )

    assert b"whole-month-closed" in stored
    assert b"Tianjin" not in stored
    assert b"1980" not in stored


def test_the_best_of_a_household_that_is_too_large_is_nobody_in_any_way_to_fold(
    bank: SmallBank,
) -> None:
    """Twenty-one members, of whom one is rich: live, from history, and in columns."""
    people = [f"customer:{number}" for number in range(100, 121)]
    run(
        bank,
        [
            each
            for number, who in enumerate(people)
            for each in (money(who, 600_000 if number == 0 else 1, JANUARY), joins(who, JANUARY))
        ],
        closed("2026-01"),
    )
    columns = columns_of(
        [(who, [row for _, row in sorted(_rows(bank, who).items())]) for who in people]
    )
    [found] = compiled([BY_BEST], columns)

    for customer, who in enumerate(people):
        assert found.standing(BY_BEST, columns, customer) == bank.standing(BY_BEST, who)
    assert [bank.standing(BY_BEST, who).tier for who in people[:2]] == ["premier", "personal"]


happenings = st.lists(
    st.tuples(
        st.sampled_from(PEOPLE),
        st.sampled_from(["money", "join", "share", "other", "leave"]),
        st.integers(1, 28),
        st.integers(-9, 9),
        st.booleans(),
    ),
    max_size=10,
)


def story(months: list[list[tuple[str, str, int, int, bool]]]) -> list[list[Proposed]]:
    """Three months of five people, in and out of two households.

    Some of it becomes known a month late.
    """
    parts, month = [], "2026-01"
    for number, happened in enumerate(months):
        events = []
        for index, (who, what, day, size, late) in enumerate(
            sorted(happened, key=lambda each: each[2])
        ):
            on = date(2026, max(number + 1 - late, 1), day)
            event = {
                "money": lambda who=who, on=on, size=size, index=index: money(
                    who, size * 50_000 + index, on
                ),
                "join": lambda who=who, on=on: joins(who, on),
                "share": lambda who=who, on=on: joins(who, on, 333),
                "other": lambda who=who, on=on: joins(who, on, family="household:2"),
                "leave": lambda who=who, on=on: leaves(who, on),
            }[what]()
            events.append(event._replace(id=f"{number}-{index}"))
        parts.append([*events, *closed(month)[-1:]])
        month = next_month(month)
    return parts


@settings(max_examples=sized(6, 25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(happenings, min_size=3, max_size=3), st.randoms(use_true_random=False), st.booleans()
)
def test_in_whatever_order_shards_work_the_bank_comes_to_the_same(
    months: list[list[tuple[str, str, int, int, bool]]], chance: Random, at_once: bool
) -> None:
    """Σ members = household in every month; live = rebuilt = as-of(now) = what-if.

    And another order of work ends the same.
    """
    parts = story(months)
    if at_once:
        parts = [[event for part in parts for event in part]]
    found = []
    for order in (Random(1), chance):
        with TemporaryDirectory() as folder:
            journal = Journal(f"sqlite://{folder}/journal", SHARDS)
            bank = SmallBank(journal)
            for part in parts:
                run(bank, part, chance=order)
            found.append(asyncio.run(digests([CUSTOMER_GROUPS], bank.store, SHARDS)) | _tiers(bank))
            _check_sums(bank)
            _check_past(bank)
            rebuilt = rebuild(bank.groups, journal, processes=1)
            for group in bank.groups:
                assert asyncio.run(digests([group], bank.store, SHARDS)) == asyncio.run(
                    digests([group], rebuilt, SHARDS)
                )
            journal.close()

    assert found[0] == found[1]


def _tiers(bank: SmallBank) -> dict[str, str]:
    return {
        f"{rule.policy} {who}": repr(bank.standing(rule, who)) for rule in RULES for who in PEOPLE
    }


def _rows(bank: SmallBank, who: str) -> dict[str, MonthlyFacts]:
    [kept] = asyncio.run(
        bank.store.load(GroupShard(shard_of(who, SHARDS), CUSTOMERS.name), [(MONTHS.key, who)])
    )
    return MONTHS.decode(kept.state).rows if kept else {}


def _check_sums(bank: SmallBank) -> None:
    """Every month of a household is the sum of the rows of those who counted in it.

    None is left out.
    """
    for stream in (FAMILY, "household:2"):
        rows = [row for who in PEOPLE for row in _rows(bank, who).values() if stream in row.wholes]
        whole = bank.whole(stream)
        assert {row.month for row in rows} == whole.months.keys()
        for month, sums in whole.months.items():
            members = [Member(row, row.wholes[stream]) for row in rows if row.month == month]
            assert (sums.members, sums.total, sums.shared) == (
                len(members),
                summed(members),
                summed(members, by_share=True),
            )


def _check_past(bank: SmallBank) -> None:
    """The history of each customer alone, and the columns of all, come to the live standings."""
    everybody = [(who, [row for _, row in sorted(_rows(bank, who).items())]) for who in PEOPLE]
    columns = columns_of(everybody)
    for rule, found in zip(RULES, compiled(RULES, columns), strict=True):
        for customer, who in enumerate(PEOPLE):
            live = bank.standing(rule, who)
            past = as_of(bank.journal, customers_under([rule]), who)
            assert (past.standings[0] if past else Standing()) == live
            assert found.standing(rule, columns, customer) == live
