"""What follows from events is told once, however a release calls it."""

from domain.envelope import following
from domain.households.events import MembershipChanged
from streams.journal import Arrival, Journal, LogOffset
from streams.publish.reactions import told
from tests.conftest import NOON, proposed, recorded

DATA = MembershipChanged(member="customer:1", held=())


def test_what_an_older_release_has_told_is_not_told_again(sqlite_journal: Journal) -> None:
    """It named the stream of a cause no more than the cause; another member's word is new."""
    older, other = (
        following(recorded(DATA, stream=f"customer:{number}"), "member", "household:1", DATA, by=by)
        for number, by in ((1, ""), (2, "customer:2"))
    )
    now = following(recorded(DATA), "member", "household:1", DATA, by="customer:1")
    shard = sqlite_journal[0]
    shard.claim()
    shard.record([Arrival(0, 0, b"", older)], LogOffset("log", 0), NOON)

    assert told(shard, [older, now, proposed(DATA, "2", "household:1")]) == [True, True, False]
    assert now.id != other.id
