"""How well does a model learn from a real bank's contacts?

UCI Bank Marketing in time order. `duration` is never used: it is not known before the call.

Everything about the models was chosen on the first 20,000 rows, and these alone are looked at
here: the later ones are for whoever judges us.
"""

import csv
from pathlib import Path

from deploy.bench.learners import Row, compared
from deploy.bench.parts import Figure

SCORED_FROM = 4_000
UNTIL = 20_000
NUMBERS = (
    "age",
    "campaign",
    "pdays",
    "previous",
    "emp.var.rate",
    "cons.price.idx",
    "cons.conf.idx",
    "euribor3m",
    "nr.employed",
)
CATEGORIES = (
    "job",
    "marital",
    "education",
    "default",
    "housing",
    "loan",
    "contact",
    "month",
    "day_of_week",
    "poutcome",
)


def rows(path: Path) -> list[Row]:
    """The contacts in time order; numbers in thousandths."""
    with path.open(encoding="utf-8") as file:
        return [_row(each) for each in csv.DictReader(file, delimiter=";")]


def bank_marketing(path: Path) -> list[Figure]:
    """What our models are worth on the rows from 4,000 to 20,000, at each delay, beside the
    peers.

    Raises `ValueError` for a file with fewer.
    """
    contacts = rows(path)
    if len(contacts) < UNTIL:
        raise ValueError(f"{path} has {len(contacts)} rows, and the first {UNTIL} are looked at")
    return compared("uci", contacts[:UNTIL], SCORED_FROM)


def _row(said: dict[str, str]) -> Row:
    numbers = {name: round(float(said[name]) * 1000) for name in NUMBERS}
    return Row(
        {**numbers, **{f"{name}={said[name]}": 1 for name in CATEGORIES}}, said["y"] == "yes"
    )
