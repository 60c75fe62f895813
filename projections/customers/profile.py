"""Who is this customer?

The whole picture; what was stated comes with its source and time, and the newest counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import reduce
from typing import TypeVar

import msgspec

from domain.accounts import events as accounts
from domain.accounts.monthly_facts import Traits
from domain.campaigns import events as campaigns
from domain.customers import events as customers
from domain.envelope import Recorded
from domain.fastcopy import build, changed
from domain.households import events as wholes
from domain.households import membership as households
from domain.households.membership import Membership, Memberships
from domain.managers import events as managers
from projections.projection import Projection

V = TypeVar("V")


@dataclass(frozen=True)
class Fact:
    """Something stated about the customer: by which channel, and when."""

    value: str
    source: str
    at: datetime


@dataclass(frozen=True)
class Risk:
    """The customer's capacity for risk, as assessed, and until when that holds."""

    grade: customers.RiskGrade
    valid_until: date
    at: datetime | None = None


@dataclass(frozen=True)
class Profile:
    """The 360-degree view, less the balances, which the ledger has."""

    kind: str | None = None
    onboarded: date | None = None
    born: date | None = None
    facts: dict[str, Fact] = field(default_factory=dict)
    contacts: dict[str, Fact] = field(default_factory=dict)
    preferences: dict[str, Fact] = field(default_factory=dict)
    consents: dict[str, Fact] = field(default_factory=dict)
    risk: Risk | None = None
    rating: Fact | None = None
    products: dict[str, str] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    services: dict[str, int] = field(default_factory=dict)
    memberships: Memberships = field(default_factory=dict)
    manager: str | None = None
    last_seen: datetime | None = None


def evolve(profile: Profile, event: Recorded) -> Profile:  # noqa: PLR0911, PLR0912, C901 - one line a case
    """The profile after one more event."""
    at = event.occurred_at
    profile = _seen(profile, at) if event.data.customer_seen else profile
    match event.data:
        case customers.CustomerOnboarded() as new:
            return _onboarded(profile, new, event)
        case customers.ProfileFactStated(fact=fact, value=value, source=source):
            return changed(
                profile, facts=_with_newest(profile.facts, fact, Fact(value, source, at))
            )
        case customers.ContactStated(medium=medium, value=value, source=source):
            return changed(
                profile, contacts=_with_newest(profile.contacts, medium, Fact(value, source, at))
            )
        case customers.ContactWithdrawn(medium=medium):
            return changed(profile, contacts=_without(profile.contacts, medium))
        case customers.PreferenceStated(topic=topic, value=value, source=source):
            return changed(
                profile,
                preferences=_with_newest(profile.preferences, topic, Fact(value, source, at)),
            )
        case customers.ConsentGranted(purpose=purpose, source=source, channel=channel):
            return changed(
                profile,
                consents=_with_statement(
                    profile.consents,
                    _scoped(purpose, channel),
                    Fact("granted", source, min(at, event.recorded_at)),
                ),
            )
        case customers.ConsentWithdrawn(purpose=purpose, source=source, channel=channel):
            return changed(
                profile,
                consents=_with_statement(
                    profile.consents,
                    _scoped(purpose, channel),
                    Fact("withdrawn", source, min(at, event.recorded_at)),
                ),
            )
        case customers.RiskProfileAssessed(grade=grade, valid_until=until):
            return changed(
                profile,
                risk=_assessed(profile.risk, Risk(grade, until, min(at, event.recorded_at))),
            )
        case customers.CreditRated(rating=rating, agency=agency):
            return (
                profile
                if profile.rating is not None and profile.rating.at > at
                else changed(profile, rating=Fact(rating, agency, at))
            )
        case customers.ServiceUsed(service=service, channel=channel):
            return changed(
                profile,
                services=_counted(profile.services, service),
                channels=_counted(profile.channels, channel),
            )
        case customers.ChannelVisited(channel=channel) | campaigns.CampaignTouched(channel=channel):
            return changed(profile, channels=_counted(profile.channels, channel))
        case wholes.HouseholdJoined(household=whole, role=role, share_permille=share):
            return _joined(profile, whole, Membership(share, event.business_date, role=role))
        case wholes.CompanyGroupJoined(group=whole, share_permille=share):
            return _joined(profile, whole, Membership(share, event.business_date))
        case wholes.HouseholdLeft(household=whole) | wholes.CompanyGroupLeft(group=whole):
            return changed(
                profile,
                memberships=households.left(profile.memberships, whole, event.business_date),
            )
        case managers.ManagerAssigned(manager=manager):
            return changed(profile, manager=manager)
        case accounts.AccountOpened(account=reference, product=product):
            return changed(profile, products={**profile.products, reference: product})
        case accounts.ProductOpened(reference=reference, product=product):
            return changed(profile, products={**profile.products, reference: product})
        case accounts.LoanGranted(loan=reference):
            return changed(profile, products={**profile.products, reference: "loan"})
        case (
            accounts.AccountClosed(account=reference) | accounts.ProductClosed(reference=reference)
        ):
            return changed(profile, products=_without(profile.products, reference))
        case _:
            return profile


