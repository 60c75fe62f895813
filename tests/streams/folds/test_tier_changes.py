"""Every change of tier is told once: whatever the nudges do, whoever dies, under every switch.

Held to what somebody would note who looks at each customer's tier after every single event.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, timedelta
from itertools import pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.accounts.events import TransactionPosted
from domain.accounts.monthly_facts import AssetFacts
from domain.bank.events import DayClosed
from domain.calendar import days_in, ends_month, month_of
from domain.envelope import Proposed, Recorded
from domain.households.events import HouseholdJoined, WholeMonthClosed
from domain.households.membership import Sums
from domain.restatements.scope import Scope
from domain.rollout.events import RULED, SchemeSwitched
from domain.tiering.assessment import announced_on
from domain.tiering.events import TierChanged, TierOverridden, TierOverrideWithdrawn
from domain.tiering.policy import TierPolicy
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.projection import Group
from projections.store import GroupShard, MemoryStore, Store
from projections.tiering.announcing import DAY
from projections.tiering.standing import standings, steps
from projections.views.history import customers_under
from replay.history.as_of import events_of
from replay.restatements.one_customer import Restating
from streams.broker.batch import Batch
from streams.broker.routing import shard_of
from streams.folds import derived_fold
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import ShardFold
from streams.journal import Arrival, Journal, LogOffset
from tests.conftest import NOON, Dying, proposed
from tests.sizes import sized
from tests.streams.folds.test_shard_fold import recorded_batches

FIRST = date(2026, 1, 1)
DAYS = 200
KNOWN_FROM = (0, 0, 0, 0, 40, 70)
"""By customer, the day on which their first event comes; where that is late, so are all others."""
WHO = len(KNOWN_FROM)
SHARD = "shard:0"
SEEDS = range(sized(6, 100))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that finds the other behind comes back later, and not a second later."""
    monkeypatch.setattr(derived_fold, "PATIENCE", 0.0)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal of one shard."""
    return Journal(f"sqlite://{tmp_path / 'journal'}", 1)


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TierPolicy]:
    """Two versions of a rule: in the second, more is reached, less is forgiven, the household
    counts, and the lowest tier has another name.
    """
    first = POLICIES / "tiers" / "bohai-retail.yaml"
    second = tmp_path_factory.mktemp("rules") / "second.yaml"
    said = first.read_text(encoding="utf-8").replace("at_least: 20000000}", "at_least: 8000000}")
    said = said.replace("{tier: mass,", "{tier: basic,")
    said = f"{said}scope: {{of: household, take: sum}}\n"
    second.write_text(said.replace("misses_allowed: 3", "misses_allowed: 1"), encoding="utf-8")
    return {"first": read_policy(first), "second": read_policy(second)}


def history(seed: int) -> list[Proposed]:
    """Some months of a few customers, with tiers set by hand, and a switch there and back.

    Some become known late, when the month of their first event is over. The first two are a
    household, whose sums come some days after a month's end.
    """
    chance = random.Random(seed)
    switches = dict(zip(sorted(chance.sample(range(40, DAYS), 3)), range(1, 4), strict=True))
    events = [_switched(0, FIRST)]
    joined = HouseholdJoined(household="household:0", role="spouse", share_permille=1000)
    events += [proposed(joined, f"joined-{who}", f"customer:{who}", FIRST) for who in (0, 1)]
    due = [
        (day + timedelta(days=1 + chance.randrange(20)), day)
        for day in (FIRST + timedelta(days=number) for number in range(DAYS))
        if ends_month(day)
    ]
    for number in range(DAYS):
        day = FIRST + timedelta(days=number)
        for who in range(WHO):
            stream, known = f"customer:{who}", number >= KNOWN_FROM[who]
            if known and chance.random() < 0.05:
                moved = chance.choice([-1, 1]) * chance.randrange(30_000_000)
                data = TransactionPosted(
                    transaction="t", account=stream, amount=moved, currency="CNY", kind="card"
                )
                on = day - timedelta(days=25) if KNOWN_FROM[who] else day
                events.append(proposed(data, f"{number}-{who}", stream, on))
            if known and chance.random() < 0.01:
                until = day + timedelta(days=chance.randrange(60))
                by_hand = TierOverridden(
                    tier=chance.choice(["gold", "diamond", "mass"]),
                    approver="head",
                    reason="known",
                    until=until,
                )
                events.append(proposed(by_hand, f"by-hand-{number}-{who}", stream, day))
            if known and chance.random() < 0.005:
                taken = TierOverrideWithdrawn(approver="head", reason="known no more")
                events.append(proposed(taken, f"taken-{number}-{who}", stream, day))
        for _, ended in (each for each in due if each[0] == day):
            held = chance.randrange(60_000_000)
            events += [_summed(who, ended, held) for who in (0, 1)]
        if number in switches:
            events.append(_switched(switches[number], day))
        if ends_month(day) or chance.random() < 0.6:
            events.append(proposed(DayClosed(date=day), f"day-{number}", SHARD, day))
    return events


def _summed(who: int, ended: date, held: int) -> Proposed:
    """What the household came to in a month, at the day's end."""
    month = month_of(ended)
    asset = AssetFacts("deposit", "CNY", held * days_in(month), held, held, held * 90)
    total = Sums((asset,))
    said = WholeMonthClosed(whole="household:0", month=month, members=2, total=total, shared=total)
    return proposed(said, f"sum-{month}-{who}", f"customer:{who}", ended)


