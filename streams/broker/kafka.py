"""The door to Kafka.

Topics, producers and consumers by kafka-python, for any broker that speaks the protocol.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAlreadyExistsError,
)
from kafka.partitioner.default import murmur2
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import decode_varint

__all__ = [
    "INTERACTIONS",
    "MESSAGE_LIMIT",
    "NOTICES",
    "RECORDED",
    "Broker",
    "ConsumerRebalanceListener",
    "InvalidTopicError",
    "KafkaConsumer",
    "KafkaError",
    "KafkaProducer",
    "MessageSizeTooLargeError",
    "RecordListTooLargeError",
    "TopicPartition",
    "murmur2",
]

INTERACTIONS = "interactions"
RECORDED = "recorded"
NOTICES = "notices"
"""Where other systems are told what happened."""
OUTCOME_TOPIC = "outcomes"
"""Where senders are told what was set aside."""
TOPICS = (INTERACTIONS, RECORDED, OUTCOME_TOPIC, NOTICES)
GROUP = "tierfold-intake"
MESSAGE_LIMIT = 16 * 1024 * 1024
SESSION_MS = 6_000
"""After which a group takes a member for lost that gives no sign."""
FETCH_WAIT_MS = 20
LONGEST_FETCH_WAIT_MS = 1_000
"""Trap: the embedded broker looks for messages some seven times within the wait of a fetch, and
answers when it next looks; others answer at once. So a consumer waits longer only where nothing
has come for a while.
"""
PATIENCE = 1 / 50
"""How long a fetch waits, as a share of the time for which nothing has come."""


class Offsets(NamedTuple):
    """A partition holds the offsets from `first` up to, without, `end`."""

    first: int
    end: int


def _read_message(batch: Any, read: Callable[[Any], Any] = DefaultRecordBatch._read_msg) -> Any:  # noqa: SLF001
    """Trap: a header whose name is not UTF-8 raises in the middle of a poll, again and again, and
    stops its consumer.

    What cannot be read of the names becomes question marks; the message goes on, and is judged like
    any other.
    """
    try:
        return read(batch)
    except UnicodeDecodeError:
        for start, end in _header_names(batch._buffer, batch._pos):  # noqa: SLF001
            batch._buffer[start:end] = bytes(  # noqa: SLF001
                byte if byte < 0x80 else 0x3F
                for byte in batch._buffer[start:end]  # noqa: SLF001
            )
        return read(batch)


def _header_names(buffer: bytearray, at: int) -> Iterator[tuple[int, int]]:
    """Where the names of a record's headers are.

    Behind length, attributes, time, offset, key and value (Kafka's record format 2).
    """
    for _ in range(4):
        _, at = decode_varint(buffer, at)
    for _ in ("key", "value"):
        length, at = decode_varint(buffer, at)
        at += max(length, 0)
    count, at = decode_varint(buffer, at)
    for _ in range(count):
        length, at = decode_varint(buffer, at)
        yield at, at + length
        length, at = decode_varint(buffer, at + length)
        at += max(length, 0)


DefaultRecordBatch._read_msg = _read_message  # noqa: SLF001


class Last(NamedTuple):
    """The last message of a partition, None if it holds none, and the end that it tells of."""

    message: Any
    end: int


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the brokers are (`host:port,host:port`), and how to be let in (kafka-python's
    security options).
    """

    servers: str
    security: Mapping[str, Any] = field(default_factory=dict)

    def producer(self) -> KafkaProducer:
        """An idempotent producer that waits for all replicas and keeps order."""
        return KafkaProducer(
            bootstrap_servers=self.servers.split(","),
            linger_ms=2,
            batch_size=256 * 1024,
            max_request_size=MESSAGE_LIMIT,
            max_block_ms=10_000,
            delivery_timeout_ms=30_000,
            request_timeout_ms=15_000,
            **self.security,
        )

    def consumer(self, group: str | None = None) -> KafkaConsumer:
        """A consumer that never commits by itself, and starts at the beginning."""
        return KafkaConsumer(
            bootstrap_servers=self.servers.split(","),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=MESSAGE_LIMIT,
            max_poll_records=2_000,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=1_500,
            **self.security,
        )

    def admin(self) -> KafkaAdminClient:
        """A client for topics."""
        return KafkaAdminClient(
            bootstrap_servers=self.servers.split(","),
            bootstrap_timeout_ms=10_000,  # a process that stops waits for whoever is asking
            **self.security,
        )

    def create_topics(
        self, partitions: int, replicas: int = 1, names: Sequence[str] = TOPICS
    ) -> None:
        """Make the topics, with one partition per shard, unless they are there."""
        limits = {
            "max.message.bytes": str(MESSAGE_LIMIT),
            "min.insync.replicas": str(_enough(replicas)),
        }
        wanted = [NewTopic(name, partitions, replicas, topic_configs=limits) for name in names]
        admin = self.admin()
        try:
            admin.create_topics(wanted)
        except TopicAlreadyExistsError:
            pass
        finally:
            admin.close()

    def has(self, topic: str, partitions: int) -> bool:
        """Whether a topic is there for us to see, with so many partitions or more.

        Raises `KafkaError` if nobody tells.
        """
        admin = self.admin()
        try:
            [found] = admin.describe_topics([topic])
        finally:
            admin.close()
        return not found["error_code"] and len(found["partitions"]) >= partitions

    def topic_faults(self, partitions: int, replicas: int) -> list[str]:
        """What is wrong with the topics, a sentence each; raises `KafkaError`."""
        admin = self.admin()
        try:
            found = {topic["name"]: topic for topic in admin.describe_topics([*TOPICS])}
            said = admin.describe_configs(
                [ConfigResource(ConfigResourceType.TOPIC, name) for name in found],
                config_filter="all",
            ).get("topic", {})
        finally:
            admin.close()
        return [
            fault
            for name, topic in found.items()
            for fault in _faults(topic, said.get(name, {}), partitions, replicas)
        ]

    def offsets(self, partitions: Iterable[int]) -> dict[int, Offsets]:
        """What these partitions of `interactions` hold just now.

        Raises `KafkaError` if nobody tells.
        """
        places = [TopicPartition(INTERACTIONS, number) for number in partitions]
        reader = self.consumer()
        try:
            firsts, ends = reader.beginning_offsets(places), reader.end_offsets(places)
        finally:
            reader.close()
        return {place.partition: Offsets(int(firsts[place]), int(ends[place])) for place in places}

    def holds(self, partition: TopicPartition, offset: int, within: float = 2.0) -> bool:
        """Whether a partition gives a message of an offset within some seconds.

        Raises `KafkaError` if nobody tells.

        Trap: the embedded broker tells an end that is short where the last batch has several
        messages.
        """
        reader = self.consumer()
        try:
            reader.assign([partition])
            reader.seek(partition, offset)
            found = reader.poll(timeout_ms=int(within * 1_000), max_records=1).get(partition, [])
        finally:
            reader.close()
        return bool(found) and found[0].offset == offset

    def last(self, topic: str, number: int) -> Last:
        """The last message of a partition; raises `KafkaError` if it is not given.

        Trap: the end may be short, see `holds`: what is behind it comes with it.
        """
        place = TopicPartition(topic, number)
        reader = self.consumer()
        try:
            reader.assign([place])
            end = reader.end_offsets([place])[place]
            if end == reader.beginning_offsets([place])[place]:
                return Last(None, end)
            reader.seek(place, max(end - 1, 0))
            found = reader.poll(timeout_ms=10_000).get(place)
        finally:
            reader.close()
        if not found:
            raise KafkaError(f"{topic}/{number} does not give its last message")
        return Last(found[-1], end)

    def purge(self, ends: Mapping[int, int]) -> None:
        """Delete what each of these partitions of `interactions` holds below an offset.

        Raises `KafkaError`.
        """
        admin = self.admin()
        try:
            admin.delete_records(
                {TopicPartition(INTERACTIONS, number): end for number, end in ends.items()}
            )
        finally:
            admin.close()

    def logs(self) -> dict[int, str]:
        """The name of each partition of `interactions` in this incarnation of the topic.

        A topic that was made anew, as by a broker that keeps nothing, counts its offsets from 0
        again; its id tells it from the one before. Raises `KafkaError` if the topic is not there.
        """
        admin = self.admin()
        try:
            [topic] = admin.describe_topics([INTERACTIONS])
        finally:
            admin.close()
        if topic["error_code"]:
            raise KafkaError(f"topic {INTERACTIONS} is not there: code {topic['error_code']}")
        return {
            partition[
                "partition_index"
            ]: f"{INTERACTIONS}/{topic['topic_id']}/{partition['partition_index']}"
            for partition in topic["partitions"]
        }


def fetch_wait_ms(last: float) -> int:
    """How long a fetch waits whose consumer has heard something `last` (`time.monotonic`)."""
    quiet = int((time.monotonic() - last) * PATIENCE * 1_000)
    return min(max(quiet, FETCH_WAIT_MS), LONGEST_FETCH_WAIT_MS)


def pace(consumer: KafkaConsumer, last: float) -> None:
    """Let a consumer's next fetches wait as long as becomes what it has heard last."""
    consumer._fetcher.config["fetch_max_wait_ms"] = fetch_wait_ms(last)  # noqa: SLF001 - there is no public way


def _enough(replicas: int) -> int:
    """How many copies make a message safe: all but one, so that one broker may be lost."""
    return max(1, replicas - 1)


def _faults(
    topic: Mapping[str, Any], said: Mapping[str, Any], partitions: int, replicas: int
) -> Iterator[str]:
    """What is wrong with one topic, by what the broker says of it and of its settings.

    The embedded one says nothing of these.
    """
    name, found = topic["name"], topic["partitions"]
    if topic["error_code"]:
        yield f"{name} is not there: code {topic['error_code']}"
        return
    if len(found) != partitions:
        yield (
            f"{name} has {len(found)} partitions, and there are {partitions} shards: a topic is "
            "made with one for each, and keeps them"
        )
    if fewest := [
        each["partition_index"] for each in found if len(each["replica_nodes"]) < replicas
    ]:
        yield f"{name} has fewer than {replicas} copies of the partitions {fewest}"
    if behind := [
        each["partition_index"]
        for each in found
        if len(each["isr_nodes"]) < len(each["replica_nodes"])
    ]:
        yield f"{name} has copies that are behind, of the partitions {behind}"
    if "max.message.bytes" in said and int(said["max.message.bytes"]["value"]) < MESSAGE_LIMIT:
        yield f"{name} refuses large messages: let max.message.bytes be {MESSAGE_LIMIT}"
    if "min.insync.replicas" in said and int(said["min.insync.replicas"]["value"]) < _enough(
        replicas
    ):
        yield (
            f"{name} takes a message for safe that fewer than {_enough(replicas)} brokers have: "
            f"let min.insync.replicas be {_enough(replicas)}"
        )
    if "compact" in said.get("cleanup.policy", {}).get("value", ""):
        yield f"{name} is compacted, and would lose events: let cleanup.policy be delete"
