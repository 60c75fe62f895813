"""Which version of a projection is live, which are carried beside it, and who decided so?

Each step is an event.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from domain.access.privacy_policy import PrivacyPolicy
from domain.bank.arrival_policy import ArrivalPolicy
from domain.event import Interaction, Role
from domain.fastcopy import changed
from domain.offers.catalogue import Catalogue
from domain.rollout.events import (
    ARRIVALS,
    CATALOGUE,
    NOTHING,
    ORIGINAL,
    PRECEDENCE,
    PRIVACY,
    UNFOLDED,
    Step,
    VersionAdopted,
    VersionAnnounced,
    VersionApproved,
    VersionPromoted,
    VersionProposed,
    VersionRolledBack,
    VersionWithdrawn,
    has_policy,
    is_of_tiers,
    is_ruled,
    standings_of,
)
from domain.tiering.policy import TierPolicy
from domain.tiering.precedence import Precedence, covered, gaps

Policy = TierPolicy | Precedence | Catalogue | PrivacyPolicy | ArrivalPolicy


class Kind(NamedTuple):
    """A kind of policy by which nothing is folded: what people call it, what it says, and the role
    that decides about it.
    """

    name: str
    says: type[Policy]
    role: Role


KINDS = {
    PRECEDENCE: Kind("precedence", Precedence, "tier-owner"),
    CATALOGUE: Kind("catalogue", Catalogue, "tier-owner"),
    PRIVACY: Kind("privacy", PrivacyPolicy, "privacy-officer"),
    ARRIVALS: Kind("arrivals", ArrivalPolicy, "operator"),
}
"""By group; a version of a scheme is a tier policy."""
OWNERS: dict[str, Role] = {
    "tier": "tier-owner",
    **{each.name: each.role for each in KINDS.values()},
}
"""By what a version is of, as people call it, the role that decides about it."""


@dataclass(frozen=True)
class Approval:
    """Who agreed, after having seen which comparison, against the version that was live then."""

    by: str
    report: str
    on: date
    against: str


@dataclass(frozen=True)
class Version:
    """A version: who brought it, its policy if it has one, and who agreed."""

    by: str
    policy: dict[str, Any] | None = None
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True)
class Switch:
    """A change of what is live: from the first (with nothing before) on."""

    after: str
    before: str | None
    by: str
    on: date
    at: datetime
    back: bool = False


@dataclass(frozen=True)
class Lineup:
    """The versions of one group.

    Which is live, which was before, all that are carried, all that ever were, and every switch.

    `announced` is the last switch whose movers have been told, all of them.
    """

    live: str
    before: str | None = None
    known: dict[str, Version] = field(default_factory=dict)
    withdrawn: tuple[str, ...] = ()
    switches: tuple[Switch, ...] = ()
    announced: int = 0

    @property
    def carried(self) -> dict[str, Version]:
        """The versions that are folded."""
        return {name: version for name, version in self.known.items() if name not in self.withdrawn}


@dataclass(frozen=True)
class Versions:
    """The versions of every group of which anything was ever said."""

    groups: dict[str, Lineup] = field(default_factory=dict)

    def lineup(self, group: str) -> Lineup:
        """The versions of a group; the original alone, if nothing was ever said.

        Of what comes with a policy there is none before one is adopted or promoted.
        """
        return self.groups.get(group) or (
            Lineup(NOTHING)
            if has_policy(group)
            else Lineup(ORIGINAL, known={ORIGINAL: Version(by="")})
        )

    @property
    def schemes(self) -> dict[str, Lineup]:
        """The versions of each scheme of which anything was ever said, by its group."""
        return {group: lineup for group, lineup in self.groups.items() if is_ruled(group)}

    def live(self) -> dict[str, TierPolicy]:
        """The live tier policy of each scheme that has one."""
        policies = (
            TierPolicy.model_validate_json(json.dumps(lineup.known[lineup.live].policy))
            for lineup in self.schemes.values()
            if lineup.live
        )
        return {policy.scheme: policy for policy in policies}


def evolve(versions: Versions, data: Interaction, on: date, at: datetime) -> Versions:
    """The versions after one more step.

    A step that is not allowed changes nothing: whoever sent it was told before.
    """
    if not isinstance(data, Step) or refusal(versions, data, on) is not None:
        return versions
    lineup = versions.lineup(data.group)
    stepped = _stepped(lineup, data, on, at, against(versions, data.group))
    return changed(versions, groups={**versions.groups, data.group: stepped})


def refusal(versions: Versions, step: Step, on: date) -> str | None:
    """Why a step is not allowed on a business date; None if it is."""
    lineup = versions.lineup(step.group)
    return _refusal(versions, lineup, step, on) or _of_precedence(versions, lineup, step)


def _refusal(versions: Versions, lineup: Lineup, step: Step, on: date) -> str | None:  # noqa: PLR0911, PLR0912, C901 - one line a case
    match step:
        case VersionAdopted(group=group) if not _is_to_be_adopted(versions, group):
            return f"{group} has its first version already"
        case VersionAdopted(group=group, policy=policy):
            return _unfit(group, policy)
        case Step(group=group) if is_of_tiers(group) and not versions.schemes:
            return "no tier policy was adopted yet"
        case Step(group=group) if group in UNFOLDED and group not in versions.groups:
            return f"{group} was not adopted yet: start the lookups once (`tierfold web`)"
        case VersionProposed(version=version) if version in lineup.carried:
            return f"{version} is carried already"
        case VersionProposed(group=group, policy=policy) if (policy is not None) != has_policy(
            group
        ):
            return "standings and policies come with what they say, and no others do"
        case VersionProposed(version=version, policy=policy) if (
            version in lineup.known and lineup.known[version].policy != policy
        ):
            return f"{version} was another policy before"
        case VersionProposed(group=group, policy=dict(policy)):
            return _unfit(group, policy)
        case (
            VersionApproved(version=version)
            | VersionPromoted(version=version)
            | VersionWithdrawn(version=version)
        ) if version not in lineup.carried:
            return f"{version} is not carried: rebuild it first"
        case VersionApproved(version=version, by=by) if by in authors(lineup.carried[version]):
            return f"{by} brought {version}, and somebody else has to approve it"
        case VersionPromoted(version=version) if version == lineup.live:
            return f"{version} is live already"
        case VersionPromoted(version=version) if on < (
            effective := _effective(lineup.known[version])
        ):
            return f"the policy of {version} is effective from {effective} on"
        case VersionPromoted(group=group, version=version) if not _approved(
            lineup, group, version, against(versions, group)
        ):
            return (
                f"{version} has no approval against {lineup.live or 'nothing'}, as things are now: "
                "compare the two, and have somebody else approve"
            )
        case VersionPromoted(group=group) if (
            is_ruled(group) and lineup.announced < len(lineup.switches) - 1
        ):
            return "not all whom the last switch moved have been told: announce it first"
        case VersionAnnounced(switch=switch) if (
            switch != len(lineup.switches) - 1 or switch <= lineup.announced
        ):
            return f"switch {switch} is not the last, or was announced before"
        case VersionRolledBack() if lineup.before is None:
            return "there is no version before to go back to"
        case VersionWithdrawn(version=version) if version in (lineup.live, lineup.before):
            return f"{version} is live, or the one to go back to"
        case _:
            return None


def _is_to_be_adopted(versions: Versions, group: str) -> bool:
    """Whether nothing was said before which a group's first version could follow on."""
    if group in UNFOLDED:
        return group not in versions.groups
    return is_ruled(group) and not versions.schemes


