"""The whole path in one process: our own intake, journal, emitter and folds.

Broker, Redis and clock simulated; a seed decides what happens when.

One thread and one loop without timers: the same seed gives the same run.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.policy_files import read_policy, read_privacy
from deploy.settings import POLICIES
from domain.envelope import Proposed
from projections.cases.complaints import CASES
from projections.customers.group import CUSTOMERS
from projections.households.group import CUSTOMER_GROUPS
from projections.offers.group import REACTIONS
from projections.projection import Group
from projections.store import GroupShard, MemoryStore, Progress, StoredState
from projections.tiering.standing import standings
from streams.broker.batch import open_batch
from streams.broker.kafka import INTERACTIONS, RECORDED, KafkaError, TopicPartition
from streams.broker.routing import shard_of, spread
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import ShardFold, Superseded
from streams.folds.worker import IDLE_AFTER
from streams.ingest.cloudevents import BATCH, read_event, write, write_batch
from streams.ingest.intake import Intake
from streams.ingest.screening import Screen
from streams.ingest.signature import Vouching
from streams.journal import Fenced, Journal, Shard, source_key
from streams.publish.confirmed_producer import Delivered
from streams.publish.reactions import emitter
from tests.simulation.broker import Broker, Message, Sent
from tests.simulation.faults import Faults

SHARDS = 2
LOOK_EVERY = 20
DISTURBED = 3_000
"""Turns after which nothing breaks any more."""
PATIENCE = 6_000
"""Turns within which everything must have come to rest."""
LOST, SNAPSHOT, BACK = (
    "Redis loses everything",
    "Redis writes a snapshot",
    "Redis goes back to its snapshot",
)
POISON = b"\xff not an event"
POLICY = read_policy(POLICIES / "tiers" / "bohai-retail.yaml")
GROUPS: tuple[Group, ...] = (
    CUSTOMERS,
    CASES,
    standings("simulated", POLICY, CUSTOMERS.name, CASES.name),
    REACTIONS,
    CUSTOMER_GROUPS,
)
SCREEN = Screen(read_privacy(POLICIES / "privacy.yaml").refused)
VOUCHING = Vouching(bytes(32))
BEGUN = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Violation(AssertionError):
    """Something is not as it must be."""


class Killed(Exception):
    """A process is no more."""


DEADLY = (Killed, KafkaError, OSError, Fenced, Superseded)
"""What a process may die of; anything else is a violation."""


class Inline(ThreadPoolExecutor):
    """Does at once what others do in threads, so that nothing depends on which thread is first."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Done when it is given back."""
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is whoever waits who hears of it
            done.set_exception(error)
        return done


