"""Is off-policy evaluation true?

The Open Bandit data: what Thompson sampling would be clicked, from logs of a uniform choice alone.

Both ways of choosing ran at the same time (ZOZO, Open Bandit Dataset, small version), so the truth
is known: the click rate in the logs of Thompson sampling, of which only how often it shows what
where is used for the estimate.
"""

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from deploy.bench.parts import Figure
from replay.evaluation.off_policy import Estimate, estimates, mean

SMOOTHED = 100
"""Shows of an item at the common rate that stand before its own, in what a model expects."""


@dataclass(frozen=True)
class Logged:
    """One show: which item in which place, how likely that was, and whether it was clicked."""

    item: str
    position: str
    likely: float
    clicked: bool


def logged(path: Path) -> list[Logged]:
    """The shows of a log."""
    with path.open(encoding="utf-8") as file:
        return [
            Logged(
                row["item_id"], row["position"], float(row["propensity_score"]), row["click"] == "1"
            )
            for row in csv.DictReader(file)
        ]


def evaluated(uniform: list[Logged], other: list[Logged]) -> tuple[list[Estimate], Estimate]:
    """The other way's click rate, estimated from the uniform logs; and the truth."""
    shows = Counter((each.item, each.position) for each in other)
    places = Counter(each.position for each in other)
    common = sum(each.clicked for each in uniform) / len(uniform)
    clicks, seen = (
        Counter(each.item for each in uniform if each.clicked),
        Counter(each.item for each in uniform),
    )
    expects = {item: (clicks[item] + SMOOTHED * common) / (seen[item] + SMOOTHED) for item in seen}
    by_place = {
        place: sum(
            expects.get(item, common) * count for (item, at), count in shows.items() if at == place
        )
        / places[place]
        for place in places
    }
    return estimates(
        [each.clicked for each in uniform],
        [shows[each.item, each.position] / places[each.position] / each.likely for each in uniform],
        [by_place[each.position] for each in uniform],
        [expects[each.item] for each in uniform],
    ), mean([each.clicked for each in other], "truth")


def open_bandit(folder: Path) -> list[Figure]:
    """Each estimate beside the truth."""
    found, truth = evaluated(
        logged(folder / "random" / "men" / "men.csv"), logged(folder / "bts" / "men" / "men.csv")
    )
    return [
        Figure(
            f"open_bandit_{each.method}",
            each.value,
            "clicks a show",
            {},
            {"truth": truth.value, "from": each.low, "up to": each.high},
        )
        for each in found
    ]
