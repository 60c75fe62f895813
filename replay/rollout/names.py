"""Which version is meant? By the name that people give it."""

from domain.rollout.events import (
    has_policy,
    standings_of,
)
from domain.rollout.lifecycle import KINDS, Lineup, Policy
from domain.tiering.policy import TierPolicy
from projections.projection import Group
from projections.registry import REBUILT, Present
from projections.rollout.versions import name_of
from replay.rollout.steps import NotAllowed

LIVE = "live"
GROUPS = {**REBUILT, **{kind.name: group for group, kind in KINDS.items()}}
"""What has versions, by the name that people give it."""


def group_of(policy: Policy) -> str:
    """Of which group another policy of this kind would be a version; raises `NotAllowed` for a
    tier policy, by which history is folded.
    """
    for group, kind in KINDS.items():
        if isinstance(policy, kind.says):
            return group
    raise NotAllowed(f"{policy.label} is a tier policy: bring it with `replay rebuild tier`")


def live_policy(seen: Present, scheme: str | None) -> TierPolicy:
    """The live policy of a scheme; raises `NotAllowed` where there is none."""
    name = scheme or seen.rules.first
    if name not in seen.rules.policies:
        raise NotAllowed(f"there is no scheme {name}: live are {', '.join(seen.rules.policies)}")
    return seen.rules.policies[name]


def pair(seen: Present, old: str, new: str, projection: str | None = None) -> tuple[str, str, str]:
    """Two versions of one group, of which one or both may be `live`, and the group; of a projection
    or policy, if that is said.
    """
    base = GROUPS[projection] if projection else None
    named = [version_named(seen, said, base) for said in (old, new) if said != LIVE]
    groups = {group for group, _ in named} or {standings_of(seen.rules.first)}
    if len(groups) > 1:
        raise NotAllowed(f"{old} and {new} are not versions of the same scheme or policy")
    [group] = groups
    live = (group, seen.versions.lineup(group).live)
    before, after = (
        live if said == LIVE else version_named(seen, said, base) for said in (old, new)
    )
    return group, before[1], after[1]


def version_of(seen: Present, projection: str, version: str) -> tuple[str, str]:
    """The group of a version, and its full name, for a projection of which it is one."""
    base = GROUPS[projection]
    if not has_policy(base):
        return base, version
    return version_named(seen, version, base)


def version_named(seen: Present, said: str, base: str | None = None) -> tuple[str, str]:
    """The group of a version with a policy and its name, by that, or by its policy alone
    (`gold-rule@2`) where there is one of it; of one kind of policy, if that is said.
    """
    groups = {**seen.versions.schemes, **{group: seen.versions.lineup(group) for group in KINDS}}
    carried = [
        (group, name)
        for group, lineup in groups.items()
        for name in lineup.carried
        if base in (None, group.partition("/")[0])
    ]
    found = [each for each in carried if each[1] == said] or [
        each for each in carried if each[1].startswith(f"{said}/")
    ]
    if len(found) != 1:
        names = ", ".join(name for _, name in carried)
        raise NotAllowed(
            f"{said} is the name of several: there are {names}"
            if found
            else f"{said} is not carried: there are {names}"
        )
    return found[0]


def fresh_name(lineup: Lineup, policy: Policy | None) -> str:
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


def group_named(seen: Present, base: str, name: str) -> Group:
    """The states of a version that is carried."""
    found = seen.find(base, name)
    assert found is not None
    return found
