"""What do the read models say about one customer, and what have the models learnt?

Read at any time.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from domain.customers.identity import numbers_of
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.customers.group import CUSTOMERS
from projections.customers.identity import IDENTITY
from projections.households.group import CUSTOMER_GROUPS
from projections.households.totals import CustomerGroup
from projections.managers.book import BOOKS, Book
from projections.models.group import MODELS
from projections.models.learner import Learnt, learnt
from projections.offers.group import REACTIONS
from projections.projection import Group
from projections.redis import RedisError
from projections.registry import DECIDING, OF_CUSTOMER, Present
from projections.rollout.versions import policy_of
from projections.store import GroupShard, Store, StoredState
from projections.tiering.standing import STANDINGS
from projections.views.customer import Customer, customer_of
from projections.views.decision import Household
from projections.views.person import person_of
from streams.broker.routing import shard_of
from streams.folds.active_groups import Register
from streams.folds.stream_state import decoded
from streams.queries.wholes import Wholes

FRESH = 0.5
"""Seconds after which what the models have learnt is looked at again."""
STALE = 5.0
"""Seconds after which nobody is answered by it any more before that look."""
PATIENCE = 5.0
"""Seconds for which read models that hang are waited for."""
UNKNOWN = learnt(None)
Kept = Sequence[StoredState | None]
"""The states of one number, as they were found."""
SENT_WITHIN = 6
"""Turns of the loop after which a question has gone out, so that what is known can be decoded while
it is answered: redis-py takes four on Python 3.11.
"""
REMEMBERED = 50_000
"""Numbers of which is remembered whose they are, and nothing else."""


class Lookups:
    """Reads from a store, at any time, whatever the agents are doing.

    Always one version of each group, the live one.
    """

    def __init__(self, store: Store, register: Register, shards: int) -> None:
        self._store = store
        self._register = register
        self._shards = shards
        self._models: dict[str, tuple[StoredState, Learnt]] = {}
        self._numbers: dict[str, tuple[str, ...]] = {}
        self._looked = -STALE
        self._looking: asyncio.Task[None] | None = None

    async def customer(self, name: str) -> Customer | None:
        """The customer with this number, or None if nothing was ever recorded of them.

        Raises `TimeoutError` where the read models do not answer within `PATIENCE`.
        """
        async with asyncio.timeout(PATIENCE):
            return await self._read(name)

    async def _read(self, name: str) -> Customer | None:
        """A customer; a person with several numbers in one go, by the numbers known from the last
        time.
        """
        stream, guessed = f"customer:{name}", self._register.last
        numbers = self._numbers.get(stream, (stream,))
        pointer, *found = await self._store.read(
            [self._register.pointer, *self._places_of(guessed, numbers)]
        )
        seen = await self._register.pointed(pointer)
        if seen is not guessed:
            found = await self._store.read(self._places_of(seen, numbers))
        kept = dict(zip(numbers, _parts(found, len(numbers)), strict=True))
        parts = seen.of(CUSTOMERS.name).parts
        identity = kept[stream][parts.index(IDENTITY)]
        numbers = numbers_of(IDENTITY.decode(identity.state), stream) if identity else (stream,)
        self._remember(stream, numbers)
        if not any(kept[stream][: len(parts)]):
            return None
        who, more = await self._with_more(seen, stream, numbers, kept)
        return await self._person(seen, who, numbers, kept | more) if who.identity.links else who

    def _remember(self, stream: str, numbers: tuple[str, ...]) -> None:
        """Know whose these numbers are, and of none of them whose it was before."""
        before = self._numbers.get(stream, (stream,))
        if before == numbers:
            return
        for number in before:
            self._numbers.pop(number, None)
        if len(self._numbers) >= REMEMBERED:
            self._numbers.clear()
        if len(numbers) > 1:
            self._numbers |= dict.fromkeys(numbers, numbers)

    async def _with_more(
        self, seen: Present, stream: str, numbers: Sequence[str], kept: Mapping[str, Kept]
    ) -> tuple[Customer, dict[str, Kept]]:
        """A customer, and what is kept of those other numbers of theirs that were not read yet:
        that is asked for before the customer is decoded.
        """
        if not (more := [number for number in numbers if number not in kept]):
            return self._customer(seen, stream, kept[stream]), {}
        reading = asyncio.create_task(self._store.read(self._places_of(seen, more)))
        try:
            for _ in range(SENT_WITHIN):
                await asyncio.sleep(0)
            who = self._customer(seen, stream, kept[stream])
            return who, dict(zip(more, _parts(await reading, len(more)), strict=True))
        finally:
            reading.cancel()

    async def _person(
        self, seen: Present, who: Customer, numbers: tuple[str, ...], kept: Mapping[str, Kept]
    ) -> Customer:
        """The person whose number this is, with all that is known of their others."""
        others = (
            self._customer(seen, number, kept[number])
            for number in numbers
            if number != who.stream and any(kept[number])
        )
        each = [who, *others]
        reader = Wholes(
            self._store, self._shards, seen.of(CUSTOMER_GROUPS.name), seen.of(CUSTOMERS.name)
        )
        wholes = await reader.asked(
            [stand.policy for stand in who.stands], [one.months.rows for one in each]
        )
        return person_of(each, wholes)

    def policies(self) -> Mapping[str, TierPolicy]:
        """The live tier policy of each scheme."""
        return self._register.last.rules.policies

    def tiers(self) -> dict[str, list[str]]:
        """By live scheme, the tiers of every policy of it that is carried, those of the live one
        first.
        """
        seen = self._register.last
        found = {
            scheme: [tier.tier for tier in policy.tiers]
            for scheme, policy in seen.rules.policies.items()
        }
        carried = (
            policy_of(version)
            for lineup in seen.versions.schemes.values()
            for version in lineup.carried.values()
        )
        for policy in carried:
            if (known := found.get(policy.scheme)) is not None:
                known += [tier.tier for tier in policy.tiers if tier.tier not in known]
        return found

    async def reached(self, stream: str) -> int:
        """The position in its shard up to which the facts of a customer are folded.

        Raises `TimeoutError` as `customer` does.
        """
        async with asyncio.timeout(PATIENCE):
            group = (await self._register.live()).of(CUSTOMERS.name)
            return await self._store.upto(GroupShard(shard_of(stream, self._shards), group.name))

    async def managers(self, stream: str) -> frozenset[str]:
        """The relationship managers who look after a customer by any number, as the names of their
        streams.

        Nobody, if it is no customer.
        """
        kind, _, name = stream.partition(":")
        who = await self.customer(name) if kind == "customer" else None
        return who.managers if who else frozenset()

    def _places_of(
        self, seen: Present, numbers: Iterable[str]
    ) -> list[tuple[GroupShard, str, str]]:
        """Where all that is known of these numbers is kept, one after the other."""
        return [place for number in numbers for place in self._places(seen, number)]

    def _places(self, seen: Present, stream: str) -> list[tuple[GroupShard, str, str]]:
        shard = shard_of(stream, self._shards)
        return [
            (GroupShard(shard, group.name), part.key, stream)
            for base in OF_CUSTOMER
            for group in seen.all_of(base)
            for part in group.parts
        ]

    def _customer(
        self, seen: Present, stream: str, found: Sequence[StoredState | None]
    ) -> Customer:
        rest, states, upto = iter(found), dict[str, Any](), dict[str, int]()
        standings: list[Standing] = []
        for base in OF_CUSTOMER:
            for group in seen.all_of(base):
                kept = list(islice(rest, len(group.parts)))
                states[base] = decoded(group, kept)
                if base == STANDINGS:
                    standings.append(states[base].standing)
                if base in DECIDING:
                    upto[group.name] = _upto(kept)
        return customer_of(stream, states, seen.rules.tiers(standings), upto)

    async def whole(self, stream: str) -> CustomerGroup | None:
        """A household or company group, or None if nobody ever belonged to it.

        Raises `TimeoutError` as `customer` does.
        """
        async with asyncio.timeout(PATIENCE):
            group = (await self._register.live()).of(CUSTOMER_GROUPS.name)
            kept = await self._load(group, stream)
        return decoded(group, kept).whole if any(kept) else None

    async def book(self, manager: str) -> Book:
        """Whom a relationship manager looks after; nobody, if nothing is known of them.

        Raises `TimeoutError` as `customer` does.
        """
        async with asyncio.timeout(PATIENCE):
            group = (await self._register.live()).of(BOOKS.name)
            kept = await self._load(group, f"manager:{manager}")
        found: Book = decoded(group, kept).book
        return found

    async def households(self, names: Iterable[str]) -> list[Household]:
        """The contacts and deaths of households; raises `TimeoutError` as `customer` does."""
        group = self._register.last.of(REACTIONS.name)
        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(*(self._household(group, name) for name in names))

    async def models(self, offers: Sequence[str]) -> dict[str, Learnt]:
        """What the model of each offer has learnt, half a second ago or later."""
        age = time.monotonic() - self._looked
        if age > FRESH and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look(offers))
        if age > STALE and self._looking is not None:
            await asyncio.shield(self._looking)
        return {
            offer: self._models[offer][1] if offer in self._models else UNKNOWN for offer in offers
        }

    async def models_of_late(self, offers: Sequence[str]) -> dict[str, Learnt]:
        """The same, for whoever takes no old answer; raises `TimeoutError` where the read models
        did not answer of late.
        """
        async with asyncio.timeout(PATIENCE):
            found = await self.models(offers)
        if time.monotonic() - self._looked > STALE:
            raise TimeoutError
        return found

    async def _look(self, offers: Sequence[str]) -> None:
        """Look at the models once more.

        What cannot be reached is as it was, and who asks for a customer hears of it.
        """
        with suppress(RedisError):
            group = (await self._register.live()).of(MODELS.name)
            found = await asyncio.gather(*(self._load(group, f"model:{offer}") for offer in offers))
            for offer, [kept] in zip(offers, found, strict=True):
                if kept is not None and (
                    offer not in self._models or self._models[offer][0] != kept
                ):
                    self._models[offer] = (kept, learnt(kept))
                    await asyncio.sleep(0)  # whoever waits for an answer goes first
                elif kept is None:
                    self._models.pop(offer, None)
            self._looked = time.monotonic()

    async def _household(self, group: Group, name: str) -> Household:
        kept = await self._load(group, name)
        return Household(name, decoded(group, kept).offers, _upto(kept))

    async def _load(self, group: Group, stream: str) -> list[StoredState | None]:
        place = GroupShard(shard_of(stream, self._shards), group.name)
        return await self._store.load(place, [(part.key, stream) for part in group.parts])


def _upto(kept: Iterable[StoredState | None]) -> int:
    """The position of the last event that was folded into any of these states."""
    return max((each.upto for each in kept if each), default=0)


def _parts(found: Kept, count: int) -> list[Kept]:
    """What was found, in so many equal parts."""
    size = len(found) // count
    return [found[start : start + size] for start in range(0, len(found), size)]
