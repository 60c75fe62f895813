"""Months that were restated come to what they would have, had everything come in time."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.accounts.events import (
    AccountOpened,
    BalanceReported,
    ProductClosed,
    ProductOpened,
    TransactionPosted,
    TransactionReversed,
)
from domain.bank.events import DayClosed
from domain.calendar import first_day, last_day, next_month
from domain.customers.events import CreditRated
from domain.envelope import Proposed
from domain.event import Interaction
from domain.restatements.scope import Scope
from domain.tiering.events import TierOverridden
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.store import GroupShard, MemoryStore
from projections.tiering.standing import standings
from projections.views.history import History, customers_under
from replay.history.as_of import as_of
from replay.rebuild.in_memory import rebuild
from replay.restatements.one_customer import Restating
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import ShardFold
from streams.journal import Arrival, Journal, LogOffset
from tests.conftest import proposed
from tests.sizes import sized

WHO, OTHER = "customer:1", "customer:2"
MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04", "2026-05", "2026-06")
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
POLICIES_LIVE = [
    read_policy(POLICIES / "tiers" / f"{name}.yaml") for name in ("bohai-retail", "icbc-stars")
]
GROUP = customers_under(POLICIES_LIVE)
SCOPE = Scope(MONTHS[:5], reversals=True)
SEEDS = range(sized(40, 400))


def happened(chance: random.Random, number: int, month: str) -> Interaction:
    """Something that changes what a month comes to."""
    account = chance.choice(["a", "b"])
    amount = chance.choice([-1, 1]) * chance.randrange(60_000_000)
    if number == 0:
        return AccountOpened(account=account, product="p", currency="CNY", asset_class="wealth")
    kinds: list[Interaction] = [
        TransactionPosted(
            transaction="t", account=account, amount=amount, currency="CNY", kind="card"
        ),
        TransactionPosted(
            transaction="t", account=account, amount=amount, currency="CNY", kind="card"
        ),
        BalanceReported(account=account, balance=abs(amount), currency="CNY"),
        ProductOpened(product="card", reference=account),
        ProductClosed(product="card", reference=account),
        CreditRated(rating=chance.choice(["A", "B"]), agency="agency", source="credit-agency"),
        TransactionReversed(
            event="e", account=account, amount=amount, currency="CNY", posted=first_day(month)
        ),
    ]
    return chance.choice(kinds)


def histories(seed: int) -> tuple[list[list[Proposed]], list[list[Proposed]]]:
    """The same events month by month: as they came, and as they would have come in time.

    A reversal that is late comes with the business date on which it was sent.
    """
    chance = random.Random(seed)
    came: list[list[Proposed]] = [[] for _ in MONTHS]
    late: list[list[tuple[int, Proposed]]] = [[] for _ in MONTHS]
    for number in range(chance.randrange(4, 30)):
        at = chance.randrange(len(MONTHS) - 1)
        month = MONTHS[at]
        day = first_day(month) + timedelta(days=chance.randrange(28))
        data = happened(chance, number, month)
        if isinstance(data, TransactionReversed):
            day = data.posted
        delay = chance.choice([0, 0, 0, 1, 2])
        then = min(at + delay, len(MONTHS) - 1)
        event = proposed(data, f"e{number}", WHO, day)
        if then == at:
            came[at].append(event)
        else:
            late[at].append((then, event))
    in_time = [
        [*some, *(event for _, event in sorted(of_then, key=lambda each: each[0]))]
        for some, of_then in zip(came, late, strict=True)
    ]
    as_it_came = [[*some] for some in came]
    for of_then in late:
        for then, event in of_then:
            sent = event
            if isinstance(event.data, TransactionReversed) and chance.random() < 0.5:
                sent = event._replace(business_date=first_day(MONTHS[then]))
            as_it_came[then].append(sent)
    others = [
        proposed(
            TransactionPosted(
                transaction="t", account="x", amount=9_000_000, currency="CNY", kind="in"
            ),
            f"o{month}",
            OTHER,
            first_day(month),
        )
        for month in MONTHS
    ]
    by_hand = TierOverridden(tier="diamond", approver="li", reason="x", until=date(2026, 8, 1))
    set_by_hand = [proposed(by_hand, "h", WHO, date(2026, 6, 2))] if seed % 3 == 0 else []
    for both in (as_it_came, in_time):
        for place, month in enumerate(MONTHS):
            both[place].append(others[place])
            both[place] += set_by_hand if month == "2026-06" else []
            if place < len(MONTHS) - 1:
                end = last_day(month)
                both[place].append(proposed(DayClosed(date=end), f"d{month}", "shard:0", end))
    return as_it_came, in_time


class Book:
    """A journal of one shard in which some months are recorded, a month apart."""

    def __init__(self, folder: Path, months: Sequence[Sequence[Proposed]]) -> None:
        self.journal = Journal(f"sqlite://{folder}", 1)
        self.journal[0].claim()
        for place, some in enumerate(months):
            self.record(some, BEGUN + timedelta(days=31 * place))

    def record(self, events: Sequence[Proposed], at: datetime) -> None:
        """Record events in one commit."""
        shard = self.journal[0]
        offset = shard.tracked("log") + 1
        arrivals = [Arrival(offset, item, b"", event) for item, event in enumerate(events)]
        assert shard.record(arrivals, LogOffset("log", offset), at).counts.recorded == len(events)

    def states(self, stream: str = WHO, **bounds: Any) -> History | None:
        """What is known of a customer."""
        found: History | None = as_of(self.journal, GROUP, stream, **bounds)
        return found


RESTATED_AT = BEGUN + timedelta(days=31 * len(MONTHS))
DAY = date(2026, 7, 5)


def restate(book: Book, name: str = "r1", scope: Scope = SCOPE, *, back: bool = False) -> bool:
    """Restate what came late for the customer; whether anything changes."""
    restating = Restating(book.journal[0], name, scope, POLICIES_LIVE, taken_back=back)
    found = restating.outcome(WHO)
    if found is None:
        return False
    book.record([proposed(found.said, f"{name}-{back}", WHO, DAY)], RESTATED_AT)
    states = book.states()
    assert states is not None
    assert states.standings == found.after
    return True


@contextmanager
def books(seed: int) -> Iterator[tuple[Book, Book]]:
    """Both histories, recorded."""
    with TemporaryDirectory() as folder:
        came, in_time = histories(seed)
        yield Book(Path(folder) / "came", came), Book(Path(folder) / "in-time", in_time)


def seen(states: History | None) -> Any:
    """What is compared: books, rows and standings, without what was believed before."""
    if states is None:
        return None
    return states.facts.ledger, dict(states.facts.months.rows), states.standings


@pytest.mark.parametrize("seed", SEEDS)
def test_restated_months_are_those_of_a_history_that_came_in_time(seed: int) -> None:
    """Books, months and standings of every scheme; another customer keeps every byte."""
    with books(seed) as (book, in_time):
        other = book.states(OTHER)
        restate(book)

        assert seen(book.states()) == seen(in_time.states())
        assert book.states(OTHER) == other


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_taken_back_is_as_it_was(seed: int) -> None:
    """Restated and taken back, books, months and standings are what they would be without."""
    with books(seed) as (book, _):
        before = seen(book.states())
        if restate(book):
            restate(book, back=True)

        assert seen(book.states()) == before


@pytest.mark.parametrize("seed", SEEDS)
def test_two_restatements_come_to_what_one_of_both_does(seed: int) -> None:
    """One after the other; the first may be taken back by itself."""
    first, second = Scope(MONTHS[:2], reversals=True), Scope(MONTHS[2:5], reversals=True)
    with books(seed) as (one, _), books(seed) as (both, _), books(seed) as (late, _):
        restate(both)
        restate(one, "r1", first)
        restate(one, "r2", second)
        assert seen(one.states()) == seen(both.states())

        restate(late, "r2", second)
        restate(one, "r1", back=True)
        assert seen(one.states()) == seen(late.states())


@pytest.mark.parametrize("seed", SEEDS)
def test_both_clocks_answer(seed: int) -> None:
    """What is known by now of a day is as if all had come in time; what was known then stays."""
    chance = random.Random(seed)
    with books(seed) as (book, in_time), books(seed) as (untouched, _):
        restate(book)
        for _ in range(sized(12, 25)):
            day = date(2026, 1, 1) + timedelta(days=chance.randrange(180))
            at = BEGUN + timedelta(days=chance.randrange(31 * len(MONTHS)))

            now = {"occurred": day, "recorded": RESTATED_AT}
            assert seen(book.states(**now)) == seen(in_time.states(occurred=day))
            then = {"occurred": day, "recorded": at}
            assert seen(book.states(**then)) == seen(untouched.states(**then))
            assert book.states(recorded=at) == untouched.states(recorded=at)


@pytest.mark.parametrize("seed", SEEDS)
async def test_live_states_are_those_of_the_journal_through_it_all(seed: int) -> None:
    """Folded event by event, in one go, rebuilt, or asked of the journal: the same bytes."""
    with books(seed) as (book, _):
        live, late = folds(book.journal), folds(book.journal)
        await caught_up(live)
        restate(book)
        await caught_up(live)
        again = proposed(DayClosed(date=date(2026, 6, 30)), "d6", "shard:0", DAY)
        book.record([again], RESTATED_AT)
        restate(book, back=True)
        await caught_up(live)
        await caught_up(late)
        rebuilt = rebuild([fold.group for fold in live], book.journal, processes=1)

        states = book.states()
        assert states is not None
        by_group = {CUSTOMERS.name: [*states.facts], CASES.name: [states.complaints]}
        by_group |= {
            fold.group.name: [standing]
            for fold, standing in zip(live[2:], states.standings, strict=True)
        }
        for fold, other in zip(live, late, strict=True):
            place = GroupShard(0, fold.group.name)
            wanted = [
                None if state == part.initial else part.encode(state)
                for part, state in zip(fold.group.parts, by_group[fold.group.name], strict=True)
            ]
            keys = [(part.key, WHO) for part in fold.group.parts]
            for store in (fold._store, other._store, rebuilt):
                kept = await store.load(place, keys)
                assert [one.state if one else None for one in kept] == wanted


def folds(journal: Journal) -> list[ShardFold]:
    """What an agent keeps: facts, complaints, and standings in two schemes."""
    store = MemoryStore()
    of = {each.name: ShardFold(each, 0, store, journal) for each in (CUSTOMERS, CASES)}
    tiers = [
        standings(policy.label, policy, CUSTOMERS.name, CASES.name) for policy in POLICIES_LIVE
    ]
    return [*of.values(), *(DerivedFold(each, 0, store, journal, of=of) for each in tiers)]


async def caught_up(some: list[ShardFold]) -> None:
    """All have folded all that there is."""
    for fold in some:
        await fold.catch_up()


def test_nothing_is_late_where_a_month_is_open(tmp_path: Path) -> None:
    """What comes for an open month counts in it by itself."""
    came, _ = histories(1)
    book = Book(tmp_path, came[:1])
    last = next_month(MONTHS[0])

    assert not restate(book, scope=Scope((last,)))


def outcome(book: Book, scope: Scope = SCOPE) -> Proposed:
    """What a restatement would say of the customer just now."""
    found = Restating(book.journal[0], "r1", scope, POLICIES_LIVE).outcome(WHO)
    assert found is not None
    return proposed(found.said, f"word-{found.said.after}-{found.said.through}", WHO, DAY)


def end_of_june() -> Proposed:
    """The bank ends another month."""
    return proposed(DayClosed(date=date(2026, 6, 30)), "d2026-06", "shard:0", date(2026, 6, 30))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_word_that_comes_too_late_changes_nothing_and_is_said_again(seed: int) -> None:
    """A month ends, or something happens to the customer, between computing and recording."""
    with books(seed) as (book, in_time):
        if not restate_would_change(book):
            return
        restating = Restating(book.journal[0], "r1", SCOPE, POLICIES_LIVE)
        for between in (end_of_june(), moved("between", date(2026, 6, 3), 100)):
            word = outcome(book)
            book.record([between], RESTATED_AT)
            in_time.record([between], RESTATED_AT)
            before = book.states()
            book.record([word], RESTATED_AT)
            assert book.states() == before
            assert not restating.is_done(WHO)
        book.record([outcome(book)], RESTATED_AT)

        assert restating.is_done(WHO)
        assert restating.outcome(WHO) is None
        assert seen(book.states()) == seen(in_time.states())


def restate_would_change(book: Book) -> bool:
    """Whether anything came late."""
    return Restating(book.journal[0], "r1", SCOPE, POLICIES_LIVE).outcome(WHO) is not None


def moved(name: str, day: date, yuan: int, *, undoes: str = "") -> Proposed:
    """Money that came, or came back."""
    said: dict[str, Any] = {"account": "a", "amount": yuan * 100, "currency": "CNY"}
    data = (
        TransactionReversed(event=undoes, posted=day, **said)
        if undoes
        else TransactionPosted(transaction="t", kind="in", **said)
    )
    return proposed(data, name, WHO, day)


def ends(*months: str) -> list[Proposed]:
    """The bank ends months."""
    days = [last_day(month) for month in months]
    return [proposed(DayClosed(date=day), f"d{day}", "shard:0", day) for day in days]


@pytest.mark.parametrize("closes", [True, False])
def test_whoever_came_when_the_month_was_over_has_it_too(tmp_path: Path, closes: bool) -> None:
    """Also where none of their months had been closed yet."""
    late = moved("late", date(2026, 1, 5), 600_000)
    came = Book(tmp_path / "came", [ends("2026-01"), [late], ends("2026-02") if closes else []])
    then = Book(tmp_path / "then", [[late], ends("2026-01", "2026-02") if closes else []])
    if not closes:
        then.record(ends("2026-01"), RESTATED_AT)
    restate(came, scope=Scope(("2026-01",)))

    assert seen(came.states()) == seen(then.states())
    states = came.states()
    assert states is not None
    assert states.standings[0].tier == "platinum"


def test_a_reversal_stays_where_it_is_if_what_it_takes_back_is_not_moved(tmp_path: Path) -> None:
    """Else money would be missing that never came in that month."""
    late, back = (
        moved("late", date(2026, 1, 5), 100),
        moved("b", date(2026, 1, 5), 100, undoes="late"),
    )
    book = Book(tmp_path, [[moved("on", date(2026, 1, 2), 1)], ends("2026-01"), [late, back]])

    assert not restate(book, scope=Scope(("2026-01",), ids="b", reversals=True))
    assert restate(book, scope=Scope(("2026-01",), reversals=True))
    row = book.states().facts.months.rows["2026-01"]  # type: ignore[union-attr]
    assert row.assets[0].closing == 100


def test_a_word_that_says_something_else_is_found(tmp_path: Path) -> None:
    """A month that was left out, or an event that was put in its place and was not meant."""
    events = [moved("on", date(2026, 1, 2), 1), *ends("2026-01", "2026-02"), *ends("2026-03")]
    late = [moved("late", date(2026, 1, 5), 100), moved("other", date(2026, 2, 5), 100)]
    scope = Scope(("2026-01",))
    sound: list[bool | None] = []
    for number, change in enumerate(
        (
            lambda said: said,
            lambda said: said.model_copy(update={"rows": said.rows[:1]}),
            lambda said: said.model_copy(update={"placed": (*said.placed, said.after)}),
        )
    ):
        book = Book(tmp_path / str(number), [events, late])
        word = outcome(book, scope)
        book.record([word._replace(data=change(word.data))], RESTATED_AT)
        restating = Restating(book.journal[0], "r1", scope)
        [event] = restating.words()
        sound.append(restating.is_so(event))

    assert sound == [True, False, False]
