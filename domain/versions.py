"""Which version of a projection is live, which are carried beside it, and who decided so? Each step is an event."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, JsonValue, StringConstraints

from domain.change import changed
from domain.interaction import Identifier, Interaction, Line

STREAM = "policy:versions"
"""The one stream that says which versions there are: so one state of it is one atomic pointer for all readers."""
ORIGINAL = "original"
"""The version of a group of projections that is there from the beginning."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class _Step(Interaction):
    """A step in the life of a version of a group of projections."""

    concerns = ("policy",)
    group: Identifier


class VersionAdopted(_Step):
    """What a group began with, before anybody could approve: the tier policy that the bank was set up with."""

    version: Identifier
    policy: dict[str, JsonValue]


class VersionProposed(_Step):
    """Another version is to be folded beside the live one; standings come with their tier policy in full."""

    version: Identifier
    policy: dict[str, JsonValue] | None = None
    by: Identifier


class VersionApproved(_Step):
    """Somebody other than the author saw what the version changes (a comparison, by its digest), and agrees."""

    version: Identifier
    report: Digest
    by: Identifier


class VersionPromoted(_Step):
    """Readers see this version from now on; the one before is kept."""

    version: Identifier
    by: Identifier


class VersionRolledBack(_Step):
    """Readers see the version before again."""

    by: Identifier
    reason: Line


class VersionAnnounced(_Step):
    """Everybody whom a switch moved was told so: `switch` counts from 0, the adoption."""

    switch: Annotated[int, Field(ge=0)]
    told: Annotated[int, Field(ge=0)]
    by: Identifier


class VersionWithdrawn(_Step):
    """A version that is neither live nor the one before is no longer carried."""

    version: Identifier
    by: Identifier


@dataclass(frozen=True)
class Approval:
    """Who agreed, after having seen which comparison."""

    by: str
    report: str
    on: date


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
    """The versions of one group: which is live, which was before, all that are carried, all that ever were, and every switch.

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
        """The versions of a group; the original alone, if nothing was ever said."""
        return self.groups.get(group) or Lineup(ORIGINAL, known={ORIGINAL: Version(by="")})


def evolve(versions: Versions, data: Interaction, on: date, at: datetime) -> Versions:
    """The versions after one more step. A step that is not allowed changes nothing: whoever sent it was told before."""
    if not isinstance(data, _Step):
        return versions
    known = versions.groups.get(data.group)
    lineup = known or versions.lineup(data.group)
    after = known or _adopted(data, on, at) if isinstance(data, VersionAdopted) else _stepped(lineup, data, on, at)
    return versions if after is lineup else changed(versions, groups={**versions.groups, data.group: after})


def refusal(lineup: Lineup, data: Interaction) -> str | None:  # noqa: PLR0911, C901 - one line a case
    """Why a step is not allowed; None if it is."""
    match data:
        case VersionProposed(version=version) if version in lineup.carried:
            return f"{version} is carried already"
        case VersionProposed(policy=policy) if (policy is None) != (lineup.known[lineup.live].policy is None):
            return "versions of standings come with a tier policy, and no others do"
        case VersionApproved(version=version) | VersionPromoted(version=version) | VersionWithdrawn(version=version) if version not in lineup.carried:
            return f"{version} is not carried: rebuild it first"
        case VersionApproved(version=version, by=by) if by in _authors(lineup.carried[version]):
            return f"{by} brought {version}, and somebody else has to approve it"
        case VersionPromoted(version=version) if version == lineup.live:
            return f"{version} is live already"
        case VersionPromoted(version=version) if not _approved(lineup, version):
            return f"{version} has no approval yet: compare it with the live version, and have somebody else approve it"
        case VersionPromoted(version=version) if lineup.known[version].policy is not None and lineup.announced < len(lineup.switches) - 1:
            return "not all whom the last switch moved have been told: announce it first"
        case VersionAnnounced(switch=switch) if switch != len(lineup.switches) - 1 or switch <= lineup.announced:
            return f"switch {switch} is not the last, or was announced before"
        case VersionRolledBack() if lineup.before is None:
            return "there is no version before to go back to"
        case VersionWithdrawn(version=version) if version in (lineup.live, lineup.before):
            return f"{version} is live, or the one to go back to"
        case _:
            return None


def _approved(lineup: Lineup, version: str) -> bool:
    """Whether somebody agreed, or readers saw it before; what knows no policy needs nobody's word."""
    known = lineup.known[version]
    return known.policy is None or bool(known.approvals) or any(switch.after == version for switch in lineup.switches)


def _adopted(data: VersionAdopted, on: date, at: datetime) -> Lineup:
    by = str(data.policy.get("author", ""))
    return Lineup(data.version, known={data.version: Version(by, data.policy)}, switches=(Switch(data.version, None, by, on, at),))


def _stepped(lineup: Lineup, data: _Step, on: date, at: datetime) -> Lineup:
    if refusal(lineup, data) is not None:
        return lineup
    match data:
        case VersionProposed(version=version, policy=policy, by=by):
            back = tuple(name for name in lineup.withdrawn if name != version)
            return changed(lineup, known={**lineup.known, version: Version(by, policy)}, withdrawn=back)
        case VersionApproved(version=version, report=report, by=by):
            known = lineup.known[version]
            approved = changed(known, approvals=(*known.approvals, Approval(by, report, on)))
            return changed(lineup, known={**lineup.known, version: approved})
        case VersionPromoted(version=version, by=by):
            return _switched(lineup, version, Switch(version, lineup.live, by, on, at), before=lineup.live)
        case VersionRolledBack(by=by):
            assert lineup.before is not None
            return _switched(lineup, lineup.before, Switch(lineup.before, lineup.live, by, on, at, back=True), before=None)
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
