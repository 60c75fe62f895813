"""Which other numbers does this one know of as the same person's?"""

from collections.abc import Iterable, Iterator, Sequence

from domain.customers import identity as identities
from domain.customers.events import (
    MOST_TOLD,
    IdentitiesMerged,
    IdentitiesUnmerged,
    IdentityTold,
)
from domain.customers.identity import Identity, Link, link_of, neighbours, news_of, numbers_of
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
            if memberships is None or after.kin.get(number, {}) == memberships:
                return after
            kin = {name: held for name, held in after.kin.items() if name != number}
            return changed(after, kin={**kin, number: memberships} if memberships else kin)
        case _:
            return identity


def tells(
    stream: str, before: Identity, after: Identity, memberships: Memberships, event: Recorded
) -> Iterator[Proposed]:
    """The numbers that this one is linked with learn what it learnt, and tell it on.

    One that is merged with it learns all that is known, and from then on what is new; one that is
    not learns that, and no more. Those who are the same person's from now on learn where this one
    belongs.
    """
    news = news_of(before, after)
    if not news:
        return
    teller = event.data.number if isinstance(event.data, IdentityTold) else None
    earlier = neighbours(before, stream)
    for other, link in sorted(neighbours(after, stream).items()):
        if link.merged and not (other in earlier and earlier[other].merged):
            yield from _links_told(stream, other, after.links, event)
        elif other != teller and (link.merged or link in news):
            yield from _links_told(stream, other, news if link.merged else (link,), event)
    joined = {*numbers_of(after, stream)} - {*numbers_of(before, stream)}
    yield from tells_memberships(stream, joined if memberships else (), memberships, event)


def tells_memberships(
    stream: str, others: Iterable[str], memberships: Memberships, event: Recorded
) -> Iterator[Proposed]:
    """Other numbers of a person learn where this one belongs."""
    for other in sorted({*others} - {stream}):
        said = IdentityTold.model_construct(number=stream, links=(), memberships=memberships)
        yield following(event, "identity", other, said, f"{stream} {other} belongs")


def _links_told(
    stream: str, other: str, links: Sequence[Link], event: Recorded
) -> Iterator[Proposed]:
    for start in range(0, len(links), MOST_TOLD):
        some = tuple(links[start : start + MOST_TOLD])
        said = IdentityTold.model_construct(number=stream, links=some, memberships=None)
        yield following(event, "identity", other, said, f"{stream} {other} {start}")


IDENTITY = Projection("identity", 1, Identity(), evolve)
