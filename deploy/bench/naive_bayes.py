"""The peer: Pega's adaptive naive Bayes, from its published formulas.

A predictor's value falls into a bin with its counts of yes and no; a bin's contribution is log(pos + 1/bins) - log(neg + 1/bins)
- log(1 + all pos) + log(1 + all neg); the score is [log(1 + P) - log(1 + N) + the sum of contributions] / (1 + active predictors);
scores fall into bins made monotone (PAVA), whose propensity is (0.5 + pos) / (1 + pos + neg).
"""  # noqa: E501

from bisect import bisect_right
from collections import Counter
from math import log

from domain.offers.events import Features
from projections.models.calibration import pooled

BEGINNING = 500
"""Examples by which the bins of numbers are found; before them there is one."""
BINS = 10
SCORES = 20
ACTIVE = 0.52
"""A predictor whose own AUC is below this has no say."""
AGAIN = 500
"""Examples after which bins, active predictors and score bins are found again."""


class NaiveBayes:
    """One offer's model."""

    def __init__(self) -> None:
        self._yes: dict[str, Counter[str]] = {}
        self._no: dict[str, Counter[str]] = {}
        self._totals = Counter[bool]()
        self._edges: dict[str, list[int]] = {}
        self._seen: list[Features] = []
        self._active: list[str] = []
        self._scored: list[tuple[float, bool]] = []
        self._curve: tuple[list[float], list[float]] = ([], [])

    def propensity(self, features: Features) -> float:
        """The probability of a yes."""
        limits, chances = self._curve
        if not chances:
            return (0.5 + self._totals[True]) / (1 + self._totals.total())
        return chances[bisect_right(limits, self._score(_predictors(features)))]

    def learn(self, features: Features, accepted: bool) -> None:
        """One example more."""
        known = _predictors(features)
        self._scored.append((self._score(known), accepted))
        self._totals[accepted] += 1
        for name, value in known.items():
            side = (self._yes if accepted else self._no).setdefault(name, Counter())
            side[self._bin(name, value)] += 1
        if len(self._seen) < BEGINNING:
            self._seen.append(features)
            if len(self._seen) == BEGINNING:
                self._find_edges()
        if self._totals.total() % AGAIN == 0:
            self._look_again()

    def _score(self, known: dict[str, int | str]) -> float:
        said = sum(
            self._contribution(name, self._bin(name, known[name]))
            for name in self._active
            if name in known
        )
        return (log(1 + self._totals[True]) - log(1 + self._totals[False]) + said) / (
            1 + len(self._active)
        )

    def _contribution(self, name: str, place: str) -> float:
        yes, no = self._yes.get(name, Counter()), self._no.get(name, Counter())
        bins = len(yes.keys() | no.keys()) or 1
        return (
            log(yes[place] + 1 / bins)
            - log(no[place] + 1 / bins)
            - log(1 + yes.total())
            + log(1 + no.total())
        )

    def _bin(self, name: str, value: int | str) -> str:
        return (
            value if isinstance(value, str) else str(bisect_right(self._edges.get(name, []), value))
        )

    def _find_edges(self) -> None:
        """Bins of equal frequency for numbers.

        What was counted before is counted into the middle one.
        """
        numbers: dict[str, list[int]] = {}
        for features in self._seen:
            for name, value in _predictors(features).items():
                if isinstance(value, int):
                    numbers.setdefault(name, []).append(value)
        for name, values in numbers.items():
            ordered = sorted(values)
            self._edges[name] = sorted(
                {ordered[len(ordered) * part // BINS] for part in range(1, BINS)}
            )
            self._yes.pop(name, None)
            self._no.pop(name, None)

    def _look_again(self) -> None:
        self._active = sorted(name for name in self._yes if self._alone(name) >= ACTIVE)
        recent = sorted(self._scored)
        size = max(1, len(recent) // SCORES)
        parts = [recent[begun : begun + size] for begun in range(0, len(recent), size)]
        counts = [(sum(answer for _, answer in part), len(part)) for part in parts]
        self._curve = (
            [part[-1][0] for part in parts[:-1]],
            pooled(((0.5 + yes) / (1 + total), total) for yes, total in counts),
        )

    def _alone(self, name: str) -> float:
        """The AUC of one predictor, by its bins."""
        yes, no = self._yes.get(name, Counter()), self._no.get(name, Counter())
        rates = sorted(
            yes.keys() | no.keys(),
            key=lambda place: (yes[place] + 0.5) / (yes[place] + no[place] + 1),
        )
        below = wins = 0.0
        for place in rates:
            wins += yes[place] * (below + no[place] / 2)
            below += no[place]
        return wins / (yes.total() * no.total()) if yes.total() and no.total() else 0.5


def _predictors(features: Features) -> dict[str, int | str]:
    """A number by its name, a category `name=value` as the value of its name."""
    return {
        name.partition("=")[0]: name.partition("=")[2] if "=" in name else value
        for name, value in features.items()
    }
