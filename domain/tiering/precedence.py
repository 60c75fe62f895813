"""Which scheme's tier counts where several stand side by side?

Data: the schemes in their order, and from which tier on each counts.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date
from hashlib import sha256
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from domain.event import Identifier
from domain.tiering.assessment import Standing, tier_on
from domain.tiering.policy import SchemeName, TierPolicy

KINDS = ("person", "company")


class Ranked(BaseModel):
    """A scheme in its place; it counts for customers whom it covers, from this tier on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    scheme: SchemeName
    least: Identifier | None = None


class Precedence(BaseModel):
    """The first scheme in `order` that covers a customer, and in which they stand high enough,
    gives the tier that offers and answers go by.

    Schemes that are `uncounted` are live, and count for nobody.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    precedence: Identifier
    version: Annotated[int, Field(ge=1)]
    source: Annotated[str, Field(min_length=1)]
    effective: date
    author: Identifier
    order: Annotated[tuple[Ranked, ...], Field(min_length=1, max_length=40)]
    uncounted: tuple[SchemeName, ...] = ()

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        names = [*(ranked.scheme for ranked in self.order), *self.uncounted]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"order: {twice[0]} stands before and behind others: name each scheme once"
            )
        return self

    @property
    def label(self) -> str:
        """The name that decisions refer to it by."""
        return f"{self.precedence}@{self.version}"

    @property
    def digest(self) -> str:
        """A SHA-256 over all that it says, whatever the spelling of its file."""
        return sha256(json.dumps(self.said, sort_keys=True).encode()).hexdigest()

    @property
    def said(self) -> dict[str, JsonValue]:
        """All that it says, as JSON."""
        return self.model_dump(mode="json")


class Stand(NamedTuple):
    """Where a customer stands in a scheme.

    It counts for them from its tier `least` on; or not at all, where it has no place.
    """

    scheme: str
    policy: TierPolicy
    standing: Standing
    least: str | None = None
    counts: bool = True


class Tiers(NamedTuple):
    """Where a customer stands in each scheme, in the order in which these count, and the version of
    the precedence that says so, if there is one.
    """

    stands: tuple[Stand, ...]
    precedence: str | None = None


class Chosen(NamedTuple):
    """The scheme that counts for a customer, None if none does, and why: what each scheme before
    it says.
    """

    stand: Stand | None
    because: tuple[str, ...]


def choose(tiers: Tiers, kind: str, day: date) -> Chosen:
    """The scheme that counts on a day for a customer of a kind, of the schemes in their order.

    Whom none covers stands in none by a precedence; without one, in the lowest tier of the first,
    as in a bank of one scheme.
    """
    because: list[str] = []
    for stand in tiers.stands:
        if not stand.counts:
            because.append(f"{stand.scheme} has no place in the precedence")
        elif not stand.policy.covers(kind):
            because.append(f"{stand.scheme} covers no {kind}")
        elif stand.least is not None and not _reaches(stand, stand.least, day):
            because.append(
                f"{stand.scheme} counts from {stand.least} on, and this is "
                f"{tier_on(stand.policy, stand.standing, day)}"
            )
        else:
            return Chosen(stand, (*because, f"{stand.scheme} counts"))
    return Chosen(None if tiers.precedence else tiers.stands[0], tuple(because))


def _reaches(stand: Stand, least: str, day: date) -> bool:
    held = stand.policy.rank(tier_on(stand.policy, stand.standing, day))
    bound = stand.policy.rank(least)
    return held is not None and bound is not None and held >= bound


def gaps(
    precedence: Precedence, live: Mapping[str, TierPolicy], *, whole: bool = True
) -> Iterator[str]:
    """Where a precedence leaves a live scheme or a customer out, or names what there is not.

    Not `whole`: a scheme that began since may have no place yet.
    """
    named = {*(ranked.scheme for ranked in precedence.order), *precedence.uncounted}
    for number, ranked in enumerate(precedence.order):
        policy = live.get(ranked.scheme)
        if policy is None:
            yield f"order[{number}].scheme: {ranked.scheme} is not live; live are {_listed(live)}"
        elif ranked.least is not None and policy.rank(ranked.least) is None:
            tiers = ", ".join(tier.tier for tier in policy.tiers)
            yield (
                f"order[{number}].least: {policy.label} has no tier {ranked.least}; it has {tiers}"
            )
    if whole and (missing := sorted(live.keys() - named)):
        yield f"order: {missing[0]} is live and has no place: name it in order, or in uncounted"
    for kind in KINDS:
        covering = [ranked for ranked in precedence.order if _covers(live, ranked, kind)]
        if covering and all(_bounded(live, ranked) for ranked in covering):
            yield (
                f"order: a {kind} below {covering[-1].least} of {covering[-1].scheme} has no tier: "
                "let one scheme that covers them count without `least`"
            )


def covered(precedence: Precedence | None, live: Mapping[str, TierPolicy]) -> set[str]:
    """The kinds of customers for whom a scheme counts."""
    counting = live.keys() if precedence is None else {each.scheme for each in precedence.order}
    return {kind for kind in KINDS for name in counting if name in live and live[name].covers(kind)}


def _covers(live: Mapping[str, TierPolicy], ranked: Ranked, kind: str) -> bool:
    return ranked.scheme in live and live[ranked.scheme].covers(kind)


def _bounded(live: Mapping[str, TierPolicy], ranked: Ranked) -> bool:
    """Whether a scheme counts for some of those alone whom it covers."""
    return ranked.least is not None and live[ranked.scheme].rank(ranked.least) != 0


def _listed(live: Mapping[str, TierPolicy]) -> str:
    return ", ".join(live) or "none"
