"""Which tier does a customer stand in, since when, and on what grounds? Policies, standings and how to assess."""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from domain.change import changed
from domain.days import Month, first_day, next_month
from domain.interaction import AssetClass, Currency, Identifier, Interaction, Line, PlausibleDate, Price
from domain.ledger import MonthlyFacts


class TierOverridden(Interaction):
    """Somebody entitled to it put the customer into a tier, with a reason, until a date."""

    tier: Identifier
    approver: Identifier
    reason: Line
    until: PlausibleDate


class TierChanged(Interaction):
    """The customer was told of another tier; a record of what was said, which no fold reads back."""

    before: Identifier
    after: Identifier
    policy: Line
    effective: PlausibleDate


class Tier(BaseModel):
    """A tier and the measure, in minor units, from which on it is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tier: Identifier
    name: dict[str, str]
    at_least: Price


class TierPolicy(BaseModel):
    """A tiering rule as data: month-average assets, weighted in percent per class, against rising thresholds.

    A class without a weight does not count (loans "are counted apart"). Reached: up on the first day of the next
    month. Missed: on the watch list; after `misses_allowed` missed months in a row, down to the level of the last.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    policy: Identifier
    version: Annotated[int, Field(ge=1)]
    source: str
    currency: Currency
    effective: date
    author: str
    measure: Literal["month-average"]
    weights_percent: dict[AssetClass, Annotated[int, Field(ge=0, le=1000)]]
    misses_allowed: Annotated[int, Field(ge=1, le=120)]
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _thresholds_rise_from_zero(self) -> Self:
        floors = [tier.at_least for tier in self.tiers]
        if floors[0] != 0:
            raise ValueError(f"tiers[0].at_least: the lowest tier must start at 0, not {floors[0]}")
        for index, (lower, upper) in enumerate(pairwise(floors), start=1):
            if upper <= lower:
                raise ValueError(f"tiers[{index}].at_least: {upper} does not rise above {lower}, so nobody could reach the tier below")
        return self

    @property
    def label(self) -> str:
        """The name that standings and decisions refer to it by."""
        return f"{self.policy}@{self.version}"


@dataclass(frozen=True)
class Override:
    """A tier set by hand, until a date."""

    tier: str
    approver: str
    reason: str
    until: date


@dataclass(frozen=True)
class Grounds:
    """What the last assessment saw: the month, its measure in minor units, and the tier which that reaches."""

    month: Month
    measure: int
    reached: str


@dataclass(frozen=True)
class Standing:
    """A customer under a policy: tier (None before any assessment), since when, missed months in a row, grounds."""

    tier: str | None = None
    since: date | None = None
    watch: int = 0
    grounds: Grounds | None = None
    override: Override | None = None
    policy: str | None = None


def measured(policy: TierPolicy, facts: MonthlyFacts) -> int:
    """The month's weighted day-average in minor units, in the policy's currency; other currencies do not count."""
    weighted = sum(asset.average * policy.weights_percent.get(asset.asset_class, 0) for asset in facts.assets if asset.currency == policy.currency)
    return weighted // 100


def level(policy: TierPolicy, measure: int) -> int:
    """Which tier, as an index from the lowest, a measure in minor units reaches."""
    return max(index for index, tier in enumerate(policy.tiers) if index == 0 or measure >= tier.at_least)


def assess(policy: TierPolicy, standing: Standing, facts: MonthlyFacts) -> Standing:
    """The standing from the first day of the next month on.

    Source: China Bohai Bank's published retail rule. Upgraded the next month; below the tier, watch list; three
    missed months in a row, then in month four down to the level of month three.
    """
    measure = measured(policy, facts)
    reached = level(policy, measure)
    names = [tier.tier for tier in policy.tiers]
    held = names.index(standing.tier) if standing.tier in names else None
    grounds = Grounds(facts.month, measure, names[reached])
    effective = first_day(next_month(facts.month))
    standing = _without_expired(standing, effective)
    watch = 0 if held is None or reached >= held else standing.watch + 1
    if held is None or reached > held or watch >= policy.misses_allowed:
        return changed(standing, tier=names[reached], since=effective, watch=0, grounds=grounds, policy=policy.label)
    return changed(standing, watch=watch, grounds=grounds, policy=policy.label)


def override(standing: Standing, event: TierOverridden) -> Standing:
    """The standing with a tier set by hand beside it."""
    return changed(standing, override=Override(event.tier, event.approver, event.reason, event.until))


def tier_on(policy: TierPolicy, standing: Standing, day: date) -> str:
    """The tier in force on a day: the override while it lasts, else the assessed tier, else the lowest."""
    if standing.override is not None and day <= standing.override.until:
        return standing.override.tier
    return standing.tier or policy.tiers[0].tier


def _without_expired(standing: Standing, day: date) -> Standing:
    if standing.override is not None and standing.override.until < day:
        return changed(standing, override=None)
    return standing
