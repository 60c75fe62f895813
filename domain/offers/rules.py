"""What can be said against an offer? One objection a rule, stage by stage."""

from collections.abc import Callable
from datetime import timedelta

from domain.offers.applicant import Asking
from domain.offers.catalogue import Offer, Validity
from domain.offers.contact_policy import hidden_until
from domain.offers.events import Stage
from domain.rules.conditions import AtLeast, AtMost, Condition, atoms, met, missing

Objection = Callable[[Offer, Asking], str | None]


def _barred(_offer: Offer, asking: Asking) -> str | None:
    return asking.who.barred


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
    return (
        None
        if low <= asking.who.age <= high
        else f"age {asking.who.age} is not within {low} to {high}"
    )


def _region(offer: Offer, asking: Asking) -> str | None:
    return (
        None
        if not offer.regions or asking.who.region in offer.regions
        else f"not for residents of {asking.who.region or 'an unknown region'}"
    )


def _tier(offer: Offer, asking: Asking) -> str | None:
    return (
        None
        if not offer.tiers or asking.who.tier in offer.tiers
        else f"not for tier {asking.who.tier}"
        if asking.who.tier
        else "not for a customer whom no scheme covers"
    )


def _segment(offer: Offer, asking: Asking) -> str | None:
    return (
        None
        if not offer.segments or asking.who.segment in offer.segments
        else f"not for segment {asking.who.segment or 'unknown'}"
    )


def _eligible(offer: Offer, asking: Asking) -> str | None:
    return _unmet(offer.eligibility, asking)


def _channel(offer: Offer, asking: Asking) -> str | None:
    return (
        None
        if not offer.treatments or asking.channel in offer.treatments
        else f"has no treatment for channel {asking.channel}"
    )


def _holding(offer: Offer, asking: Asking) -> str | None:
    held = asking.who.holdings.intersection(offer.not_holding)
    return f"already holds {min(held)}" if held else None


def _accepted(offer: Offer, asking: Asking) -> str | None:
    at = asking.who.accepted.get(offer.offer)
    if at is None or (
        offer.again_days is not None and asking.who.now >= at + timedelta(days=offer.again_days)
    ):
        return None
    return (
        "was accepted before"
        if offer.again_days is None
        else f"was accepted within {offer.again_days} days"
    )


def _stage(offer: Offer, asking: Asking) -> str | None:
    return (
        None
        if asking.who.stage in offer.stages
        else f"not for a customer who is {asking.who.stage}"
    )


def _season(offer: Offer, asking: Asking) -> str | None:
    return (
        None
        if not offer.seasons or asking.who.today.month in offer.seasons
        else f"not in month {asking.who.today.month}"
    )


def _applicable(offer: Offer, asking: Asking) -> str | None:
    return _unmet(offer.applicability, asking)


def _risk(offer: Offer, asking: Asking) -> str | None:
    if offer.grade is None:
        return None
    if asking.who.grade is None or asking.who.graded_until is None:
        return f"no risk assessment, and product grade is {offer.grade}"
    if asking.who.graded_until < asking.who.today:
        return (
            f"risk assessment expired on {asking.who.graded_until}, and product grade is "
            f"{offer.grade}"
        )
    return (
        None
        if asking.who.grade[1] >= offer.grade[1]
        else f"customer grade {asking.who.grade} is below product grade {offer.grade}"
    )


def _care(offer: Offer, asking: Asking) -> str | None:
    care = asking.catalogue.care
    if (
        offer.grade is None
        or offer.grade < care.grade
        or asking.channel in care.channels
        or (asking.who.age is not None and asking.who.age < care.age)
    ):
        return None
    return (
        f"{offer.grade} is explained in person from age {care.age} on"
        if asking.who.age is not None
        else f"{offer.grade} is explained in person where the age is unknown"
    )


def _cooling_off(offer: Offer, asking: Asking) -> str | None:
    """The seller does not call on the buyer of a private product before the time for second
    thoughts is over.
    """
    contacting = offer.private or asking.channel in asking.catalogue.contact.outbound
    return (
        f"within {asking.catalogue.cooling_off_hours} hours of accepting {asking.cooling}"
        if contacting and asking.cooling
        else None
    )


def _suitable(offer: Offer, asking: Asking) -> str | None:
    return _unmet(offer.suitability, asking)


def _consent(offer: Offer, asking: Asking) -> str | None:
    return (
        None
        if asking.agreed(offer.purpose)
        else f"no consent to {offer.purpose} on {asking.channel}"
    )


def _unreachable(_offer: Offer, asking: Asking) -> str | None:
    if asking.channel not in asking.who.unreachable:
        return None
    return f"no address for {asking.channel} is known"


def _hidden(offer: Offer, asking: Asking) -> str | None:
    if not asking.who.contacts.outcomes:
        return None
    found = hidden_until(asking.catalogue.contact, asking.who.contacts, offer.offer)
    if found is None or found[0] <= asking.who.now:
        return None
    until, rule = found
    return (
        f"{rule.outcome} {rule.times} times in {rule.within_days} days, hidden until {until.date()}"
    )


def _caps(_offer: Offer, asking: Asking) -> str | None:
    return asking.often_enough


def _always(_offer: Offer) -> bool:
    return True


FUNNEL: tuple[tuple[Stage, Callable[[Offer], object], Objection], ...] = (
    ("eligibility", _always, _barred),
    ("eligibility", lambda offer: offer.valid != Validity(), _valid),
    ("eligibility", _always, _kind),
    ("eligibility", lambda offer: offer.ages, _age),
    ("eligibility", lambda offer: offer.regions, _region),
    ("eligibility", lambda offer: offer.tiers, _tier),
    ("eligibility", lambda offer: offer.segments, _segment),
    ("eligibility", lambda offer: offer.eligibility, _eligible),
    ("eligibility", lambda offer: offer.treatments, _channel),
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
    ("contact", _always, _unreachable),
    ("contact", _always, _hidden),
    ("contact", _always, _caps),
)
"""Every objection there is, in order.

Its stage, which offers it can be raised against, and what it says.
"""


def _unmet(condition: Condition | None, asking: Asking) -> str | None:
    """What is missing, said by the way that comes nearest; what is not known is not met."""
    if condition is None:
        return None
    unknown = [
        atom.quantity
        for atom in atoms(condition)
        if isinstance(atom, AtLeast | AtMost) and atom.quantity not in asking.case.seen
    ]
    if unknown:
        return f"{unknown[0]} is unknown"
    if met(condition, asking.case):
        return None
    return "; ".join(map(str, missing(condition, asking.case)[0]))
