"""Which versions of groups are there, and which is live? Folded from the steps that people took."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from domain.envelope import Proposed, Recorded, following
from domain.event import BANK
from domain.event_types import type_keys
from domain.fastcopy import changed
from domain.rollout import events
from domain.rollout import lifecycle as versions
from domain.rollout.events import (
    NOTHING,
    PRECEDENCE,
    SchemeSwitched,
    scheme_of,
    standings_of,
)
from domain.rollout.lifecycle import Lineup, Policy, Version, Versions, precedence_of
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from domain.tiering.precedence import Stand, Tiers
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


def _react(_stream: str, before: Rollout, after: Rollout, event: Recorded) -> Iterator[Proposed]:
    """Every shard learns by its own stream which version of a scheme readers see.

    What a bank began with goes on; nobody is moved by its adoption.
    """
    for group, lineup in after.versions.schemes.items():
        if len(lineup.switches) > len(before.versions.lineup(group).switches):
            said = lineup.switches[-1]
            old = said.after if said.before is None else said.before
            yield following(event, "switch", BANK, switched(group, lineup, old or None), group)


def switched(group: str, lineup: Lineup, before: str | None) -> SchemeSwitched:
    """That readers see the live version of a scheme from now on, instead of another."""
    number = max(len(lineup.switches) - 1, 0)
    return SchemeSwitched(group=group, switch=number, before=before, after=lineup.live or None)


STEPS = Group(
    "versions@2",
    ("policy",),
    Rollout,
    (LIVE, VERSIONS),
    _evolve,
    type_keys(*events.STEPS),
    react=_react,
)


class Rules(NamedTuple):
    """The tier policies in force, by scheme, in the order in which these count; and the precedence
    that says so, by its version, if one was adopted.

    `least` says from which tier on a scheme counts, `uncounted` has those without a place, and
    `first` is the one that the bank began with.
    """

    policies: Mapping[str, TierPolicy]
    first: str
    least: Mapping[str, str] = MappingProxyType({})
    uncounted: frozenset[str] = frozenset()
    precedence: str | None = None

    @classmethod
    def of(cls, policy: TierPolicy) -> "Rules":
        """The rules of a bank with one scheme."""
        return cls({policy.scheme: policy}, policy.scheme)

    def tiers(self, standings: Iterable[Standing]) -> Tiers:
        """Where a customer stands, by their standings in the order of the schemes."""
        stands = (
            Stand(
                scheme,
                policy,
                standing,
                self.least.get(scheme),
                counts=scheme not in self.uncounted,
            )
            for (scheme, policy), standing in zip(self.policies.items(), standings, strict=True)
        )
        return Tiers(tuple(stands), self.precedence)


def rules(
    state: Versions, begun_with: TierPolicy, on: date | None = None, at: datetime | None = None
) -> Rules:
    """The rules that readers see, or saw at the end of a day, of what was decided by a time.

    Before the first of all, that first one. Without a precedence the scheme that the bank began
    with counts first, and then the others by their names.
    """
    state = begun(state, begun_with)
    live = {group: _live(lineup, on, at) for group, lineup in state.schemes.items()}
    known = [policy_of(state.schemes[group].known[name]) for group, name in live.items() if name]
    return rules_of(state, known, _live(state.lineup(PRECEDENCE), on, at) or None)


def rules_of(state: Versions, known: Sequence[TierPolicy], precedence: str | None) -> Rules:
    """The rules of some policies, one a scheme, in the order in which these count.

    Raises `KeyError` for a precedence that was never brought.
    """
    first = next(
        scheme_of(group)
        for group, lineup in state.schemes.items()
        if (lineup.switches[0].before is None if lineup.switches else lineup.live)
    )
    by_name = sorted(known, key=lambda each: (each.scheme != first, each.scheme))
    policies = {policy.scheme: policy for policy in by_name}
    if precedence is None:
        return Rules(policies, first)
    order = precedence_of(state.lineup(PRECEDENCE).known[precedence]).order
    ranked = [each for each in order if each.scheme in policies]
    places = {each.scheme: policies[each.scheme] for each in ranked}
    return Rules(
        {**places, **policies},
        first,
        {each.scheme: each.least for each in ranked if each.least},
        frozenset(policies.keys() - places.keys()),
        precedence,
    )


def _live(lineup: Lineup, on: date | None, at: datetime | None) -> str:
    """The version of a group that readers saw; before the first switch, the one that was adopted,
    or nothing.
    """
    if not lineup.switches or (on is None and at is None):
        return lineup.live
    by_then = [
        switch
        for switch in lineup.switches
        if (on is None or switch.on <= on) and (at is None or switch.at <= at)
    ]
    if by_then:
        return by_then[-1].after
    first = lineup.switches[0]
    return first.after if first.before is None else NOTHING


def begun(state: Versions, begun_with: TierPolicy) -> Versions:
    """The versions, with the policy that the bank began with for as long as none was adopted."""
    if state.schemes:
        return state
    name = name_of(begun_with)
    first = Lineup(name, known={name: Version(begun_with.author, begun_with.said)})
    return changed(state, groups={**state.groups, standings_of(begun_with.scheme): first})


def name_of(policy: Policy) -> str:
    """The version of a group under a policy: its label, and the beginning of its digest."""
    digest = f"/{policy.digest[:8]}"
    return policy.label.removesuffix(digest) + digest  # the label of a catalogue has it


def policy_of(version: Version) -> TierPolicy:
    """The tier policy of a version of standings."""
    assert version.policy is not None
    return _policy(json.dumps(version.policy))


@lru_cache(maxsize=64)
def _policy(said: str) -> TierPolicy:
    return TierPolicy.model_validate_json(said)
