"""Which foldings does a worker keep going?

One per carried group and shard, taken up and let go as it is decided.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

import structlog

from domain.envelope import Recorded
from domain.rollout.events import SchemeSwitched
from projections.projection import Group
from projections.redis import RedisStore
from projections.registry import base_of
from projections.store import GroupShard
from streams.broker.batch import Batch
from streams.folds.active_groups import Register
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import Emit, ShardFold
from streams.journal import Journal, Row
from streams.observability.metrics import FOLD_FAILURES, FOLD_SECONDS, FOLDED

log = structlog.get_logger()

HELD_BACK = 0.2
"""Seconds for which a group need not say that it has seen what does not matter to it."""
AT_ONCE = 5_000
"""Rows that are folded together where more are waiting: each stream is then saved once."""
IDLE_AFTER = 3.0
"""Seconds without a batch after which a shard that is behind heals from the journal."""
IDLE_AT_FIRST = 0.125
"""The same of a shard that never had a batch, and where a version was just filled, twice as long
each time: batches may have gone by before the broker told who gets them, or while it was filled.
"""
BEAT_EVERY = 2.0
"""Seconds between two words that these groups are folded; one lasts fifteen."""
GIVEN_WAY = 0.2
"""Seconds for which what is filled waits for what is folded live, before each of its pieces."""


class Live:
    """Whether a process folds batches that came just now, of any group.

    New versions, which are filled beside them, wait for it: a moment, so that they get on too.
    """

    def __init__(self) -> None:
        self._folding = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __aenter__(self) -> None:
        self._folding += 1
        self._idle.clear()

    async def __aexit__(self, *_: object) -> None:
        self._folding -= 1
        if not self._folding:
            self._idle.set()

    async def over(self) -> None:
        """Wait until nothing is folded, `GIVEN_WAY` at most."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), GIVEN_WAY)


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
        live: "Live | None" = None,
    ) -> None:
        self._bases = bases
        self._live = live or Live()
        self._store = store
        self._journal = journal
        self._emit = emit
        self._register = register
        self._folds: dict[GroupShard, ShardFold] = {}
        self._filling: dict[GroupShard, asyncio.Task[None]] = {}
        self._in_step: set[GroupShard] = set()
        self._routes: dict[tuple[str, str], tuple[str, ...]] = {}
        self._routed: list[Group] = []
        self._held: dict[GroupShard, Batch] = {}
        self._passing: dict[int, asyncio.Task[None]] = {}
        self._busy = defaultdict[int, asyncio.Lock](asyncio.Lock)
        self._heard = defaultdict[int, float](float)
        self._idle_after = defaultdict[int, float](lambda: IDLE_AT_FIRST)
        self._beaten: set[GroupShard] = set()
        self._beat = 0.0

    async def advance(self, shard: int, batch: Batch, *, more: bool = False) -> int:
        """Bring all versions that are in step up to a batch; gives the number of events folded.

        One to which nothing in it matters has it later, with what follows: each save costs. So have
        all of them, for a moment, where there are `more` batches to be folded at once.
        """
        async with self._live, self._busy[shard]:
            groups = self._mine(self._register.last.carried)
            for group, rows in zip(groups, self._routed_to(groups, batch.rows), strict=True):
                if (place := GroupShard(shard, group.name)) in self._in_step:
                    self._fold(group, place)
                    self._hold(place, batch._replace(rows=rows))
            due = [place for place in self._of(shard) if self._due(place, more=more)]
            folded = await self._fold_held(due)
            if self._carried(shard):
                self._rest(shard, IDLE_AFTER)
        self._pass_later(shard)
        return folded

    def _routed_to(self, groups: list[Group], rows: Sequence[Row]) -> Iterable[list[Row]]:
        """By group, the rows that matter to it; each row is looked at once."""
        if groups != self._routed:
            self._routed, self._routes = groups, {}
        found: dict[str, list[Row]] = {group.name: [] for group in groups}
        for row in rows:
            for name in self._route(row):
                found[name].append(row)
        return found.values()

    def _route(self, row: Row) -> Sequence[str]:
        """The groups to which a row matters."""
        kind, _, _ = row.stream.partition(":")
        if kind == "shard":
            return [group.name for group in self._routed if _is_for_everyone(group, row)]
        if (names := self._routes.get((kind, row.event_type))) is None:
            names = tuple(
                group.name for group in self._routed if group.cares_for(kind, row.event_type)
            )
            self._routes[kind, row.event_type] = names
        return names

    def _hold(self, place: GroupShard, batch: Batch) -> None:
        """Join a batch to those before it.

        Where one is missing between them, the fold heals the gap; an old one says nothing new. Nor
        are two joined that were opened by other keys.
        """
        held = self._held.get(place)
        if held is not None and batch.upto <= held.upto:
            return
        if held is not None and held.keys not in (None, batch.keys):
            batch = batch.nudge()
        elif held is not None and held.upto == batch.after < batch.upto:
            batch = batch._replace(after=held.after, rows=[*held.rows, *batch.rows])
        self._held[place] = batch

    def _of(self, shard: int) -> list[GroupShard]:
        return [place for place in self._held if place.shard == shard]

    def _due(self, place: GroupShard, *, more: bool) -> bool:
        """Whether enough that matters is held back, or a nudge."""
        held = self._held[place]
        return len(held.rows) > (AT_ONCE if more else 0) or held.after == held.upto

    async def _fold_held(self, places: Collection[GroupShard]) -> int:
        """Fold what was held back of some groups of a shard, and of those that they read."""
        sources = {
            GroupShard(place.shard, source.group)
            for place in places
            if place in self._folds
            for source in self._folds[place].group.sources
        }
        return await self._in_turn([*sources.union(places)], self._fold_one)

    async def _in_turn(
        self, places: Sequence[GroupShard], do: Callable[[GroupShard], Awaitable[int]]
    ) -> int:
        """Do something with groups at once, and then with those that read what others folded."""
        counts: list[int] = []
        for reads in (False, True):
            some = [
                place
                for place in places
                if place in self._folds and bool(self._folds[place].group.sources) is reads
            ]
            counts += await asyncio.gather(*map(do, some))
        return sum(counts)

    async def _fold_one(self, place: GroupShard) -> int:
        count, batch = 0, self._held.pop(place, None)
        if batch is not None:
            with self._guarded(place), FOLD_SECONDS.labels(place.group).time():
                count = await self._folds[place].advance(batch)
                FOLDED.labels(place.group).inc(count)
        return count

    def _pass_later(self, shard: int) -> None:
        """See to it that nothing is held back for long."""
        if (task := self._passing.get(shard)) is None or task.done():
            self._passing[shard] = asyncio.create_task(self._pass(shard))

    async def _pass(self, shard: int) -> None:
        while self._of(shard):
            await asyncio.sleep(HELD_BACK)
            async with self._busy[shard]:
                await self._fold_held(self._of(shard))

    async def look_after(self, shards: Collection[int]) -> None:
        """Take up what is new in shards, and let go what is withdrawn."""
        groups = self._mine((await self._register.carried()).carried)
        wanted = {GroupShard(shard, group.name): group for shard in shards for group in groups}
        self._let_go({place for place in self._folds if place.shard in shards} - wanted.keys())
        if self._beaten != wanted.keys() or time.monotonic() - self._beat >= BEAT_EVERY:
            await self._store.beat(wanted)
            self._beaten, self._beat = {*wanted}, time.monotonic()
        for place, group in wanted.items():
            folding = self._fold(group, place)
            if place not in self._in_step and (
                place not in self._filling or self._filling[place].done()
            ):
                self._filling[place] = asyncio.create_task(self._fill(folding, place))

    async def heal(self, shard: int) -> None:
        """Catch up with the journal where nothing is folded, nor came of late.

        Then no batch is on its way that brings what is missing.
        """
        idle_after = min(self._idle_after[shard], IDLE_AFTER)
        if self._busy[shard].locked() or time.monotonic() - self._heard[shard] < idle_after:
            return
        async with self._busy[shard]:
            if places := self._carried(shard):
                await self._heal(shard, places)
                self._rest(shard, 2 * idle_after)

    def _carried(self, shard: int) -> list[GroupShard]:
        """What is kept in step with a shard."""
        return [place for place in self._in_step if place.shard == shard]

    def _rest(self, shard: int, idle_after: float) -> None:
        """Heal a shard only when nothing came for some seconds from now."""
        self._heard[shard], self._idle_after[shard] = time.monotonic(), idle_after

    async def _heal(self, shard: int, places: Sequence[GroupShard]) -> None:
        head = await asyncio.to_thread(self._journal[shard].head)

        async def heal(place: GroupShard) -> int:
            with self._guarded(place):
                return await self._folds[place].heal(head)
            return 0

        await self._in_turn(places, heal)

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
        return DerivedFold(
            group, shard, self._store, self._journal, self._emit, of=of, find=self._not_told
        )

    def _not_told(self, name: str, event: Recorded) -> Group | None:
        """A version in whose place another one tells from an event on.

        None where all was told that follows, or it is carried no more.
        """
        versions, said = self._register.last.versions, event.data
        if isinstance(said, SchemeSwitched) and (
            versions.lineup(said.group).announced >= said.switch
        ):
            return None
        return next((each for each in self._register.last.carried if each.name == name), None)

    async def _fill(self, folding: ShardFold, place: GroupShard) -> None:
        with self._guarded(place):
            await folding.catch_up(self._live.over)
            self._in_step.add(place)
            self._idle_after.pop(place.shard, None)  # what came meanwhile was not folded

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


def _is_for_everyone(group: Group, row: Row) -> bool:
    """Whether an event of the shard itself concerns every stream of a group.

    One that cannot be read does: the group that reads it says so, and keeps no other waiting.
    """
    try:
        return group.hears(row.event())
    except ValueError:
        return True
