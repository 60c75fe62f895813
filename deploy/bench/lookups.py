"""How fast is a next best offer, while the bank goes on?

A million customers in Redis, events flowing in, asked at a steady rate.
"""

import asyncio
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from selectors import SelectSelector
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.bench.parts import Figure, settings_in
from deploy.bench.path import at, event_of
from deploy.embedded.supervisor import running
from deploy.keys import token_for
from deploy.operations.summary import wait_until_ready
from deploy.policy_files import read_catalogue, read_policy
from deploy.settings import POLICIES, Settings
from deploy.wiring import store_of
from domain.access.roles import ANYBODY, Caller
from domain.envelope import Proposed, Recorded
from domain.offers.events import ExampleLabelled
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.models.group import MODELS
from projections.models.learner import MODEL
from projections.offers.group import REACTIONS
from projections.offers.responses import OFFERS
from projections.projection import Group
from projections.redis import RedisStore
from projections.rollout.versions import name_of
from projections.store import GroupShard, StoredState
from projections.tiering.standing import standings
from projections.views.history import customers_under
from streams.broker.kafka import INTERACTIONS, Broker
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import BATCH, write_batch
from streams.sources.synth import Bank, synth

KNOWN = 1_000_000
TEMPLATES = Bank(customers=1_000, months=4, seed=3)
EVENTS_A_SECOND = 1_000
MADE = 20_000
TOGETHER = 20
"""Events that a core system sends at a moment, in one batch for each shard."""
ASKED_A_SECOND = 720
EASILY = 300
"""Questions a second at which the machine is not used up."""
ASKED = 100_000
WARMING = 3_000
CONNECTIONS = 16
SAVED_CUSTOMERS = 200
SHELF = 20
EXAMPLES = 400
PATIENCE = 20.0
STALLS_NAMED = 8


@dataclass(frozen=True)
class Asked:
    """What came of asking.

    How long each answer took from when it was due (ms, sorted), and how many came a second.
    """

    waits: list[float]
    rate: float


def lookups(known: int = KNOWN, asked: int = ASKED) -> list[Figure]:
    """Next best offers at a steady rate.

    P50, p99 and p99.9 in milliseconds, and what the server can give at most.
    """
    with bank() as settings:
        asyncio.run(load(settings, known))
        with asyncio.Runner(loop_factory=_on_the_dot) as runner:
            return runner.run(_measured(settings, known, asked))


def _on_the_dot() -> asyncio.AbstractEventLoop:
    """A loop that wakes when it is time.

    The usual one rounds up to a millisecond, which would be counted as the server's.
    """
    return asyncio.SelectorEventLoop(SelectSelector())


