"""What did the households and groups come to that count for a person's tier?"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.customers.identity import numbers_of
from domain.tiering.policy import Scope, TierPolicy
from projections.customers.states import Facts
from projections.projection import Group
from projections.store import GroupShard, Store, StoredState
from projections.views.person import Rows, Whole, people_of, wholes_asked
from streams.broker.routing import shard_of
from streams.folds.stream_state import decoded


class Wholes(NamedTuple):
    """Reads them from the read models: `wholes` is their group, `facts` that of their members."""

    store: Store
    shards: int
    wholes: Group
    facts: Group

    async def asked(
        self, policies: Iterable[TierPolicy], months: Sequence[Rows]
    ) -> dict[str, list[Whole]]:
        """By scheme, the wholes that policies ask for of these months; each is read once."""
        asked = {policy.scheme: wholes_asked(policy.scope, months) for policy in policies}
        best = any(policy.scope is not None and policy.scope.take == "max" for policy in policies)
        names = sorted(set().union(*asked.values()))
        found = {name: await self._read(name, by_members=best) for name in names}
        return {scheme: [found[name] for name in sorted(some)] for scheme, some in asked.items()}

    async def read(self, names: Iterable[str], scope: Scope | None) -> list[Whole]:
        """Each of these; with the months of its members where the best of them counts."""
        by_members = scope is not None and scope.take == "max"
        return [await self._read(name, by_members=by_members) for name in sorted(names)]

    async def _read(self, name: str, *, by_members: bool) -> Whole:
        kept = await self._load(self.wholes, name)
        state = decoded(self.wholes, kept).whole
        people = people_of(await self._known(state.members)) if by_members else ()
        return Whole(name, state, max((each.upto for each in kept if each), default=0), people)

    async def _known(self, members: Iterable[str]) -> dict[str, Facts]:
        """What is known of members, and of the other numbers of each person."""
        known: dict[str, Facts] = {}
        while more := sorted({*members} - known.keys()):
            found = await asyncio.gather(*(self._load(self.facts, number) for number in more))
            known |= {
                number: decoded(self.facts, states)
                for number, states in zip(more, found, strict=True)
            }
            members = {each for name in more for each in numbers_of(known[name].identity, name)}
        return known

    async def _load(self, group: Group, stream: str) -> list[StoredState | None]:
        place = GroupShard(shard_of(stream, self.shards), group.name)
        return await self.store.load(place, [(part.key, stream) for part in group.parts])
