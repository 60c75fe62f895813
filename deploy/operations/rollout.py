"""What happens when another version is brought, compared, approved and made live, or when one goes back?"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from deploy.active_groups import begun_with
from deploy.observability.logs import set_up_logs
from deploy.settings import Settings
from deploy.terminal import Mendable, progress
from deploy.wiring import courier_of, existing_journal
from domain.fastcopy import changed
from domain.rollout.events import VersionAnnounced, VersionApproved, VersionPromoted, VersionProposed, VersionRolledBack, VersionWithdrawn
from domain.rollout.lifecycle import Lineup, Version, Versions
from domain.tiering.policy import TierPolicy
from projections.customers.group import CUSTOMERS, STANDINGS
from projections.households.totals import WHOLES
from projections.models.learner import MODELS
from projections.offers.responses import REACTIONS
from projections.projection import Group
from projections.redis import RedisError, RedisStore
from projections.rollout.versions import Present, base_of, name_of, policy_of, present
from projections.store import Place
from replay.rebuild.digests import digests
from replay.rebuild.in_place import Refill
from replay.rebuild.verify import verify
from replay.rollout.compare_live import compared
from replay.rollout.notify import Overtaken, announce
from replay.rollout.steps import Steps, behind, must_be_whole
from replay.what_if.compare import Comparison
from streams.folds.active_groups import decided
from streams.journal import Journal
from streams.publish.confirmed_producer import Courier
from streams.publish.reactions import emitter

T = TypeVar("T")
LIVE = "live"
LOOK_EVERY = 0.2
AGENTS_LOOK_EVERY = 2.0
BASES = {
    "profile": CUSTOMERS.name,
    "ledger": CUSTOMERS.name,
    "months": CUSTOMERS.name,
    "tier": STANDINGS,
    "offers": REACTIONS.name,
    "model": MODELS.name,
    "whole": WHOLES.name,
}
"""Which group folds a projection."""


@dataclass(frozen=True)
class Doors:
    """What these commands reach."""

    settings: Settings
    journal: Journal
    store: RedisStore
    courier: Courier
    steps: Steps

    def versions(self) -> Versions:
        """What was decided so far."""
        return decided(self.journal)

    def present(self) -> Present:
        """What runs."""
        return present(self.versions(), begun_with(self.settings))


def run(settings: Settings, action: Callable[[Doors], Coroutine[Any, Any, T]]) -> T:
    """What an action comes to, with the doors of these settings."""

    async def acted() -> T:
        async with _doors(settings) as doors:
            return await action(doors)

    try:
        return asyncio.run(acted())
    except RedisError as error:
        raise Mendable(f"the read models do not answer ({error}): start the stack first") from error


@asynccontextmanager
async def _doors(settings: Settings) -> AsyncIterator[Doors]:
    journal, store = existing_journal(settings), RedisStore(settings.redis)
    courier = courier_of(settings, journal)
    try:
        yield Doors(settings, journal, store, courier, Steps(journal, store, courier, begun_with(settings), ZoneInfo(settings.timezone)))
    finally:
        await asyncio.to_thread(courier.close, 5.0)
        await store.close()


async def listed(doors: Doors) -> dict[str, Any]:
    """The versions of every group, and how far each is behind the journal."""
    seen = doors.present()
    lineups = {**doors.versions().groups, STANDINGS: seen.lineup}
    lags = {group.name: await behind(doors.store, doors.journal, group) for group in seen.carried}
    return {"groups": {base_of(group): _told(lineups.get(base_of(group))) for group in seen.live}, "behind": lags}


async def rebuilt(doors: Doors, projection: str, policy: TierPolicy | None, by: str, *, here: bool) -> dict[str, Any]:
    """Fold history into a new version, by the agents or by processes of this machine, until it has all that there is."""
    begun, base = time.monotonic(), BASES[projection]
    ruled = (policy or doors.present().policy) if base == STANDINGS else None
    lineup = doors.present().lineup if base == STANDINGS else doors.versions().lineup(base)
    name = _fresh_name(lineup, ruled)
    step = VersionProposed(group=base, version=name, policy=ruled.model_dump(mode="json") if ruled else None, by=by)
    group = _named(present(_with(doors.versions(), base, lineup, step), begun_with(doors.settings)), base, name)
    with progress("folded", await _size(doors, group)) as advance:
        if here:
            await _filled_here(doors, group, advance)
        await doors.steps.take(step)
        await _caught_up(doors, group, advance)
    found = await digests([group], doors.store, doors.settings.shards)
    return {"group": base, "version": name, "engine": "local" if here else "agents", "seconds": round(time.monotonic() - begun, 2), "digests": found}


async def approved(doors: Doors, version: str, report: str, by: str) -> dict[str, Any]:
    """Agree to a version, if this is what it changes."""
    version = _version(doors.present().lineup, version)
    now = await compare(doors, LIVE, version)
    if now.digest != report:
        raise Mendable(f"the comparison with the live version has the digest {now.digest} now: look at it again")
    await doors.steps.take(VersionApproved(group=STANDINGS, version=version, report=report, by=by))
    return {"version": version, "approved_by": by, "report": report, "up": now.up, "down": now.down}


async def promoted(doors: Doors, projection: str, version: str, by: str, rate: int) -> dict[str, Any]:
    """Make a version the one that readers see, then tell those whose tier changed."""
    base, seen = BASES[projection], doors.present()
    version = _version(seen.lineup, version) if base == STANDINGS else version
    if (group := seen.find(base, version)) is not None:
        await must_be_whole(doors.store, doors.journal, [group])
    await doors.steps.take(VersionPromoted(group=base, version=version, by=by))
    return await _switched(doors, base, seen.of(base).name, by, rate)


async def rolled_back(doors: Doors, projection: str, by: str, reason: str, rate: int) -> dict[str, Any]:
    """Make the version before the one that readers see, then tell those who had been told otherwise."""
    base, seen = BASES[projection], doors.present()
    await doors.steps.take(VersionRolledBack(group=base, by=by, reason=reason))
    return await _switched(doors, base, seen.of(base).name, by, rate)


async def announced(doors: Doors, by: str, rate: int) -> int:
    """Tell those whom the last switch moved, and note that it is done; 0 a second tells nobody. Gives how many were told."""
    lineup, told = doors.present().lineup, 0
    number = len(lineup.switches) - 1
    if number <= lineup.announced:
        return 0
    if rate:
        emit = emitter(doors.courier, doors.journal, doors.settings.shards)
        facts = doors.present().of(CUSTOMERS.name).name
        with progress("customers told") as advance:
            try:
                told = await announce(doors.store, doors.journal, emit, lineup, facts, ZoneInfo(doors.settings.timezone), rate, advance)
            except Overtaken as error:
                raise Mendable(str(error)) from error
    await doors.steps.take(VersionAnnounced(group=STANDINGS, switch=number, told=told, by=by))
    return told


async def withdrawn(doors: Doors, projection: str, version: str, by: str) -> dict[str, Any]:
    """Carry a version no longer, and remove its states."""
    base = BASES[projection]
    version = _version(doors.present().lineup, version) if base == STANDINGS else version
    group = doors.present().find(base, version)
    await doors.steps.take(VersionWithdrawn(group=base, version=version, by=by))
    if group is not None:
        await asyncio.sleep(AGENTS_LOOK_EVERY)
        await _dropped(doors, group)
    return {"withdrawn": version}


async def compare(doors: Doors, old: str, new: str) -> Comparison:
    """Two versions of standings at one common position; `live` is the one that readers see."""
    seen = doors.present()
    names = [_version(seen.lineup, name) for name in (old, new)]
    before, after = (_named(seen, STANDINGS, name) for name in names)
    await must_be_whole(doors.store, doors.journal, [before, after])
    policies = [policy_of(seen.lineup.known[name]) for name in names]
    with progress("customers compared") as advance:
        return await compared(doors.store, doors.journal, (before, after), (policies[0], policies[1]), advance)


async def verified(doors: Doors, sample: int | None, *, ranges: bool) -> dict[str, Any]:
    """Everything held to what it was; with count and digest of every range of positions, if asked for."""
    with progress("verified") as advance:
        verdict = await verify(doors.store, doors.journal, doors.present(), sample, advance)
    found = asdict(verdict)
    return found if ranges else {name: each for name, each in found.items() if name != "ranges"}


async def _switched(doors: Doors, base: str, before: str, by: str, rate: int) -> dict[str, Any]:
    told = await announced(doors, by, rate) if base == STANDINGS else 0
    return {"live": doors.present().of(base).name, "before": before, "told": told}


def _version(lineup: Lineup, said: str) -> str:
    """A version of standings by its name, by its policy alone (`gold-rule@2`) where there is one of it, or `live`."""
    if said == LIVE:
        return lineup.live
    found = [name for name in lineup.carried if said == name] or [name for name in lineup.carried if name.startswith(f"{said}/")]
    if len(found) != 1:
        raise Mendable(f"{said} is {'not carried' if not found else 'the name of several'}: there are {', '.join(lineup.carried)}")
    return found[0]


def _told(lineup: Lineup | None) -> dict[str, Any]:
    known = lineup or Versions().lineup("")
    carried = {
        name: {"by": each.by, "approvals": [asdict(approval) | {"on": str(approval.on)} for approval in each.approvals]} for name, each in known.carried.items()
    }
    return {"live": known.live, "before": known.before, "versions": carried}


def _with(versions: Versions, base: str, lineup: Lineup, step: VersionProposed) -> Versions:
    """The versions as they would be with one more."""
    after = changed(lineup, known={**lineup.known, step.version: Version(step.by, step.policy)}, withdrawn=tuple({*lineup.withdrawn} - {step.version}))
    return changed(versions, groups={**versions.groups, base: after})


def _fresh_name(lineup: Lineup, policy: TierPolicy | None) -> str:
    """What another version is called: one that was never proposed, though it may have been begun to be filled."""
    stem = name_of(policy) if policy else ""
    names = [stem, *(f"{stem}/{number}" for number in range(2, 1000))] if stem else [str(number) for number in range(2, 1000)]
    return next(name for name in names if name not in lineup.known)


def _named(seen: Present, base: str, name: str) -> Group:
    found = seen.find(base, name)
    assert found is not None
    return found


async def _size(doors: Doors, group: Group) -> int:
    if group.source is None:
        return await asyncio.to_thread(lambda: sum(shard.head() for shard in doors.journal))
    return sum([await doors.store.count(Place(shard, group.source.group)) for shard in range(doors.settings.shards)])


async def _reached(doors: Doors, group: Group) -> int:
    """How far a rebuild is: events, or customers where it folds what others have folded."""
    places = [Place(shard, group.name) for shard in range(doors.settings.shards)]
    if group.source is None:
        return sum(await doors.store.uptos(places))
    return sum([await doors.store.count(place) for place in places])


async def _filled_here(doors: Doors, group: Group, advance: Callable[[int], None]) -> None:
    """Raises `Mendable` if somebody was forgotten meanwhile: what was filled may still know of them, and goes."""
    assert doors.journal.keyring is not None
    changes = doors.journal.keyring.changes()
    refill, told = Refill(group, doors.journal, doors.settings.redis, partial(set_up_logs, "warning", "replay")), 0
    try:
        while not await asyncio.to_thread(refill.done):
            reached = await _reached(doors, group)
            advance(reached - told)
            told = reached
    finally:
        await asyncio.to_thread(refill.close)
    if doors.journal.keyring.changes() != changes:
        await _dropped(doors, group)
        raise Mendable("somebody was forgotten or restricted, or a master key followed, while this was filled: rebuild once more")


async def _dropped(doors: Doors, group: Group) -> None:
    """Remove the states of a version."""
    for shard in range(doors.settings.shards):
        await doors.store.forget(Place(shard, group.name), [part.key for part in group.parts])


async def _caught_up(doors: Doors, group: Group, advance: Callable[[int], None]) -> None:
    """Wait until the agents carry the version with all that there is."""
    told = await _reached(doors, group)
    while await behind(doors.store, doors.journal, group):
        reached = await _reached(doors, group)
        advance(max(0, reached - told))
        told = reached
        await asyncio.sleep(LOOK_EVERY)
