"""What do the read models say about one customer, and what have the models learnt? Read at any time."""

import asyncio
from collections.abc import Sequence

from domain.offers import Offer
from projections.model import MODEL, MODELS, Model
from projections.offers import REACTIONS
from projections.picture import Customer
from projections.projection import Group
from projections.store import Kept, Place, Store
from streams.folding import decoded
from streams.routing import shard_of


class Lookups:
    """Reads from a store, at any time, whatever the agents are doing."""

    def __init__(self, store: Store, customers: Group, shards: int) -> None:
        self._store = store
        self._customers = customers
        self._shards = shards
        self._models: dict[str, tuple[bytes, Model]] = {}

    async def customer(self, name: str) -> Customer | None:
        """The customer with this number, or None if nothing was ever recorded of them."""
        stream = f"customer:{name}"
        own, offers = await asyncio.gather(self._kept(self._customers, stream), self._kept(REACTIONS, stream))
        if not any(own):
            return None
        return Customer(stream, *decoded(self._customers, own), *decoded(REACTIONS, offers))

    async def models(self, offers: Sequence[Offer]) -> dict[str, tuple[Model, int]]:
        """The present model of each offer, with the position that it has learnt up to."""
        present: dict[str, tuple[Model, int]] = {}
        for offer in offers:
            stream = f"model:{offer.offer}"
            place = Place(shard_of(stream, self._shards), MODELS.name)
            [kept] = await self._store.load(place, [(MODEL.key, stream)])
            present[offer.offer] = (self._model(offer.offer, kept.state), kept.upto) if kept else (MODEL.initial, 0)
        return present

    async def _kept(self, group: Group, stream: str) -> list[Kept | None]:
        place = Place(shard_of(stream, self._shards), group.name)
        return await self._store.load(place, [(part.key, stream) for part in group.parts])

    def _model(self, offer: str, state: bytes) -> Model:
        known = self._models.get(offer)
        if known is None or known[0] != state:
            known = self._models[offer] = (state, MODEL.decode(state))
        return known[1]
