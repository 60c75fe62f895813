"""Months made by hand: so many yuan in a class, and whatever else a rule asks for."""

from typing import Any

from domain.accounts.monthly_facts import AssetFacts, MonthlyFacts, Traits
from domain.calendar import days_in, next_month
from domain.tiering.assessment import Standing, assess
from domain.tiering.policy import TierPolicy

GOLD, AFFLUENT, MASS = 250_000, 90_000, 10_000
"""Yuan that reach Bohai's example tiers."""


def month(
    name: str,
    deposit: int = 0,
    *,
    currency: str = "CNY",
    closing: int | None = None,
    traits: Traits | None = None,
    **rest: Any,
) -> MonthlyFacts:
    """A month in which the average was so many yuan of deposits, or of the class that is named."""
    classes = {
        asset_class: rest.pop(asset_class)
        for asset_class in ("loan", "wealth", "fund", "insurance", "bond", "metal")
        if asset_class in rest
    }
    assets = tuple(
        _asset(asset_class, yuan, currency, name, closing)
        for asset_class, yuan in {"deposit": deposit, **classes}.items()
    )
    return MonthlyFacts(name, days_in(name), assets, traits=traits or Traits(), **rest)


def after(
    policy: TierPolicy, *averages: int, start: str = "2026-01", onto: Standing | None = None
) -> Standing:
    """The standing after months with these averages of deposits in yuan."""
    standing, name = onto or Standing(), start
    for average in averages:
        standing, name = (
            assess(policy, standing, month(name, average, currency=policy.currency)),
            next_month(name),
        )
    return standing


def _asset(
    asset_class: str, yuan: int, currency: str, name: str, closing: int | None
) -> AssetFacts:
    average = yuan * 100
    last = average if closing is None else closing * 100
    return AssetFacts(asset_class, currency, average * days_in(name), average, last, average * 90)  # type: ignore[arg-type]
