"""How is another version brought, compared, approved, made live, announced and withdrawn, and how
does one go back?
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from domain.access.four_eyes import same_person
from domain.fastcopy import changed
from domain.rollout.events import (
    ARRIVALS,
    CATALOGUE,
    NOTHING,
    ORIGINAL,
    PRECEDENCE,
    PRIVACY,
    UNFOLDED,
    VersionAnnounced,
    VersionApproved,
    VersionPromoted,
    VersionProposed,
    VersionRolledBack,
    VersionWithdrawn,
    has_policy,
    is_ruled,
    standings_of,
)
from domain.rollout.lifecycle import KINDS, Lineup, Policy, Version, Versions, authors, policy_in
from domain.tiering.policy import TierPolicy
from domain.tiering.policy import before as policy_before
from projections.projection import Group
from projections.redis import RedisStore
from projections.registry import REBUILT, Present, base_of, present
from projections.rollout.versions import name_of
from projections.store import GroupShard
from projections.tiering.standing import STANDINGS
from replay.history.redecide import Decisions
from replay.policies.compare_policies import PolicyCompared, compare_policies
from replay.policies.window import Window
from replay.rebuild.digests import digests
from replay.rebuild.in_place import Refill
from replay.rollout.compare_live import compare_versions
from replay.rollout.compare_orders import Reordered, compare_orders
from replay.rollout.front_door import NotSeen
from replay.rollout.steps import NotAllowed, Steps, behind, brought_at, must_be_whole
from replay.rollout.telling import told
from replay.what_if.compare import Comparison
from streams.folds.active_groups import Register, decided
from streams.journal import Journal
from streams.publish.confirmed_producer import ConfirmedProducer
from streams.queries.lookups import Lookups

LIVE = "live"
GROUPS = {
    **REBUILT,
    "precedence": PRECEDENCE,
    "catalogue": CATALOGUE,
    "privacy": PRIVACY,
    "arrivals": ARRIVALS,
}
"""What has versions, by the name that people give it."""
LOOK_EVERY = 0.2
AGENTS_LOOK_EVERY = 2.0


class Tried(NamedTuple):
    """Over how much history a policy is tried: so many days, and so many decisions or arrivals of
    these.
    """

    days: int
    sample: int


USUAL = Tried(days=30, sample=2_000)
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

    @cached_property
    def lookups(self) -> Lookups:
        """What readers see of one customer."""
        register = Register(self.store, self.journal, self.begun_with)
        return Lookups(self.store, register, len(self.journal))

    def versions(self) -> Versions:
        """What was decided so far."""
        return decided(self.journal)

    def present(self) -> Present:
        """What runs."""
        return present(self.versions(), self.begun_with)


async def lineups(deps: RolloutDependencies) -> dict[str, Any]:
    """The versions of every group, and how far each is behind the journal."""
    seen = deps.present()
    lags = {group.name: await behind(deps.store, deps.journal, group) for group in seen.carried}
    bases = [base_of(group) for group in seen.live if base_of(group) != STANDINGS]
    others = [group for group in KINDS if group in seen.versions.groups]
    names = [*bases, *seen.versions.schemes, *others]
    return {
        "groups": {name: _as_json(seen.versions.lineup(name)) for name in names},
        "behind": lags,
    }


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
    ruled = (policy or _live_of(seen, scheme)) if base == STANDINGS else None
    if scheme is not None and (ruled is None or ruled.scheme != scheme):
        raise NotAllowed(f"--scheme {scheme} does not go with what is to be rebuilt")
    base = standings_of(ruled.scheme) if ruled else base
    name = _fresh_name(seen.versions.lineup(base), ruled)
    step = VersionProposed(group=base, version=name, policy=ruled.said if ruled else None, by=by)
    group = _named(present(_with(seen.versions, step), deps.begun_with), base, name)
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


def _live_of(seen: Present, scheme: str | None) -> TierPolicy:
    """The live policy of a scheme; raises `NotAllowed` where there is none."""
    name = scheme or seen.rules.first
    if name not in seen.rules.policies:
        raise NotAllowed(f"there is no scheme {name}: live are {', '.join(seen.rules.policies)}")
    return seen.rules.policies[name]


async def propose(deps: RolloutDependencies, policy: Policy, by: str) -> dict[str, Any]:
    """Bring a policy by which nothing is folded."""
    group = group_of(policy)
    name = _fresh_name(deps.present().versions.lineup(group), policy)
    await deps.steps.take(VersionProposed(group=group, version=name, policy=policy.said, by=by))
    return {"group": group, "version": name}


def group_of(policy: Policy) -> str:
    """Of which group another policy of this kind would be a version; raises `NotAllowed` for a
    tier policy, by which history is folded.
    """
    for group, kind in KINDS.items():
        if isinstance(policy, kind):
            return group
    raise NotAllowed(f"{policy.label} is a tier policy: bring it with `replay rebuild tier`")


async def approve(
    deps: RolloutDependencies,
    projection: str,
    version: str,
    report: str,
    by: str,
    tried: Tried = USUAL,
) -> dict[str, Any]:
    """Agree to a version, if this is what it changes."""
    seen = deps.present()
    group, version = _of(seen, projection, version)
    brought = authors(seen.versions.lineup(group).known[version])
    if any(same_person(by, each) for each in brought):
        raise NotAllowed(f"{by} brought {version}, and somebody else has to approve it")
    now = await compare(deps, LIVE, version, tried)
    if now.digest != report:
        raise NotAllowed(
            "this is not the digest of the comparison with the live version as it is now: compare "
            "once more, and look at what changed"
        )
    await deps.steps.take(VersionApproved(group=group, version=version, report=report, by=by))
    return {"version": version, "approved_by": by, "report": report, **_moved(now)}


def _moved(found: Comparison | Reordered | PolicyCompared) -> dict[str, int]:
    """What a comparison comes to, in a word."""
    match found:
        case Comparison(up=up, down=down):
            return {"up": up, "down": down}
        case Reordered(moved=moved):
            return {"moved": moved}
        case PolicyCompared(changes=places, tried=tried):
            seen = {"decisions": tried.looked_at, "changed": tried.changed} if tried else {}
            return {"places": len(places), **seen}


async def promote(
    deps: RolloutDependencies, projection: str, version: str, by: str, *, wait: bool = True
) -> dict[str, Any]:
    """Make a version the one that readers see; the agents tell of those whose tier changed.

    That may be waited for. What the switch before has to tell always is.
    """
    group, version = _of(deps.present(), projection, version)
    if is_ruled(group):
        try:
            await _announce(deps, group, by)
        except NotSeen as error:
            raise NotSeen(f"nothing was switched: of the last switch {error}") from error
    return await _switch(deps, VersionPromoted(group=group, version=version, by=by), wait=wait)


async def roll_back(
    deps: RolloutDependencies,
    projection: str,
    by: str,
    reason: str,
    scheme: str | None = None,
    *,
    wait: bool = True,
) -> dict[str, Any]:
    """Make the version before the one that readers see; the agents tell of those whom that moves.

    It never waits for what was to be told before.
    """
    group = GROUPS[projection]
    if scheme is not None and group != STANDINGS:
        raise NotAllowed(f"{projection} has no schemes: go back in a scheme with --of tier")
    if group == STANDINGS:
        group = standings_of(_live_of(deps.present(), scheme).scheme)
    return await _switch(deps, VersionRolledBack(group=group, by=by, reason=reason), wait=wait)


async def announce(deps: RolloutDependencies, by: str, *, wait: bool = True) -> int:
    """Wait until the changes of tier by each scheme's last switch are recorded, and note that.

    Gives how many they are. Noted without waiting, what is not recorded yet never will be: for
    where a version cannot say any more what it told.
    """
    return sum([await _announce(deps, group, by, wait=wait) for group in deps.versions().schemes])


async def _announce(deps: RolloutDependencies, group: str, by: str, *, wait: bool = True) -> int:
    """Wait for the last switch of one scheme, if that was not noted; note it."""
    lineup = deps.versions().lineup(group)
    number = len(lineup.switches) - 1
    if number <= lineup.announced:
        return 0
    moved = await _told(deps, group) if wait else 0
    await deps.steps.take(VersionAnnounced(group=group, switch=number, told=moved, by=by))
    return moved


async def _told(deps: RolloutDependencies, group: str) -> int:
    """Wait until the changes of tier by the last switch of a scheme are recorded."""
    lineup = deps.versions().lineup(group)
    with deps.progress("customers told", None) as advance:
        return await told(deps.store, deps.journal, group, lineup, advance)


async def withdraw(
    deps: RolloutDependencies, projection: str, version: str, by: str
) -> dict[str, Any]:
    """Carry a version no longer, and remove its states."""
    group, version = _of(deps.present(), projection, version)
    if is_ruled(group):
        await _announce(deps, group, by)  # the version behind it still asks what this one told
    states = deps.present().find(group, version)
    await deps.steps.take(VersionWithdrawn(group=group, version=version, by=by))
    if states is not None:
        await asyncio.sleep(AGENTS_LOOK_EVERY)
        await _dropped(deps, states)
    return {"withdrawn": version}


async def compare(
    deps: RolloutDependencies, old: str, new: str, tried: Tried = USUAL
) -> Comparison | Reordered | PolicyCompared:
    """Two versions of standings at one common position, of the precedence, or of another policy
    over the history before the later one was brought; `live` is the one that readers see.
    """
    seen = deps.present()
    group, before, after = _pair(seen, old, new)
    if group in UNFOLDED:
        policies = (policy_in(seen.versions, group, name) for name in (before, after))
        until = max(brought_at(deps.journal, group, name) for name in (before, after))
        return await _compared(deps, (next(policies), next(policies)), until, tried)
    if group == PRECEDENCE:
        await must_be_whole(deps.store, deps.journal, seen.live)
        with deps.progress("customers compared", None) as advance:
            return await compare_orders(
                deps.store,
                deps.lookups,
                seen,
                (before, after),
                len(deps.journal),
                datetime.now(deps.zone).date(),
                advance,
            )
    if after == NOTHING:
        raise NotAllowed("nothing is live of this scheme: name `live` first, and then the version")
    newer = _named(seen, group, after)
    older = newer if before == NOTHING else _named(seen, group, before)
    await must_be_whole(deps.store, deps.journal, [older, newer])
    policy = seen.policy_of(newer)
    old_policy = policy_before(policy) if before == NOTHING else seen.policy_of(older)
    with deps.progress("customers compared", None) as advance:
        return await compare_versions(
            deps.store,
            deps.journal,
            (older, newer),
            (old_policy, policy),
            advance,
            begins=before == NOTHING,
        )


async def try_policy(
    deps: RolloutDependencies, policy: Policy, tried: Tried = USUAL
) -> PolicyCompared:
    """What a policy would change that was not brought yet, over the history until now."""
    group, versions = group_of(policy), deps.versions()
    live = versions.lineup(group).live
    if group not in UNFOLDED or not live:
        raise NotAllowed(
            f"{policy.label} cannot be tried: propose it, and compare"
            if group not in UNFOLDED
            else f"nothing is live that {policy.label} could be compared with: start the lookups"
        )
    live_policy = policy_in(versions, group, live)
    return await _compared(deps, (live_policy, policy), datetime.now(deps.zone), tried)


async def _compared(
    deps: RolloutDependencies, policies: tuple[Policy, Policy], until: datetime, tried: Tried
) -> PolicyCompared:
    with deps.progress("looked at", None) as advance:
        return await asyncio.to_thread(
            compare_policies,
            deps.journal,
            lambda: Decisions(deps.journal, deps.begun_with),
            policies,
            Window(until, tried.days, tried.sample),
            deps.zone,
            advance,
        )


def _pair(seen: Present, old: str, new: str) -> tuple[str, str, str]:
    """Two versions of one group, of which one or both may be `live`, and the group."""
    named = [_version(seen, said) for said in (old, new) if said != LIVE]
    groups = {group for group, _ in named} or {standings_of(seen.rules.first)}
    if len(groups) > 1:
        raise NotAllowed(f"{old} and {new} are not versions of the same scheme")
    [group] = groups
    live = (group, seen.versions.lineup(group).live)
    before, after = (live if said == LIVE else _version(seen, said) for said in (old, new))
    return group, before[1], after[1]


async def _switch(
    deps: RolloutDependencies, step: VersionPromoted | VersionRolledBack, *, wait: bool
) -> dict[str, Any]:
    """Take a step that changes what is live, and wait until all are told whom it moves."""
    seen = deps.present()
    before = seen.versions.lineup(step.group).live
    if isinstance(step, VersionPromoted):
        group = seen.find(step.group, step.version)
        if group is not None:
            await must_be_whole(deps.store, deps.journal, [group])
    await deps.steps.take(step)
    live = deps.present().versions.lineup(step.group).live
    moved = None
    try:
        if wait and is_ruled(step.group):
            # what begins a scheme counts as announced from the first, so there is nothing to note
            begins = before == NOTHING
            moved = await (
                _told(deps, step.group) if begins else _announce(deps, step.group, step.by)
            )
    except NotSeen as error:
        raise NotSeen(f"{live or 'nothing'} is live, do not switch again: {error}") from error
    return {"live": _full(step.group, live), "before": _full(step.group, before), "told": moved}


def _full(group: str, version: str) -> str | None:
    """A version with its group's name; None where there is none."""
    base, _, _ = group.partition("/")
    if version == NOTHING:
        return None
    return base if version == ORIGINAL else f"{base}/{version}"


