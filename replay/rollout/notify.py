"""Who is told that a switch moved them, and how fast?

Everybody moved, once, at a rate that the operator sets.

What is sent is named after the switch and the customer: whoever is told already is not told again,
however often this is begun anew.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from domain.envelope import Proposed
from domain.rollout.lifecycle import Lineup
from domain.tiering.assessment import tier_on
from domain.tiering.events import TierChanged
from domain.tiering.policy import TierPolicy
from projections.redis import RedisStore
from projections.rollout.versions import policy_of
from projections.tiering.standing import STANDINGS, standings
from replay.rollout.compare_live import Pair, side_by_side
from streams.broker.routing import shard_of
from streams.folds.active_groups import decided
from streams.folds.shard_fold import Emit
from streams.journal import Journal, source_key

SOURCE = "tierfold/announcements"
TENTH = 0.1
STRAGGLERS = 1.0
"""Seconds after which a roll-back looks for those who were told of the switch before in the
last moment.
"""


class Overtaken(ValueError):
    """Another switch came while the last one was being announced."""


async def notify_moved(
    store: RedisStore,
    journal: Journal,
    emit: Emit,
    group: str,
    lineup: Lineup,
    facts: str,
    cases: str,
    zone: ZoneInfo,
    rate: int,
    progress: Callable[[int], None],
) -> int:
    """Record a `TierChanged` for everybody whom the last switch moved, so many a second.

    Gives how many have been told in all.

    `group` has the versions of the scheme, `facts` is the group that the standings read.

    After a roll-back only those are told who had been told of the switch before; it looks again
    until there are no more of them, because that announcement may have been on its way. Raises
    `Overtaken` when another switch comes meanwhile.
    """
    told: set[str] = set()
    pace = _Pace(rate)
    while True:
        before = len(told)
        async for some in _movers(store, journal, group, lineup, facts, cases, zone):
            fresh = [event for event in some if event.stream not in told]
            for start in range(0, len(fresh), pace.at_once):
                part = fresh[start : start + pace.at_once]
                _must_be_last(journal, group, lineup)
                await emit(part)
                told.update(event.stream for event in part)
                progress(len(part))
                await pace.wait(len(part))
        if not lineup.switches[-1].back or len(told) == before:
            _must_be_last(journal, group, lineup)
            return len(told)
        await asyncio.sleep(STRAGGLERS)


def _must_be_last(journal: Journal, group: str, lineup: Lineup) -> None:
    if len(decided(journal).lineup(group).switches) != len(lineup.switches):
        raise Overtaken(
            "another switch came meanwhile: whom it moves is told by its own announcement"
        )


async def _movers(
    store: RedisStore,
    journal: Journal,
    group: str,
    lineup: Lineup,
    facts: str,
    cases: str,
    zone: ZoneInfo,
) -> AsyncIterator[list[Proposed]]:
    number, switch = len(lineup.switches) - 1, lineup.switches[-1]
    assert switch.before
    names = (switch.before, switch.after)
    old, new = (policy_of(lineup.known[name]) for name in names)
    policies = (old, new)
    groups = (standings(names[0], old, facts, cases), standings(names[1], new, facts, cases))
    async for some in side_by_side(store, journal, groups, policies):
        now = datetime.now(zone)
        moved = [
            event
            for each in some
            if (event := _moved(each, policies, now, group, number)) is not None
        ]
        yield await _of_those_told(journal, moved, group, number - 1) if switch.back else moved


def _moved(
    each: Pair, policies: Sequence[TierPolicy], now: datetime, group: str, number: int
) -> Proposed | None:
    old, new = policies
    kind = (each.rows[max(each.rows)].traits.kind if each.rows else None) or "person"
    if not (old.covers(kind) or new.covers(kind)):
        return None
    before, after = tier_on(old, each.before, now.date()), tier_on(new, each.after, now.date())
    if before == after:
        return None
    data = TierChanged(
        before=before, after=after, policy=new.label, effective=now.date(), scheme=new.scheme
    )
    return Proposed(
        SOURCE,
        _name(group, number, each.stream),
        each.stream,
        now,
        now.date(),
        data,
        cause=f"{group}#{number}",
    )


async def _of_those_told(
    journal: Journal, moved: Sequence[Proposed], group: str, number: int
) -> list[Proposed]:
    """Those who had been told of an earlier switch."""
    told = []
    for event in moved:
        key = source_key(SOURCE, _name(group, number, event.stream))
        if await asyncio.to_thread(journal[shard_of(event.stream, len(journal))].known, [key]):
            told.append(event)
    return told


def _name(group: str, number: int, stream: str) -> str:
    """Trap: the switches of the scheme that every bank has had are named as they always were."""
    of = "" if group == STANDINGS else f"{group.removeprefix(STANDINGS).removeprefix('/')}/"
    return f"{of}switch-{number}/{sha256(stream.encode()).hexdigest()}"


class _Pace:
    """So many a second, a tenth of it at once."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._due = time.monotonic()
        self.at_once = max(1, int(rate * TENTH))

    async def wait(self, sent: int) -> None:
        """Wait until so many more may be sent."""
        self._due = max(self._due, time.monotonic() - TENTH) + sent / self._rate
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
