"""How is history folded into another version, beside the live one?"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from domain.fastcopy import changed
from domain.rollout.events import (
    VersionProposed,
    standings_of,
)
from domain.rollout.lifecycle import Version, Versions
from domain.tiering.policy import TierPolicy
from projections.projection import Group
from projections.registry import REBUILT, present
from projections.store import GroupShard
from projections.tiering.standing import STANDINGS
from replay.rebuild.digests import digests
from replay.rebuild.in_place import Refill
from replay.rollout.bank import RolloutDependencies
from replay.rollout.names import (
    fresh_name,
    group_named,
    live_policy,
)
from replay.rollout.steps import NotAllowed, behind

LOOK_EVERY = 0.2


async def rebuild(
    deps: RolloutDependencies,
    projection: str,
    policy: TierPolicy | None,
    by: str,
    refill: Callable[[Group], Refill] | None,
    scheme: str | None = None,
) -> dict[str, Any]:
    """Fold history into a new version, by the agents or by processes of this machine (`refill`),
    until it has all that there is.

    Standings without a policy are folded under the live one of a scheme; if none is named, of the
    one that the bank began with.
    """
    begun, seen, base = time.monotonic(), deps.present(), REBUILT[projection]
    ruled = (policy or live_policy(seen, scheme)) if base == STANDINGS else None
    if scheme is not None and (ruled is None or ruled.scheme != scheme):
        raise NotAllowed(f"--scheme {scheme} does not go with what is to be rebuilt")
    base = standings_of(ruled.scheme) if ruled else base
    name = fresh_name(seen.versions.lineup(base), ruled)
    step = VersionProposed(group=base, version=name, policy=ruled.said if ruled else None, by=by)
    group = group_named(present(_with(seen.versions, step), deps.begun_with), base, name)
    with deps.progress("folded", await _size(deps, group)) as advance:
        if refill is not None:
            await _filled_here(deps, group, refill, advance)
        await deps.steps.take(step)
        await _caught_up(deps, group, advance)
    found = await digests([group], deps.store, len(deps.journal))
    return {
        "group": base,
        "version": name,
        "engine": "local" if refill else "agents",
        "seconds": round(time.monotonic() - begun, 2),
        "digests": found,
    }


def _with(versions: Versions, step: VersionProposed) -> Versions:
    """The versions as they would be with one more."""
    lineup = versions.lineup(step.group)
    after = changed(
        lineup,
        known={**lineup.known, step.version: Version(step.by, step.policy)},
        withdrawn=tuple({*lineup.withdrawn} - {step.version}),
    )
    return changed(versions, groups={**versions.groups, step.group: after})


async def _size(deps: RolloutDependencies, group: Group) -> int:
    if not group.sources:
        return await asyncio.to_thread(lambda: sum(shard.head() for shard in deps.journal))
    return sum(
        [
            await deps.store.count(GroupShard(shard, group.sources[0].group))
            for shard in range(len(deps.journal))
        ]
    )


async def _reached(deps: RolloutDependencies, group: Group) -> int:
    """How far a rebuild is: events, or customers where it folds what others have folded."""
    places = [GroupShard(shard, group.name) for shard in range(len(deps.journal))]
    if not group.sources:
        return sum(await deps.store.uptos(places))
    return sum([await deps.store.count(place) for place in places])


async def _filled_here(
    deps: RolloutDependencies,
    group: Group,
    begin: Callable[[Group], Refill],
    advance: Callable[[int], None],
) -> None:
    """Raises `NotAllowed` if somebody was forgotten meanwhile.

    What was filled may still know of them, and goes.
    """
    assert deps.journal.keyring is not None
    changes, told = deps.journal.keyring.changes(), 0
    refill = begin(group)
    try:
        while not await asyncio.to_thread(refill.done):
            reached = await _reached(deps, group)
            advance(reached - told)
            told = reached
    finally:
        await asyncio.to_thread(refill.close)
    if deps.journal.keyring.changes() != changes:
        await dropped(deps, group)
        raise NotAllowed(
            "somebody was forgotten or restricted, or a master key followed, while this was "
            "filled: rebuild once more"
        )


async def dropped(deps: RolloutDependencies, group: Group) -> None:
    """Remove the states of a version."""
    for shard in range(len(deps.journal)):
        await deps.store.forget(GroupShard(shard, group.name), [part.key for part in group.parts])


async def _caught_up(
    deps: RolloutDependencies, group: Group, advance: Callable[[int], None]
) -> None:
    """Wait until the agents carry the version with all that there is."""
    told = await _reached(deps, group)
    while await behind(deps.store, deps.journal, group):
        reached = await _reached(deps, group)
        advance(max(0, reached - told))
        told = reached
        await asyncio.sleep(LOOK_EVERY)
