"""Which decisions wait for an answer, which offers were answered how, and how often was the
customer contacted?
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import reduce
from typing import Literal, NamedTuple

import msgspec

from domain.bank.events import DayClosed
from domain.campaigns.events import CampaignTouched
from domain.customers.events import DeathReported, DeathReportWithdrawn
from domain.envelope import Recorded
from domain.event import Channel
from domain.fastcopy import changed
from domain.households.events import HouseholdJoined, HouseholdLeft, MemberDied
from domain.offers import contact_policy as contacts
from domain.offers.contact_policy import Contacts
from domain.offers.events import (
    Features,
    MemberContacted,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferLapsed,
    OfferPresented,
)
from projections.projection import Projection

KEPT = 20
"""Decisions kept for one customer of which nothing was shown.

An answer to an older one teaches nothing.
"""
SHOWN = 60
"""Decisions kept that were shown and wait for an answer: two a day for a month."""

Answer = OfferAccepted | OfferDeclined | OfferLapsed


@dataclass(frozen=True)
class Shown:
    """One offer of a decision: what its model said, which model that was, and how far
    it has come.
    """

    propensity: float | None = None
    score: float | None = None
    model: str | None = None
    state: Literal["decided", "presented", "lapsing"] = "decided"


@dataclass(frozen=True)
class Open:
    """A decision that waits for answers.

    What was known then, when, and until when they are waited for.
    """

    features: Features
    at: datetime
    answer_by: date | None
    offers: dict[str, Shown]

    @property
    def shown(self) -> bool:
        """Whether any of it was shown."""
        return any(shown.state != "decided" for shown in self.offers.values())


class Death(NamedTuple):
    """What was stated last of somebody's death, when, and on which business date."""

    so: bool
    at: datetime
    day: date


@dataclass(frozen=True)
class Offers:
    """The open decisions, how often each offer was accepted or not, the last acceptance, the
    contacts, and the households of a customer.

    Of a household the contacts and deaths alone: those of its members. Of a customer, `died` has
    what is stated of their own death.
    """

    open: dict[str, Open] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    declined: dict[str, int] = field(default_factory=dict)
    accepted_at: dict[str, datetime] = field(default_factory=dict)
    contacts: Contacts = field(default_factory=Contacts)
    households: tuple[str, ...] = ()
    died: Death | None = None
    deaths: dict[str, Death] = field(default_factory=dict)


def evolve(offers: Offers, event: Recorded) -> Offers:  # noqa: PLR0911, PLR0912, C901 - one line a case
    """The offers of a customer after one more event."""
    match event.data:
        case OfferDecided() as decided:
            return _decided(offers, decided, event.occurred_at)
        case OfferPresented(decision=decision, offer=offer, channel=channel):
            at = _not_before(offers, decision, event.occurred_at)
            return _contacted(
                _presented(offers, decision, offer), channel, at, _contact_name(offers, event, at)
            )
        case CampaignTouched(channel=channel):
            return _contacted(offers, channel, event.occurred_at, _name(event))
        case MemberContacted(channel=channel, at=at, name=name):
            return _contacted(offers, channel, at, name)
        case OfferAccepted(offer=offer) as answer:
            return _accepted(
                _answered(offers, answer),
                offer,
                _not_before(offers, answer.decision, event.occurred_at),
            )
        case OfferDeclined(offer=offer) as answer:
            return _refused(
                _answered(offers, answer),
                "declined",
                offer,
                _not_before(offers, answer.decision, event.occurred_at),
            )
        case OfferLapsed(offer=offer) as answer:
            return _refused(_answered(offers, answer), "lapsed", offer, event.occurred_at)
        case DeathReported() | DeathReportWithdrawn() as said:
            at = min(event.occurred_at, event.recorded_at)
            new = Death(isinstance(said, DeathReported), at, event.business_date)
            return changed(offers, died=_stated(offers.died, new))
        case MemberDied(member=member, died=so, at=at, day=day):
            known = _stated(offers.deaths.get(member), Death(so, at, day))
            return changed(offers, deaths={**offers.deaths, member: known})
        case HouseholdJoined(household=household):
            return changed(offers, households=tuple(sorted({*offers.households, household})))
        case HouseholdLeft(household=household):
            return changed(offers, households=tuple(sorted({*offers.households} - {household})))
        case DayClosed(date=day):
            return _day_over(offers, day)
        case _:
            return offers


def _stated(known: Death | None, new: Death) -> Death:
    """The statement made last, of two at once that of the death."""
    if known is None or new.at > known.at:
        return new
    return new if new.at == known.at and new.so and not known.so else known


class Said(msgspec.Struct, gc=False):
    """As much of a stored candidate as an answer is learnt from."""

    offer: str
    propensity: float
    model: str
    score: float | None = None


class Decision(msgspec.Struct):
    """As much of a stored decision as its answers need."""

    decision: str
    channel: str
    features: dict[str, int]
    offer: str | None = None
    offers: tuple[str, ...] = ()
    candidates: tuple[Said, ...] = ()
    present_by: datetime | None = None
    answer_by: date | None = None


class Decided(msgspec.Struct):
    """As much of a stored event as tells what was decided, and when."""

    occurred_at: datetime
    data: Decision