def _of(seen: Present, projection: str, version: str) -> tuple[str, str]:
    """The group of a version, and its full name, for a projection of which it is one."""
    base = GROUPS[projection]
    if not has_policy(base):
        return base, version
    group, name = _version(seen, version)
    if group.partition("/")[0] != base:
        raise NotAllowed(f"{version} is no version of {projection}")
    return group, name


def _version(seen: Present, said: str) -> tuple[str, str]:
    """The group of a version with a policy and its name, by that, or by its policy alone
    (`gold-rule@2`) where there is one of it.
    """
    groups = {**seen.versions.schemes, **{group: seen.versions.lineup(group) for group in KINDS}}
    carried = [(group, name) for group, lineup in groups.items() for name in lineup.carried]
    found = [each for each in carried if each[1] == said] or [
        each for each in carried if each[1].startswith(f"{said}/")
    ]
    if len(found) != 1:
        raise NotAllowed(
            f"{said} is {'not carried' if not found else 'the name of several'}: there are "
            f"{', '.join(name for _, name in carried)}"
        )
    return found[0]


def _as_json(lineup: Lineup) -> dict[str, Any]:
    carried = {
        name: {
            "by": each.by,
            "approvals": [
                asdict(approval) | {"on": str(approval.on)} for approval in each.approvals
            ],
        }
        for name, each in lineup.carried.items()
    }
    return {"live": lineup.live, "before": lineup.before, "versions": carried}


def _with(versions: Versions, step: VersionProposed) -> Versions:
    """The versions as they would be with one more."""
    lineup = versions.lineup(step.group)
    after = changed(
        lineup,
        known={**lineup.known, step.version: Version(step.by, step.policy)},
        withdrawn=tuple({*lineup.withdrawn} - {step.version}),
    )
    return changed(versions, groups={**versions.groups, step.group: after})


def _fresh_name(lineup: Lineup, policy: Policy | None) -> str:
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
