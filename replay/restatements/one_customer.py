"""What would a restatement do to one customer?

History is folded twice: as it came, and with late events in their place.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import msgspec

from domain.accounts.events import TransactionReversed
from domain.accounts.monthly_facts import MonthlyFacts
from domain.bank.events import DayClosed
from domain.calendar import Month
from domain.envelope import Recorded
from domain.event_types import type_key
from domain.households.membership import Told
from domain.restatements.events import MonthsRestated
from domain.restatements.scope import Scope, came_late, held, in_place, told_by
from domain.tiering.assessment import Standing
from domain.tiering.events import TierChanged
from domain.tiering.policy import TierPolicy
from projections.cases.complaints import with_disputes
from projections.projection import Group
from projections.tiering.standing import steps
from projections.views.history import History, customers_under
from replay.history.as_of import broadcasts, history
from streams.journal import Shard, part_decoder

ASSESSED = ("assessment", "household")
"""The grounds of what a month's end told."""
REVERSED = type_key(TransactionReversed)
CHUNK_ROWS = 10_000
NOTHING: Mapping[Month, Told] = MappingProxyType({})
Change = tuple[Any, Any]
"""Into which tier, and from which day on."""


class LateHead(msgspec.Struct, gc=False):
    """What the head of a stored event says of whether it came late."""

    source: str
    id: str
    business_date: str


class Outcome(NamedTuple):
    """What the months of a customer come to, and what they came to before; the events that this
    puts in their place or takes out of it; the standings in each live scheme before and after.
    """

    stream: str
    said: MonthsRestated
    was: tuple[MonthlyFacts, ...]
    moved: tuple[Recorded, ...]
    before: tuple[Standing, ...]
    after: tuple[Standing, ...]


