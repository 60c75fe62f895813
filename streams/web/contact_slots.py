"""May one more contact be made on this channel?

A place with the caps, held until the journal knows of it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.offers.contact_policy import ContactPolicy, Contacts, taken
from domain.offers.events import OfferDecided
from projections.offers.group import REACTIONS
from projections.redis import Room
from projections.store import GroupShard
from projections.views.customer import Customer
from projections.views.decision import Asked, Household
from streams.broker.routing import shard_of
from streams.web.dependencies import WebDependencies

GRACE = 300
"""Seconds that a place is held beyond its time by what is folded, so that word of what was shown
has arrived.
"""
UNHEARD = 24 * 3600
"""Seconds that a customer's is held beyond its time while the decision itself is not folded yet.

A household does not hear of decisions.
"""


async def reserve(
    deps: WebDependencies,
    who: Customer,
    households: Sequence[Household],
    policy: ContactPolicy,
    decided: OfferDecided,
    asked: Asked,
) -> int | None:
    """Hold a place of the customer and of each household.

    None, or the number of the cap that somebody else has used up just now.
    """
    own = who.offers.contacts
    held: list[str] = []
    for stream, of in (
        (who.stream, "customer"),
        *((household.name, "household") for household in households),
    ):
        everybody = (
            [own]
            if of == "customer"
            else [own, *(household.offers.contacts for household in households)]
        )
        kinds = (
            {of} if households else {"customer", "household"}
        )  # who belongs to no household is one
        caps = {
            number: cap
            for number, cap in enumerate(policy.caps)
            if cap.of in kinds and asked.channel in cap.channels
        }
        counted = {number: taken(cap, everybody, asked.now) for number, cap in caps.items()}
        rooms = [
            Room(cap.at_most - len(counted[number]), cap.channels) for number, cap in caps.items()
        ]
        place, beyond = (
            GroupShard(shard_of(stream, deps.shards), REACTIONS.name),
            UNHEARD if of == "customer" else GRACE,
        )
        known = {name for names in counted.values() for _, name in names} | _over(own, asked.now)
        reached = await deps.store.reserve(
            place,
            stream,
            decided.decision,
            asked.channel,
            policy.present_minutes * 60 + beyond,
            known,
            rooms,
        )
        if reached is not None:
            for other in held:
                await deps.store.release(
                    GroupShard(shard_of(other, deps.shards), REACTIONS.name),
                    other,
                    decided.decision,
                    asked.channel,
                )
            return list(caps)[reached]
        held.append(stream)
    return None


def _over(contacts: Contacts, now: datetime) -> set[str]:
    """Decisions whose places are given up, as far as is folded.

    Shown, on whatever channel, or not shown in time.
    """
    late = {
        name for name, held in contacts.held.items() if held.until + timedelta(seconds=GRACE) < now
    }
    return late | {contact.name for made in contacts.made.values() for contact in made}
