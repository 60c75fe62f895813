"""Which shard an event belongs to, and that Kafka's own producers agree."""

import pytest
from aiokafka.partitioner import DefaultPartitioner

from domain.bank.events import DayClosed
from domain.event import BANK
from streams.broker.routing import shard_of, spread
from tests.conftest import NOON, proposed


@pytest.mark.parametrize("shards", [1, 4, 7, 64])
def test_the_shard_is_the_partition_that_kafka_producers_choose(shards: int) -> None:
    """murmur2, as in Java; aiokafka's partitioner is the witness."""
    partitions, choose = list(range(shards)), DefaultPartitioner()

    for number in range(500):
        stream = f"customer:{number}"
        assert shard_of(stream, shards) == choose(stream.encode(), partitions, partitions)


def test_what_concerns_the_bank_goes_to_every_shard_under_its_own_id() -> None:
    """One end of day, one event in each shard, and a resend makes no second."""
    day = proposed(DayClosed(date=NOON.date()), "day-1", BANK)
    copies = list(spread(day, 3))

    assert [(copy.stream, copy.id) for copy in copies] == [
        ("shard:0", "day-1/0"),
        ("shard:1", "day-1/1"),
        ("shard:2", "day-1/2"),
    ]
    assert [shard_of(copy.stream, 3) for copy in copies] == [0, 1, 2]
    assert list(spread(day, 3)) == copies
