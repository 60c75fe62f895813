"""Ours and Pega's adaptive naive Bayes on the same streams.

Offers shown in the simulated market, answers known fifty steps later.

One stream is what our own models chose, the other was chosen by lot. Whoever chooses by what it
says is asked most where it says too much, which lifts the calibration error of the one that chose
and not the other's; nobody has that burden where lots choose.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from deploy.bench.market import DELAY, SEEDS, WAYS, Market, Run, Way, World, by_lot, simulate
from deploy.bench.naive_bayes import NaiveBayes
from deploy.bench.parts import Figure
from domain.tiering.policy import TierPolicy
from replay.evaluation.metrics import by_response, calibration_error, log_loss

Said = dict[str, list[tuple[str, float, bool]]]


STREAMS: dict[str, Way] = {"": WAYS["epsilon-greedy"], "_by_lot": (False, by_lot)}


def side_by_side(
    policy: TierPolicy, named: str = "market", world: Callable[[int], World] = Market
) -> list[Figure]:
    """AUC by offer weighted by responses, log-loss and calibration error of each stream, over all
    seeds together; beside whoever knows how likely a yes truly is.
    """
    return [
        figure
        for name, way in STREAMS.items()
        for figure in _figures(f"{named}{name}", way, policy, world)
    ]


def _figures(
    stream: str, way: Way, policy: TierPolicy, world: Callable[[int], World]
) -> list[Figure]:
    said: Said = {"ours": [], "naive": [], "truth": []}
    for seed in SEEDS:
        for name, offer, likely, accepted in _scored(simulate(way, seed, policy, world=world)):
            said[name].append((f"{seed}/{offer}", likely, accepted))
    found = {name: _measured(some) for name, some in said.items()}
    return [
        Figure(
            f"{stream}_{measure}",
            found["ours"][measure],
            "",
            {"the truth": found["truth"][measure]},
            {"adaptive naive Bayes": found["naive"][measure]},
        )
        for measure in found["ours"]
    ]


def _scored(run: Run) -> Iterator[tuple[str, str, float, bool]]:
    """What each said of every show before its answer was known.

    Ours when it was decided, the peer by the same answers, and the truth.
    """
    examples, naive = run.examples, defaultdict[str, NaiveBayes](NaiveBayes)
    for number, (offer, example) in enumerate(examples):
        if (due := number - DELAY - 1) >= 0:
            answered, answer = examples[due]
            naive[answered].learn(answer.features, answer.accepted)
        assert example.propensity is not None
        yield "ours", offer, example.propensity, example.accepted
        yield "naive", offer, naive[offer].propensity(example.features), example.accepted
        yield "truth", offer, run.likely[number], example.accepted


def _measured(said: list[tuple[str, float, bool]]) -> dict[str, float]:
    groups: dict[str, tuple[Any, Any]] = {}
    for offer in {offer for offer, _, _ in said}:
        groups[offer] = (
            np.array([likely for name, likely, _ in said if name == offer]),
            np.array([came for name, _, came in said if name == offer]),
        )
    likely, came = np.array([each for _, each, _ in said]), np.array([each for _, _, each in said])
    return {
        "auc_by_response": by_response(groups),
        "log_loss": log_loss(likely, came),
        "calibration_error": calibration_error(likely, came),
    }
