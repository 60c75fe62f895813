"""Which version of a projection is live, which are carried beside it, and who decided so?

Each step is an event.
"""

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pydantic import ValidationError

from domain.event import Interaction
from domain.fastcopy import changed
from domain.rollout.events import (
    ORIGINAL,
    RULED,
    Step,
    VersionAdopted,
    VersionAnnounced,
    VersionApproved,
    VersionPromoted,
    VersionProposed,
    VersionRolledBack,
    VersionWithdrawn,
)
from domain.tiering.policy import TierPolicy


@dataclass(frozen=True)
class Approval:
    """Who agreed, after having seen which comparison, against the version that was live then."""

    by: str
    report: str
    on: date
    against: str


@dataclass(frozen=True)
class Version:
    """A version: who brought it, its tier policy if it has one, and who agreed."""

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

        Of standings there is none before one is adopted.
        """
        return self.groups.get(group) or (
            Lineup("") if group == RULED else Lineup(ORIGINAL, known={ORIGINAL: Version(by="")})
        )


def evolve(versions: Versions, data: Interaction, on: date, at: datetime) -> Versions:
    """The versions after one more step.

    A step that is not allowed changes nothing: whoever sent it was told before.
    """
    if not isinstance(data, Step):
        return versions
    lineup = versions.lineup(data.group)
    if refusal(lineup, data, on) is not None:
        return versions
    return changed(versions, groups={**versions.groups, data.group: _stepped(lineup, data, on, at)})


def refusal(lineup: Lineup, data: Interaction, on: date) -> str | None:  # noqa: PLR0911, PLR0912, C901 - one line a case
    """Why a step is not allowed on a business date; None if it is."""
    match data:
        case VersionAdopted(group=group) if group != RULED or lineup.known:
            return f"{group} has its first version already"
        case VersionAdopted(policy=policy):
            return _unfit(policy)
        case Step(group=group) if group == RULED and not lineup.known:
            return "no tier policy was adopted yet"
        case VersionProposed(version=version) if version in lineup.carried:
            return f"{version} is carried already"
        case VersionProposed(group=group, policy=policy) if (policy is not None) != (
            group == RULED
        ):
            return "versions of standings come with a tier policy, and no others do"
        case VersionProposed(version=version, policy=policy) if (
            version in lineup.known and lineup.known[version].policy != policy
        ):
            return f"{version} was another policy before"
        case VersionProposed(policy=dict(policy)):
            return _unfit(policy)
        case (
            VersionApproved(version=version)
            | VersionPromoted(version=version)
            | VersionWithdrawn(version=version)
        ) if version not in lineup.carried:
            return f"{version} is not carried: rebuild it first"
        case VersionApproved(version=version, by=by) if by in _authors(lineup.carried[version]):
            return f"{by} brought {version}, and somebody else has to approve it"
        case VersionPromoted(version=version) if version == lineup.live:
            return f"{version} is live already"
        case VersionPromoted(version=version) if on < (
            effective := _effective(lineup.known[version])
        ):
            return f"the policy of {version} is effective from {effective} on"
        case VersionPromoted(version=version) if not _approved(lineup, version):
            return (
                f"{version} has no approval against {lineup.live}: compare the two, and have "
                "somebody else approve"
            )
        case VersionPromoted(group=group) if (
            group == RULED and lineup.announced < len(lineup.switches) - 1
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


def _approved(lineup: Lineup, version: str) -> bool:
    """Whether somebody agreed to it in the place of what is live.

    What was adopted, or knows no policy, needs nobody's word.
    """
    known = lineup.known[version]
    adopted = (
        bool(lineup.switches)
        and lineup.switches[0].before is None
        and lineup.switches[0].after == version
    )
    return (
        known.policy is None
        or adopted
        or any(approval.against == lineup.live for approval in known.approvals)
    )


def _effective(version: Version) -> date:
    """The first day on which a version may be live."""
    return (
        TierPolicy.model_validate_json(json.dumps(version.policy)).effective
        if version.policy
        else date.min
    )


def _unfit(policy: dict[str, Any]) -> str | None:
    """Why a policy cannot be live; None if it can."""
    try:
        TierPolicy.model_validate_json(json.dumps(policy))
    except ValidationError as error:
        return f"the policy cannot be used: {error.errors()[0]['msg']}"
    return None


def _stepped(lineup: Lineup, data: Step, on: date, at: datetime) -> Lineup:
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
            approved = changed(
                known, approvals=(*known.approvals, Approval(by, report, on, lineup.live))
            )
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


def _authors(version: Version) -> set[str]:
    return {version.by, str((version.policy or {}).get("author", ""))}
