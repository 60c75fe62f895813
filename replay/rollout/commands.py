"""How is another version brought, compared, approved, made live, announced and withdrawn, and how
does one go back?
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from domain.fastcopy import changed
from domain.rollout.events import (
    VersionAnnounced,
    VersionApproved,
    VersionPromoted,
    VersionProposed,
    VersionRolledBack,
    VersionWithdrawn,
)
from domain.rollout.lifecycle import Lineup, Version, Versions
from domain.tiering.policy import TierPolicy
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.projection import Group
from projections.redis import RedisStore
from projections.registry import REBUILT, Present, base_of, present
from projections.rollout.versions import name_of, policy_of
from projections.store import GroupShard
from projections.tiering.standing import STANDINGS
from replay.rebuild.digests import digests
from replay.rebuild.in_place import Refill
from replay.rollout.compare_live import compare_versions
from replay.rollout.notify import notify_moved
from replay.rollout.steps import NotAllowed, Steps, behind, must_be_whole
from replay.what_if.compare import Comparison
from streams.folds.active_groups import decided
from streams.journal import Journal
from streams.publish.confirmed_producer import ConfirmedProducer
from streams.publish.reactions import emitter

LIVE = "live"
LOOK_EVERY = 0.2
AGENTS_LOOK_EVERY = 2.0


Progress = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]
"""Shows how far a step is, under a word and of how many in all.

