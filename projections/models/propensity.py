"""How likely is a yes, by what a model has learnt?

Its numbers, what all models share of their work, and the answer.

A number is seen by its deviations from what is usual, and roughly as a category; the score is
calibrated by what came of scores like it. An answer counts under the score that was said when the
offer was decided: so what came late is calibrated for what will come as late.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from math import copysign, fsum, sqrt
from typing import NamedTuple

from domain.offers.events import Features
from projections.models import calibration, drift
from projections.models.calibration import Counts, Curve

INTERCEPT = -2.0
"""Of a model that has seen nothing: one in eight says yes."""
BOUND = 4.0
"""Standard deviations beyond which a number tells no more."""
ROUGHLY = 0.3
"""What a number that is told roughly counts, beside a category.

A number that moves slowly names a period this way, not a customer.
"""
APART = "\t"
"""Between a number's name and what it roughly is: no feature's name has it."""
NARROWEST = 0.05
"""The least deviation, as a share of the mean.

A number that hardly ever changed says little when it does.
"""


@dataclass(frozen=True)
class Usual:
    """What is usual of a number: its mean and variance."""

    mean: float = 0.0
    variance: float = 0.0

    @cached_property
    def deviation(self) -> float:
        """The standard deviation, or the least that counts."""
        return max(sqrt(self.variance), NARROWEST * abs(self.mean))

    def apart(self, value: int) -> float:
        """By how many deviations a number is not what is usual, within bounds."""
        return apart(value, self.mean, self.deviation)


def apart(value: int, mean: float, deviation: float) -> float:
    """By how many deviations a number is not the mean, within bounds.

    >>> apart(7, 5.0, 1.0), apart(90, 5.0, 1.0), apart(7, 5.0, 0.0)
    (2.0, 4.0, 0.0)
    """
    far = (value - mean) / deviation if deviation else 0.0
    return BOUND if far > BOUND else max(far, -BOUND)


@dataclass(frozen=True)
class Model:
    """A logistic regression with AdaGrad: its numbers per feature.

    What came of its scores, and whether its loss has changed.

    `version` is that of the last example in the model's stream. `counts` is by the score, for
    calibration; `said` by what was said when the offer was decided, for measuring; `loss` is the
    mean log-loss of that over the last examples or so.
    """

    version: int = 0
    examples: int = 0
    accepted: int = 0
    usual: dict[str, Usual] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    squares: dict[str, float] = field(default_factory=dict)
    intercept: float = INTERCEPT
    counts: Counts = field(default_factory=Counts)
    said: Counts = field(default_factory=Counts)
    loss: float = 0.0
    window: drift.Window = field(default_factory=drift.Window)
    last: datetime | None = None


class Shared(NamedTuple):
    """Features as every model sees them.

    Numbers, and the categories that hold, numbers told roughly among them.
    """

    numbers: tuple[tuple[str, int], ...]
    categories: tuple[tuple[str, float], ...]


class Term(NamedTuple):
    """What a feature counts in a score, in log-odds."""

    feature: str
    counts: float


class Ready:
    """A model made ready to answer: the weight of each feature, and the calibration curve."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def propensity(self, features: Shared) -> tuple[float, float, float]:
        """The calibrated probability of a yes, the log-odds before calibration, and how many
        answers there are to such log-odds.
        """
        likely, score = self.said(features)
        return likely, score, self._curve.evidence(score)

    def said(self, features: Shared) -> tuple[float, float]:
        """The calibrated probability of a yes, and the log-odds before calibration."""
        # exact, so that the order does not matter
        score = fsum([self.model.intercept, *self._counts(features)])
        return self._curve.at(score), score

    def terms(self, features: Shared) -> tuple[Term, ...]:
        """What each feature counts, the strongest first; with the intercept they add up to the
        score.

        What a number counts by itself and what it counts told roughly are one.
        """
        counted = dict[str, list[float]]()
        for name, counts in zip(self._counted(features), self._counts(features), strict=True):
            counted.setdefault(name.partition(APART)[0], []).append(counts)
        terms = (Term(name, fsum(counts)) for name, counts in counted.items())
        return tuple(sorted(terms, key=lambda term: (-abs(term.counts), term.feature)))

    def _counts(self, features: Shared) -> list[float]:
        """What everything that has a weight counts.

        Without names: it is asked for each offer of each decision.
        """
        weights, usual = self.model.weights, self._usual
        counts = [weights[name] * value for name, value in features.categories if name in weights]
        counts += [
            weights[name] * apart(value, *usual[name])
            for name, value in features.numbers
            if name in usual
        ]
        return counts

    def _counted(self, features: Shared) -> list[str]:
        """The names of what counts, in the same order."""
        categories = [name for name, _ in features.categories if name in self.model.weights]
        return categories + [name for name, _ in features.numbers if name in self._usual]

    @cached_property
    def _usual(self) -> dict[str, tuple[float, float]]:
        """The mean and the deviation of each number that has a weight."""
        return {
            name: (usual.mean, usual.deviation)
            for name, usual in self.model.usual.items()
            if name in self.model.weights
        }

    @cached_property
    def _curve(self) -> Curve:
        return calibration.curve(self.model.counts)


class Quality(NamedTuple):
    """How good a model was of late, by what it said when offers were decided.

    The area under the curve and the calibration error by bins.

    `drifts` counts how often its loss has changed. None where there is nothing to tell from yet.
    """

    examples: int
    accepted: int
    auc: float | None
    log_loss: float | None
    calibration_error: float | None
    drifts: int
    last: datetime | None


def quality(model: Model) -> Quality:
    """How good a model was of late."""
    auc, error = calibration.auc(model.said), calibration.error(model.said)
    return Quality(
        model.examples,
        model.accepted,
        auc,
        model.loss if model.examples else None,
        error,
        model.window.changes,
        model.last,
    )


def shared(features: Features) -> Shared:
    """What all models share of their work: a number is also a category, told roughly.

    A category is what it is.
    """
    numbers = tuple((name, value) for name, value in features.items() if "=" not in name)
    categories = [(name, float(value)) for name, value in features.items() if "=" in name]
    return Shared(
        numbers, (*categories, *[(_roughly(name, value), ROUGHLY) for name, value in numbers])
    )


def readable(name: str) -> str:
    """What has a weight, as people read it.

    >>> readable("age" + APART + "40"), readable("tier=gold")
    ('age~40', 'tier=gold')
    """
    return name.replace(APART, "~")


def weighed(name: str, weight: float) -> float:
    """A weight as it counts: that of a number told roughly counts less."""
    return ROUGHLY * weight if APART in name else weight


@lru_cache(maxsize=1 << 16)
def _roughly(name: str, value: int) -> str:
    return f"{name}{APART}{roughly(value)}"


def roughly(value: int) -> int:
    """A number to three digits.

    >>> roughly(-123456), roughly(4857)
    (-123000, 4860)
    """
    digits = len(str(abs(value))) - 3
    if digits <= 0:
        return value
    step = 10**digits
    return int(copysign((abs(value) + step // 2) // step * step, value))
