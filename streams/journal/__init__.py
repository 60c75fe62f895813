"""The journal: every interaction, appended once, in order, for ever. The only door to the eventsourcing recorders."""

from streams.journal.codec import decode, encode
from streams.journal.journal import Journal
from streams.journal.outcomes import Arrival, Counts, Outcome, Rejected
from streams.journal.shard import Commit, Fenced, Row, Shard

__all__ = ["Arrival", "Commit", "Counts", "Fenced", "Journal", "Outcome", "Rejected", "Row", "Shard", "decode", "encode"]
