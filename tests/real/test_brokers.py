"""Three brokers, of which one is lost at a time.

What was acknowledged is there, and somebody goes on acknowledging soon.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.wiring import broker_of, journal_of
from domain.customers.events import ChannelVisited
from streams.broker.kafka import GROUP, SESSION_MS
from streams.broker.routing import shard_of
from streams.ingest.cloudevents import write
from streams.journal import Journal
from streams.publish.confirmed_producer import ConfirmedProducer, Delivered
from tests.conftest import proposed, wait_until
from tests.real.conftest import Real, settings_beside, started
from tests.streams.ingest.test_intake import SHARDS, paid, send, streams_of
from tests.streams.ingest.test_intake import running as intake

pytestmark = pytest.mark.real

PAUSE = 0.01
LOST = 4.0
"""Seconds for which a broker is away: long enough for others to take over."""
RECOVERY = 30.0
"""Seconds after which every partition must be acknowledged again."""


@dataclass
class Sender:
    """Sends visits of ever new customers, one after another, and knows which were
    acknowledged when.
    """

    producer: ConfirmedProducer
    shards: int
    sent: list[tuple[str, int, "Future[Delivered]"]] = field(default_factory=list)
    acknowledged: dict[str, tuple[int, float]] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop."""
        while not stop.wait(PAUSE):
            name = f"{len(self.sent)}"
            event = proposed(
                ChannelVisited(channel="app"), name, f"customer:{name}", source="sender"
            )
            shard = shard_of(event.stream, self.shards)
            done = self.producer.submit(shard, write(event))
            done.add_done_callback(
                lambda _done, name=name, shard=shard: self.acknowledged.setdefault(
                    name, (shard, time.monotonic())
                )
            )
            self.sent.append((name, shard, done))

    def seconds_until_all_shards(self, since: float) -> float:
        """How long it took until every shard had something acknowledged that was acknowledged after
        a moment; infinity if it was not yet.
        """
        firsts: dict[int, float] = {}
        for shard, at in list(self.acknowledged.values()):
            if at > since:
                firsts.setdefault(shard, at)
        return max(firsts.values()) - since if len(firsts) == self.shards else float("inf")


@contextmanager
def sending(running: Real) -> Iterator[Sender]:
    """A sender in the background; at the end all that was sent has been acknowledged."""
    stop = threading.Event()
    with ConfirmedProducer(broker_of(running.settings), None) as producer:
        sender = Sender(producer, running.settings.shards)
        thread = threading.Thread(target=sender.run, args=(stop,))
        thread.start()
        try:
            yield sender
        finally:
            stop.set()
            thread.join()
        producer.close(patience=60)
    assert len(sender.acknowledged) == len(sender.sent)


def test_one_of_three_brokers_is_lost_at_a_time_and_nothing_acknowledged_is(
    beside: Callable[..., Real],
) -> None:
    """Each of the three is killed, is away for a while, and comes back, while events come in.

    All are recorded, once.
    """
    running = beside(brokers=3, watched=False)
    recoveries = []
    with sending(running) as sender:
        time.sleep(2)
        for broker in running.parts.kafka.brokers:
            broker.kill()
            killed = time.monotonic()
            assert broker.pid is None
            time.sleep(LOST)
            assert broker.pid is None, "nobody was to start it again"
            wait_until(
                lambda killed=killed: sender.seconds_until_all_shards(killed + PAUSE) < RECOVERY
            )
            recoveries.append(round(sender.seconds_until_all_shards(killed + PAUSE), 1))
            broker.start()
            broker.wait()
            wait_until(
                lambda: (
                    not running.parts.kafka.tool(
                        "kafka-topics.sh", "--describe", "--under-replicated-partitions"
                    ).strip()
                )
            )
    running.arrive(len(sender.sent))
    running.settle()

    recorded = Counter(
        event.id
        for shard in journal_of(running.settings)
        for event in shard.events(())
        if event.source == "sender"
    )
    print(
        f"{len(sender.sent)} sent and acknowledged; every shard acknowledged again after "
        f"{recoveries} s"
    )
    assert recorded == Counter(name for name, _, _ in sender.sent)
    assert running.counts().balanced()
    running.must_agree()


def test_a_slow_claim_costs_no_membership_of_the_group(
    tmp_path: Path, sqlite_journal: Journal
) -> None:
    """It may take longer than a group waits for a member's word: nothing begins anew."""
    begun: list[float] = []

    def slowly(point: str) -> None:
        if point == "before_claim":
            begun.append(time.monotonic())
            time.sleep(SESSION_MS / 1_000 * 0.7)

    [one] = streams_of(1, 1)
    with started() as parts:
        broker = broker_of(settings_beside(parts, tmp_path))
        broker.create_topics(SHARDS)
        send(broker, 1, write(paid("1", one)))
        with intake(broker, sqlite_journal, slowly, GROUP) as died:
            wait_until(lambda: bool(died) or sqlite_journal[1].head() == 1)
            time.sleep(SESSION_MS / 1_000)
            send(broker, 1, write(paid("2", one)))
            wait_until(lambda: bool(died) or sqlite_journal[1].head() == 2)

    assert (died, len(begun)) == ([], SHARDS)
