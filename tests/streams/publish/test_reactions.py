"""What follows from events is told once, however a release calls it."""

from domain.envelope import Proposed, following
from domain.households.events import MembershipChanged
from streams.journal import Arrival, Journal, LogOffset
from streams.publish.reactions import told
from tests.conftest import NOON, recorded


def joined(number: int, by: str = "") -> Proposed:
    """What the household hears of a customer whose event has the same name as the others'."""
    said = MembershipChanged(member=f"customer:{number}", held=())
    cause = recorded(said, stream=f"customer:{number}")
    return following(cause, "member", "household:1", said, by=by)


def test_what_an_older_release_has_told_is_not_told_again(sqlite_journal: Journal) -> None:
    """It named the stream of a cause no more than the cause; another member's word is new."""
    older, now, other = joined(1), joined(1, "customer:1"), joined(2, "customer:2")
    shard = sqlite_journal[0]
    shard.claim()
    shard.record([Arrival(0, 0, b"", older)], LogOffset("log", 0), NOON)

    assert told(shard, [older, now, other]) == [True, True, False]
