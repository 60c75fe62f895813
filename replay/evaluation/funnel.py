"""Where does each offer fall away? Counted over what was decided in some days.

It tells of nobody: counts are rounded to tens, and a reason is told where it was true of ten
customers.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from domain.event_types import type_key
from domain.offers.events import DECISIONS, OfferDecided, Stage
from replay.policies.window import Window, drawn
from streams.journal import Journal

FEW = 10
"""Customers of whom a reason must be true to be told by itself; and to what counts are rounded, so
that the difference of two reports tells nothing of one decision.
"""


@dataclass(frozen=True)
class Because:
    """For what reason, in about how many decisions; None adds up what was true of few customers."""

    reason: str | None
    decisions: int


@dataclass(frozen=True)
class Fallen:
    """In how many decisions an offer did not pass a stage, and why, the commonest first."""

    stage: Stage
    decisions: int
    because: tuple[Because, ...]


@dataclass(frozen=True)
class OfferSeen:
    """In how many decisions an offer passed every stage, was among those to show and was the first
    of them; and where it fell away.
    """

    offer: str
    passed: int
    shown: int
    first: int
    fallen: tuple[Fallen, ...]


@dataclass(frozen=True)
class Funnel:
    """The decisions of some days: about so many there are, and were `looked_at`, of so many
    `customers`; `nothing` of them show nothing.
    """

    since: str
    until: str
    decisions: int
    looked_at: int
    customers: int
    nothing: int
    offers: tuple[OfferSeen, ...]


def funnel(journal: Journal, window: Window, progress: Callable[[int], None]) -> Funnel:
    """What was decided in a window, offer by offer."""
    (total, found), counts = drawn(journal, window, type_key(OfferDecided), DECISIONS), Counts()
    for event in found:
        assert isinstance(event.data, OfferDecided)
        counts.add(event.stream, event.data)
        progress(1)
    since, until = window.span()
    return Funnel(
        since,
        until,
        rounded(total),
        rounded(counts.looked_at),
        rounded(len(counts.customers)),
        rounded(counts.nothing),
        tuple(counts.offers()),
    )


def rounded(count: int) -> int:
    """To the nearest ten.

    >>> rounded(4), rounded(57), rounded(65)
    (0, 60, 70)
    """
    return (count + FEW // 2) // FEW * FEW


@dataclass
class Counts:
    """What is counted on the way."""

    customers: set[str] = field(default_factory=set)
    looked_at: int = 0
    nothing: int = 0
    reached: Counter[tuple[str, str]] = field(default_factory=Counter)
    fallen: dict[tuple[str, str], dict[str, Counter[str]]] = field(default_factory=dict)
    """By offer and stage, by reason, how often of whom."""

    def add(self, stream: str, decided: OfferDecided) -> None:
        """Count one more decision about a customer, however it is stored."""
        self.customers.add(stream)
        self.looked_at += 1
        self.nothing += not decided.offers
        rivals = decided.rivals.offer if decided.rivals else ()
        passed = dict.fromkeys((*(each.offer for each in decided.candidates), *rivals))
        self.reached.update((offer, "passed") for offer in passed)
        self.reached.update((offer, "shown") for offer in decided.offers)
        self.reached.update((offer, "first") for offer in decided.offers[:1])
        for offer, stage, reason in _drops(decided):
            of_whom = self.fallen.setdefault((offer, stage), {}).setdefault(reason, Counter())
            of_whom[stream] += 1

    def offers(self) -> Iterator[OfferSeen]:
        """Every offer, by name."""
        names = {offer for offer, _ in self.reached} | {offer for offer, *_ in self.fallen}
        for offer in sorted(names):
            passed, shown, first = (
                rounded(self.reached[offer, each]) for each in ("passed", "shown", "first")
            )
            yield OfferSeen(offer, passed, shown, first, tuple(self._fallen(offer)))

    def _fallen(self, offer: str) -> Iterator[Fallen]:
        for stage in get_args(Stage):
            found = self.fallen.get((offer, stage), {})
            count = sum(of_whom.total() for of_whom in found.values())
            if rounded(count):
                yield Fallen(stage, rounded(count), _because(found, count))


def _because(found: Mapping[str, Counter[str]], count: int) -> tuple[Because, ...]:
    """The reasons that were true of many, the commonest first; and the rest."""
    told = {reason: of_whom.total() for reason, of_whom in found.items() if len(of_whom) >= FEW}
    common = sorted(told.items(), key=lambda each: (-each[1], each[0]))
    rest = rounded(count - sum(told.values()))
    others = (Because(None, rest),) if rest else ()
    return (*(Because(reason, rounded(times)) for reason, times in common), *others)


def _drops(decided: OfferDecided) -> Iterator[tuple[str, str, str]]:
    """Offer, stage and reason of all that did not pass."""
    yield from ((each.offer, each.stage, each.reason) for each in decided.dropped)
    for drops in decided.drops:
        yield from ((offer, drops.stage, drops.reason) for offer in drops.offers)