def _of_precedence(versions: Versions, lineup: Lineup, step: Step) -> str | None:
    """Why a step would leave a customer without a scheme that counts for them."""
    match step:
        case VersionPromoted(group=group, version=version) if group == PRECEDENCE:
            return _gap(lineup.known[version], versions.live())
        case VersionRolledBack(group=group) if group == PRECEDENCE and lineup.before:
            return _gap(lineup.known[lineup.before], versions.live(), whole=False)
        case VersionPromoted(group=group, version=after) if is_ruled(group):
            return _breaks(versions, group, after)
        case VersionRolledBack(group=group) if is_ruled(group):
            return _breaks(versions, group, lineup.before or NOTHING)
        case _:
            return None


def _breaks(versions: Versions, group: str, after: str) -> str | None:
    """Why what is live does not go with another version of a scheme.

    Trap: the journals of older releases have one scheme, in which everything goes.
    """
    if len(versions.schemes) == 1 and PRECEDENCE not in versions.groups:
        return None
    lineup = changed(versions.lineup(group), live=after)
    now, then = versions.live(), changed(versions, groups={**versions.groups, group: lineup}).live()
    order = versions.lineup(PRECEDENCE)
    said = order.known[order.live] if order.live else None
    if said is not None and (why := _gap(said, then, whole=False)):
        return f"the precedence {order.live} does not go with it: {why}"
    precedence = precedence_of(said) if said else None
    if lost := sorted(covered(precedence, now) - covered(precedence, then)):
        return f"no scheme would cover a {lost[0]} any more"
    return None


