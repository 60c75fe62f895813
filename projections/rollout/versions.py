"""Which versions of groups are there, and which is live? Folded from the steps that people took."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from domain.envelope import Recorded
from domain.event_types import type_keys
from domain.rollout import events
from domain.rollout import lifecycle as versions
from domain.rollout.lifecycle import Version, Versions
from domain.tiering.policy import TierPolicy
from projections.projection import Group, Projection


@dataclass(frozen=True)
class Live:
    """The pointer: the live version of every group of which anything was ever said."""

    versions: dict[str, str] = field(default_factory=dict)


def evolve(state: Versions, event: Recorded) -> Versions:
    """The versions after one more step."""
    return versions.evolve(state, event.data, event.business_date, event.occurred_at)


def _point(live: Live, state: Versions) -> Live:
    now = {group: lineup.live for group, lineup in state.groups.items()}
    return live if now == live.versions else Live(now)


LIVE = Projection("live", 1, Live(), _point)
VERSIONS = Projection("versions", 1, Versions(), evolve)


class Rollout(NamedTuple):
    """The pointer, and what it follows from."""

    live: Live
    versions: Versions


def _evolve(states: Rollout, event: Recorded) -> Rollout:
    after = evolve(states.versions, event)
    return Rollout(_point(states.live, after), after)


STEPS = Group(
    "versions@1", ("policy",), Rollout, (LIVE, VERSIONS), _evolve, type_keys(*events.STEPS)
)


def policy_then(
    state: Versions, begun_with: TierPolicy, on: date | None, at: datetime | None = None
) -> TierPolicy:
    """The tier policy that readers saw at the end of a day, of what was decided by a time.

    Before the first of all, that first one.
    """
    lineup = state.groups.get(events.RULED)
    if lineup is None:
        return begun_with
    by_then = [
        switch
        for switch in lineup.switches
        if (on is None or switch.on <= on) and (at is None or switch.at <= at)
    ]
    return policy_of(lineup.known[(by_then or lineup.switches)[-1 if by_then else 0].after])


def name_of(policy: TierPolicy) -> str:
    """The version of standings under a policy: its label, and the beginning of its digest."""
    return f"{policy.label}/{policy.digest[:8]}"


def policy_of(version: Version) -> TierPolicy:
    """The tier policy of a version of standings."""
    assert version.policy is not None
    return _policy(json.dumps(version.policy))


@lru_cache(maxsize=64)
def _policy(said: str) -> TierPolicy:
    return TierPolicy.model_validate_json(said)