class Restating:
    """Computes outcomes in one shard of one restatement, which may be taken back, under the live
    policies of all schemes.

    What was recorded behind the position `upto` is not put in its place, if that is said.
    """

    def __init__(
        self,
        shard: Shard,
        name: str,
        scope: Scope,
        policies: Sequence[TierPolicy] = (),
        upto: int | None = None,
        *,
        taken_back: bool = False,
    ) -> None:
        self._shard = shard
        self._name = name
        self._scope = scope
        self._policies = policies
        self._upto = upto
        self._taken_back = taken_back
        self._group: Group = customers_under(policies)

    @cached_property
    def ends(self) -> list[Recorded]:
        """The ends of months of the shard, as they concern customers."""
        return broadcasts(self._group, self._shard)

    def concerned(self) -> list[str]:
        """The customers whose months it may change, in order.

        Trap: on which day a reversal counts is sealed. So each that came behind the end of the
        first month may be late.
        """
        if self._taken_back:
            return sorted({event.stream for event in self.words()})
        named = self._scope.customers
        if named:
            return [each for each in sorted(named) if self._shard.rows(each, limit=1)]
        months = self._scope.months
        first = next((end.position for end in self.ends if _day(end)[:7] >= min(months)), 0)
        return sorted(set(self._may_be_late(first))) if first else []

    def words(self) -> Iterator[Recorded]:
        """All that was recorded of it, of customers who are not forgotten."""
        for event in self._shard.events([type_key(MonthsRestated)]):
            if isinstance(event.data, MonthsRestated) and event.data.restatement == self._name:
                yield event

    def outcome(self, stream: str, told: Mapping[Month, Told] = NOTHING) -> Outcome | None:
        """What it comes to, where households and groups came to what is `told`.

        None if nothing is late, and nothing else was told.
        """
        own = list(history(self._shard, stream))
        said = held(own, self.ends)
        known = frozenset(said[-1].placed if said else ())
        moved = self._placed_by_it(own) if self._taken_back else self._late(own, known)
        before = told_by(own, self.ends)
        if not moved and all(before.get(month) == each for month, each in told.items()):
            return None
        placed = known - moved if self._taken_back else known | moved
        return self._outcome(own, placed, moved, {**before, **told})

    def is_done(self, stream: str) -> bool:
        """Whether it holds for a customer, or was taken back there, as is wanted."""
        own = held(list(history(self._shard, stream)), self.ends)
        of_it = [each for each in own if each.restatement == self._name]
        return bool(of_it) and of_it[-1].taken_back == self._taken_back

    def rows_of(self, stream: str) -> list[MonthlyFacts]:
        """The months of a customer that it has changed, as they are and as they were."""
        own = list(history(self._shard, stream))
        months = self._folded(self._as_it_came(own)).facts.months
        versions = {
            event.version
            for event in own
            if isinstance(event.data, MonthsRestated) and event.data.restatement == self._name
        }
        of_it = [each for each in months.superseded or () if each.version in versions]
        names = {name for each in of_it for name in (*each.rows, *each.fresh)}
        now = [row for name, row in months.rows.items() if name in names]
        return [*now, *(row for each in of_it for row in each.rows.values())]

    def is_so(self, event: Recorded) -> bool | None:
        """Whether a word says what the history before it comes to; None if it does not hold."""
        own = list(history(self._shard, event.stream))
        said = cast("MonthsRestated", event.data)
        if said not in held(own, self.ends):
            return None
        before = [each for each in own if each.position < event.position]
        ends = [end for end in self.ends if end.position < event.position]
        then = self._folded(in_place(before, ends, said.placed, said.told)).facts
        rows = {row.month: row for row in said.rows}
        return (
            said.ledger == then.ledger
            and rows == {month: row for month, row in then.months.rows.items() if month in rows}
            and not {*said.gone} & then.months.rows.keys()
        )

    def _may_be_late(self, after: int) -> Iterator[str]:
        decode, scope = part_decoder(LateHead), self._scope
        while rows := self._shard.stored(after, CHUNK_ROWS, self._upto):
            for row in rows:
                if row.stream.startswith("customer:"):
                    head = decode(row.state)
                    belongs = row.event_type == REVERSED or head.business_date[:7] in scope.months
                    if belongs and scope.sent(head.source, head.id):
                        yield row.stream
            after = rows[-1].position

    def _late(self, own: Sequence[Recorded], known: Collection[int]) -> frozenset[int]:
        """The versions that are to be put in their place, and are not."""
        return frozenset(
            event.version
            for event in own
            if event.version not in known
            and (self._upto is None or event.position <= self._upto)
            and self._scope.has(event)
            and came_late(event, self.ends)
        )

    def _placed_by_it(self, own: Sequence[Recorded]) -> frozenset[int]:
        """The versions that are in their place by it."""
        before: frozenset[int] = frozenset()
        of_it: frozenset[int] = frozenset()
        for said in held(own, self.ends):
            now = frozenset(said.placed)
            if said.restatement == self._name:
                of_it = frozenset() if said.taken_back else of_it | (now - before)
            before = now
        return of_it & before

    def _outcome(
        self,
        own: Sequence[Recorded],
        placed: Collection[int],
        moved: Collection[int],
        told: Mapping[Month, Told],
    ) -> Outcome:
        true = in_place(own, self.ends, placed, told)
        as_is, then = self._folded(self._as_it_came(own)), self._folded(true)
        rows, was = then.facts.months.rows, as_is.facts.months.rows
        differ = [rows[month] for month in sorted(rows) if was.get(month) != rows[month]]
        gone = tuple(sorted(was.keys() - rows.keys()))
        said = MonthsRestated.model_construct(
            restatement=self._name,
            taken_back=self._taken_back,
            after=own[-1].version,
            placed=tuple(sorted(placed)),
            ledger=then.facts.ledger,
            rows=tuple(differ),
            gone=gone,
            told=dict(sorted(told.items())),
            wrong=self._wrong(own, true),
        )
        event = own[-1]._replace(version=own[-1].version + 1, data=said)
        after = cast("History", self._group.evolve(as_is, event))
        late = tuple(each for each in own if each.version in moved)
        changed = [row.month for row in differ]
        believed = tuple(was[month] for month in (*changed, *gone) if month in was)
        return Outcome(own[0].stream, said, believed, late, as_is.standings, after.standings)

    def _as_it_came(self, own: Sequence[Recorded]) -> list[Recorded]:
        ends = [end for end in self.ends if end.position > own[0].position]
        return sorted([*own, *ends], key=lambda event: event.position)

    def _folded(self, events: Sequence[Recorded]) -> History:
        states: Any = self._group.initial
        for event in events:
            states = self._group.evolve(states, event)
        return cast("History", states)

    def _wrong(
        self, own: Sequence[Recorded], true: Sequence[Recorded]
    ) -> dict[str, tuple[str, ...]]:
        """By scheme, what was told by its live policy and would not have been, and was not named
        before.
        """
        named = {
            name for said in held(own, self.ends) for names in said.wrong.values() for name in names
        }
        changes, found = self._changes(true), dict[str, tuple[str, ...]]()
        for policy in sorted(self._policies, key=lambda each: each.scheme):
            wrong = tuple(
                event.id
                for event in own
                if isinstance(said := event.data, TierChanged)
                and (said.policy, said.ground in ASSESSED) == (policy.label, True)
                and event.id not in named
                and (said.after, said.effective) not in changes[policy.scheme]
            )
            found |= {policy.scheme: wrong} if wrong else {}
        return found

    def _changes(self, events: Sequence[Recorded]) -> Mapping[str, set[Change]]:
        """By scheme, the changes of tier by a history."""
        states: Any = self._group.initial
        found: dict[str, set[Change]] = {each.scheme: set() for each in self._policies}
        for event in events:
            before, states = states, self._group.evolve(states, event)
            rows = with_disputes(states.facts.months.rows, states.complaints)
            for policy, standing in zip(self._policies, before.standings, strict=True):
                tier = standing.tier
                for after in steps(policy, standing, event, rows):
                    if after.tier != tier:
                        found[policy.scheme].add((after.tier, after.since))
                    tier = after.tier
        return found


def _day(end: Recorded) -> str:
    assert isinstance(end.data, DayClosed)
    return end.data.date.isoformat()
