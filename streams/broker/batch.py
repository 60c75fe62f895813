"""What goes out on `recorded`?

One commit as one message: rows, and the position that they follow.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from streams.journal import LAST_POSITION, Row, Shard

SIZE_LIMIT = 700_000
"""Bytes of events in one message: well below the megabyte that brokers refuse by default."""


class Batch(NamedTuple):
    """A stretch of one shard: everything behind `after` up to and with `upto`.

    No rows: a nudge to catch up. Rows that were opened say under which change of keys
    (`Shard.keys_heard`); that does not go out.
    """

    after: int
    upto: int
    rows: list[Row]
    keys: int | None = None

    def nudge(self) -> "Batch":
        """To read the journal up to where this batch goes."""
        return Batch(self.upto, self.upto, [])


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Batch).decode


NUDGE = Batch(LAST_POSITION, LAST_POSITION, [])
"""To read the journal as far as it goes: what is left of a message that is not our own."""


def encode_batch(batch: Batch) -> bytes:
    """The batch as one Kafka message."""
    return _encode(batch[:3])


def decode_batch(message: bytes) -> Batch:
    """The batch in one Kafka message; raises `msgspec.DecodeError` if it is none."""
    return _decode(message)


def open_batch(shard: Shard, message: bytes) -> Batch:
    """The batch in one Kafka message, opened.

    A nudge to read the journal where the copy in it does not open.
    """
    batch, keys = decode_batch(message), shard.keys_heard()
    try:
        return batch._replace(rows=shard.opened(batch.rows), keys=keys)
    except ValueError:
        return batch.nudge()


def is_stale(shard: Shard, batch: Batch) -> bool:
    """Whether keys were changed since a batch was opened.

    Who is forgotten, restricted or lifted may be in its rows, or lack in them; a nudge has none.
    """
    is_nudge = not batch.rows and batch.keys is None
    return not is_nudge and batch.keys != shard.keys_heard()


def not_stale(shard: Shard, batch: Batch) -> Batch:
    """A batch, or a nudge to read the journal in its place."""
    return batch.nudge() if is_stale(shard, batch) else batch


def place_of(shard: int) -> str:
    """For where a batch of a shard is vouched: copied to another shard it is not believed."""
    return f"recorded/{shard}/"


def batches(after: int, rows: Sequence[Row]) -> Iterator[Batch]:
    """Rows that follow a position, in batches that fit a message."""
    part: list[Row] = []
    size = 0
    for row in rows:
        if part and size + len(row.state) > SIZE_LIMIT:
            yield Batch(after, part[-1].position, part)
            after, part, size = part[-1].position, [], 0
        part.append(row)
        size += len(row.state)
    if part:
        yield Batch(after, part[-1].position, part)
