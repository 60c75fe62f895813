"""Ours and Pega's adaptive naive Bayes on the same streams.

Offers shown in the simulated market, answers known fifty steps later.

One stream is what our own models chose, the other was chosen by lot. Whoever chooses by what it
says is asked most where it says too much, which lifts the calibration error of the one that chose
and not the other's; nobody has that burden where lots choose.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from deploy.bench.market import DELAY, SEEDS, VALUES, WAYS, Way, by_lot, simulate
from deploy.bench.naive_bayes import NaiveBayes
from deploy.bench.parts import Figure
from domain.offers.events import ExampleLabelled
from domain.tiering.policy import TierPolicy
from replay.evaluation.metrics import by_response, calibration_error, log_loss

Said = dict[str, list[tuple[str, float, bool]]]


STREAMS: dict[str, Way] = {"market": WAYS["epsilon-greedy"], "market_by_lot": (False, by_lot)}


def side_by_side(policy: TierPolicy) -> list[Figure]:
    """AUC by offer weighted by responses, log-loss and calibration error of each stream, over all
    seeds together.
    """
    return [figure for name, way in STREAMS.items() for figure in _figures(name, way, policy)]


def _figures(stream: str, way: Way, policy: TierPolicy) -> list[Figure]:
    said: Said = {"ours": [], "naive": []}
    for seed in SEEDS:
        for name, offer, likely, accepted in _scored(simulate(way, seed, policy).examples):
            said[name].append((f"{seed}/{offer}", likely, accepted))
    found = {name: _measured(some) for name, some in said.items()}
    return [
        Figure(
            f"{stream}_{measure}",
            found["ours"][measure],
            "",
            {},
            {"adaptive naive Bayes": found["naive"][measure]},
        )
        for measure in found["ours"]
    ]


def _scored(examples: list[tuple[str, ExampleLabelled]]) -> Iterator[tuple[str, str, float, bool]]:
    """What each said of every show before its answer was known.

    Ours when it was decided, the peer by the same answers.
    """
    naive = {name: NaiveBayes() for name in VALUES}
    for number, (offer, example) in enumerate(examples):
        if (due := number - DELAY - 1) >= 0:
            answered, answer = examples[due]
            naive[answered].learn(answer.features, answer.accepted)
        assert example.propensity is not None
        yield "ours", offer, example.propensity, example.accepted
        yield "naive", offer, naive[offer].propensity(example.features), example.accepted


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
