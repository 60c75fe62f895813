"""Which Faust agents are there?

One per group of folds, with all its versions; nothing is decided here.

Faust acknowledges a message even when its agent failed, so no state depends on an agent having
succeeded: every agent believes only the position saved with its states, and a timer brings an idle
shard up to the journal.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import faust
import structlog
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka as driver
from faust.worker import Worker

from projections.redis import RedisStore
from projections.registry import AGENTS
from streams.broker.batch import NUDGE, Batch, is_stale, open_batch, place_of
from streams.broker.kafka import FETCH_WAIT_MS, RECORDED, fetch_wait_ms
from streams.folds.active_groups import Register
from streams.folds.restatements import tell_unfinished
from streams.folds.shard_fold import Emit
from streams.folds.turns import begin_turns
from streams.folds.worker import FoldWorker, Live
from streams.ingest.signature import Vouching
from streams.journal import Journal
from streams.observability.metrics import DOUBTED_BATCHES, PULSE
from streams.observability.tracing import SpanKind, span, traceparents

log = structlog.get_logger()

LOOK_EVERY = 1.0
FIRST_LOOKS = 0.1
"""Seconds between the first two looks; each wait is twice as long, up to `LOOK_EVERY`."""
TURNS_EVERY = 60.0
"""Seconds between two looks whether every scheme has a version that tells of changes of tier."""
SESSION = 6.0
NAME = "tierfold-agents"
NOT_FOLDED = "shard_not_folded"
KEPT = 192
"""Opened batches that are kept for the agents that come later: some hundred megabytes at most."""


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        """Trap: Faust fixes the fetch wait at 1,500 ms, which the embedded broker makes use of."""
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS  # noqa: SLF001
        return consumer

    def pace(self, last: float) -> None:
        """Let the next fetches wait as long as becomes what was heard last."""
        if self._consumer is not None and self._consumer._fetcher is not None:  # noqa: SLF001
            self._consumer._fetcher._fetch_max_wait_ms = fetch_wait_ms(last)  # noqa: SLF001


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> Any:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class _Transport(driver.Transport):
    Consumer = _Consumer


class _App(faust.App):
    """Trap: Faust's own timers begin only when the group has met."""

    looks: list[Callable[[], Awaitable[None]]]
    heard = 0.0
    """When a batch came last (`time.monotonic`)."""

    async def on_start(self) -> None:
        await super().on_start()
        self.heard = time.monotonic()
        for look in self.looks:
            self.add_future(self._again_and_again(look))

    def hear(self) -> None:
        """Note that a batch came: others are likely to follow soon."""
        self.heard = time.monotonic()
        self.pace()

    def pace(self) -> None:
        """Let fetches wait as long as becomes what was heard last."""
        self.consumer._thread.pace(self.heard)  # noqa: SLF001 - there is no public way

    async def _again_and_again(self, look: Callable[[], Awaitable[None]]) -> None:
        rest = FIRST_LOOKS
        while not self.should_stop:
            self.pace()
            await look()
            await self.sleep(rest)
            rest = min(2 * rest, LOOK_EVERY)


def _assigned(app: faust.App) -> set[int]:
    """The shards that Kafka has given this worker; none before its consumer has started."""
    try:
        return {tp.partition for tp in app.consumer.assignment() if tp.topic == RECORDED}
    except ConsumerNotStarted:
        return set()


