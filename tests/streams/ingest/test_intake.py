"""From a real broker into the journal and out again, with faults at named points."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from domain.accounts.events import TransactionPosted
from domain.bank.events import DayClosed
from domain.envelope import Proposed
from domain.event import BANK
from domain.offers.events import DECISIONS, OfferAccepted, OfferDecided
from domain.tiering.events import TierOverridden
from streams.broker.batch import Batch, decode_batch, encode_batch
from streams.broker.kafka import INTERACTIONS, OUTCOME_TOPIC, RECORDED, Broker, TopicPartition
from streams.broker.routing import shard_of
from streams.ingest import intake
from streams.ingest.cloudevents import STRUCTURED, write, write_batch
from streams.ingest.intake import Intake, LogBroken
from streams.ingest.screening import Screen
from streams.ingest.signature import Vouching
from streams.journal import Counts, Fenced, Journal, LogOffset
from streams.observability.metrics import OWN_WORD_SET_ASIDE
from tests.conftest import NOON, a_broker, proposed

SHARDS = 2
VOUCHING = Vouching(b"k" * 32)
SCREEN = Screen(["password"])


class Crash(Exception):
    """Where a test lets intake die."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own: what another left would make topics that are deleted anew."""
    with a_broker(tmp_path) as address:
        made = Broker(address)
        made.create_topics(SHARDS)
        yield made


@contextmanager
def running(
    broker: Broker,
    journal: Journal,
    fault: Callable[[str], None] = lambda _point: None,
    group: str | None = None,
) -> Iterator[list[BaseException]]:
    """An intake in a thread; gives what it died of."""
    stop, died = threading.Event(), []
    intake = Intake(broker, journal, group, lambda: SCREEN, VOUCHING, fault)

    def run() -> None:
        try:
            intake.run(stop)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            died.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield died
    finally:
        stop.set()
        thread.join(timeout=30)


def paid(name: str, stream: str) -> Proposed:
    """A transaction at the front door."""
    return proposed(
        TransactionPosted(transaction=name, account="a", amount=1, currency="CNY", kind="card"),
        name,
        stream,
    )


def streams_of(shard: int, count: int) -> list[str]:
    """Customers of one shard."""
    return [
        f"customer:{number}"
        for number in range(200)
        if shard_of(f"customer:{number}", SHARDS) == shard
    ][:count]


def send(broker: Broker, partition: int, *values: bytes | None, key: bytes | None = None) -> None:
    """Produce messages to a partition."""
    producer = broker.producer()
    for value in values:
        producer.send(INTERACTIONS, value=value, key=key, partition=partition).get(timeout=10)
    producer.close()


def wait_until(condition: Callable[[], object]) -> None:
    """Wait a while for something to become true."""
    for _ in range(600):
        if condition():
            return
        threading.Event().wait(0.05)
    pytest.fail("it did not happen in time")


def published(broker: Broker, partition: int) -> list[Batch]:
    """All batches on `recorded`."""
    place = TopicPartition(RECORDED, partition)
    reader = broker.consumer()
    reader.assign([place])
    end = reader.end_offsets([place])[place]
    reader.seek_to_beginning(place)
    found: list[Batch] = []
    while len(found) < end:
        found += [
            decode_batch(message.value) for message in reader.poll(timeout_ms=500).get(place, [])
        ]
    reader.close()
    return found


def rows_published(broker: Broker, partition: int) -> list[int]:
    """The positions on `recorded`, in order."""
    return [row.position for batch in published(broker, partition) for row in batch.rows]


@pytest.mark.parametrize("group", [None, "tierfold-intake"])
def test_messages_become_events_and_batches(
    broker: Broker, sqlite_journal: Journal, group: str | None
) -> None:
    """Recorded in the journal, published once, in order; bad ones set aside.

    Every offset accounted for.
    """
    one, two = streams_of(0, 2)
    send(
        broker,
        0,
        write_batch([write(paid("1", one)), b'{"bad": 1}', write(paid("2", two))]),
        write(paid("1", one)),
        b"not json",
    )
    send(broker, 0, None, key=one.encode())
    with running(broker, sqlite_journal, group=group) as died:
        wait_until(lambda: sqlite_journal.counts().arrived == 6)

    assert not died
    assert sqlite_journal.counts() == Counts(arrived=6, recorded=2, already=1, quarantined=3)
    assert rows_published(broker, 0) == [row.position for row in sqlite_journal[0].read(0, 10)]
    assert {
        entry.field or entry.reason.split(":")[0] for entry in sqlite_journal[0].quarantined()
    } == {
        "specversion",
        "the value is null",
        "JSON is malformed",
    }


