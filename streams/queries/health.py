"""How is the system doing?

Outcomes, lag, readiness and metrics, read where they are true: journal and read models.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from projections.models.learner import Learnt
from projections.models.propensity import quality
from projections.redis import RedisError, RedisStore
from projections.store import GroupShard
from streams.broker.kafka import Broker, KafkaError
from streams.folds.active_groups import Register
from streams.journal import Counts, Journal, Shard, recorded_at_of
from streams.observability.stalls import STALLS

MODEL_METRICS = {
    "examples": "Answers that it has learnt from",
    "accepted": "Of these, how many were a yes",
    "auc": "How often a yes was said to be likelier than a no, of late",
    "log_loss": "Mean loss of what it said, of late, in nats",
    "calibration_error": "Mean gap between what it said and what came, of late",
    "drifts": "How often its loss has changed",
    "age_seconds": "Since the last answer that it learnt from",
}
BROKER_ASKED_EVERY = 5.0
STALLED = 15.0
"""Seconds in which a message waits and none is taken, after which intake counts as stalled."""
ANSWERED = 1.0
"""Seconds within which each dependency answers, or counts as one that does not."""
GUARD = "guard"
"""Under which name the guard says what it found."""
KINDS = ("event", "count", "hole", "state")
REFUSED = Counter(
    "tierfold_refused_requests",
    "Requests that were not let in, by status",
    ["status"],
    registry=None,
)
JOBS = Counter(
    "tierfold_jobs", "Jobs that people have begun over HTTP, by kind", ["kind"], registry=None
)
JOBS_ENDED = Counter(
    "tierfold_jobs_ended",
    "Jobs that were begun here and are over, by kind, and by what came of them",
    ["kind", "state"],
    registry=None,
)
UNCONFIRMED = Gauge(
    "tierfold_unconfirmed_messages",
    "Messages of web's, decisions and looks among them, that are not safe in the broker yet",
    registry=None,
)
LATENCY = Histogram(
    "tierfold_lookup_seconds",
    "Time to answer a lookup",
    ["route"],
    buckets=(0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024),
    registry=None,
)


class Lag(NamedTuple):
    """How far a group is behind a shard of the journal, in positions."""

    group: str
    shard: int
    head: int
    upto: int

    @property
    def behind(self) -> int:
        """Positions still to be folded.

        Negative if the read models know of more than the journal has.
        """
        return self.head - self.upto


def waiting_seconds(shard: Shard, upto: int, now: datetime) -> float:
    """For how long the first event behind a position has been in the journal."""
    rows = shard.stored(upto, 1)
    return max(0.0, (now - recorded_at_of(rows[0].state)).total_seconds()) if rows else 0.0


class Health:
    """Asks the dependencies."""

    def __init__(
        self,
        journal: Journal,
        store: RedisStore,
        broker: Broker,
        register: Register,
        lag_limit: int,
    ) -> None:
        self._journal = journal
        self._store = store
        self._broker = broker
        self._register = register
        self._lag_limit = lag_limit
        self._broker_asked = -BROKER_ASKED_EVERY
        self._broker_fault: list[str] = []
        self._untaken: dict[int, tuple[int, float]] = {}
        self._looking: asyncio.Future[list[str]] | None = None
        self._asking: asyncio.Future[list[str]] | None = None
        self.waiting: dict[int, int] = {}

    async def lags(self, *, carried: bool = False) -> list[Lag]:
        """The lag of every group on every shard.

        Of those that readers see, or of all that are carried.
        """
        places = await self._places(carried=carried)
        uptos = await self._store.uptos(
            places
        )  # before the heads: what is folded in between is no lead
        heads = await asyncio.to_thread(lambda: [shard.head() for shard in self._journal])
        return [
            Lag(place.group, place.shard, heads[place.shard], upto)
            for place, upto in zip(places, uptos, strict=True)
        ]

    async def faults(self) -> list[str]:
        """Why the system is not ready; empty if it is.

        Told within about a second: what does not answer by then is a fault.
        """
        try:
            async with asyncio.timeout(ANSWERED):
                await self._store.ping()
        except (RedisError, OSError) as error:  # a timeout is one too
            return [f"redis: {_said(error)}"]
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._looked())
        try:
            read = await asyncio.wait_for(asyncio.shield(self._looking), ANSWERED)
        except (RedisError, ConnectionError) as error:
            return [f"redis: {_said(error)}"]
        except Exception as error:  # noqa: BLE001 - each database has errors of its own
            return [f"journal: {_said(error)}"]
        return read + await self._of_broker()

    async def _looked(self) -> list[str]:
        """What is wrong with the read models."""
        lags, unfolded = await self.lags(), await self.unfolded()
        faults = [
            f"lag: {lag.group} is {lag.behind} behind on shard {lag.shard}"
            for lag in lags
            if lag.behind > self._lag_limit
        ]
        faults += [
            f"agents: nobody folds {place.group} on shard {place.shard}" for place in unfolded
        ]
        faults += [
            f"read models: {lag.group} is empty on shard {lag.shard}"
            for lag in lags
            if lag.upto == 0 < lag.head
        ]
        return faults + [
            f"read models: {lag.group} is ahead of the journal on shard {lag.shard}"
            for lag in lags
            if lag.behind < 0
        ]

    async def _of_broker(self) -> list[str]:
        """What is wrong at the front door.

        A broker that hangs is waited for by one thread alone. A slow one is believed to be as it
        was a moment ago.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._ask_broker))
        try:
            return await asyncio.wait_for(asyncio.shield(self._asking), ANSWERED)
        except TimeoutError:
            hangs = time.monotonic() - self._broker_asked > 2 * BROKER_ASKED_EVERY
            return ["broker: does not answer"] if hangs else self._broker_fault
        except Exception as error:  # noqa: BLE001 - of the journal, which is asked how far it is
            return [f"journal: {_said(error)}"]

    async def unfolded(self) -> list[GroupShard]:
        """The shards that no worker folds just now, by group."""
        places = await self._places(carried=False)
        return [
            place
            for place, alive in zip(places, await self._store.alive(places), strict=True)
            if not alive
        ]

    async def _places(self, *, carried: bool) -> list[GroupShard]:
        groups = (
            (await self._register.carried()).carried
            if carried
            else (await self._register.live()).live
        )
        return [GroupShard(shard.number, group.name) for group in groups for shard in self._journal]

    async def counts(self) -> Counts:
        """The outcomes of all arrivals."""
        return await asyncio.to_thread(self._journal.counts)

    async def metrics(self, models: Mapping[str, Learnt], files: Mapping[str, int]) -> bytes:
        """All metrics, in Prometheus' text format; of the models too, and of how many files of
        policies there is something to say.
        """
        await self._of_broker()
        registry = CollectorRegistry()
        late = await asyncio.to_thread(self._late, await self.lags())
        told = [
            *_outcomes(await self.counts()),
            *_lags(await self.lags(carried=True)),
            late,
            _waiting(self.waiting),
            *_learnt(models),
            *_files(files),
        ]
        registry.register(_Told([*told, *_guarded(await self._store.noted(GUARD))]))
        registry.register(LATENCY)
        registry.register(REFUSED)
        registry.register(UNCONFIRMED)
        registry.register(JOBS)
        registry.register(JOBS_ENDED)
        registry.register(STALLS)
        return generate_latest(registry)

    async def report(self) -> dict[str, Any]:
        """How the bank stands, for people: what is wrong, the outcomes of all arrivals, how far
        each group is behind (events, and seconds), what waits at the front door, and the guard's
        last word; null for what cannot be told just now.
        """
        faults, known = await self.faults(), dict[str, Any]()
        with suppress(Exception):  # each database has errors of its own, and `faults` says which
            known = await self._known()
        return {
            "faults": faults,
            **dict.fromkeys(("outcomes", "groups", "waiting", "guard")),
            **known,
        }

    async def _known(self) -> dict[str, Any]:
        """What is known of the bank while everything answers."""
        counts, guard = await self.counts(), await self._store.noted(GUARD)
        return {
            "outcomes": {
                **{name: getattr(counts, name) for name in counts.__slots__},
                "balanced": counts.balanced(),
            },
            "groups": await asyncio.to_thread(self._behind, await self.lags(carried=True)),
            "waiting": [
                {"shard": shard, "messages": count} for shard, count in self.waiting.items()
            ],
            "guard": msgspec.json.decode(guard) if guard else None,
        }

    def _behind(self, lags: Sequence[Lag]) -> list[dict[str, Any]]:
        """How far each group is behind on each shard."""
        now = datetime.now(UTC)
        return [
            {
                **lag._asdict(),
                "behind": lag.behind,
                "seconds": self._waits(lag, now),
            }
            for lag in lags
        ]

    def _waits(self, lag: Lag, now: datetime) -> float:
        """For how many seconds what a group has not folded yet has been waiting for it."""
        return waiting_seconds(self._journal[lag.shard], lag.upto, now) if lag.behind > 0 else 0.0

    def _late(self, lags: Sequence[Lag]) -> Metric:
        """How long what a group has not folded yet has been waiting for it."""
        late, now = (
            GaugeMetricFamily(
                "tierfold_lag_seconds",
                "Age of the oldest event that a group which readers see has not folded",
                labels=["group", "shard"],
            ),
            datetime.now(UTC),
        )
        for lag in lags:
            late.add_metric([lag.group, str(lag.shard)], self._waits(lag, now))
        return late

    def _ask_broker(self) -> list[str]:
        """What is wrong at the front door.

        No broker, or messages that wait while nobody takes them.
        """
        if time.monotonic() - self._broker_asked > BROKER_ASKED_EVERY:
            try:
                self._look_at_arrivals()
                self._broker_fault = []
            except KafkaError as error:
                self._broker_fault = [f"broker: {type(error).__name__}"]
            self._broker_asked = time.monotonic()
        stalled = [
            shard
            for shard, (_, since) in self._untaken.items()
            if self.waiting[shard] and time.monotonic() - since > STALLED
        ]
        return self._broker_fault + [
            f"intake: {self.waiting[shard]} messages wait on shard {shard}, and nobody takes them"
            for shard in stalled
        ]

    def untaken(self) -> dict[int, int]:
        """The messages that wait on `interactions`, by shard, as of now. Raises `KafkaError`."""
        self._look_at_arrivals()
        return self.waiting

    def _look_at_arrivals(self) -> None:
        logs = self._broker.logs()
        for shard, held in self._broker.offsets(logs).items():
            tracked = self._journal[shard].tracked(logs[shard])
            self.waiting[shard] = max(0, held.end - max(tracked + 1, held.first))
            if self._untaken.get(shard, (None, 0.0))[0] != tracked or not self.waiting[shard]:
                self._untaken[shard] = (tracked, time.monotonic())


