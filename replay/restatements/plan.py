"""Whose months does a restatement change, one after the other?

First those who count for themselves alone; then, when all is known of these, the households and
groups of the others, and everybody who belongs to one of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month
from domain.households.membership import Told
from domain.restatements.scope import Scope
from domain.tiering.policy import TierPolicy
from replay.restatements.one_customer import NOTHING, Outcome, Restating
from replay.restatements.wholes import Corrected, Touched, Wholes, changes_of, touched_by
from streams.broker.routing import shard_of
from streams.journal import Journal


class Asked(NamedTuple):
    """A customer in a shard who may be concerned, and what households and groups came to."""

    stream: str
    told: Mapping[Month, Told] = NOTHING


class Plan:
    """All outcomes of a restatement, or of taking it back; `upto` has the last position of each
    shard that counts.
    """

    def __init__(
        self,
        journal: Journal,
        name: str,
        scope: Scope,
        policies: Sequence[TierPolicy],
        upto: Sequence[int],
        *,
        taken_back: bool = False,
    ) -> None:
        self._journal = journal
        self._name = name
        self._taken_back = taken_back
        self._shards = [
            Restating(shard, name, scope, policies, position, taken_back=taken_back)
            for shard, position in zip(journal, upto, strict=True)
        ]
        self._touched: Touched = set()
        self._now: dict[str, dict[Month, MonthlyFacts | None]] = {}

    def alone(self) -> Iterator[Asked]:
        """Those who may be concerned, shard by shard; see `note`."""
        for restating in self._shards:
            yield from map(Asked, restating.concerned())

    def outcome(self, asked: Asked) -> Outcome | None:
        """What it comes to for a customer; None where nothing changes."""
        return self._of(asked.stream).outcome(asked.stream, asked.told)

    def is_done(self, asked: Asked) -> bool:
        """Whether it holds for a customer already."""
        return self._of(asked.stream).is_done(asked.stream)

    def waits(self, asked: Asked, found: Outcome | None) -> bool:
        """Whether a customer, of whom this was found, waits for what others come to: it counts in
        a household or group.
        """
        if found is not None:
            touched = touched_by((*found.said.rows, *found.was))
            self._now |= {asked.stream: changes_of(found)} if touched else {}
        else:
            done = self.is_done(asked)
            touched = touched_by(self._of(asked.stream).rows_of(asked.stream)) if done else set()
        self._touched |= touched
        return bool(touched)

    @cached_property
    def corrected(self) -> Corrected:
        """What households and groups come to, when all are known who count for themselves."""
        wholes = Wholes(self._journal, self._now)
        return wholes.corrected(self._touched, self._name, taken_back=self._taken_back)

    def together(self) -> Iterator[Asked]:
        """All who belong to a household or group that is touched, or did, shard by shard."""
        told = self.corrected.told
        streams = {*told, *self._now}
        yield from (Asked(each, told.get(each, NOTHING)) for each in self._in_order(streams))

    def _in_order(self, streams: set[str]) -> list[str]:
        return sorted(streams, key=lambda each: (shard_of(each, len(self._journal)), each))

    def _of(self, stream: str) -> Restating:
        return self._shards[shard_of(stream, len(self._journal))]


def by_shard(some: Sequence[Asked], journal: Journal, at_once: int) -> Iterator[list[Asked]]:
    """Customers of one shard, some at a time."""
    for _, of_shard in groupby(some, key=lambda each: shard_of(each.stream, len(journal))):
        found = list(of_shard)
        for start in range(0, len(found), at_once):
            yield found[start : start + at_once]
