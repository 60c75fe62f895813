"""Which steps are there in the life of a version of a projection, and who took them?"""

from typing import Annotated

from pydantic import Field, JsonValue, StringConstraints

from domain.event import NOBODY, Identifier, Interaction, Line, later
from domain.tiering.policy import RETAIL

SOURCE = "tierfold/versions"
"""The source of these steps."""
STREAM = "policy:versions"
"""The one stream that says which versions there are.

So one state of it is one atomic pointer for all readers.
"""
RULED = "standings@1"
"""The group whose versions come with a tier policy; each scheme has one, named behind it."""
PRECEDENCE = "precedence@1"
"""Whose versions say which scheme counts; nothing is folded by them."""
ORIGINAL = "original"
"""The version of a group of projections that is there from the beginning."""
CATALOGUE = "catalogue@1"
"""Whose versions are catalogues of offers, with their contact policies."""
PRIVACY = "privacy@1"
"""Whose versions are privacy policies."""
ARRIVALS = "arrivals@1"
"""Whose versions are arrival policies."""
UNFOLDED = (CATALOGUE, PRIVACY, ARRIVALS)
"""Policies that stand by themselves: nothing is folded by them, and no tier follows from them."""
NOTHING = ""
"""What is live of a scheme before its first version is promoted, or when that was taken back."""


def standings_of(scheme: str) -> str:
    """The group that stands for a scheme in these steps."""
    return RULED if scheme == RETAIL else f"{RULED}/{scheme}"


def scheme_of(group: str) -> str:
    """The scheme for which a group stands.

    >>> scheme_of("standings@1"), scheme_of("standings@1/stars")
    ('retail', 'stars')
    """
    return group.partition("/")[2] or RETAIL


def is_ruled(group: str) -> bool:
    """Whether versions of a group come with a tier policy."""
    return group.partition("/")[0] == RULED


def is_of_tiers(group: str) -> bool:
    """Whether versions of a group say where customers stand, or which of it counts."""
    return group == PRECEDENCE or is_ruled(group)


def has_policy(group: str) -> bool:
    """Whether versions of a group are a policy, or come with one."""
    return group in UNFOLDED or is_of_tiers(group)


Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Step(Interaction):
    """A step in the life of a version of a group of projections."""

    is_base = True

    concerns = ("policy",)
    senders = NOBODY
    group: Identifier


class VersionAdopted(Step):
    """What a group began with, before anybody could approve.

    The policy that the bank was set up with.
    """

    version: Identifier
    policy: dict[str, JsonValue]


class VersionProposed(Step):
    """Another version is to be folded beside the live one.

    Standings come with their tier policy in full, and a precedence is one.
    """

    version: Identifier
    policy: dict[str, JsonValue] | None = None
    by: Identifier


class VersionApproved(Step):
    """Somebody other than the author saw what the version changes (a comparison, by its digest),
    and agrees.

    Of what is compared over history: over how many `days` of it, and how many events of these.
    """

    version: Identifier
    report: Digest
    by: Identifier
    days: Annotated[int | None, Field(ge=1)] = later(None)
    sample: Annotated[int | None, Field(ge=1)] = later(None)


class VersionPromoted(Step):
    """Readers see this version from now on; the one before is kept."""

    version: Identifier
    by: Identifier


class VersionRolledBack(Step):
    """Readers see the version before again."""

    by: Identifier
    reason: Line


class VersionAnnounced(Step):
    """Everybody whom a switch moved was told so: `switch` counts from 0, the adoption."""

    switch: Annotated[int, Field(ge=0)]
    told: Annotated[int, Field(ge=0)]
    by: Identifier


class VersionWithdrawn(Step):
    """A version that is neither live nor the one before is no longer carried."""

    version: Identifier
    by: Identifier


class SchemeSwitched(Interaction):
    """Readers see another version of a scheme from here on, in each shard's own stream.

    Follows from the step that did it, `switch` of the scheme, counted from 0. So each shard knows
    by position which version says whose tier changed. Where a scheme has or had none, `before` or
    `after` is none; one that goes on is its own.
    """

    concerns = ("shard", "bank")
    senders = NOBODY
    customer_seen = False
    group: Identifier
    switch: Annotated[int, Field(ge=0)]
    before: Identifier | None
    after: Identifier | None


STEPS = (
    VersionAdopted,
    VersionProposed,
    VersionApproved,
    VersionPromoted,
    VersionRolledBack,
    VersionAnnounced,
    VersionWithdrawn,
)
