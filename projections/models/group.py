"""How are models folded?"""

from domain.envelope import Recorded
from domain.event_types import type_keys
from domain.offers.events import ExampleLabelled
from projections.models.learner import MODEL, evolve
from projections.models.reactions import Learning, react
from projections.projection import Group


def _evolve(states: Learning, event: Recorded) -> Learning:
    return Learning(evolve(states.model, event))


MODELS = Group(
    "models@4", ("model",), Learning, (MODEL,), _evolve, type_keys(ExampleLabelled), react=react
)
