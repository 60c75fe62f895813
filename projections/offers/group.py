"""How are decisions, answers and contacts folded?"""

from collections.abc import Sequence

from domain.bank.events import DayClosed
from domain.campaigns.events import CampaignTouched
from domain.customers.events import DeathReported, DeathReportWithdrawn
from domain.envelope import Recorded
from domain.event import Interaction
from domain.event_types import type_key, type_keys
from domain.households.events import HouseholdJoined, HouseholdLeft, MemberDied
from domain.offers.events import (
    MemberContacted,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferLapsed,
    OfferPresented,
)
from projections.offers.reactions import react
from projections.offers.responses import OFFERS, Decided, evolve, evolve_decided
from projections.offers.states import Responses
from projections.projection import Group, Run

ANSWERED = (OfferDecided, OfferPresented, OfferAccepted, OfferDeclined, OfferLapsed)
EVENT_TYPES = type_keys(
    *ANSWERED,
    CampaignTouched,
    MemberContacted,
    HouseholdJoined,
    HouseholdLeft,
    DeathReported,
    DeathReportWithdrawn,
    MemberDied,
)


def _evolve(states: Responses, event: Recorded) -> Responses:
    return Responses(evolve(states.offers, event))


def _evolve_decided(states: Responses, events: Sequence[Decided]) -> Responses:
    return Responses(evolve_decided(states.offers, events))


def ends_a_day(data: Interaction) -> bool:
    """Whether this is the end of a day, by which an answer may be late."""
    return isinstance(data, DayClosed)


RUNS = {type_key(OfferDecided): Run(Decided, _evolve_decided)}
"""What there is most of: as many as there are questions."""
REACTIONS = Group(
    "reactions@4",
    ("customer", "household"),
    Responses,
    (OFFERS,),
    _evolve,
    EVENT_TYPES,
    is_broadcast=ends_a_day,
    react=react,
    runs=RUNS,
)
