"""How is a customer found by name? By looking through the read models of the whole bank.

No index of names is kept: it would be one more place in which everybody stands by name.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from unicodedata import normalize

import msgspec

from deploy.active_groups import policies_of, present_of
from deploy.operations.disclosure import note
from deploy.settings import Settings
from deploy.terminal import UserError
from deploy.wiring import existing_journal, store_of
from domain.access.privacy_policy import PrivacyPolicy, masked
from projections.customers.group import CUSTOMERS
from projections.customers.profile import PROFILE, Profile
from projections.redis import RedisError
from projections.store import GroupShard, Store
from replay.rollout.bank import Progress

MOST = 50
"""Customers that one search tells of."""
AT_ONCE = 1_000


async def found_by_name(settings: Settings, name: str, by: str, shown: Progress) -> dict[str, Any]:
    """Customers who have a name, by their numbers, masked as supervisors see them; `more` says that
    there are others. The look at each is on record.

    Raises `UserError` where the read models do not answer, or no intake takes the looks.
    """
    journal = existing_journal(settings)
    privacy = policies_of(settings, journal).privacy
    store, place = store_of(settings), present_of(settings).of(CUSTOMERS.name).name
    told = list[dict[str, Any]]()
    try:
        with shown("customers read", None) as advance:
            for shard in range(settings.shards):
                async for stream, profile in _named(store, GroupShard(shard, place), name, advance):
                    if journal.keyring and journal.keyring.restricted_since(stream):
                        continue  # for auditors alone
                    if len(told) == MOST:
                        return {"customers": told, "more": True}
                    number = stream.removeprefix("customer:")
                    await note(settings, journal, number, by, "find")
                    told.append({"customer": number, **_shown(privacy, profile)})
    except RedisError as error:
        raise UserError(f"the read models do not answer ({error}): try again") from error
    finally:
        await store.close()
    return {"customers": told, "more": False}


async def _named(
    store: Store, place: GroupShard, name: str, advance: Callable[[int], None]
) -> AsyncIterator[tuple[str, Profile]]:
    """The customers of a shard who have a name."""
    wanted = _plain(name)
    async for streams in store.streams(place):
        for start in range(0, len(streams), AT_ONCE):
            some = streams[start : start + AT_ONCE]
            kept = await store.load(place, [(PROFILE.key, stream) for stream in some])
            for stream, profile in await asyncio.to_thread(_read, some, kept):
                fact = profile.facts.get("name")
                if fact is not None and _plain(str(fact.value)) == wanted:
                    yield stream, profile
            advance(len(some))


def _read(streams: Sequence[str], kept: Sequence[Any]) -> list[tuple[str, Profile]]:
    return [
        (stream, PROFILE.decode(each.state))
        for stream, each in zip(streams, kept, strict=True)
        if each
    ]


def _plain(name: str) -> str:
    """A name as it is compared: in one form, one blank between words, whatever its case."""
    return " ".join(normalize("NFKC", name).casefold().split())


def _shown(privacy: PrivacyPolicy, profile: Profile) -> dict[str, Any]:
    """What a supervisor sees of a customer in a list."""
    said = msgspec.to_builtins(profile)
    within = masked(privacy.read_models[PROFILE.name], {}, said)
    seen = masked({}, privacy.wherever, within)
    return {
        "name": seen["facts"].get("name", {}).get("value"),
        "born": seen["born"],
        "kind": seen["kind"],
    }
