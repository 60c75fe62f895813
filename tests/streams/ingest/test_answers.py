"""What is said of a decision is held to what was decided."""

from collections.abc import Iterator

import pytest

from domain.envelope import Proposed
from domain.event import Interaction
from domain.offers.events import (
    DECISIONS,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferPresented,
)
from streams.ingest.answers import UNKNOWN, doubt_of_answer
from streams.journal import Arrival, Journal, LogOffset, Rejected, Shard
from tests.conftest import NOON, proposed

NUMBER, OLDER = "a" * 32, "b" * 32
WHO = "customer:1"


def decided(number: str, **said: object) -> Proposed:
    """A decision of ours."""
    data = OfferDecided(
        decision=number, channel="app", offer="fund", features={}, catalogue="c@1/0", **said
    )
    return proposed(data, number, WHO, source=DECISIONS)


@pytest.fixture
def journal(sqlite_journal: Journal) -> Journal:
    """A journal whose first shard has two decisions: of now, and of an older release."""
    sqlite_journal[0].claim()
    made = (decided(NUMBER, offers=("fund", "card"), limit=2), decided(OLDER))
    arrivals = [Arrival(0, item, b"", event) for item, event in enumerate(made)]
    sqlite_journal[0].record(arrivals, LogOffset("log", 0), NOON)
    return sqlite_journal


@pytest.mark.parametrize(
    ("data", "who", "shard", "found"),
    [
        (OfferPresented(decision=NUMBER, offer="card", channel="app"), WHO, 0, None),
        (OfferAccepted(decision=NUMBER, offer="fund", channel="app"), WHO, 0, None),
        (OfferDeclined(decision=OLDER, offer="fund", channel="app"), WHO, 0, None),
        (OfferDeclined(decision=NUMBER, offer="loan", channel="app"), WHO, 0, "data.offer"),
        (OfferDeclined(decision=OLDER, offer="card", channel="app"), WHO, 0, "data.offer"),
        (
            OfferAccepted(decision=NUMBER, offer="fund", channel="app"),
            "customer:2",
            0,
            "data.decision",
        ),
        (
            OfferAccepted(decision=NUMBER, offer="fund", channel="app"),
            "customer:3",
            1,
            "data.decision",
        ),
        (OfferAccepted(decision="theirs/7", offer="loan", channel="app"), WHO, 0, None),
    ],
)
def test_an_answer_is_of_this_customer_and_of_what_was_shown(
    journal: Journal, data: Interaction, who: str, shard: int, found: str | None
) -> None:
    """Also where the customer's shard has it not; what other systems decide is theirs to know."""
    doubt = doubt_of_answer(proposed(data, stream=who), journal[shard], journal)

    assert (doubt.field if isinstance(doubt, Rejected) else doubt) == found


def test_a_decision_that_nobody_has_may_still_come(journal: Journal) -> None:
    """It is told from one that was made for somebody else."""
    data = OfferAccepted(decision="c" * 32, offer="fund", channel="app")

    assert doubt_of_answer(proposed(data, stream=WHO), journal[0], journal) is UNKNOWN


def test_a_decision_that_is_recorded_while_it_is_looked_for_is_nobody_elses(
    sqlite_journal: Journal,
) -> None:
    """Told a moment ago, and answered at once."""
    sqlite_journal[0].claim()
    answer = OfferAccepted(decision=NUMBER, offer="fund", channel="app")

    def others() -> Iterator[Shard]:
        made = Arrival(0, 0, b"", decided(NUMBER, offers=("fund",)))
        sqlite_journal[0].record([made], LogOffset("log", 0), NOON)
        yield from sqlite_journal

    assert doubt_of_answer(proposed(answer, stream=WHO), sqlite_journal[0], others()) is None
