"""May a modeller say this example?

Others than what the bank learns itself, and nothing that its own models said.
"""

from typing import NamedTuple

from domain.envelope import Proposed
from domain.offers.events import ExampleLabelled

LARGEST = 10**6
"""No number is larger, and none smaller than its negative: amounts come by their number of bits.

One that is far from all others would say for long what is usual.
"""


class Doubt(NamedTuple):
    """Why an example is not taken, and where."""

    reason: str
    field: str


def doubt_of_label(event: Proposed) -> Doubt | None:
    """Why nobody but the bank may say an example; None if it is none, or anybody may."""
    said = event.data
    if not isinstance(said, ExampleLabelled):
        return None
    if event.stream != f"model:{said.offer}":
        return Doubt(f"an example of {said.offer} belongs to model:{said.offer}", "subject")
    own = [name for name in ("propensity", "score", "model") if getattr(said, name) is not None]
    if own:
        return Doubt("what a model of the bank said is for the bank to say", f"data.{own[0]}")
    for name, value in said.features.items():
        if "=" in name and value not in {0, 1}:
            return Doubt("a category is 0 or 1", "data.features")
        if abs(value) > LARGEST:
            return Doubt(f"a number is within {LARGEST:,}: give bits of amounts", "data.features")
    return None
