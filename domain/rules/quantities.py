"""What can a tiering policy ask of a month?

Measures over balances, points, and counts: whole numbers, by name.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from domain.accounts.monthly_facts import AssetFacts, MonthlyFacts
from domain.event import AssetClass, Identifier

WRITTEN = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
"""How an amount may be written: in minor units, or with its unit."""
Seen = Mapping[str, int]
"""What a month came to under a policy: every quantity by name."""

Over = Literal["month-average", "rolling-90-days", "closing"]

COUNTS = (
    "transactions",
    "value-in",
    "value-out",
    "value",
    "active-days",
    "products",
    "tenure-months",
    "active-months",
    "idle-months",
    "open-cases",
)
"""The quantities that every month has, without being defined: counts, minor units, days, months."""


VALUES = ("value-in", "value-out", "value")
SUMMED = ("transactions", "products")
"""The counts that the members of a household or company group add up to, and whole also where money
counts by shares.
"""


class Balances(BaseModel):
    """Balances in minor units of the policy's currency, weighted in percent per asset class.

    Over the month's days (their average), over the 90 days up to its end (their average), or on its
    last day. A class without a weight does not count. A loan's balance is below zero, so a weight
    of 100 takes it off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["balances"]
    over: Over = "month-average"
    weights_percent: Annotated[
        dict[AssetClass, Annotated[int, Field(ge=0, le=1000)]], Field(min_length=1)
    ]


class Scored(BaseModel):
    """So many points for `each` so many of a quantity, whole ones only; never more
    than `at_most`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    quantity: Identifier
    each: Annotated[int, Field(ge=1, le=10**15), WithJsonSchema(WRITTEN)] = 1
    points: Annotated[int, Field(ge=0, le=100)]
    at_most: Annotated[int, Field(ge=1, le=10**15)] | None = None


class Points(BaseModel):
    """The sum of what several quantities score."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["points"]
    of: Annotated[tuple[Scored, ...], Field(min_length=1)]


Measure = Annotated[Balances | Points, Field(discriminator="kind")]


def seen_in(
    facts: MonthlyFacts,
    measures: Mapping[str, Measure],
    currency: str,
    over: Over | None,
    counts: Seen,
) -> dict[str, int]:
    """The quantities of a month: its counts, then the measures in their order.

    Balances `over` something else if given.
    """
    seen = dict(counts)
    for name, measure in measures.items():
        seen[name] = (
            _balance(measure, facts, currency, over or measure.over)
            if isinstance(measure, Balances)
            else _points(measure, seen)
        )
    return seen


def counts_in(facts: MonthlyFacts, currency: str) -> dict[str, int]:
    """The quantities that every month has; values in minor units of one currency.

    >>> counts_in(MonthlyFacts("2026-01", 31, streak=-2), "CNY")["idle-months"]
    2
    """
    came, went = facts.value_in.get(currency, 0), facts.value_out.get(currency, 0)
    found = (
        facts.transactions,
        came,
        went,
        came + went,
        facts.active_days,
        facts.products,
        facts.tenure_months,
    )
    return dict(
        zip(
            COUNTS,
            (*found, max(facts.streak, 0), max(-facts.streak, 0), facts.traits.open_cases),
            strict=True,
        )
    )


def _balance(measure: Balances, facts: MonthlyFacts, currency: str, over: Over) -> int:
    weighted = sum(
        _asset(asset, over) * measure.weights_percent.get(asset.asset_class, 0)
        for asset in facts.assets
        if asset.currency == currency
    )
    return weighted // 100


def _asset(asset: AssetFacts, over: Over) -> int:
    match over:
        case "month-average":
            return asset.average
        case "rolling-90-days":
            return (2 * asset.ninety_days + 90) // 180
        case "closing":
            return asset.closing


def _points(measure: Points, seen: Seen) -> int:
    return sum(_score(scored, seen[scored.quantity]) for scored in measure.of)


def _score(scored: Scored, value: int) -> int:
    points = max(value, 0) // scored.each * scored.points
    return points if scored.at_most is None else min(points, scored.at_most)