def _said(error: Exception) -> str:
    return "does not answer" if isinstance(error, TimeoutError) else type(error).__name__


class _Told:
    """A collector of metrics that were read before."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """The metrics."""
        yield from self._metrics


def _outcomes(counts: Counts) -> Iterator[Metric]:
    total = CounterMetricFamily(
        "tierfold_interactions",
        "Interactions by outcome; arrived is the sum of the four",
        labels=["outcome"],
    )
    for outcome in Counts.__slots__:
        total.add_metric([outcome], getattr(counts, outcome))
    yield total
    yield GaugeMetricFamily(
        "tierfold_balanced",
        "1 while every arrival has exactly one outcome",
        value=int(counts.balanced()),
    )


def _files(files: Mapping[str, int]) -> Iterator[Metric]:
    words = {
        "without_effect": "Files of policies that say something else than what is live",
        "not_adopted": "Files of policies that rule because none was adopted",
    }
    for name, count in files.items():
        yield GaugeMetricFamily(f"tierfold_policy_files_{name}", words[name], value=count)


def _waiting(waiting: dict[int, int]) -> Metric:
    found = GaugeMetricFamily(
        "tierfold_intake_waiting_messages",
        "Messages on `interactions` that are not journalled yet",
        labels=["shard"],
    )
    for shard, count in sorted(waiting.items()):
        found.add_metric([str(shard)], count)
    return found


def _guarded(said: bytes | None) -> Iterator[Metric]:
    """What the guard found; nothing, if it has not been round yet."""
    if said is None:
        return
    told = msgspec.json.decode(said)
    found = GaugeMetricFamily(
        "tierfold_guard_findings",
        "Events, counts, streams and states that are not what they were",
        labels=["kind"],
    )
    for kind in KINDS:
        found.add_metric([kind], told["findings"].get(kind, 0))
    yield found
    yield GaugeMetricFamily(
        "tierfold_guard_age_seconds",
        "Since the guard was last heard of",
        value=max(0.0, time.time() - told["at"]),
    )
    yield GaugeMetricFamily(
        "tierfold_guard_round_seconds",
        "What it took to verify everything once; 0 before the first round",
        value=told["round_seconds"],
    )
    yield CounterMetricFamily(
        "tierfold_guard_rounds", "How often everything was verified", value=told["rounds"]
    )


def _learnt(models: Mapping[str, Learnt]) -> Iterator[Metric]:
    """How good each model was of late, by what it said at decisions."""
    broken = GaugeMetricFamily(
        "tierfold_model_broken",
        "1 while a model's state cannot be read, and offers are ranked by value",
        labels=["model"],
    )
    gauges = {
        name: GaugeMetricFamily(f"tierfold_model_{name}", words, labels=["model"])
        for name, words in MODEL_METRICS.items()
    }
    for model, found in models.items():
        broken.add_metric([model], int(found.ready is None))
        if found.ready is None or not found.ready.model.examples:
            continue
        said = quality(found.ready.model)
        age = max(0.0, time.time() - said.last.timestamp()) if said.last else None
        for name, value in {**said._asdict(), "age_seconds": age}.items():
            if name in gauges and value is not None:
                gauges[name].add_metric([model], value)
    yield broken
    yield from gauges.values()


def _lags(lags: Sequence[Lag]) -> Iterator[Metric]:
    behind = GaugeMetricFamily(
        "tierfold_lag_events",
        "Positions that a group is behind the journal",
        labels=["group", "shard"],
    )
    heads = GaugeMetricFamily(
        "tierfold_journal_head", "Position of the last event of a shard", labels=["shard"]
    )
    for lag in lags:
        behind.add_metric([lag.group, str(lag.shard)], lag.behind)
    for shard, head in sorted({lag.shard: lag.head for lag in lags}.items()):
        heads.add_metric([str(shard)], head)
    yield behind
    yield heads
