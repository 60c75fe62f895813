"""What follows from an answer, a showing, a contact or a day's end?

Examples for models, lapses, and what a household must hear of.
"""

from collections.abc import Iterator
from typing import cast

from domain.bank.events import DayClosed
from domain.campaigns.events import CampaignTouched
from domain.customers.events import DeathReported, DeathReportWithdrawn
from domain.envelope import Proposed, Recorded, following
from domain.event import Channel
from domain.households.events import HouseholdJoined, MemberDied
from domain.offers import contact_policy as contacts
from domain.offers.events import (
    ExampleLabelled,
    MemberContacted,
    OfferAccepted,
    OfferDeclined,
    OfferLapsed,
    OfferPresented,
)
from projections.offers.responses import Answer, Offers, Open
from projections.offers.states import Responses


def react(stream: str, before: Responses, after: Responses, event: Recorded) -> Iterator[Proposed]:
    """What follows: an example for a model, a lapse, and that other members of the household hear
    of a contact or a death.
    """
    had, has = before.offers, after.offers
    match event.data:
        case OfferAccepted() | OfferDeclined() | OfferLapsed() as answer:
            opened = had.open.get(answer.decision)
            if (
                opened is not None and answer.offer in opened.offers and opened.features
            ):  # nobody learns from who is not to be profiled
                yield following(
                    event,
                    "example",
                    f"model:{answer.offer}",
                    _example(stream, answer, opened),
                    by=stream,
                )
        case DayClosed():
            for decision, offer in _lapsing(has) - _lapsing(had):
                yield following(
                    event,
                    "lapse",
                    stream,
                    OfferLapsed(decision=decision, offer=offer),
                    about=f"{stream}/{decision}/{offer}",
                )
        case _:
            yield from _told_to_households(stream, had, has, event)


def _told_to_households(
    stream: str, had: Offers, has: Offers, event: Recorded
) -> Iterator[Proposed]:
    """What other members of the household hear of: a contact, a death."""
    match event.data:
        case OfferPresented(channel=channel) | CampaignTouched(channel=channel) if (
            has.contacts is not had.contacts
        ):
            [made] = set(has.contacts.made[channel]) - set(had.contacts.made.get(channel, ()))
            for household in has.households:
                yield _contact(stream, household, channel, made, event)
        case DeathReported() | DeathReportWithdrawn() if has.died is not had.died:
            for household in has.households:
                yield _death(stream, household, has, event)
        case HouseholdJoined(household=household):
            if has.died is not None:
                yield _death(stream, household, has, event)
            for medium in sorted(has.contacts.made):
                yield from (
                    _contact(stream, household, medium, made, event)
                    for made in has.contacts.made[medium]
                )


def _lapsing(offers: Offers) -> set[tuple[str, str]]:
    return {
        (decision, offer)
        for decision, opened in offers.open.items()
        for offer, shown in opened.offers.items()
        if shown.state == "lapsing"
    }


def _example(stream: str, answer: Answer, opened: Open) -> ExampleLabelled:
    shown = opened.offers[answer.offer]
    return ExampleLabelled(
        offer=answer.offer,
        decision=answer.decision,
        customer=stream,
        features=opened.features,
        accepted=isinstance(answer, OfferAccepted),
        propensity=shown.propensity,
        score=shown.score,
        model=shown.model,
    )


def _death(stream: str, household: str, has: Offers, event: Recorded) -> Proposed:
    assert has.died is not None
    said = MemberDied(member=stream, died=has.died.so, at=has.died.at, day=has.died.day)
    return following(event, "death", household, said, household, by=stream)


def _contact(
    stream: str, household: str, channel: str, made: contacts.Contact, event: Recorded
) -> Proposed:
    contact = MemberContacted(
        member=stream, channel=cast("Channel", channel), at=made.at, name=made.name
    )
    about = f"{household}/{channel}/{made.name}"
    return following(event, "contact", household, contact, about, by=stream)