def _switched(number: int, day: date) -> Proposed:
    """The first begins; then they change places."""
    before, after = ("first", "second") if number % 2 else ("second", "first")
    said = SchemeSwitched(
        group=RULED, switch=number, before=before if number else after, after=after
    )
    return proposed(said, f"switch-{number}", SHARD, day)


class Heard:
    """All that was told, by name; telling it again is telling the same."""

    def __init__(self) -> None:
        self.by_name: dict[tuple[str, str], Proposed] = {}

    async def emit(self, proposed: Sequence[Proposed]) -> None:
        """Hear what follows."""
        for each in proposed:
            first = self.by_name.setdefault((each.stream, each.id), each)
            assert first.data == each.data

    def of(self, stream: str) -> list[tuple[str, str]]:
        """The changes of a customer, in order."""
        return [
            (said.before, said.after)
            for each in self.by_name.values()
            if each.stream == stream and isinstance(said := each.data, TierChanged)
        ]


Folds = list[ShardFold]


def foldings(
    policies: dict[str, TierPolicy],
    store: Store,
    journal: Journal,
    heard: Heard,
    streams: int = 500,
) -> Folds:
    """What an agent keeps: facts, complaints and both versions of standings."""
    of = {
        group.name: ShardFold(group, 0, store, journal, broadcast_streams=streams)
        for group in (CUSTOMERS, CASES)
    }
    tiers = {
        each.name: each
        for name, policy in policies.items()
        for each in (standings(name, policy, CUSTOMERS.name, CASES.name),)
    }

    def find(name: str, _event: Recorded) -> Group | None:
        return tiers[name]

    derived = [
        DerivedFold(
            group, 0, store, journal, heard.emit, broadcast_streams=streams, of=of, find=find
        )
        for group in tiers.values()
    ]
    return [*of.values(), *derived]


async def caught_up(folds: Folds, journal: Journal, store: Store) -> None:
    """All of them have all that there is."""
    places = [GroupShard(0, fold.group.name) for fold in folds]
    for _ in range(20):
        for fold in folds:
            await fold.catch_up()
        if {await store.upto(place) for place in places} == {journal[0].head()}:
            return
    raise AssertionError("they wait for each other")


def expected(
    policies: dict[str, TierPolicy], journal: Journal, stream: str
) -> list[tuple[str, str]]:
    """The changes of a customer, as somebody notes them who looks after every event.

    Where one event ends several months, after each of these.
    """
    group: Any = customers_under(policies.values())
    known = list(events_of(journal, group, stream))
    came = min((event.position for event in known if event.stream == stream), default=None)
    others = [
        event
        for event in journal[shard_of(stream, len(journal))].own()
        if known and event.position not in {each.position for each in known}
    ]
    states, turn, today, last, found = group.initial, "", date.min, "", []
    for event in sorted([*known, *others], key=attrgetter("position")):
        before = states
        if event in known:
            states = group.evolve(states, event)
        if isinstance(event.data, SchemeSwitched):
            turn = event.data.after or ""
        if isinstance(event.data, DayClosed):
            today = max(today, event.data.date + DAY)
        if not turn:
            continue
        place, policy = [*policies].index(turn), policies[turn]
        rows = states.facts.months.known_at(event)
        taken = steps(policy, before.standings[place], event, rows)
        for standing in taken if event in known else [states.standings[place]]:
            told = announced_on(policy, standing, today).tier
            if last and told != last and came is not None and event.position >= came:
                found.append((last, told))
            last = told
    return found


def the_same(policies: dict[str, TierPolicy], journal: Journal, heard: Heard) -> Iterator[str]:
    """By customer, in what way what was told is not what was to be told."""
    for who in range(WHO):
        stream = f"customer:{who}"
        told, wanted = heard.of(stream), expected(policies, journal, stream)
        if told != wanted:
            yield f"{stream}: {told}, and it was to be {wanted}"


