"""What does another version change? Each kind of version over what it decides."""

import asyncio
from datetime import datetime
from typing import NamedTuple

from domain.rollout.events import (
    NOTHING,
    PRECEDENCE,
    UNFOLDED,
)
from domain.rollout.lifecycle import Policy, policy_in
from domain.tiering.policy import before as policy_before
from replay.history.redecide import Decisions
from replay.policies.compare_policies import PolicyCompared, compare_policies
from replay.policies.window import Window
from replay.rollout.bank import RolloutDependencies
from replay.rollout.compare_live import compare_versions
from replay.rollout.compare_orders import Reordered, compare_orders
from replay.rollout.names import (
    group_named,
    group_of,
    pair,
)
from replay.rollout.steps import NotAllowed, brought_at, must_be_whole
from replay.what_if.compare import Comparison


class Tried(NamedTuple):
    """Over how much history a policy is tried: so many days, and so many decisions or arrivals of
    these.
    """

    days: int
    sample: int


USUAL = Tried(days=30, sample=2_000)
"""What is looked at where nothing else is asked for."""


async def compare(
    deps: RolloutDependencies,
    old: str,
    new: str,
    tried: Tried = USUAL,
    projection: str | None = None,
) -> Comparison | Reordered | PolicyCompared:
    """Two versions of standings at one common position, of the precedence, or of another policy
    over the history before the later one was brought; `live` is the one that readers see.
    """
    seen = deps.present()
    group, before, after = pair(seen, old, new, projection)
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
    newer = group_named(seen, group, after)
    older = newer if before == NOTHING else group_named(seen, group, before)
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


def comes_to(found: Comparison | Reordered | PolicyCompared) -> dict[str, int]:
    """What a comparison comes to, in a word."""
    match found:
        case Comparison(up=up, down=down):
            return {"up": up, "down": down}
        case Reordered(moved=moved):
            return {"moved": moved}
        case PolicyCompared(changes=places, tried=tried):
            seen = {"decisions": tried.looked_at, "changed": tried.changed} if tried else {}
            return {"places": len(places), **seen}
