"""How did the customer answer the last survey?"""

from dataclasses import dataclass
from typing import NamedTuple

from domain.envelope import Recorded
from domain.event_types import type_keys
from domain.fastcopy import changed
from domain.feedback.events import SurveyAnswered
from projections.projection import Group, Projection


@dataclass(frozen=True)
class Surveys:
    """The score of the last survey that was answered, from 0 to 10; None if none was."""

    score: int | None = None


def evolve(surveys: Surveys, event: Recorded) -> Surveys:
    """The surveys after one more event."""
    match event.data:
        case SurveyAnswered(score=score):
            return changed(surveys, score=score)
        case _:
            return surveys


class States(NamedTuple):
    """What a customer answered."""

    surveys: Surveys


def _evolve_all(states: States, event: Recorded) -> States:
    return States(evolve(states.surveys, event))


SURVEYS = Projection("surveys", 1, Surveys(), evolve)
FEEDBACK = Group(
    "feedback@1", ("customer",), States, (SURVEYS,), _evolve_all, type_keys(SurveyAnswered)
)
