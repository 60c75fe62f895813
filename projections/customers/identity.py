"""Which other numbers does this one know of as the same person's?"""

from collections.abc import Iterator

from domain.customers import identity as identities
from domain.customers.events import (
    MOST_TOLD,
    IdentitiesMerged,
    IdentitiesUnmerged,
    IdentityTold,
)
from domain.customers.identity import Identity, link_of, linked, numbers_of
from domain.envelope import Proposed, Recorded, following
from domain.fastcopy import changed
from domain.households.membership import Memberships
from projections.projection import Projection

HEARD = (IdentitiesMerged, IdentitiesUnmerged, IdentityTold)
"""What changes nothing but what a number knows of others."""


def evolve(identity: Identity, event: Recorded) -> Identity:
    """What a number knows of others after one more event."""
    match event.data:
        case IdentitiesMerged(other=other):
            return identities.stated(identity, link_of(event, other, merged=True))
        case IdentitiesUnmerged(other=other):
            return identities.stated(identity, link_of(event, other, merged=False))
        case IdentityTold(number=number, links=links, memberships=memberships):
            after = identities.told(identity, links)
            if after.kin.get(number, {}) == memberships:
                return after
            kin = {name: held for name, held in after.kin.items() if name != number}
            return changed(after, kin={**kin, number: memberships} if memberships else kin)
        case _:
            return identity


def tells(
    stream: str, before: Identity, after: Identity, memberships: Memberships, event: Recorded
) -> Iterator[Proposed]:
    """All numbers that were ever linked with this one learn what it learnt, until none has more to
    say.
    """
    if after.links == before.links:
        return
    yield from tells_memberships(stream, after, memberships, event, linked(after))


def tells_memberships(
    stream: str,
    identity: Identity,
    memberships: Memberships,
    event: Recorded,
    others: set[str] | None = None,
) -> Iterator[Proposed]:
    """The other numbers of a person learn where this one belongs."""
    for other in sorted({*(numbers_of(identity, stream) if others is None else others)} - {stream}):
        for start in range(0, len(identity.links), MOST_TOLD):
            said = IdentityTold.model_construct(
                number=stream,
                links=identity.links[start : start + MOST_TOLD],
                memberships=memberships,
            )
            yield following(event, "identity", other, said, f"{stream} {other} {start}")


IDENTITY = Projection("identity", 1, Identity(), evolve)
