"""What runs?

The one table of groups: which agent folds them, what a lookup reads, what may be rebuilt, what a
decision is made from.

Agents, rebuilds, laws and the privacy policy read it. What a lookup shows of a customer is named in
`views/customer.py` too.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from domain.rollout.events import ORIGINAL, standings_of
from domain.rollout.lifecycle import Versions
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.campaigns.benefits import CAMPAIGNS
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.customers.life import LIFE
from projections.feedback.surveys import FEEDBACK
from projections.households.group import CUSTOMER_GROUPS
from projections.managers.book import BOOKS
from projections.models.group import MODELS
from projections.offers.group import REACTIONS
from projections.projection import Group
from projections.rollout.versions import STEPS, Rules, begun, policy_of, rules
from projections.tiering.standing import STANDINGS, standings


class Entry(NamedTuple):
    """A group by what it is called without its version.

    `group` is None for standings, of which there is one a policy. `agent` names the agent that
    folds it, behind those of the same agent that stand before it here; `of_customer` says whether a
    lookup of a customer reads it, and `decides` whether a decision is made from it; `rebuilt` names
    its projections that may be rebuilt by people.
    """

    base: str
    group: Group | None
    agent: str
    of_customer: bool = False
    decides: bool = False
    rebuilt: tuple[str, ...] = ()


def _entry(
    group: Group, agent: str, *rebuilt: str, of_customer: bool = False, decides: bool = False
) -> Entry:
    return Entry(group.name, group, agent, of_customer, decides, rebuilt)


GROUPS = (
    _entry(
        CUSTOMERS,
        CUSTOMERS.name,
        *(part.name for part in CUSTOMERS.parts),
        of_customer=True,
        decides=True,
    ),
    _entry(CASES, CUSTOMERS.name, "complaints", of_customer=True, decides=True),
    _entry(LIFE, CUSTOMERS.name, "life", of_customer=True, decides=True),
    Entry(STANDINGS, None, CUSTOMERS.name, of_customer=True, decides=True, rebuilt=("tier",)),
    _entry(CAMPAIGNS, CUSTOMERS.name, "benefits", of_customer=True),
    _entry(FEEDBACK, CUSTOMERS.name, "surveys", of_customer=True),
    _entry(REACTIONS, REACTIONS.name, "offers", of_customer=True, decides=True),
    _entry(CUSTOMER_GROUPS, REACTIONS.name, "whole"),
    _entry(BOOKS, REACTIONS.name, "book"),
    _entry(STEPS, STEPS.name),
    _entry(MODELS, STEPS.name, "model"),
)
AGENTS = {
    entry.agent: tuple(other.base for other in GROUPS if other.agent == entry.agent)
    for entry in GROUPS
}
"""By agent, the groups that it folds one after the other.

What is derived comes behind what it is derived from.
"""
OF_CUSTOMER = tuple(entry.base for entry in GROUPS if entry.of_customer)
"""The groups that together say all of a customer."""
DECIDING = tuple(entry.base for entry in GROUPS if entry.decides)
"""The groups that a decision is made from."""
REBUILT = {projection: entry.base for entry in GROUPS for projection in entry.rebuilt}
"""By projection that people may rebuild, the group that folds it."""
_BASES = tuple(
    entry.group for entry in GROUPS if entry.group is not None and entry.group is not STEPS
)
"""The groups that know no policy, and have versions."""


def initial_states() -> dict[str, Any]:
    """By projection, the state before any event."""
    found = {
        part.name: part.initial for entry in GROUPS if entry.group for part in entry.group.parts
    }
    return {**found, "tier": Standing()}


def state_fields() -> dict[str, list[str]]:
    """The fields of every read model, by the name of its projection."""
    return {name: [each.name for each in fields(state)] for name, state in initial_states().items()}


@dataclass(frozen=True)
class Present:
    """Every group that is carried, those that readers see, the rules of the standings that they
    see, and all that was decided.
    """

    carried: tuple[Group, ...]
    live: tuple[Group, ...]
    rules: Rules
    versions: Versions

    def of(self, base: str) -> Group:
        """The live version of a group, by what it is called without its version."""
        [found] = self.all_of(base)
        return found

    def all_of(self, base: str) -> tuple[Group, ...]:
        """The same, of standings one for each scheme, in the order in which these count."""
        return self._by_base[base]

    @cached_property
    def _by_base(self) -> dict[str, tuple[Group, ...]]:
        found: dict[str, tuple[Group, ...]] = {}
        for group in self.live:
            found[base_of(group)] = (*found.get(base_of(group), ()), group)
        return found

    def find(self, base: str, version: str) -> Group | None:
        """A version of a group, if it is carried; of standings, of any scheme."""
        base, _, _ = base.partition("/")
        name = base if version == ORIGINAL else f"{base}/{version}"
        return next((group for group in self.carried if group.name == name), None)

    def policy_of(self, group: Group) -> TierPolicy:
        """The tier policy of standings that are carried."""
        name = group.name.partition("/")[2]
        return next(
            policy_of(lineup.known[name])
            for lineup in self.versions.schemes.values()
            if name in lineup.known
        )


def present(state: Versions, begun_with: TierPolicy) -> Present:
    """The groups that run by what was decided.

    `begun_with` is the policy for as long as nothing was said of any.
    """
    state = begun(state, begun_with)
    lineups = {base.name: state.lineup(base.name) for base in _BASES}
    facts, cases = (version_of(base, lineups[base.name].live).name for base in (CUSTOMERS, CASES))
    bases = {
        base.name: {name: version_of(base, name) for name in lineups[base.name].carried}
        for base in _BASES
    }
    tiers = {
        name: standings(name, policy_of(version), facts, cases)
        for lineup in state.schemes.values()
        for name, version in lineup.carried.items()
    }
    seen = rules(state, begun_with)
    live = (
        *(bases[base.name][lineups[base.name].live] for base in _BASES),
        *(tiers[state.lineup(standings_of(scheme)).live] for scheme in seen.policies),
        STEPS,
    )
    carried = (
        *chain.from_iterable(each.values() for each in bases.values()),
        *tiers.values(),
        STEPS,
    )
    return Present(carried, live, seen, state)


def version_of(base: Group, version: str) -> Group:
    """A version of a group: the same folds, with a place of their own."""
    return base if version == ORIGINAL else replace(base, name=f"{base.name}/{version}")


def base_of(group: Group) -> str:
    """What a group is called without its version."""
    return group.name.partition("/")[0]
