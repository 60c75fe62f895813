"""What do the read models say about one customer, and what have the models learnt? Read at any time."""

import asyncio
from collections.abc import Sequence

from domain.offers import Offer
from projections.customers import CUSTOMERS, STANDINGS
from projections.model import MODEL, MODELS, Model
from projections.offers import REACTIONS
from projections.picture import Customer
from projections.projection import Group
from projections.store import Kept, Place, Store
from projections.versions import Present
from projections.wholes import WHOLE, WHOLES, Whole
from streams.folded import decoded
from streams.register import Register
from streams.routing import shard_of


class Lookups:
    """Reads from a store, at any time, whatever the agents are doing; always one version of each group, the live one."""

    def __init__(self, store: Store, register: Register, shards: int) -> None:
        self._store = store
        self._register = register
        self._shards = shards
        self._models: dict[str, tuple[bytes, Model]] = {}

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
        return Customer(stream, profile, ledger, months, standing, answers, seen.policy)

    async def whole(self, stream: str) -> Whole | None:
        """A household or company group, or None if nobody ever belonged to it."""
        group = (await self._register.live()).of(WHOLES.name)
        kept = await self._kept(group, stream)
        return decoded(group, kept)[group.parts.index(WHOLE)] if any(kept) else None

    async def models(self, offers: Sequence[Offer]) -> dict[str, tuple[Model, int]]:
        """The present model of each offer, with the position that it has learnt up to."""
        group = (await self._register.live()).of(MODELS.name)
        present: dict[str, tuple[Model, int]] = {}
        for offer in offers:
            [kept] = await self._kept(group, f"model:{offer.offer}")
            present[offer.offer] = (self._model(offer.offer, kept.state), kept.upto) if kept else (MODEL.initial, 0)
        return present

    async def _all_of(self, seen: Present, stream: str) -> list[list[Kept | None]]:
        return await asyncio.gather(*(self._kept(seen.of(base), stream) for base in (CUSTOMERS.name, STANDINGS, REACTIONS.name)))

    async def _kept(self, group: Group, stream: str) -> list[Kept | None]:
        place = Place(shard_of(stream, self._shards), group.name)
        return await self._store.load(place, [(part.key, stream) for part in group.parts])

    def _model(self, offer: str, state: bytes) -> Model:
        known = self._models.get(offer)
        if known is None or known[0] != state:
            known = self._models[offer] = (state, MODEL.decode(state))
        return known[1]
