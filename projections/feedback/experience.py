"""What did a customer go through of late, and did they leave?

Month by month, for whoever foresees a leaving: a complaint that was refused, a bad score.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from domain.calendar import Month, month_of
from domain.cases.events import ComplaintAnswered, ComplaintOpened
from domain.customers.events import CustomerLeft, CustomerOnboarded
from domain.envelope import Recorded
from domain.event import unsaid
from domain.fastcopy import changed
from domain.feedback.events import SurveyAnswered
from projections.projection import Projection

KEPT = 8
"""Months with anything to tell that are kept: the last ones."""


@dataclass(frozen=True)
class Lived:
    """A month: complaints, how many were refused, and the worst score of a survey, from 0 to 10."""

    complaints: Annotated[int, unsaid(0)] = 0
    refused: Annotated[int, unsaid(0)] = 0
    worst: Annotated[int | None, unsaid(None)] = None


@dataclass(frozen=True)
class Experience:
    """The months that had anything, and the one in which the customer left, if they are gone.

    `stated` is when it was last said that they left, or came back.
    """

    months: dict[Month, Lived] = field(default_factory=dict)
    left: Month | None = None
    stated: datetime | None = None

    def lately(self, month: Month, since: Month) -> Lived:
        """What came together from one month on through another."""
        return together(lived for name, lived in self.months.items() if since <= name <= month)


def together(of_each: Iterable[Lived]) -> Lived:
    """Several months as one."""
    each = list(of_each)
    scores = [lived.worst for lived in each if lived.worst is not None]
    return Lived(
        sum(lived.complaints for lived in each),
        sum(lived.refused for lived in each),
        min(scores, default=None),
    )


def evolve(experience: Experience, event: Recorded) -> Experience:
    """What a customer went through after one more event."""
    match event.data:
        case ComplaintOpened():
            return _lived(experience, event, Lived(complaints=1))
        case ComplaintAnswered(upheld=False):
            return _lived(experience, event, Lived(refused=1))
        case SurveyAnswered(score=score):
            return _lived(experience, event, Lived(worst=score))
        case CustomerLeft():
            return _said(experience, event, month_of(event.business_date))
        case CustomerOnboarded() if experience.left is not None:
            return _said(experience, event, None)
        case _:
            return experience


def _said(experience: Experience, event: Recorded, left: Month | None) -> Experience:
    """The statement made last is the one in use, of two at once that of a leaving.

    None is newer than the moment in which the bank heard of it.
    """
    at, before = min(event.occurred_at, event.recorded_at), experience.stated
    if before is not None and (at < before or (at == before and left is None)):
        return experience
    return changed(experience, left=left, stated=at)


def _lived(experience: Experience, event: Recorded, more: Lived) -> Experience:
    month = month_of(event.business_date)
    before = experience.months.get(month)
    months = {**experience.months, month: together((before, more)) if before else more}
    kept = sorted(months)[-KEPT:]
    return changed(experience, months={name: months[name] for name in kept})


def experience_together(of_each: Sequence[Experience]) -> Experience:
    """What a person with several numbers went through; who has left, has left with each."""
    names = sorted({name for each in of_each for name in each.months})
    months = {
        name: together(each.months[name] for each in of_each if name in each.months)
        for name in names[-KEPT:]
    }
    lefts = [each.left for each in of_each]
    gone = [left for left in lefts if left is not None]
    return Experience(months, max(gone) if len(gone) == len(lefts) and gone else None)


EXPERIENCE = Projection("experience", 1, Experience(), evolve)
