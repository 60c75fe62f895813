"""How is a customer found by name? By looking through the read models of the whole bank.

No index of names is kept: it would be one more place in which everybody stands by name.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple
from unicodedata import normalize

import msgspec

from deploy.terminal import UserError
from domain.access.privacy_policy import PrivacyPolicy
from projections.customers.group import CUSTOMERS
from projections.customers.profile import PROFILE, Profile
from projections.store import GroupShard, Store
from replay.erasure.persons import all_numbers
from replay.rollout.bank import RolloutDependencies
from streams.journal import Journal
from streams.web.security.masking import masked_for_most

MOST = 50
"""Customers that one search tells of."""
AT_ONCE = 1_000
SHORTEST = 2
"""Signs of a name."""


class Found(NamedTuple):
    """Customers of a name, masked; `more` says that there are others."""

    customers: list[dict[str, Any]]
    more: bool


async def found_by_name(deps: RolloutDependencies, privacy: PrivacyPolicy, name: str) -> Found:
    """Customers who have a whole name, whatever its case and width, in any of its scripts; nobody
    of whom a number is restricted.

    Raises `UserError` for a name that is too short, `RedisError` where the read models do not
    answer.
    """
    wanted, found = _plain(name), list[dict[str, Any]]()
    if len(wanted) < SHORTEST:
        raise UserError("a whole name has two signs or more")
    place = deps.present().of(CUSTOMERS.name).name
    with deps.progress("customers read", None) as advance:
        for shard in range(len(deps.journal)):
            some = _named(deps.store, GroupShard(shard, place), wanted, advance)
            async with aclosing(some) as named:
                async for stream, profile in named:
                    if await asyncio.to_thread(_is_restricted, deps.journal, stream):
                        continue
                    if len(found) == MOST:
                        return Found(found, more=True)
                    found.append({"customer": stream.partition(":")[2], **_seen(privacy, profile)})
    return Found(found, more=False)


async def _named(
    store: Store, place: GroupShard, wanted: str, advance: Callable[[int], None]
) -> AsyncGenerator[tuple[str, Profile], None]:
    """The customers of a shard who have a name."""
    async for streams in store.streams(place):
        for start in range(0, len(streams), AT_ONCE):
            some = streams[start : start + AT_ONCE]
            kept = await store.load(place, [(PROFILE.key, stream) for stream in some])
            for stream, profile in await asyncio.to_thread(_read, some, kept):
                fact = profile.facts.get("name")
                if fact is not None and wanted in _names(str(fact.value)):
                    yield stream, profile
            advance(len(some))


def _read(streams: Sequence[str], kept: Sequence[Any]) -> list[tuple[str, Profile]]:
    return [
        (stream, PROFILE.decode(each.state))
        for stream, each in zip(streams, kept, strict=True)
        if each
    ]


def _is_restricted(journal: Journal, stream: str) -> bool:
    """Whether any number of the person is for auditors alone."""
    return journal.keyring is not None and any(
        journal.keyring.restricted_since(number) is not None
        for number in all_numbers(journal, [stream])
    )


def _plain(name: str) -> str:
    """A name as it is compared: in one form, one blank between words, whatever its case."""
    return " ".join(normalize("NFKC", name).casefold().split())


def _names(name: str) -> set[str]:
    """A name as it is compared; one in two scripts by each of them too.

    >>> sorted(_names("\N{CJK UNIFIED IDEOGRAPH-738B} Wang"))
    ['wang', '\u738b', '\u738b wang']
    """
    words = _plain(name).split()
    scripts = ([word for word in words if word.isascii() is way] for way in (True, False))
    return {" ".join(some) for some in (words, *scripts) if some}


def _seen(privacy: PrivacyPolicy, profile: Profile) -> dict[str, Any]:
    """What a supervisor sees of a customer in a list."""
    said = masked_for_most(privacy, {PROFILE.name: msgspec.to_builtins(profile)})[PROFILE.name]
    name = said["facts"].get("name", {}).get("value")
    return {"name": name, "born": said["born"], "kind": said["kind"]}
