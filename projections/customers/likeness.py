"""Which numbers may be one person's? Proposals, for a person to decide.

Source: the deterministic match keys of customer data hubs: the digest of an identity document, or
phone and day of birth together. A name is none: many share one.
"""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from domain.customers.identity import Identity, numbers_of
from projections.customers.profile import Profile

IDENTITY_DIGEST = "identity-digest"
"""The fact that holds the keyed digest of an identity document, as the core system made it."""
MOST_ALIKE = 10
"""Numbers that share a key, beyond which it tells nothing: a branch's own phone, a default date."""


class Proposal(NamedTuple):
    """Numbers that share a key, by name, and which key that is."""

    by: str
    numbers: tuple[str, ...]


class Likeness:
    """Gathers the keys of all customers, and says who shares one."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, str], list[str]] = {}
        self._linked: set[tuple[str, str]] = set()
        self._person: dict[str, str] = {}

    def add(self, stream: str, profile: Profile, identity: Identity) -> None:
        """Count a customer in."""
        for key in _keys(profile):
            self._by_key.setdefault(key, []).append(stream)
        self._linked.update((link.one, link.other) for link in identity.links)
        if identity.links:
            self._person[stream] = numbers_of(identity, stream)[0]

    def proposals(self) -> list[Proposal]:
        """Who shares a key, less those of whom somebody has said already that they are one person,
        or are not.
        """
        found: dict[tuple[str, ...], str] = {}
        for (by, _), streams in sorted(self._by_key.items()):
            numbers = tuple(sorted(streams))
            if 1 < len(numbers) <= MOST_ALIKE and not self._decided(numbers):
                found.setdefault(numbers, by)
        return [Proposal(by, numbers) for numbers, by in sorted(found.items())]

    def too_many(self) -> int:
        """Keys that so many share that they tell nothing."""
        return sum(len(streams) > MOST_ALIKE for streams in self._by_key.values())

    def _decided(self, numbers: tuple[str, ...]) -> bool:
        return all(
            pair in self._linked or self._are_one(*pair) for pair in combinations(numbers, 2)
        )

    def _are_one(self, one: str, other: str) -> bool:
        return one in self._person and self._person[one] == self._person.get(other)


def _keys(profile: Profile) -> Iterator[tuple[str, str]]:
    if (digest := profile.facts.get(IDENTITY_DIGEST)) is not None:
        yield "identity document", digest.value
    phone = profile.contacts.get("phone")
    if phone is not None and profile.born is not None and profile.kind != "company":
        yield "phone and birth date", f"{plain(phone.value)} {profile.born}"


def plain(phone: str) -> str:
    """A phone as it is dialled within the mainland.

    >>> plain("+86 138-0013 8000")
    '13800138000'
    """
    digits = re.sub(r"\D", "", phone)
    return digits.removeprefix("86") if len(digits) == 13 else digits
