"""Redis loses a million customers: how soon is everything there again, and is it what it was?"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from deploy.bench.parts import Figure, settings_in
from deploy.embedded.supervisor import running
from deploy.operations.digest import live_digests, rebuilt_digests
from deploy.operations.summary import wait_until_settled
from deploy.settings import Settings
from deploy.wiring import journal_of, store_of
from domain.accounts.events import AccountOpened, TransactionPosted
from domain.customers.events import CustomerOnboarded
from domain.envelope import Proposed
from streams.broker.routing import shard_of
from streams.journal import Arrival, LogOffset, Shard

KNOWN = 1_000_000
SAVED_STATES = 5_000
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PATIENCE = 1_800.0


def loss(known: int = KNOWN) -> list[Figure]:
    """Seconds from the loss until every group has read every shard again, of so many customers with
    three events each; and states that differ then.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_in(Path(folder))
        events = _recorded(settings, known)
        with running(settings):
            asyncio.run(wait_until_settled(settings, PATIENCE))
            before = asyncio.run(live_digests(settings))
            begun = time.perf_counter()
            asyncio.run(store_of(settings).clear())
            asyncio.run(wait_until_settled(settings, PATIENCE))
            seconds = time.perf_counter() - begun
            after = asyncio.run(live_digests(settings))
        differ = sum(
            after[name] != each
            for name, each in (*before.items(), *asyncio.run(rebuilt_digests(settings)).items())
        )
    return [
        Figure("redis_lost_s", seconds, "s"),
        Figure("redis_lost_rate", events / seconds, "events/s"),
        Figure("redis_lost_projections_that_differ", differ, "projections"),
    ]


def _recorded(settings: Settings, known: int) -> int:
    """Put them into the journal, sealed and proven; gives how many events there are."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    journal = journal_of(settings)
    count = sum(_fill(shard, settings.shards, known) for shard in journal)
    journal.close()
    return count


def _fill(shard: Shard, shards: int, known: int) -> int:
    shard.claim()
    mine = (
        event
        for number in range(known)
        if shard_of(f"customer:{number}", shards) == shard.number
        for event in _history(number)
    )
    offset = 0
    while some := list(itertools.islice(mine, SAVED_STATES)):
        shard.record(
            [Arrival(offset, item, b"", event) for item, event in enumerate(some)],
            LogOffset("bench", offset),
            NOON,
        )
        offset += 1
    return shard.head()


def _history(number: int) -> Iterator[Proposed]:
    """Onboarded, an account, a payment into it."""
    account = f"a-{number}"
    said = (
        CustomerOnboarded(name=f"Customer {number}", source="branch"),
        AccountOpened(account=account, product="savings", asset_class="deposit", currency="CNY"),
        TransactionPosted(
            transaction=f"t-{number}",
            account=account,
            amount=10_000 + number % 7_919,
            currency="CNY",
            kind="transfer",
        ),
    )
    for place, data in enumerate(said):
        yield Proposed("bench", f"{number}-{place}", f"customer:{number}", NOON, NOON.date(), data)
