"""What passes between a customer and the bank's people in a month: visits, complaints, opinions."""

from typing import get_args

from domain.cases.events import (
    ComplaintAnswered,
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintOpened,
)
from domain.customers.events import ChannelVisited
from domain.event import Channel
from domain.feedback.events import FeedbackGiven, SurveyAnswered
from domain.managers.events import ManagerVisited
from streams.sources.synth.life import REFUSED, SERVED_BADLY, Told
from streams.sources.synth.people import CHANNELS
from streams.sources.synth.words import PURPOSES, TOPICS, answer, complaint, opinion, pick

HOURS: dict[Channel, tuple[int, ...]] = {
    "app": (7, 8, 12, 12, 18, 19, 20, 20, 21, 22),
    "web": (9, 10, 14, 15, 20, 21),
    "branch": (9, 10, 10, 11, 14, 15, 16),
    "atm": (8, 11, 12, 17, 18, 19, 20),
    "call": (9, 10, 11, 14, 15, 16, 17),
}
"""The hours in which people come, by channel: the more often one stands here, the more of them."""
assert {*HOURS} <= {*get_args(Channel)}


def came_by(told: Told) -> Channel:
    """By which channel somebody comes."""
    place = told.chance.random() * 100
    by = told.life.person.comes_by
    return next(channel for channel, upto in zip(CHANNELS, by, strict=True) if place < upto)


def serviced(told: Told) -> None:
    """Visits of both sides, and what the customer thinks of the bank."""
    who, chance = told.life.person, told.chance
    for each in range(int(chance.random() * 3)):
        channel = came_by(told)
        visit = ChannelVisited(channel=channel)
        told.say(told.day(), pick(chance, HOURS[channel]), f"visit-{each}", visit)
    if who.rich and chance.random() < 0.3:
        purpose = pick(chance, PURPOSES[: None if who.company else -1])
        met = ManagerVisited(manager=who.manager, purpose=purpose)
        told.say(told.day(), 10, "met", met)
    if chance.random() < 0.025:
        _complained(told)
    elif chance.random() < 0.006:
        _waited(told)
    elif chance.random() < 0.03:
        _opined(told, told.day(), pleased=chance.random() < 0.9)


def _complained(told: Told) -> None:
    """A complaint, answered within two weeks; two in five are refused, which hurts."""
    chance, case, day = told.chance, f"c-{told.life.person.number}-{told.month}", told.day(1, 10)
    refused = chance.random() < 0.4
    text = complaint(chance, pick(chance, TOPICS))
    opened = ComplaintOpened(case=case, text=text, channel=pick(chance, ("call", "app", "branch")))
    told.say(day, 13, "complaint-opened", opened)
    desk = f"manager:desk-{1 + int(chance.random() * 3)}"
    told.say(day + 1, 9, "complaint-assigned", ComplaintAssigned(case=case, to=desk))
    ends = day + 3 + int(chance.random() * 10)
    said = ComplaintAnswered(case=case, text=answer(chance, upheld=not refused), upheld=not refused)
    told.say(ends, 14, "complaint-answered", said)
    outcome = "refused" if refused else "resolved"
    told.say(ends + 1, 15, "complaint-closed", ComplaintClosed(case=case, outcome=outcome))
    if refused:
        told.life.learnt.append(REFUSED)
    if chance.random() < 0.4:
        _opined(told, ends + 2, pleased=not refused)


def _waited(told: Told) -> None:
    """An hour at the counter, of which the bank only hears what a survey says."""
    day = told.day(3, 20)
    told.say(day, 10, "waited", ChannelVisited(channel="branch"))
    _opined(told, day + 1, pleased=False)
    told.life.learnt.append(SERVED_BADLY)


def _opined(told: Told, day: int, *, pleased: bool) -> None:
    """A survey, whose score follows what the customer went through; some say more."""
    chance, channel = told.chance, pick(told.chance, ("app", "web", "call", "branch"))
    score = 7 + int(chance.random() * 4) if pleased else int(chance.random() * 4)
    told.say(day, 16, "survey", SurveyAnswered(survey="quarter", score=score, channel="app"))
    if chance.random() < 0.5:
        said = FeedbackGiven(text=opinion(chance, pleased=pleased), channel=channel)
        told.say(day, 17, "feedback", said)
