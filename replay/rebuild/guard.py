"""Who notices when something is no longer what it was, while everything runs?

A guard that verifies round after round.

It takes a share of one core and no more; so a round takes as long as the bank is large, and says
how long that was. It rests where there is nothing new, and while others are behind: it never stops.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import msgspec
import structlog

from projections.projection import Group
from projections.redis import RedisStore
from projections.store import GroupShard
from replay.rebuild.verify import (
    Finding,
    counts_verified,
    events_verified,
    states_verified,
    streams_of,
)
from streams.folds.active_groups import Register
from streams.journal import Journal, Shard
from streams.observability.metrics import PULSE
from streams.queries.health import GUARD

log = structlog.get_logger()

AT_LEAST = 10.0
"""Seconds that a round takes, however small the bank."""
TELL_EVERY = 2.0
PAUSE = 0.01
RESTING = 0.025
"""How much of its share the guard takes where nothing came since all was found sound, or where
others have more urgent work.
"""
SETTLING = 20.0
"""Seconds in which states follow keys that were destroyed, restricted or lifted."""
UNSETTLED = 600.0
"""Seconds of a round for which states are looked at again while keys change; what is found then is
told.
"""
UNHEARD = -1
BEHIND = 1_000
"""Events that a group is behind its shard, from which on that is so."""


class _Work:
    """How long something takes, from now on."""

    def __init__(self) -> None:
        self._begun, self._burnt = time.monotonic(), time.process_time()

    def done(self, *, busy: bool) -> float:
        """Seconds of the clock where others are `busy`: then one is kept waiting, and yields more.

        Else of a core: a finding in a quiet bank does not wait for what else the machine does.
        """
        return time.monotonic() - self._begun if busy else time.process_time() - self._burnt


class Guard:
    """Verifies everything, again and again, with a share (0 to 1) of one core, and tells
    what it found.
    """

    def __init__(
        self, store: RedisStore, journal: Journal, register: Register, share: float
    ) -> None:
        self._store = store
        self._journal = journal
        self._register = register
        self._share = share
        self._now: set[tuple[str, int, str]] = set()
        self._before: set[tuple[str, int, str]] = set()
        self._round_seconds = 0.0
        self._rounds = 0
        self._told = 0.0
        self._worked = 0.0
        self._share_now = share
        self._sound: list[int] = []
        self._busy = True
        self._changes = UNHEARD
        self._changed = -SETTLING
        self._waited = 0.0

    async def run(self) -> None:
        """Go round until cancelled; a dependency that is down is waited for."""
        while True:
            try:
                await self._round()
            except Exception as error:  # noqa: BLE001 - said, and tried again: a guard that is gone guards nothing
                log.error("round_broken", error=type(error).__name__)  # noqa: TRY400
                PULSE.beat()
                await asyncio.sleep(AT_LEAST)

    async def _round(self) -> None:
        begun, self._now, self._waited = time.monotonic(), set(), 0.0
        await self._keys_change()
        heads = await self._heads()
        work = _Work()
        async for findings in self._everything():
            for finding in findings:
                self._note(finding)
            await self._rest(work.done(busy=self._busy))
            work = _Work()
        await asyncio.sleep(max(0.0, AT_LEAST - (time.monotonic() - begun)))
        self._before, self._round_seconds, self._rounds = (
            self._now,
            time.monotonic() - begun,
            self._rounds + 1,
        )
        self._sound = [] if self._now else heads
        await self._tell(at_once=True)

    async def _rest(self, worked: float) -> None:
        """Let others have their share of the time, by what one has worked (seconds)."""
        self._worked += worked
        while (owed := self._worked * (1 / self._share_now - 1)) > PAUSE:
            some = min(owed, TELL_EVERY)
            await asyncio.sleep(some)
            self._worked *= 1 - some / owed
            await self._tell()
        await self._tell()

    async def _share_of_now(self) -> float:
        """The share of a core that is due.

        Little where nothing came since all was found sound, and where others are behind.
        """
        heads, live = await self._heads(), (await self._register.live()).live
        uptos = await self._store.uptos(
            [GroupShard(shard, group.name) for group in live for shard in range(len(heads))]
        )
        behind = max(head - upto for head, upto in zip(heads * len(live), uptos, strict=True))
        quiet = heads == self._sound
        self._busy = behind > BEHIND or not quiet
        return self._share * (RESTING if quiet or behind > BEHIND else 1)

    async def _heads(self) -> list[int]:
        return await asyncio.to_thread(lambda: [shard.head() for shard in self._journal])

    def _note(self, finding: Finding) -> None:
        name = (finding.kind, finding.shard, finding.where)
        self._now.add(name)
        if name not in self._before:
            log.error(
                "not_as_it_was",
                kind=finding.kind,
                shard=finding.shard,
                where=finding.where,
                said=finding.said,
            )

    async def _everything(self) -> AsyncIterator[list[Finding]]:
        """What is found wrong with one thing after the other."""
        for shard in self._journal:
            yield await asyncio.to_thread(counts_verified, shard)
        for shard in self._journal:
            for group in (await self._register.carried()).carried:
                streams = await streams_of(self._store, shard, group)
                async for findings in self._states(shard, group, streams):
                    yield findings
            for _, findings in events_verified(shard):
                yield findings

    async def _states(
        self, shard: Shard, group: Group, streams: Sequence[str]
    ) -> AsyncIterator[list[Finding]]:
        """What is found wrong with states, one stream after the other.

        Keys that were destroyed, restricted or lifted take the states made by them along, a little
        later. What is found then is looked at again until that is over: the same one may be
        restricted, and lifted behind that.
        """
        present = self._register.last
        async for _, findings in states_verified(
            self._store, self._journal, present, group, shard, streams
        ):
            while (
                findings
                and self._waited < UNSETTLED
                and (await self._keys_change() or await self._store.is_amended_for_keys())
            ):
                await asyncio.sleep(SETTLING)
                self._waited += SETTLING
                await self._tell()
                again = [findings[0].where.rpartition(" ")[2]]
                findings = [  # noqa: PLW2901 - what still is so
                    each
                    async for _, some in states_verified(
                        self._store, self._journal, present, group, shard, again
                    )
                    for each in some
                ]
            yield findings

    async def _keys_change(self) -> bool:
        """Whether a key was changed within the time that its states take to follow."""
        if (keyring := self._journal.keyring) is None:
            return False
        changes = await asyncio.to_thread(keyring.changes)
        if self._changes not in (UNHEARD, changes):
            self._changed = time.monotonic()
        self._changes = changes
        return time.monotonic() - self._changed < SETTLING

    async def _tell(self, *, at_once: bool = False) -> None:
        """Tell what stands.

        This round's findings, and those of the one before that were not looked at again yet.
        """
        if not at_once and time.monotonic() - self._told < TELL_EVERY:
            return
        self._told = time.monotonic()
        self._share_now = await self._share_of_now()
        PULSE.beat()
        found = Counter(kind for kind, _, _ in self._now | self._before)
        said = {
            "at": time.time(),
            "rounds": self._rounds,
            "round_seconds": self._round_seconds,
            "findings": found,
        }
        await self._store.note(GUARD, msgspec.json.encode(said))
