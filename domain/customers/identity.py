"""Which numbers are one person's?

What was said of each two numbers last, by its own time, and who is one person by that.

The order in which the numbers of a person hear of it makes no difference: what is known of two
numbers is the newest of all that was said.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from domain.envelope import Recorded
from domain.fastcopy import changed
from domain.households.membership import Memberships, counted_on, one_of_each_kind

EVER = datetime.min.replace(tzinfo=UTC)
"""Before every link."""
MOST = 100
"""Links beyond which a number's own word makes no further one: so many numbers are no person."""


@dataclass(frozen=True)
class Link:
    """What was said last of two numbers, as the names of their streams: one person, or not.

    `at` is in UTC. `into` is the number that stays; of a link that was undone, the one that had
    stayed is not asked.
    """

    one: str
    other: str
    merged: bool
    at: datetime
    into: str


@dataclass(frozen=True)
class Identity:
    """What a number knows of others: the links of all that it was ever linked with, by name, and
    where each of these belongs.
    """

    links: tuple[Link, ...] = ()
    kin: dict[str, Memberships] = field(default_factory=dict)


def link_of(event: Recorded, other: str, *, merged: bool) -> Link:
    """What an event says of two numbers.

    None is newer than the moment in which the bank heard of it.
    """
    one, two = sorted((event.stream, other))
    at = min(event.occurred_at, event.recorded_at).astimezone(UTC)
    return Link(one, two, merged, at, event.stream)


def stated(identity: Identity, link: Link) -> Identity:
    """What a number knows after its own word, unless it has too many links for a new one."""
    is_known = any((each.one, each.other) == (link.one, link.other) for each in identity.links)
    return told(identity, (link,)) if is_known or len(identity.links) < MOST else identity


def told(identity: Identity, links: Iterable[Link]) -> Identity:
    """What a number knows after more was said, in whatever order it hears of it.

    The newest counts; of two at once the one that does not merge.
    """
    known = {(link.one, link.other): link for link in identity.links}
    for link in links:
        pair = (link.one, link.other)
        known[pair] = max(known.get(pair, link), link, key=_newness)
    newest = tuple(known[pair] for pair in sorted(known))
    return identity if newest == identity.links else changed(identity, links=newest)


def news_of(before: Identity, after: Identity) -> tuple[Link, ...]:
    """The links that a number did not know before."""
    known = {(link.one, link.other): link for link in before.links}
    return tuple(link for link in after.links if known.get((link.one, link.other)) != link)


def _newness(link: Link) -> tuple[datetime, bool, str]:
    return link.at, not link.merged, link.into


def numbers_of(identity: Identity, stream: str) -> tuple[str, ...]:
    """All numbers of a person, the one that stays first, then by name; one that knows of no other
    is a person.

    The one that stays is the one that others were merged into, and that was merged into none. Of
    several such, or in a circle, the shortest, then the first by name.
    """
    links = [link for link in identity.links if link.merged]
    if not links:
        return (stream,)
    if len(links) == 1:
        [link] = links
        if stream not in (link.one, link.other) or link.one == link.other:
            return (stream,)
        return (link.into, link.other if link.into == link.one else link.one)
    found, more = {stream}, True
    while more:
        reached = [link for link in links if link.one in found or link.other in found]
        near = {name for link in reached for name in (link.one, link.other)}
        more = not near <= found
        found |= near
    gone = {link.one if link.into == link.other else link.other for link in links}
    stays = min(found - gone or found, key=lambda name: (len(name), name))
    return (stays, *sorted(found - {stays}))


def joinings(identity: Identity) -> Callable[[str, str], datetime | None]:
    """Since when two numbers are known to be one person's, by all links between; None if they are
    not, or are the same.

    Kruskal's forest, oldest links first, the smaller tree below the larger: between two numbers
    are few steps, and the newest of them is the answer.
    """
    above: dict[str, tuple[str, datetime]] = {}
    sizes: dict[str, int] = {}

    def way(name: str) -> Iterator[tuple[str, datetime]]:
        """All that are above a number, each with the newest link on the way."""
        while step := above.get(name):
            yield step
            name = step[0]

    def top(name: str) -> str:
        return next((last for last, _ in deque(way(name), 1)), name)

    for link in sorted((link for link in identity.links if link.merged), key=lambda link: link.at):
        small, large = sorted((top(link.one), top(link.other)), key=lambda each: sizes.get(each, 1))
        if small != large:
            above[small] = (large, link.at)
            sizes[large] = sizes.get(large, 1) + sizes.get(small, 1)

    def joined(one: str, other: str) -> datetime | None:
        ways = {one: EVER, **dict(way(one))}
        met = ((name, at) for name, at in ((other, EVER), *way(other)) if name in ways)
        return next((max(at, ways[name]) for name, at in met), None) if one != other else None

    return joined


def neighbours(identity: Identity, stream: str) -> dict[str, Link]:
    """What was said last of a number and each that it was linked with itself, by these."""
    return {
        link.other if link.one == stream else link.one: link
        for link in identity.links
        if stream in (link.one, link.other)
    }


def counted_by_kin(
    own: Mapping[str, int], identity: Identity, numbers: Sequence[str], day: date
) -> dict[str, int]:
    """In which wholes a number of a person counts at the end of a day, and with which share, where
    by itself it counts in its `own`.

    Of a kind in which it is in none, that of the first of the person's numbers that is in one.
    """
    of_kin = [counted_on(identity.kin.get(number, {}), day) for number in numbers]
    return one_of_each_kind([own, *of_kin])


def linked(identity: Identity) -> set[str]:
    """All numbers that were ever linked, one person's or not."""
    return {name for link in identity.links for name in (link.one, link.other)}