async def _measured(settings: Settings, known: int, asked: int) -> list[Figure]:
    chance = random.Random(7)  # noqa: S311 - a draw with a seed

    def offers() -> str:
        return f"/v1/customers/{chance.randrange(known)}/next-best-offer"

    async with flowing(settings, known):
        await ask(settings, offers, WARMING, ASKED_A_SECOND)
        before, begun = await _stalled(settings), time.perf_counter()
        answered = await ask(settings, offers, asked, ASKED_A_SECOND)
        stalled, took = await _stalled(settings) - before, time.perf_counter() - begun
        easily = await ask(settings, offers, asked // 10, EASILY)
        empty = await ask(settings, lambda: "/healthz", asked // 5, ASKED_A_SECOND)
        reads = await _bare_reads(settings, chance, known, asked // 5)
        most, most_empty = (
            await ask(settings, offers, asked // 5, None),
            await ask(settings, lambda: "/healthz", asked // 5, None),
        )
    shares = (("p50", 0.5), ("p99", 0.99), ("p99_9", 0.999))
    figures = [
        Figure(
            f"offer_{name}_ms",
            at(answered.waits, share),
            "ms",
            {"empty endpoint": at(empty.waits, share), "bare Redis read": at(reads.waits, share)},
        )
        for name, share in shares
    ]
    figures += [
        Figure(f"offer_{name}_ms_at_{EASILY}", at(easily.waits, share), "ms")
        for name, share in shares
    ]
    figures.append(Figure("offer_rate_asked", answered.rate, "requests/s"))
    figures += [
        Figure(f"stalled_ms_a_second in {place}", seconds * 1000 / took, "ms")
        for place, seconds in stalled.most_common(STALLS_NAMED)
    ]
    return [
        *figures,
        Figure("offer_rate_most", most.rate, "requests/s", {"empty endpoint": most_empty.rate}),
    ]


async def _stalled(settings: Settings) -> Counter[str]:
    """Seconds so far in which lookups did not go on, by place."""
    headers = _headers(settings, Caller("bench", ("operator",), ANYBODY))
    reader, writer = await asyncio.open_connection(settings.host, settings.port)
    writer.write(f"GET /metrics HTTP/1.1\r\nhost: bench\r\n{headers}\r\n".encode())
    families = text_string_to_metric_families((await _answered(reader)).decode())
    writer.close()
    [stalled] = [found for found in families if found.name == "tierfold_lookup_stalled_seconds"]
    return Counter(
        {
            sample.labels["place"]: sample.value
            for sample in stalled.samples
            if sample.name.endswith("_total")
        }
    )


@contextmanager
def bank(**chosen: Any) -> Iterator[Settings]:
    """A stack with twenty offers, and such settings."""
    with tempfile.TemporaryDirectory() as folder:
        shelf = Path(folder) / "offers.yaml"
        shelf.write_text(yaml.safe_dump(_shelf()), encoding="utf-8")
        settings = settings_in(Path(folder) / "stack").model_copy(
            update={"catalogue": shelf, "lookup_stalls": True, **chosen}
        )
        with running(settings):
            asyncio.run(wait_until_ready(settings))
            yield settings


def _shelf() -> dict[str, Any]:
    """The shipped catalogue, and as many like its offers as make twenty."""
    shipped: dict[str, Any] = yaml.safe_load((POLICIES / "offers.yaml").read_text(encoding="utf-8"))
    offers = shipped["offers"]
    more = [
        {**deepcopy(offers[number % 4]), "offer": f"{offers[number % 4]['offer']}-{number}"}
        for number in range(SHELF - len(offers))
    ]
    return {**shipped, "offers": [*offers, *more]}


async def load(settings: Settings, known: int) -> None:
    """Read models of so many customers, folded from a synthetic bank's and written under names of
    their own; and models that have learnt.
    """
    store, policy = store_of(settings), read_policy(settings.policy)
    whole, tiers = (
        customers_under([policy]),
        standings(name_of(policy), policy, CUSTOMERS.name, CASES.name),
    )
    histories: dict[str, list[Proposed]] = {}
    for event in synth(TEMPLATES):
        histories.setdefault(event.stream, []).append(event)
    people = [events for stream, events in histories.items() if stream.startswith("customer:")]
    closing = histories["bank"]
    templates = [
        _states(whole, tiers, sorted([*events, *closing], key=lambda event: event.occurred_at))
        for events in people
    ]
    for begun in range(0, known, SAVED_CUSTOMERS * settings.shards):
        await asyncio.gather(
            *_saves(
                store,
                settings.shards,
                templates,
                range(begun, min(known, begun + SAVED_CUSTOMERS * settings.shards)),
            )
        )
    await _load_models(store, settings)
    await store.close()


def _states(
    whole: Group, tiers: Group, events: Sequence[Proposed]
) -> dict[tuple[str, str], StoredState]:
    """The states of one customer, by group and part."""
    facts: Any = whole.initial
    answers: Any = REACTIONS.initial
    for number, event in enumerate(events, start=1):
        recorded = Recorded(
            number,
            event.stream,
            number,
            event.source,
            event.id,
            event.occurred_at,
            event.business_date,
            event.occurred_at,
            None,
            event.data,
        )
        facts, answers = whole.evolve(facts, recorded), REACTIONS.evolve(answers, recorded)
    parts = {
        (CUSTOMERS.name, part.key): part.encode(state)
        for part, state in zip(CUSTOMERS.parts, facts, strict=False)
    }
    parts[tiers.name, tiers.parts[0].key] = tiers.parts[0].encode(facts.standings[0])
    parts[REACTIONS.name, OFFERS.key] = OFFERS.encode(answers[0])
    return {name: StoredState(0, state) for name, state in parts.items()}


def _saves(
    store: RedisStore,
    shards: int,
    templates: Sequence[dict[tuple[str, str], StoredState]],
    numbers: range,
) -> Iterator[Any]:
    by_place: dict[GroupShard, dict[tuple[str, str], StoredState]] = {}
    for number in numbers:
        stream = f"customer:{number}"
        for (group, key), kept in templates[number % len(templates)].items():
            by_place.setdefault(GroupShard(shard_of(stream, shards), group), {})[key, stream] = kept
    return (_save(store, place, states) for place, states in by_place.items())


async def _save(
    store: RedisStore, place: GroupShard, states: Mapping[tuple[str, str], StoredState]
) -> None:
    """Beside what is there, at whatever position the shard is just now."""
    while not await store.save(place, reached := await store.reached(place), reached.upto, states):
        continue


async def _load_models(store: RedisStore, settings: Settings) -> None:
    """A model for each offer that has learnt from chance, so that it has as many weights as
    one in use.
    """
    chance = random.Random(11)  # noqa: S311 - a draw with a seed
    for offer in read_catalogue(settings.catalogue).offers:
        state, stream = MODEL.initial, f"model:{offer.offer}"
        for number in range(1, EXAMPLES + 1):
            known = {
                "age": chance.randrange(18, 90),
                "assets-bits": chance.randrange(40),
                "products": chance.randrange(6),
                "transactions": chance.randrange(60),
            }
            known |= {
                f"tier={chance.choice('abcde')}": 1,
                f"month={chance.randrange(12)}": 1,
                f"grade=C{chance.randrange(1, 6)}": 1,
            }
            example = ExampleLabelled(
                offer=offer.offer,
                decision=f"{number}",
                customer="customer:0",
                features=known,
                accepted=chance.random() < 0.1,
            )
            at_noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
            state = MODEL.evolve(
                state,
                Recorded(
                    number,
                    stream,
                    number,
                    "bench",
                    f"{number}",
                    at_noon,
                    at_noon.date(),
                    at_noon,
                    None,
                    example,
                ),
            )
        await _save(
            store,
            GroupShard(shard_of(stream, settings.shards), MODELS.name),
            {(MODEL.key, stream): StoredState(0, MODEL.encode(state))},
        )


@asynccontextmanager
async def flowing(settings: Settings, known: int) -> AsyncIterator[None]:
    """Events of these customers at a steady rate, from a process of their own, until they are no
    longer needed.
    """
    context = get_context("spawn")
    stop = context.Event()
    flow = context.Process(
        target=_flow, args=(settings.broker, settings.shards, known, stop), daemon=True
    )
    flow.start()
    await asyncio.sleep(2)
    try:
        yield
    finally:
        stop.set()
        await asyncio.to_thread(flow.join, PATIENCE)


def _flow(broker: str, shards: int, known: int, stop: Event) -> None:
    """Made beforehand as far as they can be: what is measured is the bank, not who feeds it."""
    producer, chance = Broker(broker).producer(), random.Random(5)  # noqa: S311 - a draw with a seed
    made = [event_of(f"customer:{chance.randrange(known)}", f"{number}") for number in range(MADE)]
    begun = time.perf_counter()
    for number in count():
        if stop.is_set():
            break
        time.sleep(max(0.0, begun + number * TOGETHER / EVENTS_A_SECOND - time.perf_counter()))
        by_shard: dict[int, list[bytes]] = {}
        for place in range(number * TOGETHER, (number + 1) * TOGETHER):
            stream, value = made[place % MADE]
            again = value.replace(b'"id":"b', b'"id":"%d/' % (place // MADE), 1)
            by_shard.setdefault(shard_of(stream, shards), []).append(again)
        for shard, events in by_shard.items():
            producer.send(
                INTERACTIONS,
                value=write_batch(events),
                partition=shard,
                headers=[("content-type", BATCH.encode())],
            )
    producer.close()


def as_channel(settings: Settings) -> str:
    """The headers of a channel that asks for whoever is in front of it."""
    return _headers(settings, Caller("bench", ("channel",), ANYBODY))


def _headers(settings: Settings, caller: Caller) -> str:
    token = token_for(settings, caller, 2)
    return f"authorization: Bearer {token}\r\ntierfold-purpose: service\r\n"


async def ask(
    settings: Settings,
    path: Callable[[], str],
    times: int,
    rate: int | None,
    heard: Callable[[bytes], None] = lambda _body: None,
) -> Asked:
    """Ask so many times over several connections.

    At a rate, each answer timed from when its question was due; or as fast as it goes.
    """
    headers, begun, numbers, waits = (
        as_channel(settings),
        time.perf_counter(),
        iter(range(times)),
        list[float](),
    )

    async def channel() -> None:
        reader, writer = await asyncio.open_connection(settings.host, settings.port)
        for number in numbers:
            due = begun + number / rate if rate else time.perf_counter()
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            writer.write(f"GET {path()} HTTP/1.1\r\nhost: bench\r\n{headers}\r\n".encode())
            heard(await _answered(reader))
            waits.append((time.perf_counter() - due) * 1000)
        writer.close()

    await asyncio.gather(*(channel() for _ in range(CONNECTIONS)))
    return Asked(sorted(waits), times / (time.perf_counter() - begun))


async def _answered(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(head.decode())
    return await reader.readexactly(
        int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    )


async def _bare_reads(settings: Settings, chance: random.Random, known: int, times: int) -> Asked:
    """One customer's profile read from Redis, at the same rate, with nothing else done."""
    store, begun, numbers, waits = (
        store_of(settings),
        time.perf_counter(),
        iter(range(times)),
        list[float](),
    )

    async def reader() -> None:
        for number in numbers:
            due = begun + number / ASKED_A_SECOND
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            stream = f"customer:{chance.randrange(known)}"
            await store.load(
                GroupShard(shard_of(stream, settings.shards), CUSTOMERS.name),
                [(CUSTOMERS.parts[0].key, stream)],
            )
            waits.append((time.perf_counter() - due) * 1000)

    await asyncio.gather(*(reader() for _ in range(CONNECTIONS)))
    await store.close()
    return Asked(sorted(waits), times / (time.perf_counter() - begun))
