"""May this offer be made to this customer, now, on this channel? The first reason not to, stage by stage."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import NamedTuple

from domain.conditions import AtLeast, AtMost, Case, Condition, atoms, met, missing
from domain.contacts import Contacts, hidden_until, taken
from domain.interaction import Channel
from domain.offering import Catalogue, Exploration, Offer, Validity
from domain.offers import Dropped, Stage

LONGEST = 300
"""Characters of a reason."""


class Consented(NamedTuple):
    """What the customer said of a purpose, and when."""

    granted: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Applicant:
    """What the funnel knows of a customer at a moment.

    `age` in full years; `grade` is `C1`..`C5`, and None if none was ever assessed; `graded_until` the last day it holds.
    `consents` go by purpose, or `purpose/channel`; `accepted` has the last acceptance of each offer. `household` has the
    contacts of the households that the customer belongs to. `case` gives what conditions are asked of.
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
    case: Callable[[], Case] | None = None


class Funnel:
    """The objections of a catalogue: for each offer those that can be raised at all."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._objections = {offer.offer: tuple((stage, objection) for stage, applies, objection in FUNNEL if applies(offer)) for offer in catalogue.offers}

    def why_not(self, offer: Offer, asking: "Asking") -> Dropped | None:
        """The first reason not to make this offer, or None when it may be made.

        Suitability follows the Order of the National Financial Regulatory Administration 2025 No. 7: the customer's grade
        must reach the product's, without a valid assessment no risk product is offered, and high risk is not offered to the
        elderly where nobody explains it. Consent is asked per purpose and channel (PIPL art. 24, PBOC Order 2020 No. 5).
        """
        for stage, objection in self._objections[offer.offer]:
            if (reason := objection(offer, asking)) is not None:
                return Dropped(offer=offer.offer, stage=stage, reason=reason[:LONGEST])
        return None

    def reasons(self, offer: Offer, asking: "Asking") -> Iterator[Dropped]:
        """Every reason not to make this offer, in the order of the funnel."""
        for stage, objection in self._objections[offer.offer]:
            if (reason := objection(offer, asking)) is not None:
                yield Dropped(offer=offer.offer, stage=stage, reason=reason[:LONGEST])


@lru_cache(maxsize=16)
def funnel_of(catalogue: Catalogue) -> Funnel:
    """The funnel of a catalogue."""
    return Funnel(catalogue)


class Asking:
    """Who is asked for, and on which channel; `full` has the numbers of the caps that somebody else has just used up.

    What is the same for every offer is found out once.
    """

    def __init__(self, catalogue: Catalogue, who: Applicant, channel: Channel, full: tuple[int, ...] = ()) -> None:
        self.catalogue = catalogue
        self.who = who
        self.channel = channel
        self._full = full
        self._agreed: dict[str, bool] = {}

    def agreed(self, purpose: str) -> bool:
        """Whether the customer agrees to a purpose on this channel."""
        if purpose not in self._agreed:
            self._agreed[purpose] = agrees(self.who, purpose, self.channel, opt_in=purpose in self.catalogue.consent.opt_in)
        return self._agreed[purpose]

    @cached_property
    def case(self) -> Case:
        """What conditions are asked of."""
        assert self.who.case is not None
        return self.who.case()

    @cached_property
    def often_enough(self) -> str | None:
        """Which cap is reached on this channel."""
        for number, cap in enumerate(self.catalogue.contact.caps):
            if self.channel in cap.channels:
                everybody = (self.who.contacts,) if cap.of == "customer" else (self.who.contacts, *self.who.household)
                if number in self._full or len(taken(cap, everybody, self.who.now)) >= cap.at_most:
                    return f"contacted often enough: {cap}"
        return None

    @cached_property
    def cooling(self) -> str | None:
        """After which acceptance of a private product the time for second thoughts is not over."""
        hours = timedelta(hours=self.catalogue.cooling_off_hours)
        private = (offer.offer for offer in self.catalogue.offers if offer.private)
        return next((name for name in private if (at := self.who.accepted.get(name)) is not None and self.who.now < at + hours), None)


Objection = Callable[[Offer, Asking], str | None]


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


def _valid(offer: Offer, asking: Asking) -> str | None:
    if asking.who.today < offer.valid.since:
        return f"valid from {offer.valid.since} on"
    return f"valid until {offer.valid.until}" if asking.who.today > offer.valid.until else None


def _kind(offer: Offer, asking: Asking) -> str | None:
    return None if asking.who.kind in offer.kinds else f"not for a {asking.who.kind}"


def _age(offer: Offer, asking: Asking) -> str | None:
    if offer.ages is None:
        return None
    low, high = offer.ages
    if asking.who.age is None:
        return f"age is unknown, and must be {low} to {high}"
    return None if low <= asking.who.age <= high else f"age {asking.who.age} is not within {low} to {high}"


def _region(offer: Offer, asking: Asking) -> str | None:
    return None if not offer.regions or asking.who.region in offer.regions else f"not for residents of {asking.who.region or 'an unknown region'}"


def _tier(offer: Offer, asking: Asking) -> str | None:
    return None if not offer.tiers or asking.who.tier in offer.tiers else f"not for tier {asking.who.tier}"


def _segment(offer: Offer, asking: Asking) -> str | None:
    return None if not offer.segments or asking.who.segment in offer.segments else f"not for segment {asking.who.segment or 'unknown'}"


def _eligible(offer: Offer, asking: Asking) -> str | None:
    return _unmet(offer.eligibility, asking)


def _channel(offer: Offer, asking: Asking) -> str | None:
    return None if not offer.treatments or asking.channel in offer.treatments else f"has no treatment for channel {asking.channel}"


def _holding(offer: Offer, asking: Asking) -> str | None:
    held = sorted(asking.who.holdings & set(offer.not_holding))
    return f"already holds {held[0]}" if held else None


def _accepted(offer: Offer, asking: Asking) -> str | None:
    at = asking.who.accepted.get(offer.offer)
    if at is None or (offer.again_days is not None and asking.who.now >= at + timedelta(days=offer.again_days)):
        return None
    return "was accepted before" if offer.again_days is None else f"was accepted within {offer.again_days} days"


def _stage(offer: Offer, asking: Asking) -> str | None:
    return None if asking.who.stage in offer.stages else f"not for a customer who is {asking.who.stage}"


def _season(offer: Offer, asking: Asking) -> str | None:
    return None if not offer.seasons or asking.who.today.month in offer.seasons else f"not in month {asking.who.today.month}"


def _applicable(offer: Offer, asking: Asking) -> str | None:
    return _unmet(offer.applicability, asking)


def _risk(offer: Offer, asking: Asking) -> str | None:
    if offer.grade is None:
        return None
    if asking.who.grade is None or asking.who.graded_until is None:
        return f"no risk assessment, and product grade is {offer.grade}"
    if asking.who.graded_until < asking.who.today:
        return f"risk assessment expired on {asking.who.graded_until}, and product grade is {offer.grade}"
    return None if asking.who.grade[1] >= offer.grade[1] else f"customer grade {asking.who.grade} is below product grade {offer.grade}"


def _care(offer: Offer, asking: Asking) -> str | None:
    care = asking.catalogue.care
    if offer.grade is None or offer.grade < care.grade or asking.channel in care.channels or (asking.who.age is not None and asking.who.age < care.age):
        return None
    return f"{offer.grade} is explained in person {f'from age {care.age} on' if asking.who.age is not None else 'where the age is unknown'}"


def _cooling_off(offer: Offer, asking: Asking) -> str | None:
    """The seller does not call on the buyer of a private product before the time for second thoughts is over."""
    contacting = offer.private or asking.channel in asking.catalogue.contact.outbound
    return f"within {asking.catalogue.cooling_off_hours} hours of accepting {asking.cooling}" if contacting and asking.cooling else None


def _suitable(offer: Offer, asking: Asking) -> str | None:
    return _unmet(offer.suitability, asking)


def _consent(offer: Offer, asking: Asking) -> str | None:
    return None if asking.agreed(offer.purpose) else f"no consent to {offer.purpose} on {asking.channel}"


def _hidden(offer: Offer, asking: Asking) -> str | None:
    if not asking.who.contacts.outcomes:
        return None
    found = hidden_until(asking.catalogue.contact, asking.who.contacts, offer.offer)
    if found is None or found[0] <= asking.who.now:
        return None
    until, rule = found
    return f"{rule.outcome} {rule.times} times in {rule.within_days} days, hidden until {until.date()}"


def _caps(_offer: Offer, asking: Asking) -> str | None:
    return asking.often_enough


def _always(_offer: Offer) -> bool:
    return True


FUNNEL: tuple[tuple[Stage, Callable[[Offer], object], Objection], ...] = (
    ("eligibility", lambda offer: offer.valid != Validity(), _valid),
    ("eligibility", _always, _kind),
    ("eligibility", lambda offer: offer.ages, _age),
    ("eligibility", lambda offer: offer.regions, _region),
    ("eligibility", lambda offer: offer.tiers, _tier),
    ("eligibility", lambda offer: offer.segments, _segment),
    ("eligibility", lambda offer: offer.eligibility, _eligible),
    ("applicability", lambda offer: offer.treatments, _channel),
    ("applicability", lambda offer: offer.not_holding, _holding),
    ("applicability", _always, _accepted),
    ("applicability", _always, _stage),
    ("applicability", lambda offer: offer.seasons, _season),
    ("applicability", lambda offer: offer.applicability, _applicable),
    ("suitability", lambda offer: offer.grade, _risk),
    ("suitability", lambda offer: offer.grade, _care),
    ("suitability", _always, _cooling_off),
    ("suitability", lambda offer: offer.suitability, _suitable),
    ("consent", _always, _consent),
    ("contact", _always, _hidden),
    ("contact", _always, _caps),
)
"""Every objection there is, in order: its stage, which offers it can be raised against, and what it says."""


def _unmet(condition: Condition | None, asking: Asking) -> str | None:
    """What is missing, said by the way that comes nearest; what is not known is not met."""
    if condition is None:
        return None
    unknown = [atom.quantity for atom in atoms(condition) if isinstance(atom, AtLeast | AtMost) and atom.quantity not in asking.case.seen]
    if unknown:
        return f"{unknown[0]} is unknown"
    if met(condition, asking.case):
        return None
    return "; ".join(map(str, missing(condition, asking.case)[0]))
