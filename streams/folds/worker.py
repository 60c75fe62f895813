"""Which foldings does a worker keep going?

One per carried group and shard, taken up and let go as it is decided.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from projections.projection import Group
from projections.redis import RedisStore
from projections.registry import base_of
from projections.store import GroupShard
from streams.broker.batch import Batch
from streams.folds.active_groups import Register
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import Emit, ShardFold
from streams.folds.stream_state import matters
from streams.journal import Journal
from streams.observability.metrics import FOLD_FAILURES, FOLD_SECONDS, FOLDED

log = structlog.get_logger()

HELD_BACK = 0.2
"""Seconds for which a group need not say that it has seen what does not matter to it."""


class FoldWorker:
    """The foldings of one kind of group and what is derived from it, version by version, for the
    shards of this worker.

    A version that has caught up with its shard once is kept in step by batches; one that has not
    yet is filled from the journal beside them, so that nothing waits for it.
    """

    def __init__(
        self,
        bases: Sequence[str],
        store: RedisStore,
        journal: Journal,
        emit: Emit,
        register: Register,
    ) -> None:
        self._bases = bases
        self._store = store
        self._journal = journal
        self._emit = emit
        self._register = register
        self._folds: dict[GroupShard, ShardFold] = {}
        self._filling: dict[GroupShard, asyncio.Task[None]] = {}
        self._in_step: set[GroupShard] = set()
        self._held: dict[GroupShard, Batch] = {}
        self._passing: dict[int, asyncio.Task[None]] = {}

    async def advance(self, shard: int, batch: Batch) -> int:
        """Bring all versions that are in step up to a batch; gives the number of events folded.

        One to which nothing in it matters has it later, with what follows: each save costs.
        """
        folded = 0
        for group in self._mine(self._register.last.carried):
            place = GroupShard(shard, group.name)
            if place not in self._in_step:
                continue
            self._fold(group, place)
            self._hold(place, batch)
            if not batch.rows or matters(group, batch.rows):
                folded += await self._fold_held(place)
        self._pass_later(shard)
        return folded

    def _hold(self, place: GroupShard, batch: Batch) -> None:
        """Join a batch to those before it.

        Where one is missing between them, the fold heals the gap; an old one says nothing new.
        """
        held = self._held.get(place)
        if held is not None and batch.upto <= held.upto:
            return
        if held is not None and held.upto == batch.after and batch.rows:
            batch = Batch(held.after, batch.upto, [*held.rows, *batch.rows])
        self._held[place] = batch

    async def _fold_held(self, place: GroupShard) -> int:
        """Fold what was held back, of the sources first."""
        fold, batch = self._folds.get(place), self._held.pop(place, None)
        if fold is None or batch is None:
            return 0
        folded = 0
        for source in fold.group.sources:
            folded += await self._fold_held(GroupShard(place.shard, source.group))
        with self._guarded(place), FOLD_SECONDS.labels(place.group).time():
            count = await fold.advance(batch)
            FOLDED.labels(place.group).inc(count)
            folded += count
        return folded

    def _pass_later(self, shard: int) -> None:
        """See to it that nothing is held back for long."""
        if (task := self._passing.get(shard)) is None or task.done():
            self._passing[shard] = asyncio.create_task(self._pass(shard))

    async def _pass(self, shard: int) -> None:
        while held := [place for place in self._held if place.shard == shard]:
            await asyncio.sleep(HELD_BACK)
            for place in held:
                await self._fold_held(place)

    async def look_after(self, shard: int) -> None:
        """Take up what is new, let go what is withdrawn, and catch up where no batch
        came of late.
        """
        groups = self._mine((await self._register.carried()).carried)
        wanted = {GroupShard(shard, group.name): group for group in groups}
        self._let_go({place for place in self._folds if place.shard == shard} - wanted.keys())
        for place, group in wanted.items():
            with self._guarded(place):
                await self._store.beat(place)
                folding = self._fold(group, place)
                if place in self._in_step:
                    await folding.heal_if_idle()
                elif place not in self._filling or self._filling[place].done():
                    self._filling[place] = asyncio.create_task(self._fill(folding, place))

    def _mine(self, groups: Iterable[Group]) -> list[Group]:
        return [group for group in groups if base_of(group) in self._bases]

    def _fold(self, group: Group, place: GroupShard) -> ShardFold:
        known = self._folds.get(place)
        if known is None or known.group.sources != group.sources:
            self._in_step.discard(place)
            known = self._folds[place] = self._new_fold(group, place.shard)
        return known

    def _new_fold(self, group: Group, shard: int) -> ShardFold:
        if not group.sources:
            return ShardFold(group, shard, self._store, self._journal, self._emit)
        of = {
            source.group: fold
            for source in group.sources
            if (fold := self._folds.get(GroupShard(shard, source.group)))
        }
        return DerivedFold(group, shard, self._store, self._journal, of=of)

    async def _fill(self, folding: ShardFold, place: GroupShard) -> None:
        with self._guarded(place):
            await folding.catch_up()
            self._in_step.add(place)

    @contextmanager
    def _guarded(self, place: GroupShard) -> Iterator[None]:
        """One version that fails keeps no other waiting.

        It is said, and filled again with the next look; the lag tells.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._in_step.discard(place)
            FOLD_FAILURES.labels(place.group).inc()
            log.error(  # noqa: TRY400
                "shard_not_folded", group=place.group, shard=place.shard, error=type(error).__name__
            )

    def _let_go(self, places: Iterable[GroupShard]) -> None:
        for place in places:
            self._in_step.discard(place)
            self._held.pop(place, None)
            if task := self._filling.pop(place, None):
                task.cancel()
            del self._folds[place]
