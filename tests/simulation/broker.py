"""A broker in memory, as far as our code asks one.

Logs by partition, which lose, repeat and forget as a schedule of faults says.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from streams.broker.kafka import INTERACTIONS, KafkaError, Last, Offsets, TopicPartition
from tests.simulation.faults import Faults

MOST = 4
"""Messages that one poll gives at most, so that faults come between them."""


class Message(NamedTuple):
    """A message as a consumer sees it."""

    offset: int
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


@dataclass(frozen=True)
class Sent:
    """What came of sending: an offset, or an error."""

    offset: int
    error: KafkaError | None = None
    is_done: bool = True

    def get(self, timeout: float | None = None) -> "Sent":
        """Itself, unless it failed."""
        del timeout
        if self.error:
            raise self.error
        return self


class Broker:
    """What `streams.broker.kafka.Broker` is to our code."""

    def __init__(self, shards: int, faults: Faults) -> None:
        self._shards = shards
        self._faults = faults
        self._incarnation = 1
        self.messages: dict[TopicPartition, list[Message]] = defaultdict(list)

    def restart(self) -> None:
        """It keeps nothing, and counts its offsets from 0 again."""
        self._incarnation += 1
        self.messages.clear()

    def has(self, topic: str, partitions: int) -> bool:
        """Every topic is there."""
        return bool(topic) and partitions == self._shards

    def holds(self, partition: TopicPartition, offset: int) -> bool:
        """Whether a partition has a message at an offset."""
        return offset < len(self.messages[partition])

    def logs(self) -> dict[int, str]:
        """The name of each partition in this incarnation."""
        return {
            number: f"{INTERACTIONS}/{self._incarnation}/{number}" for number in range(self._shards)
        }

    def offsets(self, partitions: Iterable[int]) -> dict[int, Offsets]:
        """What the partitions hold."""
        return {
            number: Offsets(0, len(self.messages[TopicPartition(INTERACTIONS, number)]))
            for number in partitions
        }

    def last(self, topic: str, number: int) -> Last:
        """The last message of a partition; reading it may fail."""
        place = TopicPartition(topic, number)
        if not (log := self.messages[place]):
            return Last(None, 0)
        reader = self.consumer()
        reader.assign([place])
        reader.seek(place, len(log) - 1)
        if not (found := reader.poll(max_records=1).get(place)):
            raise KafkaError("a fault that was asked for")
        return Last(found[-1], len(log))

    def consumer(self, group: str | None = None) -> "Consumer":
        """A consumer of one's own partitions."""
        assert group is None
        return Consumer(self, self._faults)

    def producer(self) -> "Producer":
        """A producer."""
        return Producer(self, self._faults)


class Consumer:
    """Reads assigned partitions, some messages at a time."""

    def __init__(self, broker: Broker, faults: Faults) -> None:
        self._broker = broker
        self._faults = faults
        self._at: dict[TopicPartition, int] = {}

    def assign(self, places: Sequence[TopicPartition]) -> None:
        """Read these."""
        self._at = dict.fromkeys(places, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        """Go on at an offset."""
        self._at[place] = offset

    def poll(
        self, timeout_ms: int = 0, max_records: int = MOST
    ) -> dict[TopicPartition, list[Message]]:
        """The next messages of every partition that has any."""
        del timeout_ms
        if self._faults.strikes("poll fails"):
            raise KafkaError("a fault that was asked for")
        found = {}
        for place, at in self._at.items():
            if some := self._broker.messages[place][at : at + self._faults.upto(max_records)]:
                found[place] = some
                self._at[place] = some[-1].offset + 1
        return found

    def close(self) -> None:
        """Nothing to let go."""


class Producer:
    """Appends; some messages arrive twice, some not at all, and some without a word of it.

    As the real one it keeps order: where a message failed, those behind it in its partition fail
    too.
    """

    def __init__(self, broker: Broker, faults: Faults) -> None:
        self._broker = broker
        self._faults = faults
        self._failed: set[TopicPartition] = set()

    def send(
        self,
        topic: str,
        value: bytes,
        key: bytes | None = None,
        partition: int = 0,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> Sent:
        """Append a message."""
        place = TopicPartition(topic, partition)
        if place in self._failed or self._faults.strikes("send fails"):
            return self._failing(place)
        log = self._broker.messages[place]
        for _ in range(2 if self._faults.strikes("sent twice") else 1):
            log.append(Message(len(log), key, value, headers or []))
        if self._faults.strikes("acknowledgement lost"):
            return self._failing(place)
        return Sent(len(log) - 1)

    def _failing(self, place: TopicPartition) -> Sent:
        if self._faults.knows("strayed"):
            self._failed.add(place)
        return Sent(-1, KafkaError("a fault that was asked for"))

    def close(self, timeout: float | None = None) -> None:
        """Nothing to let go."""
