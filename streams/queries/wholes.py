"""What did the households and groups come to that count for a person's tier?"""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

from domain.tiering.policy import Scope
from projections.projection import Group
from projections.store import GroupShard, Store, StoredState
from projections.views.person import Whole
from streams.broker.routing import shard_of
from streams.folds.stream_state import decoded


class Wholes(NamedTuple):
    """Reads them from the read models: `wholes` is their group, `facts` that of their members."""

    store: Store
    shards: int
    wholes: Group
    facts: Group

    async def read(self, names: Iterable[str], scope: Scope | None) -> list[Whole]:
        """Each of these; with the months of its members where the best of them counts."""
        by_members = scope is not None and scope.take == "max"
        return [await self._read(name, by_members=by_members) for name in sorted(names)]

    async def _read(self, name: str, *, by_members: bool) -> Whole:
        kept = await self._load(self.wholes, name)
        state = decoded(self.wholes, kept).whole
        members = sorted(state.members) if by_members else []
        found: list[Any] = await asyncio.gather(
            *(self._load(self.facts, member) for member in members)
        )
        rows = {
            member: decoded(self.facts, states).months.rows
            for member, states in zip(members, found, strict=True)
        }
        return Whole(name, state, max((each.upto for each in kept if each), default=0), rows)

    async def _load(self, group: Group, stream: str) -> list[StoredState | None]:
        place = GroupShard(shard_of(stream, self.shards), group.name)
        return await self.store.load(place, [(part.key, stream) for part in group.parts])
