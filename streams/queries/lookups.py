"""What do the read models say about one customer, and what have the models learnt? Read at any time."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice

from projections.customers.group import CUSTOMERS, STANDINGS
from projections.households.totals import WHOLE, WHOLES, Whole
from projections.models.learner import MODELS, Learnt, learnt
from projections.offers.responses import OFFERS, REACTIONS
from projections.projection import Group, States
from projections.redis import RedisError
from projections.rollout.versions import Present
from projections.store import Kept, Place, Store
from projections.views.customer import Customer
from projections.views.decision import Household
from streams.broker.routing import shard_of
from streams.folds.active_groups import Register
from streams.folds.stream_state import decoded

FRESH = 0.5
"""Seconds after which what the models have learnt is looked at again."""
STALE = 5.0
"""Seconds after which nobody is answered by it any more before that look."""
UNKNOWN = learnt(None)
ASKED = (CUSTOMERS.name, STANDINGS, REACTIONS.name)
"""The groups that together say all of a customer."""


class Lookups:
    """Reads from a store, at any time, whatever the agents are doing; always one version of each group, the live one."""

    def __init__(self, store: Store, register: Register, shards: int) -> None:
        self._store = store
        self._register = register
        self._shards = shards
        self._models: dict[str, tuple[Kept, Learnt]] = {}
        self._looked = -STALE
        self._looking: asyncio.Task[None] | None = None

    async def customer(self, name: str) -> Customer | None:
        """The customer with this number, or None if nothing was ever recorded of them."""
        stream, guessed = f"customer:{name}", self._register.last
        pointer, *found = await self._store.read([self._register.pointer, *self._places(guessed, stream)])
        seen = await self._register.pointed(pointer)
        if seen is not guessed:
            found = await self._store.read(self._places(seen, stream))
        return self._customer(seen, stream, found) if any(found[: len(seen.of(CUSTOMERS.name).parts)]) else None

    async def manager(self, stream: str) -> str | None:
        """The relationship manager who looks after a customer, as the name of their stream; None if nobody does, or it is no customer."""
        kind, _, name = stream.partition(":")
        who = await self.customer(name) if kind == "customer" else None
        return who.profile.manager if who else None

    def _places(self, seen: Present, stream: str) -> list[tuple[Place, str, str]]:
        """Where all that is known of a customer is kept."""
        shard = shard_of(stream, self._shards)
        return [(Place(shard, group.name), part.key, stream) for group in map(seen.of, ASKED) for part in group.parts]

    def _customer(self, seen: Present, stream: str, found: Sequence[Kept | None]) -> Customer:
        rest, states, upto = iter(found), list[States](), dict[str, int]()
        for group in map(seen.of, ASKED):
            kept = list(islice(rest, len(group.parts)))
            states.append(decoded(group, kept))
            upto[group.name] = _upto(kept)
        (profile, ledger, months), [standing], [offers] = states
        return Customer(stream, profile, ledger, months, standing, offers, seen.policy, upto)

    async def whole(self, stream: str) -> Whole | None:
        """A household or company group, or None if nobody ever belonged to it."""
        group = (await self._register.live()).of(WHOLES.name)
        kept = await self._kept(group, stream)
        return decoded(group, kept)[group.parts.index(WHOLE)] if any(kept) else None

    async def households(self, names: Iterable[str]) -> list[Household]:
        """The contacts of households."""
        group = self._register.last.of(REACTIONS.name)
        return await asyncio.gather(*(self._household(group, name) for name in names))

    async def models(self, offers: Sequence[str]) -> dict[str, Learnt]:
        """What the model of each offer has learnt, half a second ago or later."""
        age = time.monotonic() - self._looked
        if age > FRESH and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look(offers))
        if age > STALE and self._looking is not None:
            await asyncio.shield(self._looking)
        return {offer: self._models[offer][1] if offer in self._models else UNKNOWN for offer in offers}

    async def _look(self, offers: Sequence[str]) -> None:
        """Look at the models once more; what cannot be reached is as it was, and who asks for a customer hears of it."""
        with suppress(RedisError):
            group = (await self._register.live()).of(MODELS.name)
            found = await asyncio.gather(*(self._kept(group, f"model:{offer}") for offer in offers))
            for offer, [kept] in zip(offers, found, strict=True):
                if kept is not None and (offer not in self._models or self._models[offer][0] != kept):
                    self._models[offer] = (kept, learnt(kept))
                    await asyncio.sleep(0)  # whoever waits for an answer goes first
                elif kept is None:
                    self._models.pop(offer, None)
            self._looked = time.monotonic()

    async def _household(self, group: Group, name: str) -> Household:
        kept = await self._kept(group, name)
        return Household(name, decoded(group, kept)[group.parts.index(OFFERS)], _upto(kept))

    async def _kept(self, group: Group, stream: str) -> list[Kept | None]:
        place = Place(shard_of(stream, self._shards), group.name)
        return await self._store.load(place, [(part.key, stream) for part in group.parts])


def _upto(kept: Iterable[Kept | None]) -> int:
    """The position of the last event that was folded into any of these states."""
    return max((each.upto for each in kept if each), default=0)
