"""What is left of somebody whose key is gone?

States that were folded from what they did: those go too, or are folded again without it.

Their own states are removed. What learnt from them (models), and what they belonged to (households,
company groups, the books of managers), is folded again from the journal, in which they are no more;
so what is live is still what a rebuild comes to.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from domain.households.events import CompanyGroupJoined, HouseholdJoined
from domain.managers.events import ManagerAssigned
from projections.projection import Group, States
from projections.registry import Present
from projections.store import GroupShard, Store, StoredState
from replay.history.as_of import as_of, history
from replay.rebuild.verify import Finding, folded_by, states_verified
from streams.broker.routing import shard_of
from streams.journal import Journal

ATTEMPTS = 200
PAUSE = 0.05


class Unsettled(RuntimeError):
    """A shard moves too fast to be amended; try again when there is less to do."""


def customer_groups_of(journal: Journal, subject: str) -> set[str]:
    """The households and company groups that somebody ever belonged to, and the managers who ever
    looked after them, as far as the keys of this journal tell.
    """
    found: set[str] = set()
    for event in history(journal[shard_of(subject, len(journal))], subject):
        if isinstance(event.data, HouseholdJoined):
            found.add(event.data.household)
        elif isinstance(event.data, CompanyGroupJoined):
            found.add(event.data.group)
        elif isinstance(event.data, ManagerAssigned):
            found.add(event.data.manager)
    return found


def models_of(journal: Journal) -> set[str]:
    """Every model: any of them may have learnt from anybody."""
    return {stream for shard in journal for stream in shard.streams("model")}


async def forget(
    store: Store,
    journal: Journal,
    present: Present,
    gone: Collection[str],
    touched: Collection[str],
) -> int:
    """Fold again the states of those who are `gone`, which are then none, and of streams that they
    `touched`; gives how many streams had any.

    Raises `Unsettled`.
    """
    amended = 0
    for shard in journal:
        for group in present.carried:
            mine = [
                stream
                for stream in gone
                if shard_of(stream, len(journal)) == shard.number and group.concerned(stream)
            ]
            others = [
                [stream]
                for stream in touched
                if shard_of(stream, len(journal)) == shard.number and group.concerned(stream)
            ]
            for some in ([mine] if mine else []) + others:
                amended += await _amended(
                    store,
                    group,
                    [_Anew(journal, present, group, stream) for stream in some],
                    shard.number,
                )
    return amended


async def found_wrong(
    store: Store, journal: Journal, present: Present, streams: Collection[str]
) -> list[Finding]:
    """States of these streams that are not what their history comes to."""
    wrong: list[Finding] = []
    for shard in journal:
        mine = [stream for stream in streams if shard_of(stream, len(journal)) == shard.number]
        for group in present.carried:
            async for _, findings in states_verified(
                store,
                journal,
                present,
                group,
                shard,
                [stream for stream in mine if group.concerned(stream)],
            ):
                wrong += findings
    return wrong


async def _amended(store: Store, group: Group, anew: Sequence["_Anew"], shard: int) -> int:
    place = GroupShard(shard, group.name)
    folded, states = -1, dict[tuple[str, str], StoredState | None]()
    for _ in range(ATTEMPTS):
        reached = await store.reached(place)
        if reached.upto != folded:
            for each in anew:
                states |= await asyncio.to_thread(each.at, reached.upto)
            folded, reached = reached.upto, await store.reached(place)
        there = await store.load(
            place, [(part.key, each.stream) for each in anew for part in group.parts]
        )
        if reached.upto == folded and await store.amend(place, reached, states):
            return sum(
                any(there[at : at + len(group.parts)])
                for at in range(0, len(there), len(group.parts))
            )
        await asyncio.sleep(PAUSE)
    raise Unsettled(
        f"shard {shard}: {group.name} moves too fast; give the command again when there is less "
        "to do"
    )


class _Anew:
    """The states of a stream as the journal now has it, folded as far as is asked.

    Of one that is no more in it, none.

    A long history is folded once: what only its own events change goes on from where it was when
    the shard has moved meanwhile.
    """

    def __init__(self, journal: Journal, present: Present, group: Group, stream: str) -> None:
        self.stream = stream
        self._journal = journal
        self._group = group
        self._whole, self._own = folded_by(present, group)
        self._states: States | None = None
        self._version = 0

    def at(self, upto: int) -> Mapping[tuple[str, str], StoredState | None]:
        """The states as they are kept at a position."""
        if self._whole.is_broadcast is None:
            self._go_on(upto)
        else:
            self._states = as_of(self._journal, self._whole, self.stream, upto=upto)
        parts, mine = self._group.parts, self._own(self._states or self._whole.initial)
        return {
            (part.key, self.stream): None
            if state == part.initial
            else StoredState.of(part, upto, state)
            for part, state in zip(parts, mine, strict=True)
        }

    def _go_on(self, upto: int) -> None:
        for event in history(
            self._journal[shard_of(self.stream, len(self._journal))], self.stream, self._version
        ):
            if event.position > upto:
                return
            self._states = self._whole.evolve(self._states or self._whole.initial, event)
            self._version = event.version
