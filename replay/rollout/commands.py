"""How is another version brought, approved, made live, announced and withdrawn, and how does one go
back?
"""

import asyncio
from dataclasses import asdict
from typing import Any

from domain.access.four_eyes import same_person
from domain.bank.arrival_policy import ArrivalPolicy
from domain.rollout.events import (
    ARRIVALS,
    NOTHING,
    ORIGINAL,
    UNFOLDED,
    VersionAnnounced,
    VersionApproved,
    VersionPromoted,
    VersionProposed,
    VersionRolledBack,
    VersionWithdrawn,
    is_ruled,
    standings_of,
)
from domain.rollout.lifecycle import KINDS, Lineup, Policy, authors, policy_in
from projections.registry import base_of
from projections.tiering.standing import STANDINGS
from replay.policies.compare_policies import PolicyCompared
from replay.rollout.bank import RolloutDependencies
from replay.rollout.comparing import USUAL, Tried, comes_to, compare
from replay.rollout.front_door import NotSeen
from replay.rollout.names import (
    GROUPS,
    LIVE,
    fresh_name,
    group_of,
    live_policy,
    version_of,
)
from replay.rollout.rebuilding import dropped
from replay.rollout.steps import NotAllowed, behind, must_be_whole
from replay.rollout.telling import told

AGENTS_LOOK_EVERY = 2.0


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


async def propose(deps: RolloutDependencies, policy: Policy, by: str) -> dict[str, Any]:
    """Bring a policy by which nothing is folded."""
    group = group_of(policy)
    lineup = deps.present().versions.lineup(group)
    _must_keep_base(policy, lineup)
    name = fresh_name(lineup, policy)
    await deps.steps.take(VersionProposed(group=group, version=name, policy=policy.said, by=by))
    return {"group": group, "version": name}


def _must_keep_base(policy: Policy, lineup: Lineup) -> None:
    """Raises `NotAllowed` for an arrival policy with another currency of the bank's own: months are
    kept in the first.
    """
    if not isinstance(policy, ArrivalPolicy):
        return
    live = lineup.known[lineup.live].policy if lineup.live else None
    if live is not None and policy.base != live["base"]:
        raise NotAllowed(
            f"the bank's own currency stays {live['base']}: its months are kept in it, and rates "
            f"into {policy.base} would not be heard"
        )


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
    group, version = version_of(seen, projection, version)
    brought = authors(seen.versions.lineup(group).known[version])
    if any(same_person(by, each) for each in brought):
        raise NotAllowed(f"{by} brought {version}, and somebody else has to approve it")
    now = await compare(deps, LIVE, version, tried, projection)
    if isinstance(now, PolicyCompared) and now.is_blind:
        raise NotAllowed("no decision could be looked at: compare over other --days")
    if now.digest != report:
        raise NotAllowed(
            "this is not the digest of the comparison with the live version as it is now: compare "
            "once more, and look at what changed"
        )
    over = tried._asdict() if group in UNFOLDED else {}
    await deps.steps.take(
        VersionApproved(group=group, version=version, report=report, by=by, **over)
    )
    return {"version": version, "approved_by": by, "report": report, **comes_to(now)}


async def promote(
    deps: RolloutDependencies, projection: str, version: str, by: str, *, wait: bool = True
) -> dict[str, Any]:
    """Make a version the one that readers see; the agents tell of those whose tier changed.

    That may be waited for. What the switch before has to tell always is.
    """
    seen = deps.present()
    group, version = version_of(seen, projection, version)
    if group == ARRIVALS:
        lineup = seen.versions.lineup(group)
        _must_keep_base(policy_in(seen.versions, group, version), lineup)
    if is_ruled(group):
        try:
            await _announce(deps, group, by)
        except NotSeen as error:
            raise NotAllowed(f"nothing was switched: of the last switch {error}") from error
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
        group = standings_of(live_policy(deps.present(), scheme).scheme)
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
    group, version = version_of(deps.present(), projection, version)
    if is_ruled(group):
        await _announce(deps, group, by)  # the version behind it still asks what this one told
    states = deps.present().find(group, version)
    await deps.steps.take(VersionWithdrawn(group=group, version=version, by=by))
    if states is not None:
        await asyncio.sleep(AGENTS_LOOK_EVERY)
        await dropped(deps, states)
    return {"withdrawn": version}


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
