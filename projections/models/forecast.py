"""What may come: does a customer leave, what will they want, what will they hold, and is what flows
unlike them?

From the rows of months alone. Leaving and wanting are learnt by the same models as the answers to
offers, from months that have ended: one customer in twenty is an example each month, whoever it is,
so that what is learnt is as frequent as it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import get_args

from domain.accounts.monthly_facts import MonthlyFacts
from domain.buckets import of_thousand
from domain.calendar import Month, month_before
from domain.envelope import Proposed, Recorded, following
from domain.event import AssetClass
from domain.offers.catalogue import FORESIGHT
from domain.offers.events import ExampleLabelled, Features
from projections.models.learner import Learnt
from projections.models.propensity import shared

CHURN = f"{FORESIGHT}churn"
AHEAD = 3
"""Months ahead of which a leaving is foreseen."""
LEFT = 10
"""A customer has left who holds less than one part in so many of what they held, and was not there
for these months.
"""
SAMPLED = 50
"""Customers of a thousand who are examples each month."""
DAMPED = 2
"""Of the usual change of a balance, one part in so many is foreseen for the next month."""
SPAN = 12
"""Months that say what is usual of a customer."""
LEAST_MONTHS = 4
UNLIKE = 4.0
"""Deviations from which on a month's flows are unlike a customer."""
REASONS = 3

CLASSES: tuple[AssetClass, ...] = get_args(AssetClass)
DEMAND = {name: f"{FORESIGHT}demand/{name}" for name in CLASSES}
FORESEEN = (CHURN, *DEMAND.values())
"""The models of what may come, by name."""
Rows = Mapping[Month, MonthlyFacts]


@dataclass(frozen=True)
class Chance:
    """How likely something is, and the features that speak most for it.

    None while no model has learnt it.
    """

    probability: float | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What a customer holds at the end of the next month, if they go on as they usually do.

    Minor units, and how far off it may be.
    """

    after: Month
    balance: int
    give_or_take: int


@dataclass(frozen=True)
class Unlike:
    """How unlike a customer the flows of the last month are, in deviations from their own months.

    Above a bound it is an anomaly.
    """

    month: Month
    deviations: float
    anomaly: bool


@dataclass(frozen=True)
class Foresight:
    """All that may come."""

    churn: Chance
    at_risk: bool
    demand: dict[str, Chance]
    balance: Expected | None
    flows: Unlike | None


def foresee(
    rows: Rows, models: Mapping[str, Learnt], key: bool, risky_permille: int, currency: str
) -> Foresight:
    """What may come of a customer; whoever is `key` is at risk from a probability of leaving on."""
    last = max(rows, default=None)
    known = month_features(rows, last) if last else None
    churn = _chance(models[CHURN], known)
    demand: dict[str, Chance] = {
        name: _chance(models[DEMAND[name]], known)
        for name in CLASSES
        if last and not _held(rows[last], name)
    }
    risky = key and churn.probability is not None and churn.probability * 1000 >= risky_permille
    return Foresight(churn, risky, demand, expected(rows, currency), unlike(rows, currency))


def examples(stream: str, rows: Rows, closed: Month, event: Recorded) -> Iterator[Proposed]:
    """What a month that ended teaches of the months before it."""
    if of_thousand(f"{stream}/{closed}") >= SAMPLED:
        return
    before = month_before(closed)
    if before in rows:
        for name in CLASSES:
            if not _held(rows[before], name):
                yield _example(
                    DEMAND[name],
                    stream,
                    month_features(rows, before),
                    _held(rows[closed], name),
                    event,
                )
    then = closed
    for _ in range(AHEAD):
        then = month_before(then)
    if then in rows and _total(rows[then]) > 0:
        left = _total(rows[closed]) * LEFT < _total(rows[then]) and rows[closed].streak <= -AHEAD
        yield _example(CHURN, stream, month_features(rows, then), left, event)


def month_features(rows: Rows, month: Month) -> Features:
    """What was known of a customer at a month's end, as whole numbers.

    Amounts by their number of bits.
    """
    facts, before = rows[month], rows.get(month_before(month))
    change = _total(facts) - _total(before) if before else 0
    numbers = {
        "assets-bits": max(_total(facts), 0).bit_length(),
        "more-bits": max(change, 0).bit_length(),
        "less-bits": max(-change, 0).bit_length(),
        "transactions": facts.transactions,
        "active-days": facts.active_days,
        "in-bits": sum(facts.value_in.values()).bit_length(),
        "out-bits": sum(facts.value_out.values()).bit_length(),
        "products": facts.products,
        "tenure-months": facts.tenure_months,
        "streak": facts.streak,
    }
    return {**numbers, f"kind={facts.traits.kind or 'person'}": 1, f"month={int(month[5:])}": 1}


def expected(rows: Rows, currency: str) -> Expected | None:
    """The last balance and half of the median of the last months' changes.

    Give or take the median of how far off that was before.
    """
    months = sorted(rows)[-SPAN:]
    closing = [_in(rows[month], currency) for month in months]
    if len(closing) < LEAST_MONTHS:
        return None
    changes = [after - before for before, after in pairwise(closing)]
    usual = int(median(changes)) // DAMPED
    return Expected(
        months[-1], closing[-1] + usual, int(median(abs(change - usual) for change in changes))
    )


def unlike(rows: Rows, currency: str) -> Unlike | None:
    """The larger of the deviations of what came and what went in the last month, in bits, from the
    median of the months before.
    """
    months = [rows[month] for month in sorted(rows)[-SPAN - 1 :]]
    if len(months) <= LEAST_MONTHS:
        return None
    came, went = (
        [facts.value_in.get(currency, 0) for facts in months],
        [facts.value_out.get(currency, 0) for facts in months],
    )
    found = max(_apart(side[:-1], side[-1]) for side in (came, went))
    return Unlike(months[-1].month, round(found, 2), found >= UNLIKE)


def _apart(usual: list[int], value: int) -> float:
    """By how many deviations (1.4826 times the median one, at least half a bit) an amount differs
    in its number of bits.
    """
    bits = [amount.bit_length() for amount in usual]
    middle = median(bits)
    deviation = max(1.4826 * median(abs(each - middle) for each in bits), 0.5)
    return abs(value.bit_length() - middle) / deviation


def _chance(learnt: Learnt, known: Features | None) -> Chance:
    if known is None or learnt.ready is None or not learnt.ready.model.examples:
        return Chance(None)
    features = shared(known)
    return Chance(learnt.ready.propensity(features)[0], learnt.ready.reasons(features)[:REASONS])


def _example(name: str, stream: str, known: Features, happened: bool, event: Recorded) -> Proposed:
    said = ExampleLabelled(
        offer=name,
        decision=f"month/{event.business_date}",
        customer=stream,
        features=known,
        accepted=happened,
    )
    return following(event, "foresight", f"model:{name}", said, about=f"{stream}/{name}")


def _held(facts: MonthlyFacts, name: AssetClass) -> bool:
    return any(asset.asset_class == name and asset.closing != 0 for asset in facts.assets)


def _total(facts: MonthlyFacts | None) -> int:
    return (
        sum(asset.closing for asset in facts.assets if asset.asset_class != "loan") if facts else 0
    )


def _in(facts: MonthlyFacts, currency: str) -> int:
    return sum(
        asset.closing
        for asset in facts.assets
        if asset.currency == currency and asset.asset_class != "loan"
    )
