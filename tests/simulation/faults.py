"""When does what break? Drawn from a seed, counted, and over when the world is to come to rest."""

from collections import Counter
from random import Random

RATES = {
    "poll fails": 0.01,
    "send fails": 0.02,
    "sent twice": 0.03,
    "acknowledgement lost": 0.02,
    "intake killed before it appends": 0.02,
    "intake killed before it publishes": 0.03,
    "intake killed behind it": 0.02,
    "another intake takes over": 0.03,
    "append refused": 0.02,
    "reply to an append lost": 0.02,
    "broker loses everything": 0.002,
    "save refused": 0.02,
    "reply to a save lost": 0.02,
    "Redis loses everything": 0.003,
    "agents killed": 0.02,
    "agents do not get a batch": 0.05,
    "agents get a batch again": 0.05,
    "another worker folds too": 0.02,
    "fed again": 0.05,
    "strayed": 0.05,
    "Redis writes a snapshot": 0.02,
    "Redis goes back to its snapshot": 0.004,
    "poison": 0.02,
    "clock goes back": 0.05,
}
"""How likely each is to happen where it may."""


class Faults:
    """A schedule of faults: the same seed, the same schedule."""

    def __init__(self, seed: int, rates: dict[str, float]) -> None:
        self._chance = Random(seed)
        self._rates = rates
        self.happened: Counter[str] = Counter()
        self.over = False

    def strikes(self, name: str) -> bool:
        """Whether it happens now."""
        struck = not self.over and name in self._rates and self._chance.random() < self._rates[name]
        self.happened[name] += struck
        return struck

    def upto(self, most: int) -> int:
        """A number from one to `most`."""
        return self._chance.randint(1, most)

    def knows(self, name: str) -> bool:
        """Whether it may happen at all."""
        return name in self._rates

    def pauses(self) -> int:
        """For how many turns somebody does nothing."""
        return self._chance.choice((0, 0, 1, 2, 5))
