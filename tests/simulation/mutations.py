"""Ways in which our code could be wrong.

Small edits of it, of which the simulation has to find every one.
"""

import inspect
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from projections.store import MemoryStore
from streams.folds.derived_fold import DerivedFold
from streams.folds.shard_fold import ShardFold
from streams.folds.stream_state import StreamState
from streams.ingest.intake import Intake
from streams.journal import Shard, sqlite
from streams.journal.sqlite import SQLiteShardRecorder


class Edit(NamedTuple):
    """In a function of a class or module, one piece of text becomes another."""

    owner: Any
    name: str
    old: str
    new: str


MUTATIONS: dict[str, Sequence[Edit]] = {
    "what was folded is folded again": [
        Edit(
            ShardFold,
            "_advance",
            "[row for row in batch.rows if row.position > self._upto]",
            "list(batch.rows)",
        ),
        Edit(
            StreamState, "fold", "[row for row in rows if row.position > self.upto]", "list(rows)"
        ),
    ],
    "a gap is taken for nothing": [
        Edit(ShardFold, "_advance", "if batch.after > self._upto:", "if False:"),
    ],
    "an append that failed is published": [
        Edit(
            Shard,
            "record",
            "self._recorder.insert_events(",
            "hopefully(self._recorder.insert_events, self._head)(",
        ),
    ],
    "how far a log is dealt with is not recorded": [
        Edit(
            SQLiteShardRecorder,
            "_insert_events",
            'self._insert_tracking(c, kwargs["tracking"])',
            "pass",
        ),
    ],
    "the offset is recorded before the events": [
        Edit(
            Intake,
            "_commit",
            'self._fault("before_append")',
            'self._journal[partition].record([], LogOffset(self._logs[partition], offset), self._clock()); self._fault("before_append")',  # noqa: E501
        ),
        Edit(
            Intake,
            "_commit",
            "arrivals, LogOffset(self._logs",
            "arrivals, LogOffset('x' + self._logs",
        ),
    ],
    "offsets of one incarnation of a topic are compared with those of another": [
        Edit(Intake, "_commit", "self._logs[partition]", "f'interactions/1/{partition}'"),
        Edit(Intake, "_claim", "self._logs[number]", "f'interactions/1/{number}'"),
    ],
    "an intake goes on where the log ends": [
        Edit(Intake, "_next_offset", "return tracked + 1", "return end"),
    ],
    "the position moves before what follows is in the journal": [
        Edit(
            ShardFold,
            "_flush",
            "await self._send(proposed)",
            "await self._save(changed, upto)",
        ),
        Edit(
            ShardFold,
            "_flush",
            "await self._save(changed, upto)\n",
            "await self._send(proposed)\n",
        ),
    ],
    "nobody asks in which streams something is due": [
        Edit(
            ShardFold,
            "_due",
            "{*due, *self._changed}",
            "{*self._changed}",
        ),
    ],
    "what is due of late is not asked for": [
        Edit(ShardFold, "_due", ", *self._changed}", "}"),
    ],
    "a worker that was superseded goes on": [
        Edit(
            ShardFold,
            "_put",
            "self._etag), upto, states)",
            "self._etag), upto, states) or Progress(upto, (await "
            "self._store.reached(self.place)).etag)",
        ),
    ],
    "a worker keeps what it has folded and could not save": [
        Edit(ShardFold, "_forget", "self._cache.clear()", "pass"),
    ],
    "what is derived does not wait for what it is derived from": [
        Edit(DerivedFold, "_advance", "min(batch.upto, await self._sources_upto())", "batch.upto"),
        Edit(DerivedFold, "_claim", "if await self._sources_upto() < self._until:", "if False:"),
    ],
    "two fold one shard at once": [
        Edit(ShardFold, "advance", "async with self._busy:", "if True:"),
    ],
    "nothing is published": [
        Edit(Intake, "_commit", "self._publish(partition, batch)", "pass"),
    ],
    "what was recorded and not published stays so": [
        Edit(Intake, "_claim", "self._publish_missed(number)", "pass"),
    ],
    "nobody looks whether it was published": [
        Edit(Intake, "turn", "self._check_published()", "pass"),
    ],
    "a shard says that it has folded all without looking whether they are there": [
        Edit(ShardFold, "_broadcast", "await self._must_be_here()", "pass"),
    ],
    "what is derived does not look whether its source was lost": [
        Edit(DerivedFold, "_claim", "await self._put({}, self._upto)", "pass"),
    ],
    "a position is believed without its tag": [
        Edit(
            MemoryStore,
            "_is_at",
            "(self._upto.get(place, 0), self._etags.get(place)) == expected",
            "self._upto.get(place, 0) == expected.upto",
        ),
        Edit(ShardFold, "_must_be_here", "!= (self._upto, self._etag)", "[0] != self._upto"),
    ],
    "strays are let go": [
        Edit(Intake, "_commit", "self._forward(strays)", "pass"),
    ],
    "nobody looks who owns a shard": [
        Edit(sqlite, "write_beside", "if not execute(FENCE, (beside.epoch,)):", "if False:"),
    ],
    "source ids are not looked up": [
        Edit(
            Shard,
            "_named",
            "known = self.known(",
            "known = {} and self.known(",
        ),
    ],
    "arrivals are not counted": [
        Edit(Shard, "record", "replace(decided.counts, forwarded=forwarded)", "Counts()"),
    ],
    "an event names another than the one before it": [
        Edit(Shard, "_stored", "End(version + 1, hashes[-1])", "End(version + 1, previous)"),
    ],
    "the tree leaves an event out": [
        Edit(Shard, "record", 'b"".join(hashes)', 'b"".join(hashes[:1] * len(hashes))'),
    ],
}


@contextmanager
def mutated(edits: Sequence[Edit]) -> Iterator[None]:
    """Our code with these edits; each must find its text exactly once."""
    with ExitStack() as stack:
        for owner, name in {(edit.owner, edit.name): None for edit in edits}:
            stack.enter_context(patch.object(owner, name, _edited(owner, name, edits)))
        yield


def _edited(owner: Any, name: str, edits: Sequence[Edit]) -> Any:
    original = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(original))
    for number, edit in enumerate(edits):
        if (edit.owner, edit.name) == (owner, name):
            assert source.count(edit.old) == 1, f"{name} does not say {edit.old!r} once"
            source = source.replace(edit.old, f"\0{number}\0")
    for number, edit in enumerate(edits):
        source = source.replace(f"\0{number}\0", edit.new)
    made: dict[str, Any] = {}
    exec(
        compile(source, f"<{name}, mutated>", "exec"),
        {**original.__globals__, "hopefully": _hopefully},
        made,
    )
    return made[name]


def _hopefully(append: Any, head: int) -> Any:
    """An append that takes failures for nothing."""

    def appended(stored: Sequence[Any], **kwargs: Any) -> Any:
        try:
            return append(stored, **kwargs)
        except OSError:
            return range(head + 1, head + 1 + len(stored))

    return appended
