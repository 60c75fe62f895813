"""The journal: every interaction, appended once, in order, for ever. The only door to the eventsourcing recorders."""

from streams.journal.codec import decode, encode, part_decoder, previous_of
from streams.journal.journal import Journal
from streams.journal.outcomes import Arrival, Counts, Rejected, identify, source_key
from streams.journal.shard import Commit, End, Entry, Fenced, Known, Leaf, LogOffset, Row, Shard

__all__ = [
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
    "Rejected",
    "Row",
    "Shard",
    "decode",
    "encode",
    "identify",
    "part_decoder",
    "previous_of",
    "source_key",
]
