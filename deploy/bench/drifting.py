"""How well does a model follow what changes?

Seeded streams of contacts whose truth is known: six numbers, five categories, one number that tells
of the times alone, and one kind of change each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import cos, pi, sin
from random import Random

from deploy.bench.learners import DELAYS, Row, compared
from deploy.bench.parts import Figure
from projections.models.calibration import chance

COUNT = 12_000
SCORED_FROM = 4_000
SEED = 1
NUMBERS = 6
CATEGORIES = 5
PERIOD = 5_000
"""Contacts of a season."""
CHANGES = ("base walks", "base jumps", "tastes jump", "tastes turn", "seasons")
"""The share of yes walks or jumps; what people like is drawn anew, or turns into another; the
share of yes has seasons.
"""


@dataclass
class _World:
    """What is true just now: log-odds of a yes, by number, by category, and of everybody."""

    random: Random
    base: float = -2.0
    now: list[float] = field(init=False)
    later: list[float] = field(init=False)
    likes: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.now, self.later = self.tastes(), self.tastes()
        self.likes = [
            [self.random.gauss(0, 0.5) for _ in range(self.random.randrange(2, 9))]
            for _ in range(CATEGORIES)
        ]

    def tastes(self) -> list[float]:
        """How much each number counts."""
        return [self.random.gauss(0, 0.5) for _ in range(NUMBERS)]

    def contact(self) -> Row:
        """Somebody who is asked, and what they answer."""
        numbers = [self.random.gauss(0, 1) for _ in range(NUMBERS)]
        kinds = [self.random.randrange(len(likes)) for likes in self.likes]
        odds = self.base
        odds += sum(weight * value for weight, value in zip(self.now, numbers, strict=True))
        odds += sum(likes[kind] for likes, kind in zip(self.likes, kinds, strict=True))
        times = self.base * 1000 + self.random.gauss(0, 300)
        features = {f"n{number}": round(value * 1000) for number, value in enumerate(numbers)}
        features |= {f"c{number}={kind}": 1 for number, kind in enumerate(kinds)}
        return Row({**features, "times": round(times)}, self.random.random() < chance(odds))


def contacts(change: str, seed: int = SEED, count: int = COUNT) -> list[Row]:
    """A stream in which one thing changes; the same seed, the same stream.

    Raises `ValueError` for a change that is none of `CHANGES`.
    """
    if change not in CHANGES:
        raise ValueError(f"no stream {change!r}: there are {', '.join(CHANGES)}")
    world = _World(Random(f"{change}/{seed}"))  # noqa: S311
    begun = world.now
    found = []
    for number in range(count):
        _changed(world, change, number, begun, count)
        found.append(world.contact())
    return found


def drifting(delays: Sequence[int] = DELAYS) -> list[Figure]:
    """What our models are worth on each stream, at each delay, beside the peers."""
    return [
        figure
        for change in CHANGES
        for figure in compared(change.replace(" ", "_"), contacts(change), SCORED_FROM, delays)
    ]


def _changed(world: _World, change: str, number: int, begun: list[float], count: int) -> None:
    """The world at the next contact."""
    match change:
        case "base walks":
            world.base = max(-4.0, min(0.5, world.base + world.random.gauss(0, 0.01)))
        case "base jumps" if number % 3_000 == 2_999:
            world.base = world.random.uniform(-3.5, -0.5)
        case "tastes jump" if number % 4_000 == 3_999:
            world.now = world.tastes()
        case "tastes turn":
            turn = number / count * pi
            world.now = [
                one * cos(turn) + other * sin(turn)
                for one, other in zip(begun, world.later, strict=True)
            ]
        case "seasons":
            world.base = -2 + 1.2 * sin(2 * pi * number / PERIOD)
        case _:
            pass
