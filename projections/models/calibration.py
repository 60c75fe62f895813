"""How often does a yes follow where a model says so much?

A monotone curve from what it said to what came of it.

What came of it is counted in bins of the score, older answers for less and less; the bins are made
monotone by pooling adjacent violators (PAVA), and between them the curve is a line. So many
answers' worth of the model's own word stand in each bin, and a share of it in every probability, so
that the curve rises strictly and no ranking is lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import exp, fsum, log
from typing import NamedTuple

from domain.fastcopy import changed

WIDTH = 0.25
"""Of a bin, in log-odds."""
ENDS = 40
"""Bins on each side of even odds."""
HALF_LIFE = 3_000
"""Answers after which one counts for half."""
OWN_WORD = 400.0
"""Answers' worth of the model's own word in each bin: a curve that turns quickly with the answers
ranks those of one day unlike.
"""
FEW = 20.0
"""Answers that a bin weighs beside its own where bins are pooled: an empty one follows others."""
ALIKE = 8
"""Bins on each side of a score whose answers are evidence for it."""
RISE = 0.05
"""The share of the model's own word in each probability, so that the curve rises strictly."""
FADING = 0.5 ** (1 / HALF_LIFE)


@dataclass(frozen=True)
class Counts:
    """How many yes and no there were by bin of the score, faded.

    Bins are named by their numbers: a key of JSON is a text.
    """

    yes: dict[str, float] = field(default_factory=dict)
    no: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """How much evidence there is."""
        return fsum(self.yes.values()) + fsum(self.no.values())


def counted(counts: Counts, score: float, answer: bool) -> Counts:
    """The counts after one more answer."""
    yes, no = _faded(counts.yes), _faded(counts.no)
    side, place = (yes if answer else no), str(bin_of(score))
    side[place] = side.get(place, 0.0) + 1.0
    return changed(counts, yes=yes, no=no)


def bin_of(score: float) -> int:
    """The bin of a score (log-odds).

    >>> bin_of(0.3), bin_of(-100.0)
    (1, -40)
    """
    return round(max(-ENDS * WIDTH, min(ENDS * WIDTH, score)) / WIDTH)


def chance(score: float) -> float:
    """The probability that log-odds stand for.

    >>> chance(0.0)
    0.5
    """
    if score >= 0:
        return 1 / (1 + exp(-score))
    odds = exp(score)
    return odds / (1 + odds)


OWN = tuple((str(place), OWN_WORD * chance(place * WIDTH)) for place in range(-ENDS, ENDS + 1))
"""By name of a bin, how many yes the model's own word is worth there."""


def log_odds(probability: float) -> float:
    """The score that a probability stands for; the outermost ones for 0 and 1."""
    if not 0 < probability < 1:
        return ENDS * WIDTH if probability else -ENDS * WIDTH
    return log(probability / (1 - probability))


@dataclass(frozen=True)
class Curve:
    """From a score to a probability, a value for each bin's middle and lines between them.

    And how many answers each bin has.
    """

    values: tuple[float, ...]
    counted: tuple[float, ...]

    def at(self, score: float) -> float:
        """The calibrated probability."""
        bounded = max(-ENDS * WIDTH, min(ENDS * WIDTH, score))
        place = (bounded + ENDS * WIDTH) / WIDTH
        left = min(int(place), 2 * ENDS - 1)
        low, high = self.values[left], self.values[left + 1]
        return (1 - RISE) * (low + (high - low) * (place - left)) + RISE * chance(score)

    def evidence(self, score: float) -> float:
        """How many answers there are to scores like this one."""
        return self._alike[bin_of(score) + ENDS]

    @cached_property
    def _alike(self) -> tuple[float, ...]:
        """By bin, the answers there and near it."""
        return tuple(
            fsum(self.counted[max(0, place - ALIKE) : place + ALIKE + 1])
            for place in range(len(self.counted))
        )


def curve(counts: Counts) -> Curve:
    """What came of each bin, made monotone."""
    yes, no = counts.yes.get, counts.no.get
    bins = [(yes(name, 0.0), no(name, 0.0), own) for name, own in OWN]
    weighed = [
        ((one + own) / (one + other + OWN_WORD), one + other + FEW) for one, other, own in bins
    ]
    return Curve(tuple(pooled(weighed)), tuple(one + other for one, other, _ in bins))


def pooled(bins: Iterable[tuple[float, float]]) -> list[float]:
    """Values made monotone.

    Neighbours that fall become their mean, weighed (pool adjacent violators).

    >>> pooled([(0.1, 1.0), (0.4, 1.0), (0.2, 1.0), (0.9, 1.0)])
    [0.1, 0.30000000000000004, 0.30000000000000004, 0.9]
    """
    blocks: list[tuple[float, float, int]] = []
    for value, weight in bins:
        block = (value * weight, weight, 1)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            total, weights, number = blocks.pop()
            block = (total + block[0], weights + block[1], number + block[2])
        blocks.append(block)
    return [total / weight for total, weight, number in blocks for _ in range(number)]


class Answered(NamedTuple):
    """What came of one bin: the probability that was said, the share of yes, and how many answers
    there were, faded.
    """

    said: float
    came: float
    answers: float


def reliability(counts: Counts) -> list[Answered]:
    """What came of what was said, by bin, the smallest probability first (a reliability diagram).

    >>> reliability(Counts({"0": 3.0}, {"0": 1.0}))
    [Answered(said=0.5, came=0.75, answers=4.0)]
    """
    found = []
    for place in sorted(counts.yes.keys() | counts.no.keys(), key=int):
        yes, no = counts.yes.get(place, 0.0), counts.no.get(place, 0.0)
        if yes + no:
            found.append(Answered(chance(int(place) * WIDTH), yes / (yes + no), yes + no))
    return found


def auc(counts: Counts) -> float | None:
    """How often a yes was scored above a no, by the bins, ties for half.

    None while one of them never came.
    """
    yes, no = fsum(counts.yes.values()), fsum(counts.no.values())
    if not yes or not no:
        return None
    below, wins = 0.0, 0.0
    for place in sorted(counts.yes.keys() | counts.no.keys(), key=int):
        there = counts.no.get(place, 0.0)
        wins += counts.yes.get(place, 0.0) * (below + there / 2)
        below += there
    return wins / (yes * no)


def error(counts: Counts) -> float | None:
    """By how much what was said and what came differ, over all bins (expected calibration error).

    None before the first answer.
    """
    total = counts.total
    places = counts.yes.keys() | counts.no.keys()
    apart = (
        abs(
            counts.yes.get(place, 0.0)
            - chance(int(place) * WIDTH) * (counts.yes.get(place, 0.0) + counts.no.get(place, 0.0))
        )
        for place in places
    )
    return fsum(apart) / total if total else None


def _faded(side: Mapping[str, float]) -> dict[str, float]:
    return {place: weight * FADING for place, weight in side.items()}