class Met(msgspec.Struct, gc=False):
    """As much of a stored event as tells when the customer was there."""

    occurred_at: datetime
    business_date: str


class ByChannel(msgspec.Struct, gc=False):
    """By which channel somebody came."""

    channel: str


class Visited(Met, gc=False):
    """As much of a stored visit as a profile asks for."""

    data: ByChannel


def evolve_met(profile: Profile, events: Sequence[Met]) -> Profile:
    """The profile after several events of which it only asks when they were.

    What `evolve` comes to, one after the other.
    """
    return _seen(profile, reduce(_later, [event.occurred_at for event in events]))


def evolve_visited(profile: Profile, events: Sequence[Visited]) -> Profile:
    """The profile after several visits: what `evolve` comes to, one after the other."""
    channels = dict(profile.channels)
    for event in events:
        channels[event.data.channel] = channels.get(event.data.channel, 0) + 1
    return evolve_met(changed(profile, channels=channels), events)


def traits(profile: Profile) -> Traits:
    """What tiering may ask of a customer beside money and complaints, as it is known now."""
    industry, region = profile.facts.get("industry"), profile.facts.get("region")
    return build(
        Traits,
        kind=profile.kind,
        rating=profile.rating.value if profile.rating else None,
        industry=industry.value if industry else None,
        region=region.value if region else None,
        born=profile.born,
        holdings=tuple(sorted(set(profile.products.values()))),
        open_cases=0,
    )


def _seen(profile: Profile, at: datetime) -> Profile:
    latest = at if profile.last_seen is None else _later(profile.last_seen, at)
    return profile if latest is profile.last_seen else changed(profile, last_seen=latest)


def _later(one: datetime, other: datetime) -> datetime:
    """The later of two times.

    Of one moment, told with two offsets from UTC, always the same, in whatever order they come.
    """
    if one == other:
        return max(one, other, key=datetime.isoformat)
    return max(one, other)


def _onboarded(profile: Profile, new: customers.CustomerOnboarded, event: Recorded) -> Profile:
    stated = {
        "name": new.name,
        "gender": new.gender,
        "region": new.region,
        "industry": new.industry,
    }
    facts = profile.facts
    for fact, value in stated.items():
        facts = (
            facts
            if value is None
            else _with_newest(facts, fact, Fact(value, new.source, event.occurred_at))
        )
    return changed(
        profile, kind=new.kind, onboarded=event.business_date, born=new.born, facts=facts
    )


def _joined(profile: Profile, whole: str, membership: Membership) -> Profile:
    return changed(profile, memberships=households.joined(profile.memberships, whole, membership))


def _assessed(known: Risk | None, new: Risk) -> Risk:
    """The assessment made last is the one in use, of two at once the more careful.

    None is newer than the bank heard of it.
    """
    if known is None or known.at is None or new.at is None or new.at > known.at:
        return new
    return min(known, new, key=lambda each: each.grade) if new.at == known.at else known


def _with_statement(consents: dict[str, Fact], scope: str, stated: Fact) -> dict[str, Fact]:
    """The statement made last is the one in use, of two at once the no.

    None is newer than the moment in which the bank heard of it.
    """
    known = consents.get(scope)
    if known is not None and known.at == stated.at and known.value == "withdrawn":
        return consents
    return _with_newest(consents, scope, stated)


def _scoped(purpose: str, channel: str | None) -> str:
    """What a consent is kept under: its purpose, and the channel if it is for one alone."""
    return purpose if channel is None else f"{purpose}/{channel}"


def _with_newest(facts: dict[str, Fact], name: str, stated: Fact) -> dict[str, Fact]:
    """The statement made last is the one in use, in whatever order they became known.

    Of two at once, the later known.
    """
    known = facts.get(name)
    return facts if known is not None and known.at > stated.at else {**facts, name: stated}


def _counted(counts: dict[str, int], name: str) -> dict[str, int]:
    return {**counts, name: counts.get(name, 0) + 1}


def _without(entries: dict[str, V], name: str) -> dict[str, V]:
    return {key: value for key, value in entries.items() if key != name}


PROFILE = Projection("profile", 3, Profile(), evolve)
