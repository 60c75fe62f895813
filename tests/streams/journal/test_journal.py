"""What every journal promises; SQLite and PostgreSQL alike."""

import threading
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from eventsourcing.persistence import IntegrityError, PersistenceError

from domain.accounts.events import TransactionPosted
from domain.envelope import Proposed
from domain.feedback.events import FeedbackGiven
from streams.journal import (
    Arrival,
    Counts,
    Fenced,
    Journal,
    Leaf,
    LogOffset,
    Rejected,
    Shard,
    previous_of,
    source_key,
)
from streams.journal.merkle import BLOCK, leaf_hash, root_over
from tests.conftest import proposed

LOG = "interactions/first-topic/0"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def paid(name: str, amount: int = 100, stream: str = "customer:1") -> Proposed:
    """A transaction at the front door."""
    data = TransactionPosted(
        transaction=name, account="a", amount=amount, currency="CNY", kind="card"
    )
    return proposed(data, name, stream)


def arrivals(*read: Proposed | Rejected, offset: int = 0) -> list[Arrival]:
    """Events as they came with one message."""
    return [Arrival(offset, item, b"original", each) for item, each in enumerate(read)]


@pytest.fixture
def shard(journal: Journal) -> Shard:
    """The first shard, claimed."""
    journal[0].claim()
    return journal[0]


def record(shard: Shard, *read: Proposed | Rejected, offset: int = 0) -> Counts:
    """Record one message."""
    return shard.record(arrivals(*read, offset=offset), LogOffset(LOG, offset), NOW).counts


def test_events_are_recorded_in_order_with_versions_of_their_stream(shard: Shard) -> None:
    """Positions rise; versions count from 1 in each stream."""
    commit = shard.record(
        arrivals(paid("1"), paid("2", stream="customer:2"), paid("3")), LogOffset(LOG, 0), NOW
    )
    events = [row.event() for row in shard.opened(commit.rows)]

    assert [(event.stream, event.version) for event in events] == [
        ("customer:1", 1),
        ("customer:2", 1),
        ("customer:1", 2),
    ]
    assert commit.after == 0
    assert [row.position for row in commit.rows] == sorted({row.position for row in commit.rows})
    assert shard.stored(0, 10) == commit.rows
    assert shard.read(0, 10) == shard.opened(commit.rows)
    assert shard.head() == commit.rows[-1].position


def test_a_resend_is_already_recorded_and_changes_nothing(shard: Shard) -> None:
    """The same id with the same content counts once."""
    record(shard, paid("1"))

    assert record(shard, paid("1"), paid("1"), offset=1) == Counts(arrived=2, already=2)
    assert len(shard.read(0, 10)) == 1


def test_a_resend_within_one_batch_is_already_recorded(shard: Shard) -> None:
    """A batch may repeat itself."""
    assert record(shard, paid("1"), paid("1")) == Counts(arrived=2, recorded=1, already=1)


def test_the_same_id_with_other_content_is_quarantined_as_a_conflict(shard: Shard) -> None:
    """A sender who contradicts himself is told so, and history stays."""
    record(shard, paid("1"))

    assert record(shard, paid("1", amount=999), offset=1) == Counts(arrived=1, quarantined=1)
    [entry] = shard.quarantined()
    assert (entry.reason.partition(":")[0], entry.field, entry.offset) == ("conflict", "id", 1)


def test_a_name_is_its_streams_own(shard: Shard) -> None:
    """Whoever has used it before, at once or ever, as if the other stream lay in another shard."""
    here, there, more = (paid("1", stream=f"customer:{number}") for number in range(3))

    assert record(shard, here, there, here) == Counts(arrived=3, recorded=2, already=1)
    assert record(shard, there, more, here, offset=1) == Counts(arrived=3, recorded=1, already=2)
    contradicted = paid("1", amount=999, stream="customer:1")
    assert record(shard, contradicted, offset=2) == Counts(arrived=1, quarantined=1)
    found = shard.find([here, there, more, paid("1", stream="customer:9")])
    assert [at and at.stream for at in found] == ["customer:0", "customer:1", "customer:2", None]


def test_quarantine_keeps_original_bytes_reason_and_place(shard: Shard) -> None:
    """One bad event loses nothing else of its batch."""
    counts = record(shard, paid("1"), Rejected("wrong", "data.amount"), paid("2"), offset=5)
    [entry] = shard.quarantined()

    assert counts == Counts(arrived=3, recorded=2, quarantined=1)
    assert (entry.log, entry.offset, entry.item, entry.reason, entry.field, entry.original) == (
        LOG,
        5,
        1,
        "wrong",
        "data.amount",
        b"original",
    )


