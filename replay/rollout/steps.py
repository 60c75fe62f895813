"""How does another version become the one that readers see?

Proposed, approved, promoted, rolled back: each step an event.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from domain.envelope import Proposed
from domain.rollout.events import (
    SOURCE,
    STREAM,
    Step,
    VersionAdopted,
    VersionProposed,
    is_of_tiers,
    standings_of,
)
from domain.rollout.lifecycle import refusal
from domain.tiering.policy import TierPolicy
from projections.projection import Group
from projections.redis import RedisStore
from projections.rollout.versions import STEPS, VERSIONS, begun, name_of
from projections.store import GroupShard
from projections.tiering.standing import STANDINGS
from replay.history.as_of import history
from replay.rollout.front_door import NotSeen, record
from streams.broker.routing import shard_of
from streams.folds.active_groups import decided
from streams.journal import Journal
from streams.publish.adoption import TooLarge, fitting
from streams.publish.confirmed_producer import ConfirmedProducer

PAUSE = 0.01


class NotAllowed(ValueError):
    """A step that is not allowed; says why, and what to do first."""


class Steps:
    """Takes steps: each goes through the front door, and is done when it is in the journal and
    readers see it.
    """

    def __init__(
        self,
        journal: Journal,
        store: RedisStore,
        producer: ConfirmedProducer,
        begun_with: TierPolicy,
        zone: ZoneInfo,
        patience: float = 30.0,
    ) -> None:
        self._journal = journal
        self._store = store
        self._producer = producer
        self._begun_with = begun_with
        self._zone = zone
        self._patience = patience
        self._shard = journal[shard_of(STREAM, len(journal))]

    async def take(self, step: Step) -> None:
        """Take a step; raises `NotAllowed` if it is not, also where somebody else was faster, and
        `NotSeen` if nobody folds it in time.
        """
        known = decided(self._journal)
        if why := refusal(begun(known, self._begun_with), step, datetime.now(self._zone).date()):
            raise NotAllowed(why)
        if is_of_tiers(step.group) and not known.schemes:
            await self._adopt()
        await self._send(step)
        await self._seen()

    async def _adopt(self) -> None:
        """Say what the bank began with, before anything else is said of standings.

        The policy that the agents fold.
        """
        policy = self._begun_with
        places = [
            GroupShard(shard.number, f"{STANDINGS}/{name_of(policy)}") for shard in self._journal
        ]
        if not any(await self._store.alive(places)):
            raise NotAllowed(
                f"no agent folds standings under {name_of(policy)}: start the agents, or give "
                "this command their TIERFOLD_POLICY"
            )
        await self._send(
            VersionAdopted(
                group=standings_of(policy.scheme), version=name_of(policy), policy=policy.said
            )
        )

    async def _send(self, step: Step) -> None:
        """Send a step, and wait until the journal has it and it was allowed there too."""
        now = datetime.now(self._zone)
        event = Proposed(SOURCE, uuid4().hex, STREAM, now, now.date(), step)
        try:
            fitting(event)
        except TooLarge as error:
            raise NotAllowed(str(error)) from error
        await record(self._journal, self._producer, [event], self._patience)
        before = await asyncio.to_thread(decided, self._journal, event.id)
        if why := refusal(before, step, now.date()):
            raise NotAllowed(f"somebody else was faster: {why}")

    async def _seen(self) -> None:
        """Wait until the read models say what the journal says."""
        place, deadline = (
            GroupShard(self._shard.number, STEPS.name),
            time.monotonic() + self._patience,
        )
        while time.monotonic() < deadline:
            wanted = await asyncio.to_thread(decided, self._journal)
            [kept] = await self._store.load(place, [(VERSIONS.key, STREAM)])
            if kept is not None and kept.state == VERSIONS.encode(wanted):
                return
            await asyncio.sleep(PAUSE)
        raise NotSeen(
            "the step is in the journal, and the agents have not folded it yet: are they running?"
        )


def brought_at(journal: Journal, group: str, version: str) -> datetime:
    """When a version was last brought; raises `NotAllowed` for one that never was."""
    steps = history(journal[shard_of(STREAM, len(journal))], STREAM)
    times = [
        event.recorded_at
        for event in steps
        if isinstance(event.data, VersionProposed | VersionAdopted)
        and (event.data.group, event.data.version) == (group, version)
    ]
    if not times:
        raise NotAllowed(f"{version} was never brought")
    return times[-1]


async def behind(store: RedisStore, journal: Journal, group: Group) -> int:
    """How many positions a group is behind the journal, over all shards."""
    places = [GroupShard(shard.number, group.name) for shard in journal]
    heads = await asyncio.to_thread(lambda: [shard.head() for shard in journal])
    return sum(
        max(0, head - upto) for head, upto in zip(heads, await store.uptos(places), strict=True)
    )


async def must_be_whole(
    store: RedisStore, journal: Journal, groups: Sequence[Group], patience: float = 10.0
) -> None:
    """Wait until versions have all that the journal had just now.

    Raises `NotAllowed` if they do not in time.
    """
    heads = await asyncio.to_thread(lambda: [shard.head() for shard in journal])
    deadline = time.monotonic() + patience
    for group in groups:
        places = [GroupShard(shard.number, group.name) for shard in journal]
        while any(upto < head for upto, head in zip(await store.uptos(places), heads, strict=True)):
            if time.monotonic() > deadline:
                raise NotAllowed(
                    f"{group.name} is {await behind(store, journal, group)} events behind: wait "
                    "until its rebuild is done"
                )
            await asyncio.sleep(PAUSE)