def _gap(said: Version, live: Mapping[str, TierPolicy], *, whole: bool = True) -> str | None:
    return next(gaps(precedence_of(said), live, whole=whole), None)


def policy_in(versions: Versions, group: str, version: str) -> Policy:
    """The policy of a version.

    Raises `KeyError` for a version that was never brought, `ValidationError` for one that this
    release cannot read.
    """
    said = versions.lineup(group).known[version].policy
    return _says(group).model_validate_json(json.dumps(said))


def _says(group: str) -> type[Policy]:
    return KINDS[group].says if group in KINDS else TierPolicy


def precedence_of(said: Version) -> Precedence:
    """The precedence of a version of it."""
    return Precedence.model_validate_json(json.dumps(said.policy))


def against(versions: Versions, group: str) -> str:
    """What an approval in a group is given against: what is live; of the precedence also the live
    versions of all schemes, because the comparison was made over these; of policies that stand by
    themselves also the number of switches, so that none is approved for a second time by the first.
    """
    lineup = versions.lineup(group)
    live = lineup.live
    if group in UNFOLDED:
        return f"{live} since switch {len(lineup.switches) - 1}"
    if group != PRECEDENCE:
        return live
    return ", ".join(filter(None, [live, *sorted(each.live for each in versions.schemes.values())]))


def _approved(lineup: Lineup, group: str, version: str, now: str) -> bool:
    """Whether somebody agreed to it in the place of what is live.

    The rule that a bank began with, and what knows no policy, need nobody's word.
    """
    known = lineup.known[version]
    adopted = (
        group not in UNFOLDED
        and bool(lineup.switches)
        and lineup.switches[0].before is None
        and lineup.switches[0].after == version
    )
    return (
        known.policy is None
        or adopted
        or any(approval.against == now for approval in known.approvals)
    )


def _effective(version: Version) -> date:
    """The first day on which a version may be live."""
    said = (version.policy or {}).get("effective")
    return date.fromisoformat(said) if said else date.min


def _unfit(group: str, policy: dict[str, Any]) -> str | None:
    """Why a policy cannot be live in a group; None if it can.

    Trap: a fold must not depend on what a release can read. Those that stand by themselves are read
    by whoever brings them, and by whoever goes by them.
    """
    if group in UNFOLDED:
        return None
    try:
        said = _says(group).model_validate_json(json.dumps(policy))
    except ValidationError as error:
        return f"the policy cannot be used: {error.errors()[0]['msg']}"
    if isinstance(said, TierPolicy) and standings_of(said.scheme) != group:
        return f"{said.label} is a policy of the scheme {said.scheme}, and {group} is not"
    return None


def _stepped(lineup: Lineup, data: Step, on: date, at: datetime, now: str) -> Lineup:
    match data:
        case VersionAdopted(version=version, policy=policy):
            by = str(policy.get("author", ""))
            return Lineup(
                version,
                known={version: Version(by, policy)},
                switches=(Switch(version, None, by, on, at),),
            )
        case VersionProposed(version=version, policy=policy, by=by):
            back = tuple(name for name in lineup.withdrawn if name != version)
            return changed(
                lineup, known={**lineup.known, version: Version(by, policy)}, withdrawn=back
            )
        case VersionApproved(version=version, report=report, by=by):
            known = lineup.known[version]
            approved = changed(known, approvals=(*known.approvals, Approval(by, report, on, now)))
            return changed(lineup, known={**lineup.known, version: approved})
        case VersionPromoted(version=version, by=by):
            return _switched(
                lineup, version, Switch(version, lineup.live, by, on, at), before=lineup.live
            )
        case VersionRolledBack(by=by):
            assert lineup.before is not None
            return _switched(
                lineup,
                lineup.before,
                Switch(lineup.before, lineup.live, by, on, at, back=True),
                before=None,
            )
        case VersionAnnounced(switch=switch):
            return changed(lineup, announced=switch)
        case VersionWithdrawn(version=version):
            return changed(lineup, withdrawn=(*lineup.withdrawn, version))
        case _:
            return lineup


def _switched(lineup: Lineup, live: str, switch: Switch, before: str | None) -> Lineup:
    return changed(lineup, live=live, before=before, switches=(*lineup.switches, switch))


def authors(version: Version) -> set[str]:
    """Who brought a version, and who wrote its policy."""
    return {version.by, str((version.policy or {}).get("author", ""))}