def test_every_arrival_has_exactly_one_outcome(shard: Shard, journal: Journal) -> None:
    """In = recorded + already + quarantined + refused, at every commit."""
    record(shard, paid("1"), paid("1"), Rejected("bad"), offset=0)
    record(shard, paid("1", amount=5), paid("2"), offset=1)

    assert shard.counts() == Counts(arrived=5, recorded=2, already=1, quarantined=2)
    assert journal.counts().balanced()


def test_offset_and_events_are_one_transaction(shard: Shard) -> None:
    """What failed to be recorded has not moved the offset."""
    record(shard, paid("1"), offset=3)
    with pytest.raises(IntegrityError):
        shard.record(arrivals(paid("2")), LogOffset(LOG, 3), NOW)

    assert shard.tracked(LOG) == 3
    assert len(shard.read(0, 10)) == 1
    assert shard.known([source_key("test", "2")]) == {}


def test_offsets_of_a_topic_made_anew_begin_again(shard: Shard) -> None:
    """A broker that lost everything counts from 0; its log has another name."""
    record(shard, paid("1"), offset=41)
    shard.record(arrivals(paid("2")), LogOffset("interactions/second-topic/0", 0), NOW)

    assert (
        shard.tracked(LOG),
        shard.tracked("interactions/second-topic/0"),
        shard.tracked("interactions/third/0"),
    ) == (41, 0, -1)


def test_who_lost_a_shard_writes_nothing_more_to_it(shard: Shard, journal: Journal) -> None:
    """The journal fences an owner who does not know of the next."""
    record(shard, paid("1"))
    other = Shard(0, shard._recorder, shard._keyring)
    other.claim()

    with pytest.raises(Fenced):
        record(shard, paid("2"), offset=1)
    assert record(other, paid("2"), offset=1) == Counts(arrived=1, recorded=1)
    assert journal.counts() == Counts(arrived=2, recorded=2)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {p}stored_events SET topic = 'x' RETURNING topic",
        "DELETE FROM {p}stored_events RETURNING topic",
    ],
)
def test_events_cannot_be_changed(shard: Shard, change: str) -> None:
    """The database itself refuses UPDATE and DELETE."""
    record(shard, paid("1"))

    with pytest.raises(PersistenceError, match="immutable"):
        shard._recorder.change(change)
    assert len(shard.read(0, 10)) == 1


def test_a_stream_is_read_by_version(shard: Shard) -> None:
    """A customer's history, in pages."""
    record(shard, *(paid(str(number)) for number in range(5)), paid("other", stream="customer:2"))

    assert [event.version for event in shard.history("customer:1", after_version=2, limit=2)] == [
        3,
        4,
    ]


def test_versions_go_on_where_another_owner_stopped(shard: Shard) -> None:
    """A new owner knows what was written before."""
    record(shard, paid("1"))
    other = Shard(0, shard._recorder, shard._keyring)
    other.claim()

    [row] = other.record(arrivals(paid("2")), LogOffset(LOG, 1), NOW).rows
    assert shard.opened([row])[0].event().version == 2


def test_a_large_batch_is_one_commit(shard: Shard) -> None:
    """A thousand events, of a hundred streams."""
    events = [paid(str(number), stream=f"customer:{number % 100}") for number in range(1000)]

    assert record(shard, *events) == Counts(arrived=1000, recorded=1000)
    assert record(shard, *events, offset=1) == Counts(arrived=1000, already=1000)


def test_a_commit_of_megabytes_is_one_too(shard: Shard) -> None:
    """Much more than what goes over the wire at once.

    Trap: a pipeline to PostgreSQL would stop for ever.
    """
    said = [
        proposed(
            FeedbackGiven(text="意见" * 600, channel="app"), f"{number}", f"customer:{number % 100}"
        )
        for number in range(1000)
    ]

    for offset in range(3):
        assert record(
            shard, *(each._replace(id=f"{each.id}/{offset}") for each in said), offset=offset
        ) == Counts(arrived=1000, recorded=1000)


