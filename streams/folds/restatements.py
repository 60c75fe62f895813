"""Which restatements are there, and has each reached all whom it concerns?

Steps are few; so they are read from the journal by whoever asks.
"""

from domain.restatements import lifecycle
from domain.restatements.events import STREAM, RestatementStep
from domain.restatements.lifecycle import Restatements
from streams.broker.routing import shard_of
from streams.journal import Journal
from streams.observability.metrics import RESTATEMENTS_UNFINISHED


def restatements(journal: Journal, until: str | None = None) -> Restatements:
    """What was decided, by the journal; if asked for, only what was before the step of this id."""
    state, version = Restatements(), 0
    shard = journal[shard_of(STREAM, len(journal))]
    while events := shard.history(STREAM, version):
        for event in events:
            if event.id == until:
                return state
            if isinstance(event.data, RestatementStep):
                state = lifecycle.evolve(state, event.data)
        version = events[-1].version
    return state


def tell_unfinished(journal: Journal) -> None:
    """Let the metric say how many have not reached all."""
    known = restatements(journal).known.values()
    RESTATEMENTS_UNFINISHED.set(sum(each.is_unfinished for each in known))
