"""How is an offer tried out of which little is known? A draw for its propensity, and how likely the draws make it the first.

The published practice: a draw from Beta(p x n, (1 - p) x n), where n is the evidence. Draws are seeded with the decision, so
that the same decision draws the same again. The only door to scipy.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from scipy import special

from domain.offers import Candidate

NODES = 32
"""Points of the quadrature: the error of a probability is seldom above a few ten-thousandths."""
POINTS, SHARES = np.polynomial.legendre.leggauss(NODES)
DIGITS = 6
"""Of a probability that is kept."""


def draw(chance: Random, likely: float, evidence: float) -> float:
    """A propensity that may be true, the nearer to the likely one the more evidence there is; `evidence` is above zero."""
    return chance.betavariate(likely * evidence, (1 - likely) * evidence)


def probability(first: Candidate, others: Sequence[Candidate]) -> float:
    """How likely this candidate was to come before the others, over all draws that might have been.

    One without a draw has its priority for sure.
    """
    weight, bar = _weight(first), max((other.priority for other in others if other.drawn is None), default=0.0)
    rivals = [other for other in others if other.drawn is not None and _weight(other) > 0]
    if first.drawn is None:
        return round(float(_all_below([first.priority], rivals)[0]), DIGITS) if rivals else 1.0
    if weight == 0 or not (rivals or bar):
        return 1.0
    reached = special.betaincinv(*_shape(first), (POINTS + 1) / 2) * weight
    below = _all_below(reached, rivals) * (reached > bar)
    return round(float((SHARES / 2 * below).sum()), DIGITS)


def _all_below(reached: Any, rivals: Sequence[Candidate]) -> Any:
    """How likely all rivals are to stay below each of these priorities."""
    shapes = np.array([_shape(rival) for rival in rivals]).reshape(-1, 2, 1)
    weights = np.array([_weight(rival) for rival in rivals]).reshape(-1, 1)
    return special.betainc(shapes[:, 0], shapes[:, 1], np.minimum(np.asarray(reached) / weights, 1)).prod(axis=0)


def _shape(candidate: Candidate) -> tuple[float, float]:
    return candidate.propensity * candidate.evidence, (1 - candidate.propensity) * candidate.evidence


def _weight(candidate: Candidate) -> float:
    """What a draw is multiplied with."""
    return candidate.priority / candidate.drawn if candidate.drawn else 0.0