def test_a_reader_beside_the_writer_misses_nothing(shard: Shard) -> None:
    """Reading behind the last position seen gives every event once, in order."""
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set() or shard.head() > (seen[-1] if seen else 0):
            seen.extend(row.position for row in shard.read(seen[-1] if seen else 0, 100))

    reader = threading.Thread(target=read)
    reader.start()
    for offset in range(20):
        record(shard, *(paid(f"{offset}-{number}") for number in range(50)), offset=offset)
    done.set()
    reader.join(timeout=30)

    assert seen == [row.position for row in shard.read(0, 2000)]
    assert len(seen) == 1000


def test_re_driven_entries_are_marked(shard: Shard) -> None:
    """What was sent again is known."""
    record(shard, Rejected("bad"))
    [entry] = shard.quarantined()
    shard.redriven(entry.number, NOW)

    assert shard.quarantined()[0].redriven_at == NOW.isoformat()


def test_a_business_date_is_content(shard: Shard) -> None:
    """All that the sender said is compared."""
    record(shard, paid("1"))

    assert record(shard, paid("1")._replace(business_date=date(2026, 3, 1)), offset=1) == Counts(
        arrived=1, quarantined=1
    )


def test_a_journal_keeps_its_number_of_shards(journal: Journal) -> None:
    """With another number, a customer's events would go on in another shard."""
    journal[0].claim()

    with pytest.raises(ValueError, match="this journal has 2 shards, not 3"):
        Journal(journal.url, 3)[0].claim()


def test_a_journal_elsewhere_is_refused() -> None:
    """Only what is tested."""
    with pytest.raises(ValueError, match="sqlite:/// or postgresql://"):
        Journal("mysql://somewhere", 2)


def test_every_event_is_a_leaf_and_names_the_hash_of_the_one_before_in_its_stream(
    shard: Shard,
) -> None:
    """The tree is over the stored bytes, in order, over commits of any size.

    Each stream is a chain.
    """
    streams = ["customer:1", "customer:2", "customer:1", "customer:3"]
    for start, size in ((0, 1), (1, 3), (4, 700), (704, 2)):
        record(
            shard,
            *(
                paid(f"{number}", stream=streams[number % 4])
                for number in range(start, start + size)
            ),
            offset=start,
        )
    rows, leaves = shard.stored(0, 1_000), list(shard.leaves(0))
    chains: dict[str, bytes] = {}
    for row in rows:
        assert previous_of(row.state) == chains.get(row.stream)
        chains[row.stream] = leaf_hash(row.state)

    assert leaves == [Leaf(row.position, leaf_hash(row.state)) for row in rows]
    assert shard.size() == 706
    assert shard.blocks() == [
        root_over(leaf.hash for leaf in leaves[start : start + BLOCK]) for start in (0, BLOCK)
    ]
    assert [shard.index_of(row.position) for row in (rows[0], rows[3], rows[703], rows[705])] == [
        0,
        3,
        703,
        705,
    ]
    assert {stream: end.hash for stream, end in shard.ends(rows[-1].position).items()} == chains
    with pytest.raises(ValueError, match="no leaf"):
        shard.index_of(rows[-1].position + 1)


def test_a_tree_goes_on_where_another_owner_stopped(shard: Shard, journal: Journal) -> None:
    """Whoever claims the shard next has its leaves, its blocks and the ends of its streams."""
    record(shard, *(paid(f"{number}") for number in range(300)))
    again = Journal(journal.url, len(journal), journal.keyring)
    again[shard.number].claim()
    record(again[shard.number], *(paid(f"{number}") for number in range(300, 600)), offset=1)
    rows = shard.stored(0, 1_000)

    assert [leaf.hash for leaf in shard.leaves(0)] == [leaf_hash(row.state) for row in rows]
    assert shard.blocks() == [
        root_over(leaf_hash(row.state) for row in rows[start : start + BLOCK])
        for start in (0, BLOCK)
    ]
    assert all(previous_of(row.state) == leaf_hash(before.state) for before, row in pairwise(rows))
    again.close()


def test_a_shard_whose_tree_does_not_end_where_its_events_do_is_not_claimed(shard: Shard) -> None:
    """Nothing is built on what was changed."""
    record(shard, paid("1"), paid("2"))
    shard._recorder.change(
        "DROP TRIGGER leaves_no_delete"
        if shard._recorder.position == "rowid"
        else "ALTER TABLE {p}leaves DISABLE TRIGGER no_change"
    )
    shard._recorder.change("DELETE FROM {p}leaves")

    with pytest.raises(ValueError, match="verify the journal"):
        shard.claim()
