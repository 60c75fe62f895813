"""What is the synthetic bank like beside what is published, and how fast is it written?

Assets: the annual report of China Merchants Bank for 2021 (two in a hundred hold 82 %). Ages (of
those from 15 on) and sexes (of all): the national census of 2020.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

from deploy.bench.parts import Figure, median
from domain.accounts.events import TransactionPosted
from domain.customers.events import CustomerOnboarded
from domain.envelope import Proposed
from domain.feedback.events import SurveyAnswered
from streams.sources.synth import Bank, synth
from streams.sources.synth.people import wealths
from streams.sources.synth.sent import sent

WRITTEN = Bank(customers=20_000, months=6, seed=1)
LOOKED_AT = Bank(customers=5_000, months=12, seed=1)
RICH, PUBLISHED_RICH = 50, 0.82
CENSUS = {"from 60 on": 0.228, "women": 0.488}
"""Of those from 15 on: 18.70 of 82.05; of all: 48.76."""
DECADES = range(0, 90, 10)
WIDE, HIGH, LEFT, TOP, GAP = 320, 120, 40, 40, 60


def made_up(plot: Path | None = None) -> list[Figure]:
    """Events a second, and shares beside those that are published; the plots, if asked for."""
    seen = Seen(synth(LOOKED_AT))
    if plot is not None:
        plot.write_text(drawn(seen.shares()), encoding="utf-8")
    return [
        Figure("made_up_written", median(_rate), "events/s"),
        Figure(
            "made_up_share_of_the_richest_2_percent",
            _richest(wealths(LOOKED_AT.customers, LOOKED_AT.seed)),
            "share",
            {},
            {"published": PUBLISHED_RICH},
        ),
        Figure(
            "made_up_from_60_on",
            sum(count for age, count in seen.ages.items() if age >= 60)
            / sum(count for age, count in seen.ages.items() if age >= 15),
            "share",
            {},
            {"census": CENSUS["from 60 on"]},
        ),
        Figure(
            "made_up_women",
            seen.women / sum(seen.ages.values()),
            "share",
            {},
            {"census": CENSUS["women"]},
        ),
    ]


class Seen:
    """What can be counted in the events of a bank."""

    def __init__(self, events: Iterable[Proposed]) -> None:
        self.ages, self.hours, self.months = Counter[int](), Counter[int](), Counter[str]()
        self.scores, self.women = Counter[int](), 0
        for event in events:
            match event.data:
                case CustomerOnboarded(born=born, gender=gender) if born is not None:
                    self.ages[event.business_date.year - born.year] += 1
                    self.women += gender == "female"
                case TransactionPosted(kind="card", amount=amount):
                    self.hours[event.occurred_at.hour] += 1
                    self.months[event.business_date.isoformat()[:7]] -= amount
                case SurveyAnswered(score=score):
                    self.scores[score] += 1
                case _:
                    pass

    def shares(self) -> dict[str, Mapping[str, float]]:
        """What is drawn: titles, and a bar for each name."""
        decades = {
            f"{first}": float(sum(self.ages[age] for age in range(first, first + 10)))
            for first in DECADES
        }
        return {
            "customers by age": decades,
            "card payments by hour": {f"{hour}": float(self.hours[hour]) for hour in range(24)},
            "card spending by month": {
                month[5:]: float(amount) for month, amount in sorted(self.months.items())
            },
            "surveys by score": {f"{score}": float(self.scores[score]) for score in range(11)},
        }


def drawn(plots: Mapping[str, Mapping[str, float]]) -> str:
    """Bars side by side, as SVG."""
    height = TOP + len(plots) * (HIGH + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * LEFT + WIDE} {height}" '
        'font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for row, (title, bars) in enumerate(plots.items()):
        parts += _bars(title, bars, TOP + row * (HIGH + GAP))
    return "\n".join([*parts, "</svg>", ""])


def _bars(title: str, bars: Mapping[str, float], y: float) -> Iterable[str]:
    step, most = WIDE / len(bars), max(bars.values())
    yield f'<text x="{LEFT}" y="{y - 8}">{escape(title)}</text>'
    for place, (name, value) in enumerate(bars.items()):
        x, high = LEFT + place * step, value / most * HIGH
        yield (
            f'<rect x="{x:.1f}" y="{y + HIGH - high:.1f}" width="{step * 0.8:.1f}" '
            f'height="{high:.1f}" fill="#0b6e4f"/>'
        )
        middle = f"{x + step * 0.4:.1f}"
        yield f'<text x="{middle}" y="{y + HIGH + 14}" text-anchor="middle">{name}</text>'


def _rate() -> float:
    begun = time.monotonic()
    count = sum(1 for _ in sent(WRITTEN))
    return count / (time.monotonic() - begun)


def _richest(held: list[int]) -> float:
    richest = sorted(held, reverse=True)[: len(held) // RICH]
    return sum(richest) / sum(held)
