"""What is undone is held to what was posted."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from domain.accounts.events import TransactionPosted, TransactionReversed
from domain.envelope import Proposed
from streams.ingest.reversals import doubt_of_reversal
from streams.journal import Arrival, Journal, LogOffset, Shard
from tests.conftest import NOON, TODAY, keyring_in, proposed

SUBJECT = "customer:1"


def posted(amount: int, name: str = "p") -> Proposed:
    """A transaction."""
    said = TransactionPosted(transaction="t", account="a", amount=amount, currency="CNY", kind="x")
    return proposed(said, name, SUBJECT)


def undone(amount: int, name: str = "r", day: date = TODAY, of: str = "p") -> Proposed:
    """Its reversal."""
    said = TransactionReversed(event=of, account="a", amount=amount, currency="CNY", posted=TODAY)
    return proposed(said, name, SUBJECT, day)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal with keys, in which a transaction of 100 is posted."""
    made = Journal(f"sqlite://{tmp_path}/journal", 1, keyring_in(tmp_path))
    made[0].claim()
    record(made[0], posted(100))
    return made


def record(shard: Shard, *events: Proposed) -> None:
    """Record events in one commit."""
    at = shard.tracked("log") + 1
    arrivals = [Arrival(at, item, b"", event) for item, event in enumerate(events)]
    shard.record(arrivals, LogOffset("log", at), NOON)


def test_what_is_recorded_counts_and_not_what_contradicts_it(journal: Journal) -> None:
    """Where both come at once: what contradicts is set aside, and moves nothing."""
    doubt = doubt_of_reversal(undone(500), journal[0], [posted(500)])

    assert doubt is not None
    assert doubt.field == "data.amount"
    assert doubt_of_reversal(undone(100), journal[0], [posted(500)]) is None
    assert doubt_of_reversal(undone(500, of="q"), journal[0], [posted(500, "q")]) is None


def test_two_that_undo_the_same_at_once_are_not_both_believed(journal: Journal) -> None:
    """The same one sent again is no other."""
    first, other = undone(100), undone(100, "other")

    assert doubt_of_reversal(first, journal[0], [first]) is None
    assert doubt_of_reversal(other, journal[0], [first]) is not None


def test_who_is_restricted_has_transactions_undone_once_like_others(journal: Journal) -> None:
    """What comes for them goes on being recorded, and is held to what they alone may not see."""
    assert journal.keyring is not None
    journal.keyring.restrict([SUBJECT])

    assert doubt_of_reversal(undone(100), journal[0]) is None
    record(journal[0], undone(100))
    doubt = doubt_of_reversal(undone(100, "again"), journal[0])
    assert doubt is not None
    assert "undone already" in doubt.reason


def test_nothing_is_undone_before_it_was_posted(journal: Journal) -> None:
    """By the business dates."""
    doubt = doubt_of_reversal(undone(100, day=TODAY - timedelta(1)), journal[0])

    assert doubt is not None
    assert doubt.field == "businessdate"
