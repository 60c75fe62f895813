"""What does one more group add to the cost of each event, if it cares for one in a hundred?

CPU microseconds of a worker that folds a bank's messages into a Redis of its own: with the
customers' groups, and with as many more beside them as make the difference plain.
"""

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import msgspec

from deploy.bench.fold import recorded
from deploy.bench.parts import Figure, keyring_in, settings_in, started
from deploy.embedded import services as embedded
from deploy.policy_files import read_policy
from domain.envelope import Proposed, Recorded
from domain.event_types import EVENT_BY_TYPE, PREFIX
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.projection import Group, Projection
from projections.redis import RedisStore
from projections.registry import AGENTS, Present
from streams.broker.batch import open_batch
from streams.folds.active_groups import Register
from streams.folds.worker import HELD_BACK, FoldWorker
from streams.journal import Journal

MORE = 20
"""Groups beside the others."""
BASES = AGENTS[CUSTOMERS.name]
SHARE = 0.01
PAIRS = 5
MEETING = 0.5


class _Type(msgspec.Struct):
    type: str


_type = msgspec.json.Decoder(_Type)


class Seen(NamedTuple):
    """How many events of its own a group has seen in a stream."""

    events: int


def cost_of_a_group(raws: list[bytes]) -> Figure:
    """CPU microseconds that one more group adds to each of a shard's events.

    By pairs of runs, with and without.
    """

    def pair() -> float:
        without, with_more = (asyncio.run(_folded(raws, some)) for some in (0, MORE))
        return (with_more - without) * 1e6 / MORE / len(raws)

    return Figure("cost_of_a_group", statistics.median(pair() for _ in range(PAIRS)), "us")


async def _folded(raws: list[bytes], more: int) -> float:
    """CPU seconds of folding a shard's events with so many groups more."""
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        settings = settings_in(folder)
        redis = settings.redis.removeprefix("redis://").removesuffix("/0")
        with started(embedded.redis_command(settings, folder), folder / "redis.log", redis):
            store = RedisStore(settings.redis)
            journal = Journal(f"sqlite://{folder / 'journal'}", 1, keyring_in(folder))
            register = _Register(store, journal, read_policy(settings.policy))
            register.last = replace(
                register.last, carried=(*register.last.carried, *_groups(_rare_type(raws), more))
            )
            seconds = await _advanced(
                FoldWorker(BASES, store, journal, _emit, register), journal, raws
            )
            await store.close()
            return seconds


async def _advanced(worker: FoldWorker, journal: Journal, raws: list[bytes]) -> float:
    await worker.look_after([0])
    await asyncio.sleep(MEETING)  # all are in step with a shard that is empty
    messages = recorded(journal, 0, raws)
    begun = time.process_time()
    for value in messages:
        await worker.advance(0, open_batch(journal[0], value))
    await asyncio.sleep(2 * HELD_BACK)
    return time.process_time() - begun


async def _emit(_: Sequence[Proposed]) -> None:
    """Nothing follows."""


def _rare_type(raws: list[bytes]) -> str:
    """The stored type of which there is nearest one event in a hundred."""
    counts = Counter(_type.decode(raw).type.removeprefix(PREFIX) for raw in raws)
    rare = {name for name in counts if "customer" in EVENT_BY_TYPE[name].concerns}
    return min(sorted(rare), key=lambda name: abs(counts[name] - SHARE * len(raws)))


def _groups(event_type: str, count: int) -> list[Group]:
    part = Projection("seen", 1, 0, lambda count, _event: count + 1)

    def counted(states: Seen, _event: Recorded) -> Seen:
        return Seen(states.events + 1)

    group = Group("", ("customer",), Seen, (part,), counted, frozenset({event_type}))
    return [replace(group, name=f"{CASES.name}/more-{number}") for number in range(count)]


class _Register(Register):
    """What is carried does not change."""

    async def carried(self) -> Present:
        """All that is carried."""
        return self.last
