"""What would another choice have earned?

Estimated from choices whose probabilities are known, without making it.

Inverse propensity weighting, its self-normalised form, and doubly robust estimation (Horvitz and
Thompson 1952; Dudik, Langford and Li 2011). What is weighed is skew: a few acceptances carry much.
So an interval is one of the normal approximation after Hall's transformation, which takes the
skewness out (Journal of the Royal Statistical Society B 54, 1992).
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

CONFIDENCE = 0.95
REACH = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
STRAIGHT = 1e-9
"""A skewness below this is none."""
FARTHEST = 100.0
"""A weight beyond this is cut: one choice shall not speak for a hundred."""


@dataclass(frozen=True)
class Estimate:
    """The mean reward of a choice that was not made: between `low` and `high` with the confidence.

    `effective` is how many logged choices it rests on.
    """

    method: str
    value: float
    low: float
    high: float
    logged: int
    effective: float


def estimates(rewards: Any, weights: Any, expected: Any, expected_of_logged: Any) -> list[Estimate]:
    """By all three methods, one entry a logged choice.

    `weights` are probabilities of the logged choice under the other policy by those under which it
    was logged; `expected` is what a model expects of the other policy's choice,
    `expected_of_logged` of the logged one.
    """
    reward, weight = np.asarray(rewards, float), np.minimum(np.asarray(weights, float), FARTHEST)
    if not len(reward):
        return [_estimate(method, reward, reward, 0.0) for method in ("ipw", "snipw", "dr")]
    weighed = weight * reward
    share = weight / weight.mean() if weight.any() else weight
    normed = share * reward
    robust = np.asarray(expected, float) + weight * (reward - np.asarray(expected_of_logged, float))
    effective = float(weight.sum() ** 2 / (weight**2).sum()) if weight.any() else 0.0
    return [
        _estimate("ipw", weighed, weighed, effective),
        _estimate("snipw", normed, share * (reward - normed.mean()) + normed.mean(), effective),
        _estimate("dr", robust, robust, effective),
    ]


def mean(rewards: Any, method: str = "mean") -> Estimate:
    """What was seen, with its interval."""
    seen = np.asarray(rewards, float)
    return _estimate(method, seen, seen, float(len(seen)))


def lift(treated: Any, held_out: Any) -> Estimate:
    """By how much the mean of one arm is above that of another, as a share of it.

    The interval by the delta method, of the logarithm of the ratio: it is never below nothing.
    """
    one, other = np.asarray(treated, float), np.asarray(held_out, float)
    if len(one) < 2 or len(other) < 2 or not other.mean():
        return Estimate(
            "lift", float("nan"), float("nan"), float("nan"), len(one) + len(other), 0.0
        )
    ratio = one.mean() / other.mean()
    variance = (
        one.var(ddof=1) / len(one) / other.mean() ** 2
        + ratio**2 * other.var(ddof=1) / len(other) / other.mean() ** 2
    )
    reach = float(np.exp(REACH * np.sqrt(variance) / ratio)) if ratio else 1.0
    return Estimate(
        "lift",
        float(ratio - 1),
        float(ratio / reach - 1),
        float(ratio * reach - 1),
        len(one) + len(other),
        float(min(len(one), len(other))),
    )


def _estimate(method: str, values: Any, spread: Any, effective: float) -> Estimate:
    count = len(values)
    if count < 2:
        return Estimate(method, float("nan"), float("nan"), float("nan"), count, effective)
    value, deviation = float(values.mean()), float(spread.std(ddof=1))
    skew = float(((spread - spread.mean()) ** 3).mean() / deviation**3) if deviation else 0.0
    error = deviation / np.sqrt(count)
    low, high = (
        value - error * _untransformed(reach, skew / np.sqrt(count)) for reach in (REACH, -REACH)
    )
    return Estimate(method, value, float(low), float(high), count, effective)


def _untransformed(reach: float, skew: float) -> float:
    """Where the mean of a skew sample lies, in standard errors, whose transform lies so far out.

    `skew` is the skewness by the root of the size. Hall's cubic transform is x + skew x^2 / 3 +
    skew^2 x^3 / 27 + skew / 6.
    """
    if abs(skew) < STRAIGHT:
        return reach
    return float(3 / skew * (np.cbrt(1 + skew * (reach - skew / 6)) - 1))
