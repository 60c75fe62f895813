"""What would a restatement do to one customer?

History is folded twice: as it came, and with late events in their place.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, cast

import msgspec

from domain.accounts.events import TransactionReversed
from domain.bank.events import DayClosed
from domain.calendar import Month
from domain.envelope import Recorded
from domain.event_types import type_key
from domain.households.events import WholeMonthClosed
from domain.households.membership import Told
from domain.restatements.events import MonthsRestated
from domain.restatements.scope import Scope, came_late, holds, in_place
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


class LateHead(msgspec.Struct, gc=False):
    """What the head of a stored event says of whether it came late."""

    source: str
    id: str
    business_date: str


class Outcome(NamedTuple):
    """What the months of a customer come to, the events that this puts in their place or takes out
    of it, and the standings in each live scheme before and after.
    """

    stream: str
    said: MonthsRestated
    moved: tuple[Recorded, ...]
    before: tuple[Standing, ...]
    after: tuple[Standing, ...]


class Restating:
    """Computes outcomes in one shard, under the live policies of all schemes.

    What was recorded behind the position `upto` is not put in its place, if that is said.
    """

    def __init__(
        self, shard: Shard, policies: Sequence[TierPolicy], upto: int | None = None
    ) -> None:
        self._shard = shard
        self._policies = policies
        self._upto = upto
        self._group: Group = customers_under(policies)

    @cached_property
    def ends(self) -> list[Recorded]:
        """The ends of months of the shard, as they concern customers."""
        return broadcasts(self._group, self._shard)

    def concerned(self, scope: Scope) -> list[str]:
        """The customers who may have a late event in a scope, in order.

        Trap: on which day a reversal counts is sealed. So each that came behind the end of the
        first month may be late.
        """
        if scope.customers:
            return [each for each in sorted(scope.customers) if self._shard.rows(each, limit=1)]
        first = next((end.position for end in self.ends if _day(end)[:7] >= min(scope.months)), 0)
        return sorted(set(self._may_be_late(scope, first))) if first else []

    def _may_be_late(self, scope: Scope, after: int) -> Iterator[str]:
        decode = part_decoder(LateHead)
        while rows := self._shard.stored(after, CHUNK_ROWS, self._upto):
            for row in rows:
                if row.stream.startswith("customer:"):
                    head = decode(row.state)
                    belongs = row.event_type == REVERSED or head.business_date[:7] in scope.months
                    sent = scope.source in (None, head.source) and head.id.startswith(
                        scope.ids or ""
                    )
                    if belongs and sent:
                        yield row.stream
            after = rows[-1].position

    def outcome(self, stream: str, name: str, scope: Scope) -> Outcome | None:
        """What it comes to if the late events in a scope are put in their place.

        None if none is, or nothing changes.
        """
        own = list(history(self._shard, stream))
        known = self._placed(own)
        fresh = {
            event.version
            for event in own
            if event.version not in known
            and (self._upto is None or event.position <= self._upto)
            and scope.has(event)
            and came_late(event, self.ends)
        }
        return self._outcome(own, name, known | fresh, fresh) if fresh else None

    def taken_back(self, stream: str, name: str) -> Outcome | None:
        """What it comes to if a restatement is taken back; None if it does not hold here."""
        own = list(history(self._shard, stream))
        known, gone = self._placed(own), self._placed_by(own, name)
        return self._outcome(own, name, known - gone, gone, taken_back=True) if gone else None

    def has(self, stream: str, name: str) -> bool:
        """Whether a restatement holds for a customer."""
        return bool(self._placed_by(list(history(self._shard, stream)), name))

    def holds(self, event: Recorded) -> bool:
        """Whether a word of a restatement holds."""
        return holds(event, self.ends)

    def is_so(self, event: Recorded) -> bool:
        """Whether a word says what history before it comes to, with what is placed in its place."""
        said = cast("MonthsRestated", event.data)
        own = [
            each for each in history(self._shard, event.stream) if each.position < event.position
        ]
        ends = [end for end in self.ends if end.position < event.position]
        then = self._folded(in_place(own, ends, said.placed)).facts
        rows = {row.month: row for row in said.rows}
        return (
            said.ledger == then.ledger
            and rows == {month: row for month, row in then.months.rows.items() if month in rows}
            and not {*said.gone} & then.months.rows.keys()
        )

    def _held(self, own: Sequence[Recorded]) -> Iterator[Recorded]:
        """The restatements of a customer that held, in order."""
        for event in own:
            if isinstance(event.data, MonthsRestated) and holds(event, self.ends):
                yield event

    def _placed(self, own: Sequence[Recorded]) -> frozenset[int]:
        """The versions that count where they belong by now."""
        found: tuple[int, ...] = ()
        for event in self._held(own):
            found = cast("MonthsRestated", event.data).placed
        return frozenset(found)

    def _placed_by(self, own: Sequence[Recorded], name: str) -> frozenset[int]:
        """Those of them that a restatement put in their place."""
        before: frozenset[int] = frozenset()
        of_it: frozenset[int] = frozenset()
        for event in self._held(own):
            said = cast("MonthsRestated", event.data)
            now = frozenset(said.placed)
            if said.restatement == name:
                of_it = frozenset() if said.taken_back else of_it | (now - before)
            before = now
        return of_it & before

    def _outcome(
        self,
        own: Sequence[Recorded],
        name: str,
        placed: Collection[int],
        moved: Collection[int],
        *,
        taken_back: bool = False,
    ) -> Outcome | None:
        first = own[0].position
        came = sorted(
            [*own, *(end for end in self.ends if end.position > first)],
            key=lambda event: event.position,
        )
        as_is, then = self._folded(came), self._folded(in_place(own, self.ends, placed))
        rows, was = then.facts.months.rows, as_is.facts.months.rows
        differ = [rows[month] for month in sorted(rows) if was.get(month) != rows[month]]
        gone = tuple(sorted(was.keys() - rows.keys()))
        if not (differ or gone):
            return None
        said = MonthsRestated.model_construct(
            restatement=name,
            taken_back=taken_back,
            after=own[-1].version,
            placed=tuple(sorted(placed)),
            ledger=then.facts.ledger,
            rows=tuple(differ),
            gone=gone,
            told=_told(own),
            wrong=self._wrong(own, in_place(own, self.ends, placed)),
        )
        event = own[-1]._replace(version=own[-1].version + 1, data=said)
        after = cast("History", self._group.evolve(as_is, event))
        late = tuple(each for each in own if each.version in moved)
        return Outcome(own[0].stream, said, late, as_is.standings, after.standings)

    def _folded(self, events: Sequence[Recorded]) -> History:
        states: Any = self._group.initial
        for event in events:
            states = self._group.evolve(states, event)
        return cast("History", states)

    def _wrong(
        self, own: Sequence[Recorded], in_their_place: Sequence[Recorded]
    ) -> dict[str, tuple[str, ...]]:
        """By scheme, what was told by its live policy, and would not have been."""
        said = [event for event in own if isinstance(event.data, TierChanged)]
        named = {
            name
            for event in self._held(own)
            for names in cast("MonthsRestated", event.data).wrong.values()
            for name in names
        }
        true = self._changes(in_their_place)
        found: dict[str, tuple[str, ...]] = {}
        for policy in self._policies:
            wrong = tuple(
                event.id
                for event in said
                if isinstance(event.data, TierChanged)
                and event.data.policy == policy.label
                and event.data.ground in ASSESSED
                and event.id not in named
                and (event.data.after, event.data.effective) not in true[policy.scheme]
            )
            found |= {policy.scheme: wrong} if wrong else {}
        return dict(sorted(found.items()))

    def _changes(self, events: Sequence[Recorded]) -> Mapping[str, set[tuple[Any, Any]]]:
        """By scheme, into which tier and from which day on a history moves somebody."""
        states: Any = self._group.initial
        found: dict[str, set[tuple[Any, Any]]] = {each.scheme: set() for each in self._policies}
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


def _told(own: Sequence[Recorded]) -> dict[Month, Told]:
    """What a customer's household or group came to, month by month, as it was told last."""
    told = {
        said.month: Told(said.whole, said.total, said.shared, said.beside)
        for event in own
        if isinstance(said := event.data, WholeMonthClosed)
    }
    return dict(sorted(told.items()))
