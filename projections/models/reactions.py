"""What follows when a model drifts? An event of the model's own."""

from typing import NamedTuple

from domain.envelope import Proposed, Recorded, following
from domain.offers.events import ModelDrifted
from projections.models.propensity import Model


class Learning(NamedTuple):
    """A model, as far as it has learnt."""

    model: Model


def react(_stream: str, before: Learning, after: Learning, event: Recorded) -> tuple[Proposed, ...]:
    """A change of the loss is an event of the model's own."""
    had, has = before.model.window, after.model.window
    if has.changes == had.changes:
        return ()
    drift = ModelDrifted(
        examples=after.model.examples,
        before=round(has.before * 1000),
        after=round(has.after * 1000),
    )
    return (following(event, "drift", event.stream, drift),)