class Clock:
    """A time that goes on turn by turn; what it says to the intake also goes back."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self.now = 0.0

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self.now

    def says(self) -> datetime:
        """The time of day, as a machine believes it."""
        back = (
            timedelta(days=self._faults.upto(30))
            if self._faults.strikes("clock goes back")
            else timedelta()
        )
        return BEGUN + timedelta(seconds=self.now) - back


Saved = tuple[
    dict[GroupShard, int],
    dict[GroupShard, str],
    dict[GroupShard, dict[tuple[str, str], StoredState]],
]
"""Positions, tags and states of a store."""


class Store(MemoryStore):
    """A Redis that refuses, whose replies are lost, and that loses everything."""

    def __init__(self, faults: Faults, heads: Mapping[int, int]) -> None:
        super().__init__()
        self._faults = faults
        self._heads = heads
        self._snapshot: Saved = ({}, {}, {})

    def _back_to(
        self,
        upto: dict[GroupShard, int],
        etags: dict[GroupShard, str],
        states: dict[GroupShard, dict[tuple[str, str], StoredState]],
    ) -> None:
        """As after a crash: what was saved since then is gone, positions and states together."""
        self._upto, self._etags, self._states = upto, etags, states

    def _lose(self) -> None:
        """Snapshots too: what a flush leaves on disk is nothing."""
        self._back_to({}, {}, {})
        self._snapshot = ({}, {}, {})

    async def load(
        self, place: GroupShard, wanted: Sequence[tuple[str, str]]
    ) -> list[StoredState | None]:
        """The states, a turn later."""
        await asyncio.sleep(0)
        self._disturb()
        return await super().load(place, wanted)

    async def load_at(
        self, place: GroupShard, expected: Progress, wanted: Sequence[tuple[str, str]]
    ) -> list[StoredState | None] | None:
        """The same, all at one moment."""
        await asyncio.sleep(0)
        self._disturb()
        return await MemoryStore.load(self, place, wanted) if self._is_at(place, expected) else None

    async def upto(self, place: GroupShard) -> int:
        """The position, a turn later."""
        if self._faults.knows(BACK):
            await asyncio.sleep(0)
        return await super().upto(place)

    async def reached(self, place: GroupShard) -> Progress:
        """Position and tag, a turn later."""
        if self._faults.knows(BACK):
            await asyncio.sleep(0)
        self._disturb()
        return await super().reached(place)

    async def streams(self, place: GroupShard) -> AsyncIterator[list[str]]:
        """Every stream, a turn later."""
        if self._faults.knows(BACK):
            await asyncio.sleep(0)
        self._disturb()
        async for some in super().streams(place):
            yield some

    def _disturb(self) -> None:
        if self._faults.knows(BACK) and self._faults.strikes(LOST):
            self._lose()
        if self._faults.strikes(SNAPSHOT):
            self._snapshot = _copied(self._upto, self._etags, self._states)
        if self._faults.strikes(BACK):
            self._back_to(*_copied(*self._snapshot))

    async def save(
        self,
        place: GroupShard,
        expected: Progress,
        upto: int,
        states: Mapping[tuple[str, str], StoredState],
    ) -> Progress | None:
        """Save, a turn later, or not."""
        await asyncio.sleep(0)
        if self._faults.strikes(LOST):
            self._lose()
        self._disturb()
        if self._faults.strikes("save refused"):
            raise ConnectionError("a fault that was asked for")
        saved = await super().save(place, expected, upto, states)
        if saved and upto > self._heads[place.shard]:
            raise Violation(
                f"{place.group} is at {upto} of shard {place.shard}, ahead of the journal"
            )
        if self._faults.strikes("reply to a save lost"):
            raise ConnectionError("a fault that was asked for")
        return saved


def _copied(
    upto: dict[GroupShard, int],
    etags: dict[GroupShard, str],
    states: dict[GroupShard, dict[tuple[str, str], StoredState]],
) -> Saved:
    return dict(upto), dict(etags), {place: dict(some) for place, some in states.items()}


class Recorder:
    """A shard's recorder that refuses to append, or whose replies are lost.

    What comes into the journal is noted beside it: asking the journal each time would take most of
    the time.
    """

    def __init__(self, shard: Shard, world: "World") -> None:
        self._number = shard.number
        self._recorder = shard._recorder
        self._world = world

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recorder, name)

    def insert_events(self, stored: Sequence[Any], **kwargs: Any) -> Sequence[int] | None:
        """Append, or not."""
        world, tracking = self._world, kwargs["tracking"]
        if world.faults.strikes("append refused"):
            raise OSError("a fault that was asked for")
        positions = self._recorder.insert_events(stored, **kwargs)
        world.heads[self._number] = max(positions or (world.heads[self._number],))
        world.tracked[tracking.application_name] = tracking.notification_id
        if world.faults.strikes("reply to an append lost"):
            raise OSError("a fault that was asked for")
        return positions


@dataclass
class Submitted:
    """A message of our own on its way."""

    partition: int
    value: bytes
    done: "Future[Delivered]"
    log: str = ""
    sent: Sent | None = None


class ConfirmedProducer:
    """What `streams.publish.confirmed_producer.ConfirmedProducer` promises, without its thread.

    Sent until the journal has tracked it, in order.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self.parcels: dict[int, list[Submitted]] = {number: [] for number in range(SHARDS)}

    def submit(self, partition: int, value: bytes, *, batch: bool = False) -> "Future[Delivered]":
        """Send a batch of events of our own."""
        assert batch
        parcel = Submitted(partition, value, Future())
        parcel.done.set_running_or_notify_cancel()  # as the real one: who stops waiting does not stop the delivery  # noqa: E501
        self.parcels[partition].append(parcel)
        return parcel.done

    def turn(self) -> None:
        """Send again from the first that was not sent, and tell who waits for what the
        journal has.
        """
        broker = self._world.broker
        for partition, parcels in self.parcels.items():
            log = broker.logs()[partition]
            lost = next(
                (
                    number
                    for number, each in enumerate(parcels)
                    if each.sent is None or each.sent.error or each.log != log
                ),
                len(parcels),
            )
            for parcel in parcels[lost:]:
                headers = [("content-type", BATCH.encode()), VOUCHING.header(parcel.value)]
                parcel.log, parcel.sent = (
                    log,
                    broker.producer().send(
                        INTERACTIONS, value=parcel.value, partition=partition, headers=headers
                    ),
                )
            while (
                parcels
                and parcels[0].sent
                and not parcels[0].sent.error
                and parcels[0].sent.offset <= self._world.tracked.get(log, -1)
            ):
                parcels.pop(0).done.set_result(Delivered(log, 0))


