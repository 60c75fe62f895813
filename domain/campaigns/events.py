"""How did a campaign touch the customer: messages, invitations, coupons."""

from domain.event import WITH_CUSTOMERS, Channel, Identifier, Interaction, PlausibleDate, Price


class CampaignTouched(Interaction):
    """A campaign reached the customer over a channel."""

    customer_seen = False
    campaign: Identifier
    channel: Channel


class EventAttended(Interaction):
    """The customer came to a salon, a lecture, an outing."""

    senders = ("core", "manager")
    event: Identifier
    campaign: Identifier | None = None


class CouponIssued(Interaction):
    """The customer was given a coupon, worth so many minor units until a date."""

    customer_seen = False
    coupon: Identifier
    campaign: Identifier
    worth: Price
    expires: PlausibleDate


class CouponRedeemed(Interaction):
    """The customer used a coupon."""

    senders = WITH_CUSTOMERS
    coupon: Identifier
