"""How is an offer tried out of which little is known?

A draw for its propensity, and how likely the draws make it the first.

The published practice: a draw from Beta(p x n, (1 - p) x n), where n is the evidence. Draws are
seeded with the decision, so that the same decision draws the same again.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
from scipy import special

from domain.offers.events import Arm, Candidate
from domain.offers.ranking import priority

NODES = 32
"""Points of the quadrature: the error of a probability is seldom above a few ten-thousandths."""
POINTS, SHARES = np.polynomial.legendre.leggauss(NODES)
DIGITS = 6
LEAST = 1e-9


def draw(chance: Random, likely: float, evidence: float) -> float:
    """A propensity that may be true, the nearer to the likely one the more evidence there is.

    `evidence` is above zero.
    """
    return chance.betavariate(likely * evidence, (1 - likely) * evidence)


def probability(first: Candidate, others: Sequence[Candidate], arm: Arm) -> float:
    """How likely this candidate was to come before the others, over all draws that might have been.

    Ties by name.

    One without a draw has its priority for sure: a bar, which the draws of the others have to pass.
    """
    rivals = [other for other in others if other.drawn is not None]
    bar = max((other.priority for other in others if other.drawn is None), default=0.0)
    if first.drawn is None or not _weight(first, arm):
        if any(
            (-other.priority, other.offer) < (-first.priority, first.offer)
            for other in others
            if other.drawn is None
        ):
            return 0.0
        return _rounded(float(_all_below(np.array([first.priority]), rivals, arm)[0]))
    shape, weight = _shape(first), _weight(first, arm)
    below_bar = float(special.betainc(*shape, min(bar / weight, 1.0)))
    reached = special.betaincinv(*shape, below_bar + (1 - below_bar) * (POINTS + 1) / 2) * weight
    return _rounded(float((SHARES / 2 * _all_below(reached, rivals, arm)).sum()) * (1 - below_bar))


def _all_below(reached: Any, rivals: Sequence[Candidate], arm: Arm) -> Any:
    """How likely all rivals are to stay below each of these priorities.

    One that is worth nothing always does.
    """
    weighty = [rival for rival in rivals if _weight(rival, arm)]
    shapes = np.array([_shape(rival) for rival in weighty]).reshape(-1, 2, 1)
    weights = np.array([_weight(rival, arm) for rival in weighty]).reshape(-1, 1)
    return special.betainc(shapes[:, 0], shapes[:, 1], np.minimum(reached / weights, 1)).prod(
        axis=0
    )


def _shape(candidate: Candidate) -> tuple[float, float]:
    return candidate.propensity * candidate.evidence, (
        1 - candidate.propensity
    ) * candidate.evidence


def _weight(candidate: Candidate, arm: Arm) -> float:
    """What a draw is multiplied with."""
    return (
        1.0
        if arm == "propensity"
        else priority(1.0, candidate.context_percent, candidate.value, candidate.levers_percent)
    )


def _rounded(found: float) -> float:
    """A probability as it is kept: to so many digits, and never nothing of what was chosen."""
    return max(LEAST, min(1.0, float(f"{found:.{DIGITS}g}")))
