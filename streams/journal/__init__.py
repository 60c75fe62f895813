"""The journal: every interaction, appended once, in order, for ever. The only door to the eventsourcing recorders."""

from streams.journal.codec import decode, encode, part_decoder
from streams.journal.journal import Journal
from streams.journal.outcomes import Arrival, Counts, Rejected, identify, source_key
from streams.journal.shard import Commit, Entry, Fenced, Known, LogOffset, Row, Shard

__all__ = [
    "Arrival",
    "Commit",
    "Counts",
    "Entry",
    "Fenced",
    "Journal",
    "Known",
    "LogOffset",
    "Rejected",
    "Row",
    "Shard",
    "decode",
    "encode",
    "identify",
    "part_decoder",
    "source_key",
]
