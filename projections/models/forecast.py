"""What may come: does a customer leave, what will they want, what will they hold, and is what flows
unlike them?

From the rows of months, complaints and scores. Leaving and wanting are learnt by the same models as
the answers to offers, from months that have ended: one customer in ten or in twenty-five is an
example each month, whoever it is, so that what is learnt is as frequent as it is.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from statistics import median
from typing import NamedTuple, get_args

from domain.accounts.monthly_facts import MonthlyFacts
from domain.buckets import of_thousand
from domain.calendar import Month, month_before
from domain.envelope import Proposed, Recorded, following
from domain.event import AssetClass
from domain.offers.catalogue import FORESIGHT
from domain.offers.events import ExampleLabelled, Features
from projections.feedback.experience import Experience
from projections.models.learner import Learnt
from projections.models.propensity import shared

CHURN = f"{FORESIGHT}churn"
AHEAD = 3
"""Months ahead of which a leaving is foreseen."""
LEFT = 10
"""A customer has left who said so, or who holds less than one part in so many of what they held,
and was not there for the last but one and the last of these months.
"""
SAMPLED, SAMPLED_OF_CHURN = 40, 100
"""Customers of a thousand who are examples each month: of wanting, and of leaving."""
LATELY = 3
"""Months whose complaints and scores may still weigh."""
SCORES = ((6, "detractor"), (8, "passive"), (10, "promoter"))
"""What a score of a survey says, up to each: as the Net Promoter Score has it (Reichheld 2003)."""
USUAL = 6
"""Months before one that say what usually comes in."""
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


class Known(NamedTuple):
    """What is known of a customer: the rows of months, and what they went through."""

    rows: Rows
    experience: Experience


@dataclass(frozen=True)
class Chance:
    """How likely something is, and the features that speak most for it.

    None while no model has learnt it. `intercept`, the log-odds of whom nothing is known, and what
    each feature counts in `terms` add up to the `score`, the log-odds before calibration.
    """

    probability: float | None
    reasons: tuple[str, ...] = ()
    score: float | None = None
    intercept: float | None = None
    terms: dict[str, float] = field(default_factory=dict)


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
    who: Known, models: Mapping[str, Learnt], key: bool, risky_permille: int, currency: str
) -> Foresight:
    """What may come of a customer; whoever is `key` is at risk from a probability of leaving on."""
    rows = who.rows
    last = max(rows, default=None)
    known = month_features(who, last) if last else None
    churn = _chance(models[CHURN], known)
    demand: dict[str, Chance] = {
        name: _chance(models[DEMAND[name]], known)
        for name in CLASSES
        if last and not _held(rows[last], name)
    }
    risky = key and churn.probability is not None and churn.probability * 1000 >= risky_permille
    return Foresight(churn, risky, demand, expected(rows, currency), unlike(rows, currency))


def examples(stream: str, who: Known, closed: Month, event: Recorded) -> Iterator[Proposed]:
    """What a month that ended teaches of the months before it, where the customer is in the
    sample.
    """
    learn = learning(stream, closed)
    for name, example in taught(stream, who, closed, event.business_date, learn):
        yield following(event, "foresight", f"model:{name}", example, about=f"{stream}/{name}")


def learning(stream: str, closed: Month) -> tuple[str, ...]:
    """The models that learn from a customer at a month's end."""
    place = of_thousand(f"{stream}/{closed}")
    if place < SAMPLED:
        return FORESEEN
    return (CHURN,) if place < SAMPLED_OF_CHURN else ()


def taught(
    stream: str, who: Known, closed: Month, day: date, names: Collection[str] = FORESEEN
) -> Iterator[tuple[str, ExampleLabelled]]:
    """What came of what was known, by the name of its model, for those models."""
    for name, known, came in _came_of(who, closed, names):
        yield (
            name,
            ExampleLabelled(
                offer=name,
                decision=f"month/{day}",
                customer=stream,
                features=known,
                accepted=came,
            ),
        )


