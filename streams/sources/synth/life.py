"""What is going on in a customer's life, and what makes them leave?

Everything that a month depends on; and the hidden causes, which show in events but are never told.
"""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import NamedTuple

from domain.calendar import Month
from domain.envelope import Proposed
from domain.event import AssetClass, Interaction
from streams.sources.synth.people import Person
from streams.sources.synth.workdays import ZONE, month_of_days

SOURCE = "synth"
HOUR, DAY = 3_600, 86_400
REFUSED, MOVED, SERVED_BADLY, EARNS_ELSEWHERE = (
    "refused complaint",
    "moved money",
    "bad service",
    "salary elsewhere",
)
LEAVES = {
    REFUSED: (0.15, 0.3, 0.2),
    MOVED: (0.2, 0.35, 0.2),
    SERVED_BADLY: (0.15, 0.25, 0.15),
    EARNS_ELSEWHERE: (0.15, 0.25, 0.2, 0.1),
}
"""How likely a customer leaves in the months that follow each cause."""
ANYHOW = 0.001
"""How likely one leaves a month for no cause that shows."""
STAYING = 5
"""Whoever is looked after by a manager leaves so many times as seldom."""


@dataclass(slots=True)
class Life:
    """Where a customer stands: money in fen, `causes` by how many months ago they came up.

    `flat` is the month in which they buy one, from the first on; -1 for never.
    """

    person: Person
    balance: int = 0
    invested: int = 0
    owed: int = 0
    missed: int = 0
    card: bool = False
    paid: bool = True
    gone: bool = False
    flat: int = -1
    holds: dict[AssetClass, int] = field(default_factory=dict)
    causes: dict[str, int] = field(default_factory=dict)
    learnt: list[str] = field(default_factory=list)

    @property
    def assets(self) -> int:
        """What the customer holds."""
        return self.balance + self.invested + sum(self.holds.values())

    def older(self) -> None:
        """A month has gone by."""
        self.causes = {
            cause: ago + 1 for cause, ago in self.causes.items() if ago + 1 < len(LEAVES[cause])
        }
        self.causes.update(dict.fromkeys(self.learnt, 0))
        self.learnt = []

    def chance_to_leave(self, months: int = 1) -> float:
        """How likely the customer leaves within so many months, by the causes of now."""
        stays = 1.0
        for ahead in range(months):
            goes = 1 - ANYHOW
            for cause, ago in self.causes.items():
                goes *= 1 - _likely(cause, ago + ahead)
            stays *= 1 - (1 - goes) / (STAYING if self.person.rich else 1)
        return 1 - stays

    @property
    def cause(self) -> str:
        """The cause that counts most."""
        return max(self.causes, key=lambda cause: _likely(cause, self.causes[cause]), default="")


def _likely(cause: str, ago: int) -> float:
    return LEAVES[cause][ago] if ago < len(LEAVES[cause]) else 0.0


class Message(NamedTuple):
    """An event, and when it happened or is sent: seconds since 1970."""

    at: int
    event: Proposed


class Told:
    """What is told of a customer in a month, in no order."""

    def __init__(self, life: Life, month: Month, chance: Random) -> None:
        self.life = life
        self.month = month
        self.chance = chance
        self.year, self.number, self._begins, self._dates, self.worked = month_of_days(month)
        self.days = len(self._dates)
        self.messages: list[Message] = []
        self._stream = life.person.stream
        self._prefix = f"{life.person.number}-{month}-"

    def name(self, what: str) -> str:
        """A name that there is once in the bank."""
        return self._prefix + what

    def say(self, day: int, hour: int, what: str, data: Interaction) -> None:
        """Something happened on a day, within an hour."""
        self._told(day, HOUR * hour + int(self.chance.random() * HOUR), what, data, self._stream)

    def at(
        self, day: int, hour: int, minute: int, what: str, data: Interaction, stream: str = ""
    ) -> None:
        """Something happened at a minute: what follows one thing upon another."""
        self._told(day, HOUR * hour + 60 * minute, what, data, stream or self._stream)

    def day(self, first: int = 1, last: int = 28) -> int:
        """Some day."""
        return first + int(self.chance.random() * (last - first + 1))

    def _told(self, day: int, second: int, what: str, data: Interaction, stream: str) -> None:
        at = self._begins + DAY * (day - 1) + second
        when, date = datetime.fromtimestamp(at, ZONE), self._dates[day - 1]
        name = self._prefix + what
        self.messages.append(Message(at, Proposed(SOURCE, name, stream, when, date, data)))