def evolve_decided(offers: Offers, events: Sequence[Decided]) -> Offers:
    """The offers after several decisions: what `evolve` comes to, one after the other."""
    return reduce(
        lambda state, event: _decided(state, event.data, event.occurred_at), events, offers
    )


def _decided(offers: Offers, decided: OfferDecided | Decision, at: datetime) -> Offers:
    shown = decided.offers or ((decided.offer,) if decided.offer else ())
    if not shown:
        return offers
    said = {candidate.offer: candidate for candidate in decided.candidates}
    of_each = {
        offer: Shown(said[offer].propensity, said[offer].score, said[offer].model)
        if offer in said
        else Shown()
        for offer in shown
    }
    opened = _newest(
        {**offers.open, decided.decision: Open(decided.features, at, decided.answer_by, of_each)}
    )
    if decided.present_by is None:
        return changed(offers, open=opened)
    return changed(
        offers,
        open=opened,
        contacts=contacts.holding(
            offers.contacts, decided.decision, decided.channel, decided.present_by
        ),
    )


def _presented(offers: Offers, decision: str, offer: str) -> Offers:
    opened = offers.open.get(decision)
    if opened is None or offer not in opened.offers or opened.offers[offer].state != "decided":
        return offers
    return _with_open(
        offers, decision, {**opened.offers, offer: changed(opened.offers[offer], state="presented")}
    )


def _contacted(offers: Offers, channel: Channel, at: datetime, name: str) -> Offers:
    after = contacts.contacted(offers.contacts, channel, at, name)
    return offers if after is offers.contacts else changed(offers, contacts=after)


def _accepted(offers: Offers, offer: str, at: datetime) -> Offers:
    last = max(at, offers.accepted_at.get(offer, at))
    return changed(
        offers,
        accepted=_counted(offers.accepted, offer),
        accepted_at={**offers.accepted_at, offer: last},
    )


def _refused(offers: Offers, outcome: contacts.Outcome, offer: str, at: datetime) -> Offers:
    return changed(
        offers,
        declined=_counted(offers.declined, offer),
        contacts=contacts.answered(offers.contacts, outcome, offer, at),
    )


def _day_over(offers: Offers, day: date) -> Offers:
    """What was shown and has had its time lapses; what was never shown is forgotten with it."""
    due = [
        decision
        for decision, opened in offers.open.items()
        if opened.answer_by is not None and opened.answer_by <= day
    ]
    for decision in due:
        there = {
            offer: shown
            for offer, shown in offers.open[decision].offers.items()
            if shown.state != "decided"
        }
        if any(shown.state == "presented" for shown in there.values()) or len(there) < len(
            offers.open[decision].offers
        ):
            offers = _with_open(
                offers,
                decision,
                {offer: changed(shown, state="lapsing") for offer, shown in there.items()},
            )
    return offers


def _answered(offers: Offers, answer: Answer) -> Offers:
    opened = offers.open.get(answer.decision)
    if opened is None or answer.offer not in opened.offers:
        return offers
    return _with_open(
        offers,
        answer.decision,
        {offer: shown for offer, shown in opened.offers.items() if offer != answer.offer},
    )


def _with_open(offers: Offers, decision: str, shown: dict[str, Shown]) -> Offers:
    """The open decisions with other offers in one of them; one without any is closed."""
    others = {key: opened for key, opened in offers.open.items() if key != decision}
    return changed(
        offers,
        open={**others, decision: changed(offers.open[decision], offers=shown)}
        if shown
        else others,
    )


def _newest(waiting: dict[str, Open]) -> dict[str, Open]:
    """The latest decisions, as many as are kept of those that were shown and of the others.

    By time and name: a dict's order is not kept.
    """
    for most, some in (
        (SHOWN, [key for key in waiting if waiting[key].shown]),
        (KEPT, [key for key in waiting if not waiting[key].shown]),
    ):
        if len(some) > most:
            oldest = min(some, key=lambda key: (waiting[key].at, key))
            waiting = {key: each for key, each in waiting.items() if key != oldest}
    return waiting


def _not_before(offers: Offers, decision: str, at: datetime) -> datetime:
    """Nothing is shown before it was decided, whatever the clock of a channel says."""
    opened = offers.open.get(decision)
    return at if opened is None else max(at, opened.at)


def _counted(counts: dict[str, int], name: str) -> dict[str, int]:
    return {**counts, name: counts.get(name, 0) + 1}


def _contact_name(offers: Offers, event: Recorded, at: datetime) -> str:
    """What a showing counts as.

    Its decision's contact, or one of its own where that was on another day.
    """
    shown = event.data
    assert isinstance(shown, OfferPresented)
    known = any(
        contact.name == shown.decision for contact in offers.contacts.made.get(shown.channel, ())
    )
    return (
        shown.decision
        if not known or contacts.same_contact(offers.contacts, shown.channel, at, shown.decision)
        else _name(event)
    )


def _name(event: Recorded) -> str:
    return f"{event.source}#{event.id}"


def due(offers: Offers) -> date | None:
    """The first day at whose end a decision is no longer waited for, of those that wait."""
    return min(
        (
            opened.answer_by
            for opened in offers.open.values()
            if opened.answer_by is not None
            and any(shown.state != "lapsing" for shown in opened.offers.values())
        ),
        default=None,
    )


OFFERS = Projection("offers", 4, Offers(), evolve, due)
