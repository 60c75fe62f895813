"""What did campaigns give the customer.

Coupons that are not used yet, and events that they came to.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from domain.campaigns.events import CouponIssued, CouponRedeemed, EventAttended
from domain.envelope import Recorded
from domain.event_types import type_keys
from domain.fastcopy import changed
from projections.projection import Group, Projection


@dataclass(frozen=True)
class Benefits:
    """Coupons by number, each with its worth in minor units, and how many events the
    customer came to.
    """

    coupons: dict[str, int] = field(default_factory=dict)
    attended: int = 0


def evolve(benefits: Benefits, event: Recorded) -> Benefits:
    """The benefits after one more event."""
    match event.data:
        case CouponIssued(coupon=coupon, worth=worth):
            return changed(benefits, coupons={**benefits.coupons, coupon: worth})
        case CouponRedeemed(coupon=coupon):
            return changed(
                benefits,
                coupons={name: worth for name, worth in benefits.coupons.items() if name != coupon},
            )
        case EventAttended():
            return changed(benefits, attended=benefits.attended + 1)
        case _:
            return benefits


class States(NamedTuple):
    """What campaigns gave a customer."""

    benefits: Benefits


def _evolve_all(states: States, event: Recorded) -> States:
    return States(evolve(states.benefits, event))


BENEFITS = Projection("benefits", 1, Benefits(), evolve)
EVENT_TYPES = type_keys(CouponIssued, CouponRedeemed, EventAttended)
CAMPAIGNS = Group("campaigns@1", ("customer",), States, (BENEFITS,), _evolve_all, EVENT_TYPES)
