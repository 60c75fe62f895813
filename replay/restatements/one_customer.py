"""What would a restatement do to one customer?

History is folded twice: as it came, and with late events in their place.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from domain.accounts.events import TransactionReversed
from domain.calendar import Month
from domain.envelope import Recorded
from domain.event_types import type_key, type_keys
from domain.restatements.events import MonthsRestated
from domain.restatements.scope import (
    LAST,
    PLACED,
    Scope,
    ended_before,
    held,
    in_place,
    late_in,
    month_ended,
    told_by,
)
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
PLACED_TYPES = type_keys(*PLACED)
CHUNK_ROWS = 10_000
Change = tuple[Any, Any]
"""Into which tier, and from which day on."""


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
        self._ends: list[Recorded] = []
        self._known = -1

    @property
    def ends(self) -> list[Recorded]:
        """The ends of months of the shard, as they concern customers; one may come meanwhile."""
        if len(self._shard.own()) != self._known:
            self._ends = broadcasts(self._group, self._shard)
            self._known = len(self._shard.own())
        return self._ends

    def concerned(self) -> list[str]:
        """The customers whose months it may change, in order.

        Trap: on which day a reversal counts is sealed. So each that came behind the end of the
        first month may be late, where reversals are meant.
        """
        if self._taken_back:
            return sorted(self.told())
        named, months = self._scope.customers, self._scope.months
        if named:
            return [each for each in sorted(named) if self._shard.rows(each, limit=1)]
        first = next((end.position for end in self.ends if month_ended(end) >= min(months)), 0)
        return sorted(set(self._may_be_late(first))) if first else []

    def can_read(self, stream: str) -> bool:
        """Whether a customer can be read: was not forgotten, and is not restricted."""
        return bool(self._shard.history(stream, limit=1))

    def words(self) -> Iterator[Recorded]:
        """All that was recorded of it, of customers who can be read."""
        for event in self._shard.events([type_key(MonthsRestated)]):
            if isinstance(event.data, MonthsRestated) and event.data.restatement == self._name:
                yield event

    def told(self) -> set[str]:
        """Of whom a word was recorded, by its name: also of those who cannot be read now."""
        decode, found, after = part_decoder(LateHead), set[str](), 0
        while rows := self._shard.stored(after, CHUNK_ROWS, None, [type_key(MonthsRestated)]):
            ours = f"{self._name}:"
            found |= {row.stream for row in rows if decode(row.state).id.startswith(ours)}
            after = rows[-1].position
        return found

    def outcome(self, stream: str) -> Outcome | None:
        """What it comes to; None if nothing is to be moved, or nothing can be read any more."""
        own = list(history(self._shard, stream))
        known, of_it = self._placed(own)
        if self._taken_back:
            return self._outcome(own, known - of_it, of_it) if of_it else None
        late = late_in(own, self.ends, self._scope, self._upto) - known
        return self._outcome(own, known | late, late) if late else None

    def is_done(self, stream: str) -> bool:
        """Whether it holds for a customer, or was taken back there, as is wanted."""
        own = list(history(self._shard, stream))
        of_it = [each for each in self._held(own) if each.restatement == self._name]
        return bool(of_it) and of_it[-1].taken_back == self._taken_back

    def is_so(self, event: Recorded) -> bool | None:
        """Whether a word comes to what the history before it does, with what was meant, and no
        other event, in its place; None if it does not hold.
        """
        own = [
            each for each in history(self._shard, event.stream) if each.position <= event.position
        ]
        ends = [end for end in self.ends if end.position < event.position]
        said = cast("MonthsRestated", event.data)
        if event not in held(own, ends):
            return None
        known, of_it = self._placed(own[:-1])
        late = late_in(own[:-1], ends, self._scope, self._upto)
        wanted = known - of_it if said.taken_back else known | late
        then = self._folded(in_place(own, ends, said.placed)).facts
        found = self._folded(self._as_it_came(own, ends)).facts
        return (
            {*said.placed} == wanted
            and found.ledger == then.ledger
            and found.months.rows == then.months.rows
            and said.told == told_by(own)
        )

    def _may_be_late(self, after: int) -> Iterator[str]:
        decode, scope = part_decoder(LateHead), self._scope
        types = sorted(PLACED_TYPES if scope.reversals else PLACED_TYPES - {REVERSED})
        while rows := self._shard.stored(after, CHUNK_ROWS, self._upto, types):
            for row in rows:
                head = decode(row.state)
                belongs = row.event_type == REVERSED or head.business_date[:7] in scope.months
                if belongs and scope.sent(head.source, head.id):
                    yield row.stream
            after = rows[-1].position

    def _held(self, own: Sequence[Recorded]) -> list[MonthsRestated]:
        return [cast("MonthsRestated", event.data) for event in held(own, self.ends)]

    def _placed(self, own: Sequence[Recorded]) -> tuple[frozenset[int], frozenset[int]]:
        """The versions that count where they belong by now, and those of them by this one."""
        now: frozenset[int] = frozenset()
        of_it: frozenset[int] = frozenset()
        for said in self._held(own):
            before, now = now, frozenset(said.placed)
            if said.restatement == self._name:
                of_it = frozenset() if said.taken_back else of_it | (now - before)
        return now, of_it & now

    def _outcome(
        self, own: Sequence[Recorded], placed: Collection[int], moved: Collection[int]
    ) -> Outcome | None:
        ends = self.ends
        true = in_place(own, ends, placed)
        as_is, then = self._folded(self._as_it_came(own, ends)), self._folded(true)
        rows, was = then.facts.months.rows, as_is.facts.months.rows
        through = ended_before(LAST, ends)
        if through is None:
            return None
        said = MonthsRestated.model_construct(
            restatement=self._name,
            taken_back=self._taken_back,
            after=own[-1].version,
            through=through,
            books_through=as_is.facts.ledger.closed_through,
            placed=tuple(sorted(placed)),
            ledger=then.facts.ledger,
            rows=tuple(rows[month] for month in sorted(rows) if was.get(month) != rows[month]),
            gone=tuple(sorted(was.keys() - rows.keys())),
            told=told_by(own),
            wrong=self._wrong(own, true),
        )
        event = own[-1]._replace(version=own[-1].version + 1, data=said)
        after = cast("History", self._group.evolve(as_is, event))
        late = tuple(each for each in own if each.version in moved)
        return Outcome(own[0].stream, said, late, as_is.standings, after.standings)

    def _as_it_came(self, own: Sequence[Recorded], ends: Sequence[Recorded]) -> list[Recorded]:
        since = [end for end in ends if end.position > own[0].position]
        return sorted([*own, *since], key=lambda event: event.position)

    def _folded(self, events: Sequence[Recorded]) -> History:
        states: Any = self._group.initial
        for event in events:
            states = self._group.evolve(states, event)
        return cast("History", states)

    def _wrong(
        self, own: Sequence[Recorded], true: Sequence[Recorded]
    ) -> dict[str, tuple[str, ...]]:
        """By scheme, what was told by its live policy, would not have been, and was not named
        before; where this is taken back, also what was told because of it.
        """
        named, words = self._named(own)
        changes, found = self._changes(true), dict[str, tuple[str, ...]]()
        for policy in sorted(self._policies, key=lambda each: each.scheme):
            wrong = tuple(
                event.id
                for event in own
                if isinstance(said := event.data, TierChanged)
                and said.policy == policy.label
                and event.id not in named
                and (
                    event.cause in words
                    if said.ground not in ASSESSED
                    else (said.after, said.effective) not in changes[policy.scheme]
                )
            )
            found |= {policy.scheme: wrong} if wrong else {}
        return found

    def _named(self, own: Sequence[Recorded]) -> tuple[set[str], set[str]]:
        """What restatements that were not taken back have named as told wrongly; and the names of
        the words that are taken back now.
        """
        named: dict[str, set[str]] = {}
        words: set[str] = set()
        for event in held(own, self.ends):
            said = cast("MonthsRestated", event.data)
            if said.taken_back:
                named.pop(said.restatement, None)
            else:
                of_it = named.setdefault(said.restatement, set())
                of_it.update(*said.wrong.values())
            if self._taken_back and said.restatement == self._name:
                words.add(f"{event.source}#{event.id}")
        return {name for names in named.values() for name in names}, words

    def _changes(self, events: Sequence[Recorded]) -> Mapping[str, set[Change]]:
        """By scheme, the changes of tier by a history."""
        states: Any = self._group.initial
        found: dict[str, set[Change]] = {each.scheme: set() for each in self._policies}
        for event in events:
            before, states = states, self._group.evolve(states, event)
            rows: Mapping[Month, Any] = with_disputes(states.facts.months.rows, states.complaints)
            for policy, standing in zip(self._policies, before.standings, strict=True):
                tier = standing.tier
                for after in steps(policy, standing, event, rows):
                    if after.tier != tier:
                        found[policy.scheme].add((after.tier, after.since))
                    tier = after.tier
        return found
