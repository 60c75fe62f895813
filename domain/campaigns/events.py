"""How did a campaign touch the customer: messages, invitations, coupons."""

from domain.event import Channel, Identifier, Interaction, PlausibleDate, Price


class CampaignTouched(Interaction):
    """A campaign reached the customer over a channel."""

    campaign: Identifier
    channel: Channel


class EventAttended(Interaction):
    """The customer came to a salon, a lecture, an outing."""

    event: Identifier
    campaign: Identifier | None = None


class CouponIssued(Interaction):
    """The customer was given a coupon, worth so many minor units until a date."""

    coupon: Identifier
    campaign: Identifier
    worth: Price
    expires: PlausibleDate


class CouponRedeemed(Interaction):
    """The customer used a coupon."""

    coupon: Identifier