class Worker:
    """The agents of one shard in one process: foldings, and the producer of what follows.

    What waits in it is gone with it.
    """

    def __init__(self, world: "World", shard: int) -> None:
        self.producer = ConfirmedProducer(world)
        self.at = 0
        self._world = world
        self._shard = shard
        self._heard = -IDLE_AFTER
        customers, cases, tiers, reactions, wholes = GROUPS
        emit = emitter(self.producer, world.journal, SHARDS)  # type: ignore[arg-type] - it submits, and no more is asked of it
        folds = {
            group.name: ShardFold(
                group, shard, world.store, world.journal, emit, broadcast_streams=1
            )
            for group in (customers, cases, reactions, wholes)
        }
        derived = DerivedFold(
            tiers, shard, world.store, world.journal, broadcast_streams=1, of=folds
        )
        self._foldings = [
            folds[customers.name],
            folds[cases.name],
            derived,
            folds[reactions.name],
            folds[wholes.name],
        ]

    async def fold(self, at: int) -> None:
        """Take what was published, from a place on.

        What goes wrong with it is acknowledged all the same.
        """
        self.at, world = at, self._world
        while True:
            self.at = min(self.at, len(self._published))
            if self.at < len(self._published):
                if not world.faults.strikes("agents do not get a batch"):
                    await self.take(self.at)
                self.at += 0 if world.faults.strikes("agents get a batch again") else 1
            await world.pause()

    async def look_after(self) -> None:
        """Heal what is idle, beside that."""
        while True:
            self._world.clock.now += IDLE_AFTER / 10
            if self._world.clock.now - self._heard >= IDLE_AFTER:
                for folding in self._foldings:
                    with self._world.dying():
                        await folding.heal(self._world.journal[self._shard].head())
            await self._world.pause()

    async def take(self, at: int) -> None:
        """One message, by all foldings."""
        if at < len(self._published):
            self._heard = self._world.clock.now
            batch = open_batch(self._world.journal[self._shard], self._published[at].value)
            for folding in self._foldings:
                with self._world.dying():
                    await folding.advance(batch)

    @property
    def _published(self) -> Sequence[Message]:
        return self._world.broker.messages[TopicPartition(RECORDED, self._shard)]


