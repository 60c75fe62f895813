"""What do people with several numbers cost?

A bank of a hundred thousand of which three in a hundred belong to somebody with two, and three in a
thousand did: verified, and asked beside customers with one number.
"""

import asyncio
import random
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime

from deploy.active_groups import present_of
from deploy.bench.lookups import ask
from deploy.bench.parts import Figure
from deploy.bench.path import stack
from deploy.operations.feed import feed_all
from deploy.operations.summary import wait_until_settled
from deploy.settings import Settings
from deploy.wiring import existing_journal, store_of
from domain.customers.events import IdentitiesMerged, IdentitiesUnmerged
from domain.envelope import Proposed
from replay.rebuild.verify import Verdict, verify
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth

CUSTOMERS = 100_000
MONTHS = 1
MERGED, UNDONE = 0.03, 0.003
"""The shares of numbers that belong to somebody with two, and that did."""
SAMPLE = 2_000
"""Streams of each shard and group that are verified; all events are."""
ASKED = 2_000
ROUNDS = 5
A_SECOND = 100
"""Few enough that no question waits for another."""


def persons(customers: int = CUSTOMERS) -> list[Figure]:
    """How long a person with two numbers is looked up, beside a customer with one; and how many
    findings there are when all events and a sample of states are verified.
    """
    bank = [*synth(Bank(customers=customers, months=MONTHS, seed=4))]
    numbers = sorted({each.stream for each in bank if each.stream.startswith("customer:")})
    random.Random(4).shuffle(numbers)  # noqa: S311 - a draw with a seed
    merged = int(len(numbers) * MERGED) // 2
    undone = int(len(numbers) * UNDONE) // 2
    pairs = [*zip(numbers[: 2 * (merged + undone) : 2], numbers[1::2], strict=False)]
    alone = numbers[-2 * merged :]
    with stack() as settings:
        feed_all(settings, [*map(write, bank), *_said(pairs, undone)], lambda _count: None)
        asyncio.run(wait_until_settled(settings, patience=3_600))
        found = asyncio.run(_verified(settings))
        people = [number for pair in pairs[undone:] for number in pair]
        return [
            *asyncio.run(_asked(settings, people, alone)),
            Figure("found_by_verify", found.found, "findings"),
            Figure("states_verified", found.states, "states"),
        ]


def _said(pairs: Sequence[tuple[str, str]], undone: int) -> list[bytes]:
    now = datetime.now(UTC)
    merges = [
        write(
            Proposed(
                "bench",
                f"merged/{place}",
                one,
                now,
                now.date(),
                IdentitiesMerged(other=other, reason="one passport"),
            )
        )
        for place, (one, other) in enumerate(pairs)
    ]
    later = datetime.now(UTC)
    return merges + [
        write(
            Proposed(
                "bench",
                f"undone/{place}",
                one,
                later,
                later.date(),
                IdentitiesUnmerged(other=other, reason="two passports"),
            )
        )
        for place, (one, other) in enumerate(pairs[:undone])
    ]


async def _verified(settings: Settings) -> Verdict:
    store = store_of(settings)
    try:
        return await verify(
            store, existing_journal(settings), present_of(settings), SAMPLE, lambda _count: None
        )
    finally:
        await store.close()


async def _asked(settings: Settings, people: Sequence[str], alone: Sequence[str]) -> list[Figure]:
    """The middle of an answer, people and customers in turn; first before anybody was asked for."""
    chance = random.Random(6)  # noqa: S311 - a draw with a seed
    waits: dict[str, list[float]] = {}
    for turn in range(1 + ROUNDS):
        for name, streams in (("alone", alone), ("person", people)):

            def path(streams: Sequence[str] = streams) -> str:
                return f"/v1/customers/{chance.choice(streams).removeprefix('customer:')}/tier"

            found = (await ask(settings, path, ASKED, A_SECOND)).waits
            waits.setdefault(f"{name} {'first' if turn == 0 else 'again'}", []).extend(found)
    return [
        Figure(
            f"lookup_of_a_person_ms {when}",
            statistics.median(waits[f"person {when}"]),
            "ms",
            {"a customer with one number": statistics.median(waits[f"alone {when}"])},
        )
        for when in ("first", "again")
    ]
