"""How does everybody stand under two versions, at one common position?

Read from the read models while they move on.

A standing changes with a month's end, a tier set by hand or taken back, and the sum of a household,
and by nothing else. So two versions are at a common position if no such event lies between where
they are and the head of the journal, before and after they were read.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from domain.accounts.monthly_facts import MonthlyFacts
from domain.calendar import Month
from domain.customers.identity import Identity
from domain.customers.one_person import months_together
from domain.fastcopy import changed
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.accounts.months import MONTHS
from projections.cases.complaints import COMPLAINTS
from projections.customers.group import CUSTOMERS
from projections.customers.identity import IDENTITY
from projections.households.group import CUSTOMER_GROUPS
from projections.projection import Group
from projections.store import GroupShard, Store
from projections.tiering.standing import standing_together
from projections.views.person import wholes_asked
from replay.what_if.columns import NOTHING, Columns, Numbers, columns_of
from replay.what_if.compare import Comparison, compare
from replay.what_if.snapshot import linked_of, people, rows_of
from streams.journal import FORGOTTEN, Journal, Row
from streams.queries.wholes import Wholes

CHUNK_STREAMS = 500
PAUSE = 0.05
PATIENCE = 300.0


class Unsettled(TimeoutError):
    """The versions did not come to a common position in time."""


class Pair(NamedTuple):
    """One customer under two versions, the rows of facts that both saw, and what the number knows
    of others.
    """

    stream: str
    before: Standing
    after: Standing
    rows: Mapping[Month, MonthlyFacts]
    identity: Identity


class Read(NamedTuple):
    """Standings as they were read.

    Tier by place (-1: none), the last row they saw, and the standings themselves.
    """

    tier: Numbers
    last: Numbers
    found: Sequence[Standing]

    def standing(self, policy: TierPolicy, columns: Columns, customer: int) -> Standing:
        """The standing of one customer; it was read with the policy and the rows beside it."""
        del policy, columns
        return self.found[customer]


async def side_by_side(
    store: Store,
    journal: Journal,
    versions: tuple[Group, Group],
    policies: tuple[TierPolicy, TierPolicy],
) -> AsyncIterator[list[Pair]]:
    """Everybody who has facts, some at a time, as they stand under two groups of standings with
    one source; who has several numbers last, as one.
    """
    before, after = versions
    linked: dict[str, Pair] = {}
    for shard in range(len(journal)):
        settled = _Settled(store, journal, before, after, shard)
        assert after.sources
        seen: set[str] = set()
        async for streams in store.streams(GroupShard(shard, after.sources[0].group)):
            fresh = [stream for stream in streams if stream not in seen]
            seen.update(fresh)
            for start in range(0, len(fresh), CHUNK_STREAMS):
                some = await settled.read(fresh[start : start + CHUNK_STREAMS])
                linked.update({each.stream: each for each in some if each.identity.links})
                yield [each for each in some if not each.identity.links]
    yield await _together(store, len(journal), linked, policies)


async def _together(
    store: Store,
    shards: int,
    linked: Mapping[str, Pair],
    policies: tuple[TierPolicy, TierPolicy],
) -> list[Pair]:
    """Those that were ever linked with another number, by person."""
    several = people({stream: each.identity for stream, each in linked.items()})
    alone = linked.keys() - {number for numbers in several for number in numbers}
    reader = Wholes(store, shards, CUSTOMER_GROUPS, CUSTOMERS)
    found = [linked[stream] for stream in sorted(alone)]
    for numbers in several:
        each = [linked[number] for number in numbers if number in linked]
        rows = months_together([one.rows for one in each])
        stood = []
        for policy, own in zip(
            policies, ([one.before for one in each], [one.after for one in each]), strict=True
        ):
            names = wholes_asked(policy.scope, (one.rows for one in each))
            told = {one.name: one.told() for one in await reader.read(names, policy.scope)}
            stood.append(standing_together(policy, rows, told, own))
        found.append(Pair(each[0].stream, stood[0], stood[1], rows, each[0].identity))
    return found


class _Settled:
    """Reads one shard at a common position of two groups."""

    def __init__(
        self, store: Store, journal: Journal, before: Group, after: Group, shard: int
    ) -> None:
        assert after.sources
        self._store = store
        self._shard = journal[shard]
        self._groups = (before, after)
        self._places = [GroupShard(shard, group.name) for group in self._groups]
        self._facts, self._cases = (GroupShard(shard, source.group) for source in after.sources)
        self._event_types = sorted(after.event_types or ())

    async def read(self, streams: Sequence[str]) -> list[Pair]:
        """These streams at a common position; raises `Unsettled`."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            reached = min([await self._store.upto(place) for place in self._places])
            found = await self._read(streams)
            if not await self._moving(reached):
                return found
            await asyncio.sleep(PAUSE)
        raise Unsettled(
            f"shard {self._shard.number}: {' and '.join(group.name for group in self._groups)} "
            "did not come to a common position"
        )

    async def _moving(self, reached: int) -> bool:
        """Whether an event that a standing depends on lies behind this position."""
        rows = await asyncio.to_thread(self._shard.read, reached, 1_000, None, self._event_types)
        return (
            any(
                row.event_type != FORGOTTEN
                and (row.stream.startswith("customer:") or self._concerns_all(row))
                for row in rows
            )
            or len(rows) == 1_000
        )

    def _concerns_all(self, row: Row) -> bool:
        is_broadcast = self._groups[0].is_broadcast
        return is_broadcast is not None and is_broadcast(row.event().data)

    async def _read(self, streams: Sequence[str]) -> list[Pair]:
        months = await self._store.load(self._facts, [(MONTHS.key, stream) for stream in streams])
        said = await self._store.load(self._cases, [(COMPLAINTS.key, stream) for stream in streams])
        rows = [rows_of(*both) for both in zip(months, said, strict=True)]
        stood = []
        for at, group in zip(self._places, self._groups, strict=True):
            [tier] = group.parts
            kept = await self._store.load(at, [(tier.key, stream) for stream in streams])
            stood.append([tier.decode(one.state) if one else tier.initial for one in kept])
        linked = await linked_of(self._store, self._facts, streams)
        known = [linked.get(stream, IDENTITY.initial) for stream in streams]
        return [Pair(*each) for each in zip(streams, *stood, rows, known, strict=True)]