class World:
    """One bank, one seed."""

    def __init__(self, folder: Path, seed: int, rates: Mapping[str, float]) -> None:
        self.faults = Faults(seed, dict(rates))
        self.clock = Clock(self.faults)
        self.broker = Broker(SHARDS, self.faults)
        self.journal = Journal(f"sqlite://{folder / 'journal'}", SHARDS)
        self.heads = dict.fromkeys(range(SHARDS), 0)
        self.tracked: dict[str, int] = {}
        self.store = Store(self.faults, self.heads)
        self.workers: dict[int, Worker] = {}
        self._fed: dict[int, list[list[bytes]]] = {}
        self.poisoned = 0
        self.violation: Violation | None = None
        self.done = False

    async def run(self, events: Sequence[Proposed]) -> None:
        """Feed these, let faults happen, come to rest. Raises `Violation`."""
        asyncio.get_running_loop().set_default_executor(Inline())
        self._fed = _messages(events, self.faults)
        shards = [
            each for shard in range(SHARDS) for each in (self._agents(shard), self._rivals(shard))
        ]
        actors = [
            asyncio.create_task(each)
            for each in (self._core_systems(), self._intakes(), self._couriers(), *shards)
        ]
        try:
            await self._rest(actors)
        finally:
            self.done = True
            for task in actors:
                task.cancel()
            await asyncio.gather(*actors, return_exceptions=True)

    async def _rest(self, actors: Sequence[asyncio.Task[None]]) -> None:
        """With faults until everything came to rest once, or long enough.

        Then without them until it does.
        """
        for turn in range(PATIENCE):
            await asyncio.sleep(0)
            self.clock.now += 0.05
            if self.violation is not None:
                raise self.violation
            for actor in actors:
                if actor.done():
                    actor.result()
            if turn % LOOK_EVERY == 0 and not any(self._fed.values()) and await self._is_still():
                if self.faults.over:
                    return
                self.faults.over = True
            self.faults.over = self.faults.over or turn > DISTURBED
        raise Violation(f"it does not come to rest: {await self._lags()}")

    async def _is_still(self) -> bool:
        taken = all(
            self.tracked.get(log, -1) == self.broker.offsets([number])[number].end - 1
            for number, log in self.broker.logs().items()
        )
        waiting = any(any(worker.producer.parcels.values()) for worker in self.workers.values())
        return taken and not waiting and not any((await self._lags()).values())

    async def _lags(self) -> dict[GroupShard, int]:
        return {
            place: self.heads[place.shard] - await self.store.upto(place)
            for shard in range(SHARDS)
            for place in _places(shard)
        }

    async def _core_systems(self) -> None:
        """Send the events of each shard in order.

        Again where the broker lost them, or has not said that it has them.
        """
        at, sent = (
            dict.fromkeys(range(SHARDS), 0),
            {number: list[tuple[str, int]]() for number in range(SHARDS)},
        )
        while not self.done:
            for number in range(SHARDS):
                log, messages = self.broker.logs()[number], self._fed[number]
                lost = next(
                    (
                        place
                        for place, (where, offset) in enumerate(sent[number])
                        if where != log and self._untracked(where, offset)
                    ),
                    None,
                )
                if (
                    lost is not None
                ):  # a core system keeps what is not journalled, as the README says of a broker that keeps nothing  # noqa: E501
                    at[number] = lost
                    del sent[number][lost:]
                if at[number] < len(messages) and self.faults.strikes("strayed"):
                    if await self._strayed(number, messages[at[number]]):
                        sent[number].append((log, -1))
                        at[number] += 1
                elif at[number] < len(messages):
                    found = self._send(number, write_batch(messages[at[number]]))
                    if found.error is None:
                        sent[number].append((log, found.offset))
                        at[number] += 1
                elif all(not self._untracked(where, offset) for where, offset in sent[number]):
                    self._fed[number] = []
                    sent[number].clear()
                    at[number] = 0
            await self.pause()

    async def _strayed(self, number: int, events: Sequence[bytes]) -> bool:
        """Send a message by another's partition alone, and wait until the journal has it.

        False if it has to be sent again.
        """
        logs, read = self.broker.logs(), [read_event(raw) for raw in events]
        keys = [source_key(event.source, event.id) for event in read if isinstance(event, Proposed)]
        value = write_batch(events)
        headers = [("content-type", BATCH.encode()), VOUCHING.header(value)]
        if (
            self.broker.producer()
            .send(INTERACTIONS, value=value, partition=(number + 1) % SHARDS, headers=headers)
            .error
            is not None
        ):
            return False
        while len(self.journal[number].known(keys)) < len(events):
            if self.broker.logs() != logs:
                return False
            await self.pause()
        return True

    def _untracked(self, log: str, offset: int) -> bool:
        return offset > self.tracked.get(log, -1)

    def _send(self, number: int, value: bytes) -> Sent:
        producer, headers = (
            self.broker.producer(),
            [("content-type", BATCH.encode()), VOUCHING.header(value)],
        )
        if self.faults.strikes("poison"):
            before = len(self.broker.messages[TopicPartition(INTERACTIONS, number)])
            producer.send(INTERACTIONS, value=POISON, partition=number)
            self.poisoned += (
                len(self.broker.messages[TopicPartition(INTERACTIONS, number)]) - before
            )
        if self.faults.strikes("fed again"):
            producer.send(INTERACTIONS, value=value, partition=number, headers=headers)
        return producer.send(INTERACTIONS, value=value, partition=number, headers=headers)

    async def _intakes(self) -> None:
        """One intake after another: whatever it dies of, the next one begins."""
        while not self.done:
            with self.dying():
                intake = self._intake()
                while not self.done:
                    intake.turn()
                    if self.faults.strikes("broker loses everything"):
                        self.broker.restart()
                        raise Killed  # as the supervisor does, with whoever consumes from it
                    await self.pause()
            await self.pause()

    def _intake(self) -> Intake:
        """A new process: it remembers nothing."""
        shards = {
            shard.number: Shard(shard.number, Recorder(shard, self)) for shard in self.journal
        }
        intake = Intake(
            self.broker, shards, None, lambda: SCREEN, VOUCHING, self._point, self.clock.says
        )  # type: ignore[arg-type] - what is simulated
        intake.begin()
        return intake

    def _point(self, name: str) -> None:
        """At a named point of the intake: it is killed, or another one takes over in
        the meantime.
        """
        if name == "before_claim":
            return  # nothing has happened by then that could be lost
        said = {
            "before_append": "before it appends",
            "between_append_and_publish": "before it publishes",
            "after_publish": "behind it",
        }[name]
        if self.faults.strikes(f"intake killed {said}"):
            raise Killed
        if self.faults.strikes("another intake takes over"):
            with self.dying():
                self._intake().turn()

    async def _couriers(self) -> None:
        while not self.done:
            for worker in self.workers.values():
                worker.producer.turn()
            await self.pause()

    async def _agents(self, shard: int) -> None:
        """The agents of one shard, one process after the other.

        Each reads again some of what the one before it had acknowledged.
        """
        at = 0
        while not self.done:
            worker = Worker(self, shard)
            tasks = [asyncio.create_task(worker.fold(at)), asyncio.create_task(worker.look_after())]
            self.workers[shard] = worker
            while not self.done and not self.faults.strikes("agents killed"):
                await self.pause()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            at = max(0, worker.at - self.faults.upto(4))

    async def _rivals(self, shard: int) -> None:
        """Another worker that believes for a moment that the shard is its own."""
        while not self.done:
            if self.faults.strikes("another worker folds too"):
                rival = Worker(self, shard)
                self.workers[-1 - shard] = rival
                await rival.take(max(0, self.workers[shard].at - 1))
            await self.pause()

    @contextmanager
    def dying(self) -> Iterator[None]:
        """Whatever a process or a fold may die of, the next one goes on.

        What must never be is kept.
        """
        try:
            yield
        except DEADLY:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is found
            self.violation = self.violation or (
                error
                if isinstance(error, Violation)
                else Violation(f"{type(error).__name__}: {error}")
            )

    async def pause(self) -> None:
        for _ in range(1 + self.faults.pauses()):
            await asyncio.sleep(0)


def _places(shard: int) -> list[GroupShard]:
    return [GroupShard(shard, group.name) for group in GROUPS]


def _messages(events: Sequence[Proposed], faults: Faults) -> dict[int, list[list[bytes]]]:
    """The events as core systems send them: in the order of each shard, some at a time."""
    found: dict[int, list[list[bytes]]] = {number: [] for number in range(SHARDS)}
    for event in events:
        for copy in spread(event, SHARDS):
            messages = found[shard_of(copy.stream, SHARDS)]
            if not messages or len(messages[-1]) >= faults.upto(12):
                messages.append([])
            messages[-1].append(write(copy))
    return found
