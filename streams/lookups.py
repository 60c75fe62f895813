"""What do the read models say about one customer, and what have the models learnt? Read at any time."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress

from projections.customers import CUSTOMERS, STANDINGS
from projections.deciding import Household
from projections.model import MODELS, Learnt, learnt
from projections.offers import OFFERS, REACTIONS
from projections.picture import Customer
from projections.projection import Group
from projections.redis import RedisError
from projections.store import Kept, Place, Store
from projections.versions import Present
from projections.wholes import WHOLE, WHOLES, Whole
from streams.folded import decoded
from streams.register import Register
from streams.routing import shard_of

FRESH = 0.5
"""Seconds after which what the models have learnt is looked at again."""
STALE = 5.0
"""Seconds after which nobody is answered by it any more before that look."""
UNKNOWN = learnt(None)


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
        seen, found = await asyncio.gather(self._register.live(), self._all_of(guessed, stream))
        if seen is not guessed:
            found = await self._all_of(seen, stream)
        own, tier, offers = found
        if not any(own):
            return None
        profile, ledger, months = decoded(seen.of(CUSTOMERS.name), own)
        [standing], [answers] = decoded(seen.of(STANDINGS), tier), decoded(seen.of(REACTIONS.name), offers)
        upto = {seen.of(base).name: _upto(kept) for base, kept in zip((CUSTOMERS.name, STANDINGS, REACTIONS.name), found, strict=True)}
        return Customer(stream, profile, ledger, months, standing, answers, seen.policy, upto)

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

    async def _all_of(self, seen: Present, stream: str) -> list[list[Kept | None]]:
        return await asyncio.gather(*(self._kept(seen.of(base), stream) for base in (CUSTOMERS.name, STANDINGS, REACTIONS.name)))

    async def _kept(self, group: Group, stream: str) -> list[Kept | None]:
        place = Place(shard_of(stream, self._shards), group.name)
        return await self._store.load(place, [(part.key, stream) for part in group.parts])


def _upto(kept: Iterable[Kept | None]) -> int:
    """The position of the last event that was folded into any of these states."""
    return max((each.upto for each in kept if each), default=0)