def test_a_stray_goes_to_its_own_shard(broker: Broker, sqlite_journal: Journal) -> None:
    """A core system with another partitioner splits no customer: forwarded, and counted."""
    [stray] = streams_of(1, 1)
    send(broker, 0, write(paid("1", stray)), key=stray.encode())
    with running(broker, sqlite_journal):
        wait_until(lambda: sqlite_journal.counts().recorded == 1)

    assert sqlite_journal[0].counts() == Counts(forwarded=1)
    assert sqlite_journal[1].counts() == Counts(arrived=1, recorded=1)
    assert sqlite_journal[0].head() == 0


DECISION = "d" * 32
ANSWER = proposed(OfferAccepted(decision=DECISION, offer="fund", channel="app"), "a", "customer:1")
DECIDED = proposed(
    OfferDecided(
        decision=DECISION,
        channel="app",
        offer="fund",
        offers=("fund",),
        features={},
        catalogue="c@1/0",
    ),
    DECISION,
    "customer:1",
    source=DECISIONS,
)


def test_an_answer_ahead_of_its_decision_is_recorded_behind_it(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """It goes to the end of the log, once or more; nothing else waits for it."""
    shard, value = shard_of("customer:1", SHARDS), write(DECIDED)
    send(broker, shard, write(ANSWER), write(paid("1", "customer:1")))
    own = [("content-type", STRUCTURED.encode()), VOUCHING.header(value)]
    producer = broker.producer()
    producer.send(INTERACTIONS, value=value, partition=shard, headers=own).get(timeout=10)
    producer.close()
    with running(broker, sqlite_journal) as died:
        wait_until(lambda: sqlite_journal.counts().recorded == 3)

    assert not died
    assert [event.id for event in sqlite_journal[shard].history("customer:1")] == [
        "1",
        DECISION,
        "a",
    ]


@pytest.mark.parametrize("tried", [None, b"-9", b"\xff", b"6"])
def test_an_answer_to_no_decision_of_ours_is_set_aside_after_a_while(
    broker: Broker, sqlite_journal: Journal, tried: bytes | None
) -> None:
    """Whatever a sender says of how often it was tried."""
    shard = shard_of("customer:1", SHARDS)
    said = [] if tried is None else [(intake.TRIED, tried)]
    producer = broker.producer()
    producer.send(INTERACTIONS, value=write(ANSWER), partition=shard, headers=said).get(timeout=10)
    producer.close()
    with running(broker, sqlite_journal) as died:
        wait_until(lambda: sqlite_journal.counts().arrived == 1)

    [entry] = sqlite_journal[shard].quarantined()
    assert not died
    assert (entry.field, entry.reason) == ("data.decision", "no such decision is recorded")
    assert sqlite_journal.counts() == Counts(arrived=1, quarantined=1, forwarded=5)


class Strange(str):
    """A header's name in no encoding that Kafka knows of."""

    __slots__ = ()

    def encode(self, *_args: str) -> bytes:
        """Bytes that are not UTF-8."""
        return b"c\xff\xfe"


def test_a_header_whose_name_is_not_utf8_stops_nobody(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """Its message is read like any other, and what comes before and after it in the
    same batch too.
    """
    producer, shard = broker.producer(), shard_of("customer:1", SHARDS)
    for name in "abc":
        headers = (
            [(Strange("x"), b"c\xff\xfe"), ("content-type", b"application/cloudevents+json")]
            if name == "b"
            else []
        )
        producer.send(
            INTERACTIONS, value=write(paid(name, "customer:1")), partition=shard, headers=headers
        )
    producer.send(INTERACTIONS, value=b"c\xff\xfe", partition=shard, headers=[(Strange("x"), b"")])
    producer.close()
    with running(broker, sqlite_journal) as died:
        wait_until(lambda: sqlite_journal.counts().arrived == 4)

    assert died == []
    assert sqlite_journal.counts() == Counts(arrived=4, recorded=3, quarantined=1)
    [entry] = sqlite_journal[shard].quarantined()
    assert (entry.original, json.loads(entry.sent_with or "")["headers"]) == (
        b"c\xff\xfe",
        {"c??": ""},
    )


def test_a_message_with_thousands_of_such_headers_stalls_nobody(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """Each name is looked at once."""
    producer, shard = broker.producer(), shard_of("customer:1", SHARDS)
    headers = [(Strange("x"), b"")] * 20_000
    producer.send(
        INTERACTIONS, value=write(paid("a", "customer:1")), partition=shard, headers=headers
    )
    producer.close()
    begun = time.monotonic()
    with running(broker, sqlite_journal):
        wait_until(lambda: sqlite_journal.counts().recorded == 1)

    assert time.monotonic() - begun < 10


def test_the_end_of_the_banks_day_is_recorded_in_every_shard(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """Sent once by a core system, and once more when in doubt."""
    day = write(proposed(DayClosed(date=NOON.date()), "day-1", BANK))
    send(broker, 1, day, day)
    with running(broker, sqlite_journal):
        wait_until(lambda: sqlite_journal.counts().arrived == 2 * SHARDS)

    assert [[row.stream for row in shard.read(0, 10)] for shard in sqlite_journal] == [
        ["shard:0"],
        ["shard:1"],
    ]
    assert sqlite_journal.counts() == Counts(arrived=4, recorded=2, already=2, forwarded=2)


@pytest.mark.parametrize("point", ["before_append", "between_append_and_publish", "after_publish"])
def test_after_a_crash_at_any_point_everything_is_recorded_and_published_once(
    broker: Broker, sqlite_journal: Journal, point: str
) -> None:
    """The next start publishes what was recorded and not published."""
    streams = streams_of(0, 5)

    def crash(at: str) -> None:
        if at == point:
            raise Crash

    send(broker, 0, *(write(paid(f"{number}", stream)) for number, stream in enumerate(streams)))
    with running(broker, sqlite_journal) as died:
        wait_until(lambda: len(rows_published(broker, 0)) == 5)
    assert not died
    send(
        broker, 0, *(write(paid(f"more-{number}", stream)) for number, stream in enumerate(streams))
    )
    with running(broker, sqlite_journal, crash) as died:
        wait_until(lambda: bool(died))
    with running(broker, sqlite_journal) as healthy:
        wait_until(lambda: len(rows_published(broker, 0)) == 10)

    assert isinstance(died[0], Crash)
    assert not healthy
    assert rows_published(broker, 0) == [row.position for row in sqlite_journal[0].read(0, 100)]
    assert sqlite_journal.counts() == Counts(arrived=10, recorded=10)


def test_a_broker_that_tells_a_short_end_has_lost_nothing(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """Where a batch of several messages is its last; another intake goes on behind it."""
    [stream] = streams_of(0, 1)
    [elsewhere] = streams_of(1, 1)
    producer = broker.producer()
    producer.send(INTERACTIONS, value=write(paid("0", elsewhere)), partition=1).get(timeout=10)
    for name in "ab":
        producer.send(INTERACTIONS, value=write(paid(name, stream)), partition=0)
    producer.flush()
    with running(broker, sqlite_journal):
        wait_until(lambda: sqlite_journal.counts().recorded == 3)
    told = broker.offsets([0])[0].end

    with running(broker, sqlite_journal) as died:
        threading.Event().wait(1.0)  # it goes on behind what it finds, before more comes
        producer.send(INTERACTIONS, value=write(paid("c", stream)), partition=0).get(timeout=10)
        wait_until(lambda: bool(died) or sqlite_journal.counts().recorded == 4)
    producer.close()

    assert (told, died) == (1, [])


def test_messages_that_are_gone_are_not_passed_over_in_silence(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """The journal has seen more than the broker still has.

    The log was cut, and intake says so and stops.
    """
    sqlite_journal[0].claim()
    sqlite_journal[0].record([], LogOffset(broker.logs()[0], 50), NOON)
    with running(broker, sqlite_journal) as died:
        wait_until(lambda: bool(died))

    assert isinstance(died[0], LogBroken)
    assert "the journal goes on at 51" in str(died[0])


@pytest.mark.parametrize("last", [b"\xc1 garbage", encode_batch(Batch(0, 2**62, []))])
def test_what_others_left_on_recorded_stops_no_start(
    broker: Broker, sqlite_journal: Journal, last: bytes
) -> None:
    """Garbage, or a batch of somebody else's: the journal is asked instead."""
    producer = broker.producer()
    producer.send(RECORDED, value=last, partition=0).get(timeout=10)
    producer.close()
    [stream] = streams_of(0, 1)
    send(broker, 0, write(paid("a", stream)))

    with running(broker, sqlite_journal) as died:
        wait_until(lambda: sqlite_journal[0].head() > 0 or bool(died))

    assert died == []
    assert sqlite_journal.counts().recorded == 1


def test_an_intake_that_lost_its_shard_stops(broker: Broker, sqlite_journal: Journal) -> None:
    """A second intake that claims the shard fences the first."""
    [stream] = streams_of(0, 1)
    with running(broker, sqlite_journal) as died:
        send(broker, 0, write(paid("1", stream)))
        wait_until(lambda: sqlite_journal.counts().recorded == 1)
        sqlite_journal[0]._recorder.change("UPDATE {p}owner SET epoch = epoch + 1 RETURNING epoch")
        send(broker, 0, write(paid("2", stream)))
        wait_until(lambda: bool(died))
    with running(broker, sqlite_journal):
        wait_until(lambda: sqlite_journal.counts().recorded == 2)

    assert isinstance(died[0], Fenced)
    assert sqlite_journal.counts() == Counts(arrived=2, recorded=2)


OWN = Proposed(
    "li.wei",
    "over",
    "customer:1",
    NOON,
    NOON.date(),
    TierOverridden(tier="private", approver="li.wei", reason="x", until=NOON.date()),
)


@pytest.mark.parametrize(
    "forged",
    [
        None,
        Vouching(b"another key, of thirty-two bytes.").header(write(OWN)),
        ("tierfold-own", b""),
        VOUCHING.header(b"another message"),
    ],
)
def test_our_own_word_is_not_taken_from_others(
    broker: Broker, sqlite_journal: Journal, forged: tuple[str, bytes] | None
) -> None:
    """An override, and anything in tierfold's name, without the code, by another key, or with the
    code of another message: quarantined.
    """
    in_our_name = proposed(
        TransactionPosted(transaction="t", account="a", amount=1, currency="CNY", kind="x"),
        source="tierfold/decisions",
    )
    producer = broker.producer()
    for event in (OWN, in_our_name):
        headers = [("content-type", b"application/cloudevents+json"), *([forged] if forged else [])]
        producer.send(
            INTERACTIONS,
            value=write(event),
            partition=shard_of("customer:1", SHARDS),
            headers=headers,
        )
    producer.flush()
    with running(broker, sqlite_journal):
        wait_until(lambda: sqlite_journal.counts().arrived == 2)
    producer.close()

    assert sqlite_journal.counts() == Counts(arrived=2, quarantined=2)
    assert {entry.reason for shard in sqlite_journal for entry in shard.quarantined()} == {
        "only the bank itself says this, over HTTP or by its commands"
    }


def test_our_own_word_is_recorded_and_stays_ours_where_it_is_sent_on(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """By the code over the message; a stray of it arrives in its own shard, and is
    believed there.
    """
    value = write(OWN)
    elsewhere = 1 - shard_of("customer:1", SHARDS)
    producer = broker.producer()
    producer.send(
        INTERACTIONS,
        value=value,
        partition=elsewhere,
        headers=[("content-type", b"application/cloudevents+json"), VOUCHING.header(value)],
    )
    producer.flush()
    with running(broker, sqlite_journal):
        wait_until(lambda: sqlite_journal.counts().recorded == 1)
    producer.close()

    assert sqlite_journal.counts() == Counts(arrived=1, recorded=1, forwarded=1)


def test_our_own_word_that_is_set_aside_is_counted_and_others_is_not(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """One that contradicts itself, one that cannot be read, and a forged one: two are our own."""
    before = OWN_WORD_SET_ASIDE._value.get()
    shard = shard_of("customer:1", SHARDS)
    contradicting = OWN._replace(data=TierOverridden.model_copy(OWN.data, update={"reason": "no"}))
    kind = ("content-type", STRUCTURED.encode())
    producer = broker.producer()
    for value in (write(OWN), write(contradicting), b'{"no": "event"}'):
        own = [kind, VOUCHING.header(value)]
        producer.send(INTERACTIONS, value=value, partition=shard, headers=own)
    producer.send(INTERACTIONS, value=write(OWN), partition=shard, headers=[kind])
    producer.flush()
    with running(broker, sqlite_journal):
        wait_until(lambda: sqlite_journal.counts().arrived == 4)
    producer.close()

    assert sqlite_journal.counts() == Counts(arrived=4, recorded=1, quarantined=3)
    assert OWN_WORD_SET_ASIDE._value.get() - before == 2


@pytest.mark.parametrize("partitions", [0, SHARDS - 1])
def test_intake_goes_on_where_no_sender_can_be_told(
    tmp_path: Path, sqlite_journal: Journal, partitions: int
) -> None:
    """Without topic `outcomes`, or with one that has a partition too few."""
    [stream] = streams_of(1, 1)
    with a_broker(tmp_path) as address:
        broker = Broker(address)
        broker.create_topics(SHARDS, names=[INTERACTIONS, RECORDED])
        if partitions:
            broker.create_topics(partitions, names=[OUTCOME_TOPIC])
        send(broker, 1, b"not an event", write(paid("1", stream)))
        with running(broker, sqlite_journal) as died:
            wait_until(lambda: sqlite_journal.counts().arrived == 2)
    assert not died
    assert sqlite_journal.counts() == Counts(arrived=2, recorded=1, quarantined=1)


def told(broker: Broker, partition: int) -> list[str]:
    """The ids of all that senders of a partition were told, once nothing more comes."""
    place = TopicPartition(OUTCOME_TOPIC, partition)
    reader = broker.consumer()
    reader.assign([place])
    reader.seek_to_beginning(place)
    found: list[str] = []
    while some := reader.poll(timeout_ms=1_000).get(place, []):
        found += [json.loads(message.value)["id"] for message in some]
    reader.close()
    return found


def test_a_sender_is_told_although_intake_died_before_it_told_anybody(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """What the topic has never told of is not taken for what a broker has lost."""

    def crash(point: str) -> None:
        if point == "after_publish":
            raise Crash

    send(broker, 1, b"not an event")
    with running(broker, sqlite_journal, crash) as died:
        wait_until(lambda: bool(died))
    with running(broker, sqlite_journal):
        wait_until(lambda: told(broker, 1) == ["1/1"])


def test_a_sender_is_told_once_however_often_intake_starts(
    broker: Broker, sqlite_journal: Journal
) -> None:
    """Also where the last that was told went out together."""
    send(broker, 1, b"not an event", b"nor this", b"and not that")
    for _ in range(3):
        with running(broker, sqlite_journal):
            wait_until(lambda: len(told(broker, 1)) >= 3)
    assert told(broker, 1) == ["1/1", "1/2", "1/3"]


def test_many_senders_are_told_turn_by_turn_and_in_order(
    broker: Broker, sqlite_journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit a turn has the next one, though nothing more comes in."""
    monkeypatch.setattr(intake, "TOLD_AT_ONCE", 1)
    monkeypatch.setattr(intake, "TOLD_A_TURN", 2)
    send(broker, 1, *(b"not an event %d" % number for number in range(5)))
    with running(broker, sqlite_journal):
        wait_until(lambda: len(told(broker, 1)) == 5)
    assert told(broker, 1) == [f"1/{number}" for number in range(1, 6)]


def test_what_a_broker_has_lost_is_not_told_once_more(
    tmp_path: Path, sqlite_journal: Journal
) -> None:
    """A topic made anew beside `interactions` made anew says nothing of what was told before."""
    for number, message in enumerate((b"not an event", b"nor this"), 1):
        home = tmp_path / str(number)
        home.mkdir()
        with a_broker(home) as address:
            broker = Broker(address)
            broker.create_topics(SHARDS)
            send(broker, 1, message)
            with running(broker, sqlite_journal):
                wait_until(partial(told, broker, 1))
            assert told(broker, 1) == [f"1/{number}"]
