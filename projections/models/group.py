"""How are models folded, and what follows when one drifts?"""

from typing import NamedTuple

from domain.envelope import Proposed, Recorded, following
from domain.event_types import type_keys
from domain.offers.events import ExampleLabelled, ModelDrifted
from projections.models.learner import MODEL, evolve
from projections.models.propensity import Model
from projections.projection import Group


class Learning(NamedTuple):
    """A model, as far as it has learnt."""

    model: Model


def _evolve(states: Learning, event: Recorded) -> Learning:
    return Learning(evolve(states.model, event))


def react(_stream: str, before: Learning, after: Learning, event: Recorded) -> tuple[Proposed, ...]:
    """A change of the loss is an event of the model's own."""
    had, has = before.model.window, after.model.window
    if has.changes == had.changes:
        return ()
    drift = ModelDrifted(examples=after.model.examples, before=round(has.before * 1000), after=round(has.after * 1000))
    return (following(event, "drift", event.stream, drift),)


MODELS = Group("models@3", ("model",), Learning, (MODEL,), _evolve, type_keys(ExampleLabelled), react=react)