Gives the function that is told of more.
"""


@dataclass(frozen=True)
class RolloutDependencies:
    """What these commands reach; `begun_with` is the policy that counts until one was adopted."""

    journal: Journal
    store: RedisStore
    producer: ConfirmedProducer
    begun_with: TierPolicy
    zone: ZoneInfo
    progress: Progress = lambda _word, _total: nullcontext(lambda _count: None)

    @cached_property
    def steps(self) -> Steps:
        """How steps are taken."""
        return Steps(self.journal, self.store, self.producer, self.begun_with, self.zone)

    def versions(self) -> Versions:
        """What was decided so far."""
        return decided(self.journal)

    def present(self) -> Present:
        """What runs."""
        return present(self.versions(), self.begun_with)


async def lineups(deps: RolloutDependencies) -> dict[str, Any]:
    """The versions of every group, and how far each is behind the journal."""
    seen = deps.present()
    known = {**deps.versions().groups, STANDINGS: seen.lineup}
    lags = {group.name: await behind(deps.store, deps.journal, group) for group in seen.carried}
    return {
        "groups": {base_of(group): _as_json(known.get(base_of(group))) for group in seen.live},
        "behind": lags,
    }


async def rebuild(
    deps: RolloutDependencies,
    projection: str,
    policy: TierPolicy | None,
    by: str,
    refill: Callable[[Group], Refill] | None,
) -> dict[str, Any]:
    """Fold history into a new version, by the agents or by processes of this machine (`refill`),
    until it has all that there is.
    """
    begun, base = time.monotonic(), REBUILT[projection]
    ruled = (policy or deps.present().policy) if base == STANDINGS else None
    lineup = deps.present().lineup if base == STANDINGS else deps.versions().lineup(base)
    name = _fresh_name(lineup, ruled)
    step = VersionProposed(
        group=base, version=name, policy=ruled.model_dump(mode="json") if ruled else None, by=by
    )
    group = _named(present(_with(deps.versions(), base, lineup, step), deps.begun_with), base, name)
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


async def approve(deps: RolloutDependencies, version: str, report: str, by: str) -> dict[str, Any]:
    """Agree to a version, if this is what it changes."""
    version = _version(deps.present().lineup, version)
    now = await compare(deps, LIVE, version)
    if now.digest != report:
        raise NotAllowed(
            f"the comparison with the live version has the digest {now.digest} now: look at it "
            "again"
        )
    await deps.steps.take(VersionApproved(group=STANDINGS, version=version, report=report, by=by))
    return {"version": version, "approved_by": by, "report": report, "up": now.up, "down": now.down}


async def promote(
    deps: RolloutDependencies, projection: str, version: str, by: str, rate: int
) -> dict[str, Any]:
    """Make a version the one that readers see, then tell those whose tier changed."""
    base, seen = REBUILT[projection], deps.present()
    version = _version(seen.lineup, version) if base == STANDINGS else version
    if (group := seen.find(base, version)) is not None:
        await must_be_whole(deps.store, deps.journal, [group])
    await deps.steps.take(VersionPromoted(group=base, version=version, by=by))
    return await _switched(deps, base, seen.of(base).name, by, rate)


async def roll_back(
    deps: RolloutDependencies, projection: str, by: str, reason: str, rate: int
) -> dict[str, Any]:
    """Make the version before the one that readers see, then tell those who had been
    told otherwise.
    """
    base, seen = REBUILT[projection], deps.present()
    await deps.steps.take(VersionRolledBack(group=base, by=by, reason=reason))
    return await _switched(deps, base, seen.of(base).name, by, rate)


async def announce(deps: RolloutDependencies, by: str, rate: int) -> int:
    """Tell those whom the last switch moved, and note that it is done; 0 a second tells nobody.

    Gives how many were told.
    """
    lineup, told = deps.present().lineup, 0
    number = len(lineup.switches) - 1
    if number <= lineup.announced:
        return 0
    if rate:
        emit = emitter(deps.producer, deps.journal, len(deps.journal))
        facts, cases = (deps.present().of(base.name).name for base in (CUSTOMERS, CASES))
        with deps.progress("customers told", None) as advance:
            told = await notify_moved(
                deps.store, deps.journal, emit, lineup, facts, cases, deps.zone, rate, advance
            )
    await deps.steps.take(VersionAnnounced(group=STANDINGS, switch=number, told=told, by=by))
    return told


async def withdraw(
    deps: RolloutDependencies, projection: str, version: str, by: str
) -> dict[str, Any]:
    """Carry a version no longer, and remove its states."""
    base = REBUILT[projection]
    version = _version(deps.present().lineup, version) if base == STANDINGS else version
    group = deps.present().find(base, version)
    await deps.steps.take(VersionWithdrawn(group=base, version=version, by=by))
    if group is not None:
        await asyncio.sleep(AGENTS_LOOK_EVERY)
        await _dropped(deps, group)
    return {"withdrawn": version}


async def compare(deps: RolloutDependencies, old: str, new: str) -> Comparison:
    """Two versions of standings at one common position; `live` is the one that readers see."""
    seen = deps.present()
    names = [_version(seen.lineup, name) for name in (old, new)]
    before, after = (_named(seen, STANDINGS, name) for name in names)
    await must_be_whole(deps.store, deps.journal, [before, after])
    policies = [policy_of(seen.lineup.known[name]) for name in names]
    with deps.progress("customers compared", None) as advance:
        return await compare_versions(
            deps.store, deps.journal, (before, after), (policies[0], policies[1]), advance
        )


async def _switched(
    deps: RolloutDependencies, base: str, before: str, by: str, rate: int
) -> dict[str, Any]:
    told = await announce(deps, by, rate) if base == STANDINGS else 0
    return {"live": deps.present().of(base).name, "before": before, "told": told}


def _version(lineup: Lineup, said: str) -> str:
    """A version of standings by its name, by its policy alone (`gold-rule@2`) where there is one of
    it, or `live`.
    """
    if said == LIVE:
        return lineup.live
    found = [name for name in lineup.carried if said == name] or [
        name for name in lineup.carried if name.startswith(f"{said}/")
    ]
    if len(found) != 1:
        raise NotAllowed(
            f"{said} is {'not carried' if not found else 'the name of several'}: there are "
            f"{', '.join(lineup.carried)}"
        )
    return found[0]


def _as_json(lineup: Lineup | None) -> dict[str, Any]:
    known = lineup or Versions().lineup("")
    carried = {
        name: {
            "by": each.by,
            "approvals": [
                asdict(approval) | {"on": str(approval.on)} for approval in each.approvals
            ],
        }
        for name, each in known.carried.items()
    }
    return {"live": known.live, "before": known.before, "versions": carried}


def _with(versions: Versions, base: str, lineup: Lineup, step: VersionProposed) -> Versions:
    """The versions as they would be with one more."""
    after = changed(
        lineup,
        known={**lineup.known, step.version: Version(step.by, step.policy)},
        withdrawn=tuple({*lineup.withdrawn} - {step.version}),
    )
    return changed(versions, groups={**versions.groups, base: after})


def _fresh_name(lineup: Lineup, policy: TierPolicy | None) -> str:
    """What another version is called.

    One that was never proposed, though it may have been begun to be filled.
    """
    stem = name_of(policy) if policy else ""
    names = (
        [stem, *(f"{stem}/{number}" for number in range(2, 1000))]
        if stem
        else [str(number) for number in range(2, 1000)]
    )
    return next(name for name in names if name not in lineup.known)


def _named(seen: Present, base: str, name: str) -> Group:
    found = seen.find(base, name)
    assert found is not None
    return found


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
        await _dropped(deps, group)
        raise NotAllowed(
            "somebody was forgotten or restricted, or a master key followed, while this was "
            "filled: rebuild once more"
        )


async def _dropped(deps: RolloutDependencies, group: Group) -> None:
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
