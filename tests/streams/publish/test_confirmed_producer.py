"""Nothing is acknowledged before it is safe: a broker forgets, and a producer does not."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as NotYet
from concurrent.futures import wait
from pathlib import Path

import pytest

from deploy.embedded import services as embedded
from deploy.settings import Settings
from domain.accounts.events import TransactionPosted
from streams.broker.kafka import INTERACTIONS, Broker, MessageSizeTooLargeError, TopicPartition
from streams.ingest.cloudevents import write
from streams.journal import Arrival, Journal, LogOffset
from streams.publish.confirmed_producer import ConfirmedProducer
from tests.conftest import NOON, proposed, settings_in, wait_for

DATA = TransactionPosted(transaction="t", account="a", amount=1, currency="CNY", kind="card")


class Forgetful:
    """A broker that keeps nothing, and can be killed and started again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.broker = Broker(settings.broker)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start with empty topics."""
        self._process = embedded.start(
            embedded.broker_command(self._settings), self._settings.data_dir / "broker.log"
        )
        wait_for(self._settings.broker, self._process)
        self.broker.create_topics(2)

    def kill(self) -> None:
        """As by kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Forgetful]:
    """A broker of one's own."""
    made = Forgetful(settings_in(tmp_path))
    made.start()
    yield made
    made.kill()


def journal_all(
    broker: Broker, journal: Journal, partition: int, wanted: int, patience: float = 30.0
) -> list[bytes]:
    """What intake does, by hand: journal the messages of a partition as they come.

    Gives their values.
    """
    shard, name = journal[partition], broker.logs()[partition]
    shard.claim()
    reader = broker.consumer()
    reader.assign([TopicPartition(INTERACTIONS, partition)])
    reader.seek(TopicPartition(INTERACTIONS, partition), shard.tracked(name) + 1)
    values: list[bytes] = []
    deadline = time.monotonic() + patience
    while len(values) < wanted and time.monotonic() < deadline:
        for messages in reader.poll(timeout_ms=200).values():
            for message in messages:
                values.append(message.value)
                arrival = Arrival(
                    message.offset, 0, message.value, proposed(DATA, message.value.decode())
                )
                shard.record([arrival], LogOffset(name, message.offset), NOON)
    reader.close()
    return values


def test_what_the_broker_acknowledged_is_not_yet_delivered(
    forgetful: Forgetful, sqlite_journal: Journal
) -> None:
    """Only the journal's word counts."""
    with ConfirmedProducer(forgetful.broker, sqlite_journal) as producer:
        done = producer.submit(0, b"a")
        with pytest.raises(NotYet):
            done.result(timeout=1)

        journal_all(forgetful.broker, sqlite_journal, 0, 1)
        assert done.result(timeout=10).offset == 0


def test_with_a_broker_that_keeps_its_word_its_word_is_enough(forgetful: Forgetful) -> None:
    """`acks=all` on Apache Kafka."""
    with ConfirmedProducer(forgetful.broker, None) as producer:
        assert producer.submit(1, b"a").result(timeout=10).offset == 0


def test_what_a_killed_broker_forgot_goes_again_in_its_order(
    forgetful: Forgetful, sqlite_journal: Journal
) -> None:
    """Some messages are journalled, some lost with the broker: all arrive, and in order."""
    names = [f"{number:03d}".encode() for number in range(60)]
    with ConfirmedProducer(forgetful.broker, sqlite_journal) as producer:
        parcels = [producer.submit(0, name) for name in names[:30]]
        first = journal_all(forgetful.broker, sqlite_journal, 0, 10)
        forgetful.kill()
        parcels += [producer.submit(0, name) for name in names[30:]]
        time.sleep(0.5)
        forgetful.start()
        second = journal_all(forgetful.broker, sqlite_journal, 0, len(names) - len(first))
        assert not wait(parcels, timeout=20).not_done

    assert second == names[names.index(second[0]) :], "a later message overtook an earlier one"
    recorded = [row.event().id for row in sqlite_journal[0].read(0, 1000)]
    assert recorded == [name.decode() for name in names]


def test_after_a_broker_was_lost_a_partition_not_used_before_works_too(
    forgetful: Forgetful, sqlite_journal: Journal
) -> None:
    """The producer that outlived its broker is let go, whatever it says, and the next
    one delivers.
    """
    with ConfirmedProducer(forgetful.broker, sqlite_journal) as producer:
        first = producer.submit(0, b"a")
        journal_all(forgetful.broker, sqlite_journal, 0, 1)
        first.result(timeout=10)
        forgetful.kill()
        forgetful.start()
        second = producer.submit(1, b"b")
        for _ in range(
            3
        ):  # it may be sent again, if the first broker's producer got through and was not told where  # noqa: E501
            journal_all(forgetful.broker, sqlite_journal, 1, 1, patience=10)
            if wait([second], timeout=2).done:
                break

        assert second.result(timeout=1).offset >= 0
        assert [row.event().id for row in sqlite_journal[1].read(0, 10)] == ["b"]


def test_what_another_broker_has_is_not_taken_for_what_the_first_one_had(
    forgetful: Forgetful, sqlite_journal: Journal
) -> None:
    """The journal has tracked the first one's log up to 9.

    A message at 0 of its successor's is in no journal yet, whatever the number says.
    """
    names = [f"{number}".encode() for number in range(10)]
    with (
        ConfirmedProducer(forgetful.broker, sqlite_journal) as producer,
        ConfirmedProducer(forgetful.broker, sqlite_journal) as other,
    ):
        sent = [producer.submit(0, b"a"), *(other.submit(1, name) for name in names)]
        for partition, wanted in enumerate((1, len(names))):
            journal_all(forgetful.broker, sqlite_journal, partition, wanted)
        assert not wait(sent, timeout=10).not_done
        forgetful.kill()
        forgetful.start()
        second = producer.submit(1, b"another")
        with pytest.raises(NotYet):
            second.result(timeout=2)

        journal_all(forgetful.broker, sqlite_journal, 1, 1)
        assert second.result(timeout=10).offset >= 0


def test_what_no_broker_takes_holds_up_nothing(forgetful: Forgetful) -> None:
    """Seventeen megabytes fail by themselves, and what was handed in after them is delivered."""
    with ConfirmedProducer(forgetful.broker, None) as producer:
        large, small = producer.submit(0, b"x" * 17_000_000), producer.submit(0, b"a")

        assert isinstance(large.exception(timeout=1), MessageSizeTooLargeError)
        assert small.result(timeout=10).offset == 0


def test_a_single_event_leaves_as_a_structured_cloudevent(forgetful: Forgetful) -> None:
    """Its content type says what it is."""
    with ConfirmedProducer(forgetful.broker, None) as producer:
        producer.submit(0, write(proposed(DATA))).result(timeout=10)
    reader = forgetful.broker.consumer()
    reader.assign([TopicPartition(INTERACTIONS, 0)])
    reader.seek_to_beginning()
    [message] = reader.poll(timeout_ms=5000)[TopicPartition(INTERACTIONS, 0)]
    reader.close()

    assert dict(message.headers)["content-type"] == b"application/cloudevents+json"
