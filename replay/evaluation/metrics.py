"""How good is a ranking, and how true a probability?

Measures of what a model said beside what came.
"""

from typing import Any

import numpy as np
from scipy.stats import rankdata

BINS = 10
BLOCK = 500
"""Contacts of one time."""
LEAST = 1e-9


def auc(said: Any, came: Any) -> float:
    """How often a yes stands above a no, ties for half."""
    said, came = np.asarray(said), np.asarray(came, bool)
    yes, no = int(came.sum()), int((~came).sum())
    return (
        float((rankdata(said)[came].sum() - yes * (yes + 1) / 2) / (yes * no))
        if yes and no
        else float("nan")
    )


def auc_within_blocks(said: Any, came: Any, size: int = BLOCK) -> float:
    """The area under the curve among contacts of one time.

    The mean over blocks of so many, weighed by the rarer answer: where the share of yes moves, one
    area over all is mostly that of knowing the date. Blocks with one answer alone tell nothing.
    """
    said, came = np.asarray(said, float), np.asarray(came, bool)
    blocks = [slice(first, first + size) for first in range(0, len(came), size)]
    known = [
        (auc(said[block], came[block]), min(came[block].sum(), (~came[block]).sum()))
        for block in blocks
        if 0 < came[block].sum() < len(came[block])
    ]
    if not known:
        return float("nan")
    areas, weights = zip(*known, strict=True)
    return float(np.average(areas, weights=weights))


def alift(said: Any, came: Any) -> float:
    """The area under the cumulative lift.

    The share of all yes against the share of contacts, best first (Moro, Cortez and Rita 2014).
    """
    order = np.argsort(-np.asarray(said), kind="stable")
    gained = np.concatenate([[0], np.cumsum(np.asarray(came, float)[order])])
    return float(np.trapezoid(gained / gained[-1], dx=1 / (len(gained) - 1)))


def top_half(said: Any, came: Any) -> float:
    """The share of all yes among the better half."""
    came = np.asarray(came, float)
    best = np.argsort(-np.asarray(said), kind="stable")[: len(came) // 2]
    return float(came[best].sum() / came.sum())


def calibration_error(said: Any, came: Any) -> float:
    """The mean gap between what was said and what came, over bins of equal width (expected
    calibration error).
    """
    said, came = np.asarray(said, float), np.asarray(came, float)
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    return float(
        sum(abs(said[bins == each].sum() - came[bins == each].sum()) for each in range(BINS))
        / len(came)
    )


def log_loss(said: Any, came: Any) -> float:
    """The mean negative log-likelihood, in nats."""
    said = np.clip(np.asarray(said, float), LEAST, 1 - LEAST)
    return float(-np.mean(np.where(np.asarray(came, bool), np.log(said), np.log(1 - said))))


def by_response(groups: dict[str, tuple[Any, Any]]) -> float:
    """AUC of each offer, weighted by its responses.

    Pooled over offers it would be inflated by their base rates (Pega).
    """
    known = [
        (auc(said, came), len(came)) for said, came in groups.values() if 0 < sum(came) < len(came)
    ]
    return sum(value * count for value, count in known) / sum(count for _, count in known)
