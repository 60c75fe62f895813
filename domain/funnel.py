"""May this offer be made to this customer, now, on this channel? The first reason not to, stage by stage."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from domain.conditions import Case, Condition, met, missing
from domain.contacts import Contacts, hidden_until, taken
from domain.interaction import Channel
from domain.offering import Catalogue, Exploration, Offer
from domain.offers import Dropped, Stage


class Consented(NamedTuple):
    """What the customer said of a purpose, and when."""

    granted: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Applicant:
    """What the funnel knows of a customer at a moment.

    `age` in full years; `grade` is `C1`..`C5`, and None if none was ever assessed; `graded_until` the last day it holds.
    `consents` go by purpose, or `purpose/channel`; `accepted` has the last acceptance of each offer. `household` has the
    contacts of the households that the customer belongs to. `case` is what conditions are asked of, where any are.
    """

    stream: str
    kind: str
    tier: str
    now: datetime
    today: date
    age: int | None = None
    region: str | None = None
    segment: str | None = None
    stage: str = "active"
    grade: str | None = None
    graded_until: date | None = None
    holdings: frozenset[str] = frozenset()
    consents: Mapping[str, Consented] = field(default_factory=dict)
    accepted: Mapping[str, datetime] = field(default_factory=dict)
    contacts: Contacts = field(default_factory=Contacts)
    household: tuple[Contacts, ...] = ()
    case: Case | None = None


class Request(NamedTuple):
    """What is asked: on which channel; `full` has the numbers of the caps that somebody else has just used up."""

    catalogue: Catalogue
    channel: Channel
    full: tuple[int, ...] = ()


Objection = Callable[[Offer, Applicant, Request], str | None]


def why_not(offer: Offer, who: Applicant, asked: Request) -> Dropped | None:
    """The first reason not to make this offer, or None when it may be made.

    Suitability follows the Order of the National Financial Regulatory Administration 2025 No. 7: the customer's grade
    must reach the product's, without a valid assessment no risk product is offered, and high risk is not offered to the
    elderly where nobody explains it. Consent is asked per purpose and channel (PIPL art. 24, PBOC Order 2020 No. 5).
    """
    return next(reasons(offer, who, asked), None)


def reasons(offer: Offer, who: Applicant, asked: Request) -> Iterator[Dropped]:
    """Every reason not to make this offer, in the order of the funnel."""
    for stage, objections in FUNNEL:
        for objection in objections:
            if (reason := objection(offer, who, asked)) is not None:
                yield Dropped(offer=offer.offer, stage=stage, reason=reason)


def agrees(who: Applicant, purpose: str, channel: str, *, opt_in: bool) -> bool:
    """Whether the customer agrees to a purpose on a channel: what was said last counts, and of one moment the no."""
    said = [each for key in (purpose, f"{purpose}/{channel}") if (each := who.consents.get(key)) is not None]
    if not said:
        return not opt_in
    return min(said, key=lambda each: (-each.at.timestamp(), each.granted)).granted


def in_audience(rules: Exploration, offer: str, stream: str, accepted: float) -> bool:
    """Whether a customer belongs to those who see an offer that was accepted so many times: few at first, all in the end.

    The published practice: 2 % of the audience for a new action, growing to 100 % at 200 positives.

    >>> in_audience(Exploration(), "fund", "customer:7", accepted=200)
    True
    """
    share = rules.first_permille + (1000 - rules.first_permille) * min(accepted / rules.full_at, 1)
    return int.from_bytes(sha256(f"{offer}/{stream}".encode()).digest()[:8]) % 1000 < share


def _valid(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    if who.today < offer.valid.since:
        return f"valid from {offer.valid.since} on"
    return f"valid until {offer.valid.until}" if who.today > offer.valid.until else None


def _kind(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    return None if who.kind in offer.kinds else f"not for a {who.kind}"


def _age(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    if offer.ages is None:
        return None
    low, high = offer.ages
    if who.age is None:
        return f"age is unknown, and must be {low} to {high}"
    return None if low <= who.age <= high else f"age {who.age} is not within {low} to {high}"


def _region(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    return None if not offer.regions or who.region in offer.regions else f"not for residents of {who.region or 'an unknown region'}"


def _tier(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    return None if not offer.tiers or who.tier in offer.tiers else f"not for tier {who.tier}"


def _segment(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    return None if not offer.segments or who.segment in offer.segments else f"not for segment {who.segment or 'unknown'}"


def _eligible(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    return _unmet(offer.eligibility, who)


def _channel(offer: Offer, _who: Applicant, asked: Request) -> str | None:
    return None if not offer.treatments or asked.channel in offer.treatments else f"has no treatment for channel {asked.channel}"


def _holding(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    held = sorted(who.holdings & set(offer.not_holding))
    return f"already holds {held[0]}" if held else None


def _accepted(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    at = who.accepted.get(offer.offer)
    if at is None or (offer.again_days is not None and who.now >= at + timedelta(days=offer.again_days)):
        return None
    return "was accepted before" if offer.again_days is None else f"was accepted within {offer.again_days} days"


def _stage(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    return None if who.stage in offer.stages else f"not for a customer who is {who.stage}"


def _season(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    return None if not offer.seasons or who.today.month in offer.seasons else f"not in month {who.today.month}"


def _applicable(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    return _unmet(offer.applicability, who)


def _risk(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    if offer.grade is None:
        return None
    if who.grade is None or who.graded_until is None:
        return f"no risk assessment, and product grade is {offer.grade}"
    if who.graded_until < who.today:
        return f"risk assessment expired on {who.graded_until}, and product grade is {offer.grade}"
    return None if who.grade[1] >= offer.grade[1] else f"customer grade {who.grade} is below product grade {offer.grade}"


def _care(offer: Offer, who: Applicant, asked: Request) -> str | None:
    care = asked.catalogue.care
    if offer.grade is None or offer.grade < care.grade or asked.channel in care.channels or (who.age is not None and who.age < care.age):
        return None
    return f"{offer.grade} is explained in person {f'from age {care.age} on' if who.age is not None else 'where the age is unknown'}"


def _cooling_off(offer: Offer, who: Applicant, asked: Request) -> str | None:
    """The seller does not call on the buyer of a private product before the time for second thoughts is over."""
    hours = asked.catalogue.cooling_off_hours
    contacting = offer.private or asked.channel in asked.catalogue.contact.outbound
    if not contacting:
        return None
    private = (each.offer for each in asked.catalogue.offers if each.private)
    cooling = [name for name in private if (at := who.accepted.get(name)) is not None and at <= who.now < at + timedelta(hours=hours)]
    return f"within {hours} hours of accepting {cooling[0]}" if cooling else None


def _suitable(offer: Offer, who: Applicant, _asked: Request) -> str | None:
    return _unmet(offer.suitability, who)


def _consent(offer: Offer, who: Applicant, asked: Request) -> str | None:
    opt_in = offer.purpose in asked.catalogue.consent.opt_in
    if agrees(who, offer.purpose, asked.channel, opt_in=opt_in):
        return None
    return f"no consent to {offer.purpose} on {asked.channel}"


def _hidden(offer: Offer, who: Applicant, asked: Request) -> str | None:
    found = hidden_until(asked.catalogue.contact, who.contacts, offer.offer)
    if found is None or found[0] <= who.now:
        return None
    until, rule = found
    return f"{rule.outcome} {rule.times} times in {rule.within_days} days, hidden until {until.date()}"


def _caps(_offer: Offer, who: Applicant, asked: Request) -> str | None:
    for number, cap in enumerate(asked.catalogue.contact.caps):
        if asked.channel in cap.channels:
            everybody = (who.contacts,) if cap.of == "customer" else (who.contacts, *who.household)
            if number in asked.full or len(taken(cap, everybody, who.now)) >= cap.at_most:
                return f"contacted often enough: {cap}"
    return None


FUNNEL: tuple[tuple[Stage, tuple[Objection, ...]], ...] = (
    ("eligibility", (_valid, _kind, _age, _region, _tier, _segment, _eligible)),
    ("applicability", (_channel, _holding, _accepted, _stage, _season, _applicable)),
    ("suitability", (_risk, _care, _cooling_off, _suitable)),
    ("consent", (_consent,)),
    ("contact", (_hidden, _caps)),
)
"""Every objection there is, stage by stage."""


def _unmet(condition: Condition | None, who: Applicant) -> str | None:
    """What is missing, said by the way that comes nearest."""
    if condition is None:
        return None
    assert who.case is not None
    return None if met(condition, who.case) else "; ".join(map(str, missing(condition, who.case)[0]))
