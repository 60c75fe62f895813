"""Of which events are other systems told, and what?

A notice says that something happened, and as much of it as a receiver needs to act. Who wants more
asks.
"""

from collections.abc import Mapping
from typing import Any

from domain.event import Interaction, Role
from domain.event_types import type_name
from domain.offers.events import OfferDecided
from domain.restatements.events import MonthsRestated
from domain.tiering.events import TierChanged

RECORDED, SET_ASIDE = "arrival-recorded", "arrival-set-aside"
"""What a sender is told of what it sent."""
OF_EVENTS: dict[str, type[Interaction]] = {
    type_name(event): event for event in (TierChanged, OfferDecided, MonthsRestated)
}
"""By type of notice, the event that it tells of."""
SHORT: dict[str, tuple[str, ...]] = {
    "offer-decided": ("decision", "channel", "offers", "present_by", "answer_by"),
    "months-restated": ("restatement", "taken_back", "wrong"),
}
"""The fields that are told, where it is not all of them."""
GRANTS: dict[str, tuple[Role, ...]] = {
    "tier-changed": ("channel", "supervisor", "auditor"),
    "offer-decided": ("channel", "supervisor", "auditor"),
    "months-restated": ("supervisor", "auditor"),
    RECORDED: ("core", "channel"),
    SET_ASIDE: ("core", "channel", "operator"),
}
"""Which roles may be told of what."""
OF_SENDERS = (RECORDED, SET_ASIDE)
"""Types that tell senders of what they sent: each of its own sources only."""


def told_of(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a notice of a type says of an event, by what may be shown of the event's data."""
    return {field: data[field] for field in SHORT.get(name, tuple(data)) if field in data}
