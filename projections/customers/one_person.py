"""What do the states of several numbers come to, as those of one person?

What one number would know that had heard all that was said on any of them. Each number keeps its
own states, so that an un-merge gives it back what was its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from domain.households.membership import Memberships
from projections.customers.life import Life, Stated
from projections.customers.profile import Fact, Profile, Risk

V = TypeVar("V")
Joined = Callable[[int, int], datetime | None]


def profile_together(of_each: Sequence[Profile], joined: Joined) -> Profile:
    """Who the person is, the number that stays first, with what was stated last.

    `joined` says since when two of them, by place, are known to be one person's.
    """
    return Profile(
        kind=_first(each.kind for each in of_each),
        onboarded=min((each.onboarded for each in of_each if each.onboarded), default=None),
        born=_first(each.born for each in of_each),
        facts=_newest(each.facts for each in of_each),
        contacts=_newest(each.contacts for each in of_each),
        preferences=_newest(each.preferences for each in of_each),
        consents=_consents([each.consents for each in of_each], joined),
        risk=_risk([each.risk for each in of_each if each.risk]),
        rating=max(
            (each.rating for each in of_each if each.rating),
            key=lambda rating: rating.at,
            default=None,
        ),
        products=merged_dicts(each.products for each in of_each),
        channels=summed_dicts(each.channels for each in of_each),
        services=summed_dicts(each.services for each in of_each),
        memberships=_memberships(each.memberships for each in of_each),
        manager=_first(each.manager for each in of_each),
        last_seen=max((each.last_seen for each in of_each if each.last_seen), default=None),
    )


def consent_together(said: Mapping[int, Fact], joined: Joined) -> Fact:
    """What counts of one purpose, where several numbers, by place, said something of it.

    A no on any of them stands until a yes that is later, and later than it was known that both are
    one person's: before that nobody knew that the yes was of the person who had said no.
    """
    last = max(said.values(), key=lambda fact: fact.at)
    noes = {place: fact for place, fact in said.items() if fact.value == "withdrawn"}
    if not noes:
        return last
    standing = [
        no
        for place, no in noes.items()
        if not any(
            yes.at > no.at and yes.at > (joined(place, other) or yes.at)
            for other, yes in said.items()
            if other not in noes
        )
    ]
    return max(standing, key=lambda no: no.at, default=last)


def life_together(of_each: Sequence[Life]) -> Life:
    """What is stated of the person: of a death, a block or a guardian what any number says; who has
    left, has left with every number.
    """
    lefts = [each.left for each in of_each]
    stays = [left for left in lefts if left is None or not left.so]
    return Life(
        died=_worst(each.died for each in of_each),
        left=_worst(stays or lefts),
        blocked=_worst(each.blocked for each in of_each),
        guardian=_worst(each.guardian for each in of_each),
    )


def merged_dicts(of_each: Iterable[Mapping[str, V]]) -> dict[str, V]:
    """All entries; of two under one name the first."""
    found: dict[str, V] = {}
    for some in of_each:
        for name, value in some.items():
            found.setdefault(name, value)
    return found


def summed_dicts(of_each: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """All counts, added up by name."""
    found: dict[str, int] = {}
    for some in of_each:
        for name, count in some.items():
            found[name] = found.get(name, 0) + count
    return found


def best_of(of_each: Iterable[Mapping[str, V]], better: Callable[[V, V], V]) -> dict[str, V]:
    """All entries; of two under one name the better."""
    found: dict[str, V] = {}
    for some in of_each:
        for name, value in some.items():
            found[name] = better(found[name], value) if name in found else value
    return found


def _newest(of_each: Iterable[Mapping[str, Fact]]) -> dict[str, Fact]:
    found: dict[str, Fact] = {}
    for some in of_each:
        for name, new in some.items():
            known = found.get(name)
            if known is None or new.at > known.at:
                found[name] = new
    return found


def _consents(of_each: Sequence[Mapping[str, Fact]], joined: Joined) -> dict[str, Fact]:
    said: dict[str, dict[int, Fact]] = {}
    for place, some in enumerate(of_each):
        for scope, fact in some.items():
            said.setdefault(scope, {})[place] = fact
    return {scope: consent_together(said[scope], joined) for scope in sorted(said)}


def _risk(assessed: Sequence[Risk]) -> Risk | None:
    """The assessment made last, of two at once the more careful."""
    found: Risk | None = None
    for risk in assessed:
        if found is None or (risk.at and (found.at is None or risk.at > found.at)):
            found = risk
        elif risk.at == found.at:
            found = min(found, risk, key=lambda each: each.grade)
    return found


def _memberships(of_each: Iterable[Memberships]) -> Memberships:
    """Where the person belongs, by what is known of any number."""
    return best_of(
        of_each,
        lambda known, new: tuple(sorted({*known, *new}, key=lambda each: (each.since, repr(each)))),
    )


def _worst(of_each: Iterable[Stated | None]) -> Stated | None:
    worst: Stated | None = None
    for each in of_each:
        if each and (worst is None or (each.so, each.at) > (worst.so, worst.at)):
            worst = each
    return worst


def _first(said: Iterable[V | None]) -> V | None:
    return next((each for each in said if each is not None), None)