def worker(
    servers: str,
    store: RedisStore,
    journal: Journal,
    emit: Emit,
    register: Register,
    vouching: Vouching,
    security: Mapping[str, Any],
    folder: Path,
    session: float = SESSION,
    *,
    alone: bool = False,
) -> faust.App:
    """A Faust app with one agent per group and what is derived from it, over the shards that
    Kafka gives it.

    `servers` is `host:port,host:port`; `security` is what kafka-python calls it; `folder` is for
    Faust's own files. `session` is the seconds after which a worker that says nothing loses its
    shards; the embedded broker lets a group wait for half of them before anybody folds. One that is
    `alone` has no rivals, and looks after every shard until the group has met, however long the
    embedded broker lets it wait.
    """
    app = _App(
        NAME,
        broker=[f"kafka://{server}" for server in servers.split(",")],
        topic_partitions=len(journal),
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        stream_buffer_maxsize=64,
        datadir=folder,
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 4,
        broker_rebalance_timeout=10.0,
        consumer_max_fetch_size=16 * 1024 * 1024,
        stream_wait_empty=False,
        broker_credentials=_credentials(security),
    )
    app.looks = []
    app.transport = _Transport(app.conf.broker_consumer, app)
    recorded = app.topic(
        RECORDED, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw"
    )
    kept = WeakKeyDictionary[Any, Batch]()

    def before_assignment() -> Collection[int]:
        return range(len(journal)) if alone else ()

    def opened(message: Any) -> Batch:
        """The batch of a message, opened once for all agents, and let go with the message.

        Once for each where many are kept already: agents may be far apart. Once more where keys
        were changed meanwhile.
        """
        batch = kept.get(message)
        if batch is None or is_stale(journal[message.partition], batch):
            ours = vouching.holds(message.value, message.headers or (), place_of(message.partition))
            if not ours:
                DOUBTED_BATCHES.inc()
                log.warning("batch_not_believed", shard=message.partition)
            batch = open_batch(journal[message.partition], message.value) if ours else NUDGE
            if len(kept) < KEPT:
                kept[message] = batch
        return batch

    turns_due = 0.0

    async def begin() -> None:
        """See to it that every scheme has a version that tells, now and then."""
        nonlocal turns_due
        if time.monotonic() >= turns_due:
            await begin_turns(journal, await register.carried(), emit)
            await asyncio.to_thread(tell_unfinished, journal)
            turns_due = time.monotonic() + TURNS_EVERY

    app.looks.append(lambda: _surely(begin(), "turns_not_told"))
    live = Live()
    for name, bases in AGENTS.items():
        _add_agent(
            app,
            recorded,
            name,
            opened,
            FoldWorker(bases, store, journal, emit, register, live),
            before_assignment,
        )
    return app


def run(app: faust.App) -> None:
    """Run a worker in this process until a signal."""
    Worker(app, loglevel="ERROR", override_logging=False).execute_from_commandline()


def _credentials(security: Mapping[str, Any]) -> Any:
    protocol = security.get("security_protocol", "PLAINTEXT")
    context = (
        ssl.create_default_context(cafile=security.get("ssl_cafile"))
        if protocol.endswith("SSL")
        else None
    )
    if protocol.startswith("SASL"):
        names = {
            "mechanism": "sasl_mechanism",
            "username": "sasl_plain_username",
            "password": "sasl_plain_password",
        }
        return faust.SASLCredentials(
            ssl_context=context, **{ours: security[theirs] for ours, theirs in names.items()}
        )
    return faust.SSLCredentials(context) if context else None


def _add_agent(
    app: _App,
    recorded: Any,
    name: str,
    opened: Callable[[Any], Batch],
    folds: FoldWorker,
    before_assignment: Callable[[], Collection[int]],
) -> None:
    async def fold(batches: Any) -> AsyncIterator[int]:
        async for event in batches.events():
            message = event.message
            app.hear()
            with span(
                "fold",
                traceparents(message.headers or ()),
                SpanKind.CONSUMER,
                {"tierfold.group": name, "tierfold.shard": message.partition},
            ):
                folded = await folds.advance(
                    message.partition,
                    opened(message),
                    more=not batches.channel.empty(),
                )
                log.debug("batch_folded", group=name, shard=message.partition, events=folded)
            yield folded

    async def catch_up() -> None:
        if shards := _assigned(app) or before_assignment():
            PULSE.beat()
            await _surely(folds.look_after(shards), NOT_FOLDED, group=name, shard=[*shards])
            await asyncio.gather(
                *(
                    _surely(folds.heal(shard), NOT_FOLDED, group=name, shard=[shard])
                    for shard in shards
                )
            )

    app.agent(recorded, name=name, isolated_partitions=True)(fold)
    app.looks.append(catch_up)


async def _surely(look: Awaitable[None], otherwise: str, **about: Any) -> None:
    """Trap: an exception in a timer ends the whole worker, and with it the shards that are well."""
    try:
        await look
    except Exception as error:  # noqa: BLE001 - said, and tried again with the next tick; the lag tells
        log.error(otherwise, error=type(error).__name__, **about)  # noqa: TRY400
