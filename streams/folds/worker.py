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
from streams.journal import Journal
from streams.observability.metrics import FOLD_FAILURES, FOLD_SECONDS, FOLDED

log = structlog.get_logger()


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

    async def advance(self, shard: int, batch: Batch) -> int:
        """Bring all versions that are in step up to a batch; gives the number of events folded."""
        folded = 0
        for group in self._mine(self._register.last.carried):
            place = GroupShard(shard, group.name)
            if place in self._in_step:
                with self._guarded(place), FOLD_SECONDS.labels(group.name).time():
                    count = await self._fold(group, place).advance(batch)
                    FOLDED.labels(group.name).inc(count)
                    folded += count
        return folded

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
            known = self._folds[place] = self._made(group, place.shard)
        return known

    def _made(self, group: Group, shard: int) -> ShardFold:
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
            if task := self._filling.pop(place, None):
                task.cancel()
            del self._folds[place]
