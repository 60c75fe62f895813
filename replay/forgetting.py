"""What is left of somebody whose key is gone? States that were folded from what they did: those go too, or are folded again without it.

Their own states are removed. What learnt from them (models), and what they belonged to (households, company groups), is
folded again from the journal, in which they are no more; so what is live is still what a rebuild comes to.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence

from domain.relations import CompanyGroupJoined, HouseholdJoined
from projections.projection import Group
from projections.store import Kept, Place, Store
from projections.versions import Present
from replay.past import as_of, history
from replay.verify import Finding, folded_by, states_verified
from streams.journal import Journal, Shard
from streams.routing import shard_of

ATTEMPTS = 200
PAUSE = 0.05


class Unsettled(RuntimeError):
    """A shard moves too fast to be amended; try again when there is less to do."""


def wholes_of(journal: Journal, subjects: Iterable[str]) -> set[str]:
    """The households and company groups that these ever belonged to; to be asked before their keys are gone."""
    found: set[str] = set()
    for subject in subjects:
        for event in history(journal[shard_of(subject, len(journal))], subject):
            if isinstance(event.data, HouseholdJoined):
                found.add(event.data.household)
            elif isinstance(event.data, CompanyGroupJoined):
                found.add(event.data.group)
    return found


def models_of(journal: Journal) -> set[str]:
    """Every model: any of them may have learnt from anybody."""
    return {stream for shard in journal for stream in shard.streams("model")}


async def forget(store: Store, journal: Journal, present: Present, gone: Collection[str], touched: Collection[str]) -> int:
    """Remove the states of those who are `gone`, and fold those of streams that they `touched` again; gives how many streams had any.

    Raises `Unsettled`.
    """
    amended = 0
    for shard in journal:
        streams = [stream for stream in (*gone, *touched) if shard_of(stream, len(journal)) == shard.number]
        for group in present.carried:
            if mine := [stream for stream in streams if group.concerned(stream)]:
                amended += await _amended(store, journal, present, group, shard, mine)
    return amended


async def found_wrong(store: Store, journal: Journal, present: Present, streams: Collection[str]) -> list[Finding]:
    """States of these streams that are not what their history comes to."""
    wrong: list[Finding] = []
    for shard in journal:
        mine = [stream for stream in streams if shard_of(stream, len(journal)) == shard.number]
        for group in present.carried:
            async for _, findings in states_verified(store, journal, present, group, shard, [stream for stream in mine if group.concerned(stream)]):
                wrong += findings
    return wrong


async def _amended(store: Store, journal: Journal, present: Present, group: Group, shard: Shard, streams: Sequence[str]) -> int:
    place = Place(shard.number, group.name)
    for _ in range(ATTEMPTS):
        upto = await store.upto(place)
        there = await store.load(place, [(part.key, stream) for stream in streams for part in group.parts])
        states: dict[tuple[str, str], Kept | None] = {}
        for stream in streams:
            states |= await asyncio.to_thread(_again, journal, present, group, stream, upto)
        if upto == 0 or await store.amend(place, upto, states):
            return sum(any(there[at : at + len(group.parts)]) for at in range(0, len(there), len(group.parts)))
        await asyncio.sleep(PAUSE)
    raise Unsettled(f"shard {shard.number}: {group.name} moves too fast")


def _again(journal: Journal, present: Present, group: Group, stream: str, upto: int) -> Mapping[tuple[str, str], Kept | None]:
    """The states of a stream as the journal now has it; of one that is no more in it, none."""
    whole, first = folded_by(present, group)
    states = as_of(journal, whole, stream, upto=upto)
    mine = whole.initial[first : first + len(group.parts)] if states is None else states[first : first + len(group.parts)]
    return {(part.key, stream): None if state == part.initial else Kept(upto, part.encode(state)) for part, state in zip(group.parts, mine, strict=True)}
