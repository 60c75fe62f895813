"""Whose tier would count from another scheme, under another precedence?

Read from the read models as they are now.
"""

import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import NamedTuple

from domain.tiering.assessment import Standing, tier_on
from domain.tiering.precedence import Chosen, choose
from projections.customers.group import CUSTOMERS
from projections.customers.profile import PROFILE
from projections.registry import Present
from projections.rollout.versions import Rules, rules_of
from projections.store import GroupShard, Store
from projections.tiering.standing import STANDINGS
from replay.what_if.snapshot import linked_of
from streams.queries.lookups import Lookups

CHUNK_STREAMS = 500
NAMED = 1_000
"""Customers that a report names, by their numbers."""
NONE = "none"


class Counted(NamedTuple):
    """So many customers for whom one tier counts now, and another would; as `scheme/tier`."""

    before: str
    after: str
    customers: int


class Moving(NamedTuple):
    """A customer for whom another tier would count, and why."""

    customer: str
    before: str
    after: str
    because: tuple[str, ...]


class Placed(NamedTuple):
    """A customer, their kind, and where they stand in each scheme."""

    stream: str
    kind: str
    standings: Mapping[str, Standing]


@dataclass(frozen=True)
class Reordered:
    """Two precedences over the same standings; `old` is empty where none was adopted.

    Everybody counts who has a month that ended, a person once, whatever their numbers. `movers` are
    a thousand at most.
    """

    old: str
    new: str
    on: str
    customers: int
    moved: int
    counts: tuple[Counted, ...]
    movers: tuple[Moving, ...]

    @property
    def digest(self) -> str:
        """A SHA-256 over all that the report says, but for the day of asking."""
        said = {name: value for name, value in asdict(self).items() if name != "on"}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


async def compare_orders(
    store: Store,
    lookups: Lookups,
    seen: Present,
    versions: tuple[str, str],
    shards: int,
    today: date,
    progress: Callable[[int], None],
) -> Reordered:
    """What another precedence of the schemes that are live would change today."""
    old, new = (_rules(seen, version) for version in versions)
    counts: Counter[tuple[str, str]] = Counter()
    movers: list[Moving] = []
    async for some in _everybody(store, lookups, seen, shards):
        for one in filter(_is_assessed, some):
            before, after = (_chosen(rules, one, today) for rules in (old, new))
            names = (_said(before, today), _said(after, today))
            counts[names] += 1
            if names[0] != names[1]:
                movers.append(Moving(one.stream, *names, after.because))
        progress(len(some))
    movers.sort()
    return Reordered(
        *versions,
        str(today),
        counts.total(),
        len(movers),
        tuple(Counted(*names, count) for names, count in sorted(counts.items())),
        tuple(movers[:NAMED]),
    )


def _is_assessed(one: Placed) -> bool:
    """Whether anything puts somebody into a tier: whoever came after the last month's end does not
    change what was compared.
    """
    return any(standing.through or standing.override for standing in one.standings.values())


def _rules(seen: Present, version: str) -> Rules:
    """The live schemes in the order of a version of the precedence, or of none."""
    return rules_of(seen.versions, [*seen.rules.policies.values()], version or None)


def _chosen(rules: Rules, one: Placed, today: date) -> Chosen:
    standings = (one.standings[scheme] for scheme in rules.policies)
    return choose(rules.tiers(standings), one.kind, today)


def _said(chosen: Chosen, today: date) -> str:
    stand = chosen.stand
    if stand is None:
        return NONE
    return f"{stand.scheme}/{tier_on(stand.policy, stand.standing, today)}"


async def _everybody(
    store: Store, lookups: Lookups, seen: Present, shards: int
) -> AsyncIterator[list[Placed]]:
    """Everybody as they stand in each scheme, some at a time; a person with several numbers once,
    as they are looked up.
    """
    facts = seen.of(CUSTOMERS.name)
    for shard in range(shards):
        names: set[str] = set()
        async for streams in store.streams(GroupShard(shard, facts.name)):
            fresh = [stream for stream in streams if stream not in names]
            names.update(fresh)
            for start in range(0, len(fresh), CHUNK_STREAMS):
                some = fresh[start : start + CHUNK_STREAMS]
                linked = await linked_of(store, GroupShard(shard, facts.name), some)
                several = [stream for stream, known in linked.items() if known.links]
                alone = sorted({*some} - {*several})
                yield [
                    *await _alone(store, seen, shard, alone),
                    *await _people(lookups, several),
                ]


async def _alone(store: Store, seen: Present, shard: int, streams: Sequence[str]) -> list[Placed]:
    place = GroupShard(shard, seen.of(CUSTOMERS.name).name)
    profiles = await store.load(place, [(PROFILE.key, stream) for stream in streams])
    by_scheme = {}
    for scheme, group in zip(seen.rules.policies, seen.all_of(STANDINGS), strict=True):
        [tier] = group.parts
        at = GroupShard(shard, group.name)
        kept = await store.load(at, [(tier.key, stream) for stream in streams])
        by_scheme[scheme] = [tier.decode(one.state) if one else tier.initial for one in kept]
    return [
        Placed(
            stream,
            (PROFILE.decode(kept.state).kind if kept else None) or "person",
            {scheme: found[number] for scheme, found in by_scheme.items()},
        )
        for number, (stream, kept) in enumerate(zip(streams, profiles, strict=True))
    ]


async def _people(lookups: Lookups, streams: Sequence[str]) -> list[Placed]:
    found = [await lookups.customer(stream.removeprefix("customer:")) for stream in streams]
    return [
        Placed(
            who.stream,
            who.profile.kind or "person",
            {each.scheme: each.standing for each in who.stands},
        )
        for stream, who in zip(streams, found, strict=True)
        if who is not None and who.stream == stream
    ]