async def compare_versions(
    store: Store,
    journal: Journal,
    versions: tuple[Group, Group],
    policies: tuple[TierPolicy, TierPolicy],
    progress: Callable[[int], None],
    *,
    begins: bool = False,
) -> Comparison:
    """Two versions of standings that are carried, compared at one common position of
    every shard.

    Where a scheme `begins`, everybody who is assessed stood in the lowest tier before.
    """
    found: list[Pair] = []
    lowest = policies[0].tiers[0].tier
    async for some in side_by_side(store, journal, versions, policies):
        found += [
            each._replace(before=changed(each.after, tier=each.after.tier and lowest))
            if begins
            else each
            for each in some
            if each.rows
        ]
        progress(len(some))
    found.sort(key=lambda each: each.stream)
    columns = columns_of(
        (each.stream, [each.rows[month] for month in sorted(each.rows)]) for each in found
    )
    old, new = policies
    return compare(
        columns,
        old,
        new,
        _read(columns, old, [each.before for each in found]),
        _read(columns, new, [each.after for each in found]),
    )


def _read(columns: Columns, policy: TierPolicy, found: Sequence[Standing]) -> Read:
    places = [policy.rank(standing.tier) for standing in found]
    ends = np.asarray(columns.first[1:])
    last = np.where(ends > columns.first[:-1], ends - 1, NOTHING)
    return Read(
        np.array([NOTHING if place is None else place for place in places], dtype=np.int64),
        last,
        found,
    )
