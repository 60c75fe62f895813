"""The journal: every interaction, appended once, in order, for ever.

The only door to the eventsourcing recorders.
"""

from streams.journal.codec import Newer, decode, part_decoder, previous_of, recorded_at_of
from streams.journal.journal import Journal
from streams.journal.outcomes import Arrival, Counts, Refused, Rejected, source_key
from streams.journal.quarantine import Entry
from streams.journal.rows import FORGOTTEN, Row
from streams.journal.shard import LAST_POSITION, Commit, End, Fenced, Known, Leaf, LogOffset, Shard

__all__ = [
    "FORGOTTEN",
    "LAST_POSITION",
    "Arrival",
    "Commit",
    "Counts",
    "End",
    "Entry",
    "Fenced",
    "Journal",
    "Known",
    "Leaf",
    "LogOffset",
    "Newer",
    "Refused",
    "Rejected",
    "Row",
    "Shard",
    "decode",
    "part_decoder",
    "previous_of",
    "recorded_at_of",
    "source_key",
]