DELIVERIES: dict[str, Callable[[list[Batch]], list[Batch]]] = {
    "in order": lambda every: every,
    "each twice": lambda every: [batch for batch in every for _ in range(2)],
    "every third lost": lambda every: [each for at, each in enumerate(every) if at % 3],
    "all at once": lambda every: every[-1:],
    "backwards": lambda every: every[::-1],
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fault", DELIVERIES)
async def test_every_change_is_told_once(
    policies: dict[str, TierPolicy], journal: Journal, fault: str, seed: int
) -> None:
    """However the batches come; and folded once more from nothing, the same is told again."""
    store, heard = MemoryStore(), Heard()
    every = recorded_batches(journal, 40, history(seed))
    folds = foldings(policies, store, journal, heard)
    for batch in DELIVERIES[fault](every):
        for fold in folds:
            await fold.advance(batch)
    await caught_up(folds, journal, store)
    assert [*the_same(policies, journal, heard)] == []

    names, lost = {*heard.by_name}, MemoryStore()
    again = foldings(policies, lost, journal, heard)
    await caught_up(again, journal, lost)
    assert {*heard.by_name} == names
    assert any(heard.of(f"customer:{who}") for who in range(WHO))


@pytest.mark.parametrize("deadly", range(1, sized(60, 400), sized(7, 1)))
async def test_whoever_dies_nothing_is_told_twice_or_not_at_all(
    policies: dict[str, TierPolicy], journal: Journal, deadly: int
) -> None:
    """Killed before any save, in the middle of a month's end or of a switch."""
    store, heard = Dying(deadly), Heard()
    for batch in recorded_batches(journal, 40, history(1)):
        for fold in foldings(policies, store, journal, heard, streams=1):
            with suppress(ConnectionError):
                await fold.advance(batch)
    store.spare()
    folds = foldings(policies, store, journal, heard, streams=2)
    await caught_up(folds, journal, store)

    assert [*the_same(policies, journal, heard)] == []


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_a_restatement_changes_is_told_once(
    policies: dict[str, TierPolicy], journal: Journal, seed: int
) -> None:
    """In the middle of it all, and taken back; folded once more, the same is told again."""
    store, heard = MemoryStore(), Heard()
    events = history(seed)
    cuts = [0, len(events) // 3, 2 * len(events) // 3, len(events)]
    for number, (start, end) in enumerate(pairwise(cuts)):
        record(journal, [*events[start:end], *([] if number else late(events[end]))])
        for fold in foldings(policies, store, journal, heard):
            await fold.catch_up()
        if number < 2:
            said = restated(policies, journal, taken_back=bool(number))
            assert said
            record(journal, said)
    await caught_up(foldings(policies, store, journal, heard), journal, store)
    assert [*the_same(policies, journal, heard)] == []

    names, lost = {*heard.by_name}, MemoryStore()
    await caught_up(foldings(policies, lost, journal, heard), journal, lost)
    assert {*heard.by_name} == names
    assert "restatement" in {
        each.data.ground for each in heard.by_name.values() if isinstance(each.data, TierChanged)
    }


def late(now: Proposed) -> list[Proposed]:
    """Much money that everybody had, and that comes when its month is over."""
    day = now.business_date.replace(day=1) - timedelta(days=20)
    return [
        proposed(
            TransactionPosted(
                transaction="t", account="late", amount=70_000_000, currency="CNY", kind="in"
            ),
            f"late-{who}",
            f"customer:{who}",
            day,
        )
        for who in range(WHO)
    ]


def record(journal: Journal, events: Sequence[Proposed]) -> None:
    """Record events in the journal's one shard."""
    shard = journal[0]
    shard.claim()
    offset = shard.tracked("log") + 1
    arrivals = [Arrival(offset, item, b"", event) for item, event in enumerate(events)]
    shard.record(arrivals, LogOffset("log", offset), NOON)


def restated(
    policies: dict[str, TierPolicy], journal: Journal, *, taken_back: bool
) -> list[Proposed]:
    """Everybody's months with what came late in its place, or without it again."""
    months = tuple(f"2026-{number:02d}" for number in range(1, 8))
    restating = Restating(
        journal[0], "r", Scope(months), list(policies.values()), taken_back=taken_back
    )
    found = [restating.outcome(f"customer:{who}") for who in range(WHO)]
    day = FIRST + timedelta(days=DAYS)
    return [
        proposed(each.said, f"r-{each.stream}-{taken_back}", each.stream, day)
        for each in found
        if each is not None
    ]
