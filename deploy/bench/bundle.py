"""How long does it take to prove a customer's history to others?

A thousand events of one, in a shard of two hundred thousand.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.bench.parts import Figure, median
from deploy.bench.path import event_of
from deploy.policy_files import read_policy
from deploy.settings import POLICIES
from domain.envelope import Proposed
from projections.rollout.versions import Rules
from replay.evidence.bundle import Maker
from replay.evidence.notary import Notary
from replay.evidence.signed_note import Signer
from replay.evidence.verify_bundle import audit
from streams.ingest.cloudevents import read_event
from streams.journal import Arrival, Journal, LogOffset

EVENTS = 200_000
OWN_EVERY = 200
COMMIT = 1_000


def bundle() -> list[Figure]:
    """Seconds to make a bundle, and to verify it offline.

    The customer's events lie all over the shard.
    """
    with tempfile.TemporaryDirectory() as folder:
        journal, evidence = Journal(f"sqlite://{folder}/journal", 1), Path(folder) / "evidence"
        _fill(journal)
        notary, maker = Signer("bench", b"\1" * 32), Signer("bench/bundles", b"\2" * 32)
        signing = _seconds(
            lambda: Notary(journal, evidence, notary.name, notary, None, 1, timedelta(0)).sign()
        )
        policy, keys, now = (
            read_policy(POLICIES / "tiers" / "bohai-retail.yaml"),
            [notary.public, maker.public],
            datetime.now(UTC),
        )
        rules = Rules.of(policy)
        made = Maker(journal, evidence, keys, policy, maker).bundle("customer:0", now, rules)
        making = median(
            lambda: _seconds(
                lambda: Maker(journal, evidence, keys, policy, maker).bundle(
                    "customer:0", now, rules
                )
            )
        )
        verifying = median(lambda: _seconds(lambda: audit(made.content, keys)))
        assert made.events == EVENTS // OWN_EVERY
        journal.close()
    return [
        Figure("bundle_made_s", making, "s"),
        Figure("bundle_verified_s", verifying, "s"),
        Figure("notary", EVENTS / signing, "events/s"),
    ]


def _fill(journal: Journal) -> None:
    shard = journal[0]
    shard.claim()
    for start in range(0, EVENTS, COMMIT):
        numbers = range(start, start + COMMIT)
        arrivals = [Arrival(number, 0, b"", _event(number)) for number in numbers]
        shard.record(arrivals, LogOffset("bench", start), datetime.now(UTC))


def _event(number: int) -> Proposed:
    customer = 0 if number % OWN_EVERY == 0 else number % 10_000 + 1
    _, raw = event_of(f"customer:{customer}", f"{number}")
    read = read_event(raw)
    assert isinstance(read, Proposed)
    return read


def _seconds(measured: Callable[[], object]) -> float:
    begun = time.perf_counter()
    measured()
    return time.perf_counter() - begun