def _came_of(
    who: Known, closed: Month, names: Collection[str]
) -> Iterator[tuple[str, Features, bool]]:
    rows, before = who.rows, month_before(closed)
    wanted = [name for name in CLASSES if DEMAND[name] in names]
    if before in rows and wanted:
        known = month_features(who, before)
        for name in wanted:
            if not _held(rows[before], name):
                yield DEMAND[name], known, _held(rows[closed], name)
    then, left = _ago(closed, AHEAD), who.experience.left
    if CHURN in names and then in rows and _total(rows[then]) > 0 and not (left and left <= then):
        yield CHURN, month_features(who, then), _leaves(who, then, closed)


def _leaves(who: Known, then: Month, closed: Month) -> bool:
    if who.experience.left is not None and who.experience.left <= closed:
        return True
    faded = _total(who.rows[closed]) * LEFT < _total(who.rows[then])
    return faded and who.rows[closed].streak <= 1 - AHEAD


def month_features(who: Known, month: Month) -> Features:
    """What was known of a customer at a month's end, as whole numbers.

    Amounts by their number of bits; a fall by how many bits less there is than usual.
    """
    rows = who.rows
    facts, before = rows[month], rows.get(month_before(month))
    change = _total(facts) - _total(before) if before else 0
    numbers = {
        "assets-bits": _bits(_total(facts)),
        "more-bits": _bits(change),
        "less-bits": _bits(-change),
        "transactions": facts.transactions,
        "active-days": facts.active_days,
        "in-bits": _came(facts),
        "out-bits": sum(facts.value_out.values()).bit_length(),
        "products": facts.products,
        "tenure-months": facts.tenure_months,
        "streak": facts.streak,
        "assets-fell": max(0, _most(rows, month) - _bits(_total(facts))),
        "in-fell": max(0, _usual_in(rows, month) - _came(facts)),
        **_gone_through(who.experience, month),
    }
    return {**numbers, f"kind={facts.traits.kind or 'person'}": 1, f"month={int(month[5:])}": 1}


def _gone_through(experience: Experience, month: Month) -> Features:
    lived = experience.lately(month, _ago(month, LATELY - 1))
    score = next((name for upto, name in SCORES if (lived.worst or 0) <= upto), "none")
    return {
        "complaints-lately": lived.complaints,
        "refused-lately": lived.refused,
        f"score={'none' if lived.worst is None else score}": 1,
    }


def _most(rows: Rows, month: Month) -> int:
    """The bits of the most that was held at an end of the months before."""
    earlier = [name for name in rows if _ago(month, LATELY) <= name < month]
    return max((_bits(_total(rows[name])) for name in earlier), default=0)


def _ago(month: Month, months: int) -> Month:
    for _ in range(months):
        month = month_before(month)
    return month


def _usual_in(rows: Rows, month: Month) -> int:
    """The bits of what usually came in before a month."""
    earlier = [name for name in sorted(rows) if name < month][-USUAL:]
    return int(median(_came(rows[name]) for name in earlier)) if earlier else 0


def _came(facts: MonthlyFacts) -> int:
    return sum(facts.value_in.values()).bit_length()


def _bits(amount: int) -> int:
    return max(amount, 0).bit_length()


def expected(rows: Rows, currency: str) -> Expected | None:
    """The last balance and half of the median of the last months' changes.

    Give or take the median of how far off that was before.
    """
    months = sorted(rows)[-SPAN:]
    closing = [held_in(rows[month], currency) for month in months]
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
    likely, score, _ = learnt.ready.propensity(features)
    terms = dict(learnt.ready.terms(features))
    speak_for = tuple(name for name, counts in terms.items() if counts > 0)[:REASONS]
    return Chance(likely, speak_for, score, learnt.ready.model.intercept, terms)


def _held(facts: MonthlyFacts, name: AssetClass) -> bool:
    return any(asset.asset_class == name and asset.closing != 0 for asset in facts.assets)


def _total(facts: MonthlyFacts | None) -> int:
    return (
        sum(asset.closing for asset in facts.assets if asset.asset_class != "loan") if facts else 0
    )


def held_in(facts: MonthlyFacts, currency: str) -> int:
    """What a customer held in a currency at a month's end, loans apart, in minor units."""
    return sum(
        asset.closing
        for asset in facts.assets
        if asset.currency == currency and asset.asset_class != "loan"
    )
