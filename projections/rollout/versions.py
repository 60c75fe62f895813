"""Which groups of folds run, and which of them do readers see? Folded from the steps that people took."""

import json
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property, lru_cache
from itertools import chain

from domain.envelope import Recorded
from domain.event_types import topic_of
from domain.rollout import lifecycle as versions
from domain.rollout.events import ORIGINAL
from domain.rollout.lifecycle import Lineup, Version, Versions
from domain.tiering.policy import TierPolicy
from projections.customers.group import CUSTOMERS, STANDINGS, standings
from projections.households.totals import WHOLES
from projections.models.learner import MODELS
from projections.offers.responses import REACTIONS
from projections.projection import Group, Projection, States

BASES = (CUSTOMERS, REACTIONS, MODELS, WHOLES)
"""The groups that know no policy."""


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


def _evolve_all(states: States, event: Recorded) -> States:
    live, state = states
    after = evolve(state, event)
    return _point(live, after), after


TOPICS = frozenset(topic_of(step) for step in STEPS_TAKEN)
STEPS = Group("versions@1", ("policy",), (LIVE, VERSIONS), _evolve_all, TOPICS)


@dataclass(frozen=True)
class Present:
    """Every group that is carried, those that readers see, the tier policy of the standings that they see, and all versions of these."""

    carried: tuple[Group, ...]
    live: tuple[Group, ...]
    policy: TierPolicy
    lineup: Lineup

    @property
    def version(self) -> str:
        """The version of standings that readers see."""
        return self.lineup.live

    def of(self, base: str) -> Group:
        """The live version of a group, by what it is called without its version."""
        return self._by_base[base]

    @cached_property
    def _by_base(self) -> dict[str, Group]:
        return {base_of(group): group for group in self.live}

    def find(self, base: str, version: str) -> Group | None:
        """A version of a group, if it is carried."""
        name = base if version == ORIGINAL else f"{base}/{version}"
        return next((group for group in self.carried if group.name == name), None)


def present(state: Versions, begun_with: TierPolicy) -> Present:
    """The groups that run by what was decided; `begun_with` is the policy for as long as nothing was said of any."""
    lineups = {base.name: state.lineup(base.name) for base in BASES}
    facts = version_of(CUSTOMERS, lineups[CUSTOMERS.name].live).name
    ruled = state.groups.get(STANDINGS) or _only(begun_with)
    policies = {name: policy_of(version) for name, version in ruled.carried.items()}
    bases = {base.name: {name: version_of(base, name) for name in lineups[base.name].carried} for base in BASES}
    tiers = {name: standings(name, policy, facts) for name, policy in policies.items()}
    live = (*(bases[base.name][lineups[base.name].live] for base in BASES), tiers[ruled.live], STEPS)
    carried = (*chain.from_iterable(each.values() for each in bases.values()), *tiers.values(), STEPS)
    return Present(carried, live, policies[ruled.live], ruled)


def policy_then(state: Versions, begun_with: TierPolicy, on: date | None, at: datetime | None = None) -> TierPolicy:
    """The tier policy that readers saw at the end of a day, of what was decided by a time; before the first of all, that first one."""
    lineup = state.groups.get(STANDINGS)
    if lineup is None:
        return begun_with
    by_then = [switch for switch in lineup.switches if (on is None or switch.on <= on) and (at is None or switch.at <= at)]
    return policy_of(lineup.known[(by_then or lineup.switches)[-1 if by_then else 0].after])


def version_of(base: Group, version: str) -> Group:
    """A version of a group: the same folds, with a place of their own."""
    return base if version == ORIGINAL else replace(base, name=f"{base.name}/{version}")


def base_of(group: Group) -> str:
    """What a group is called without its version."""
    return group.name.partition("/")[0]


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


def _only(policy: TierPolicy) -> Lineup:
    return Lineup(name_of(policy), known={name_of(policy): Version(policy.author, policy.model_dump(mode="json"))})
