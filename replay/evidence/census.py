"""Does a stream end where it ended?

Once a day every stream's last version and its hash become leaves of a tree, whose root is signed.

With the entry of a customer and its path to that root, nobody can leave out the last events of a
history and say that there were none.
"""

from collections.abc import Iterator

import msgspec

from replay.evidence.signed_note import Checkpoint
from streams.journal import End, Shard
from streams.journal.merkle import leaf_hash

_encode = msgspec.json.Encoder().encode


def counted(events: int) -> str:
    """What a census says beside its root: how many events of the shard it was taken of."""
    return f"events {events}"


def counted_by(census: Checkpoint | None) -> int:
    """How many events of its shard a census was taken of."""
    return int(census.more[0].removeprefix("events ")) if census else 0


def entry(stream: str, end: End) -> bytes:
    """What is hashed for a stream: its name, its last version, and the hash of that event."""
    return _encode((stream, end.version, end.hash))


def entries(shard: Shard, upto: int) -> Iterator[bytes]:
    """The leaf hashes of all streams of a shard as they were at a position, in the order of
    the database.
    """
    after = ""
    while ends := shard.ends(upto, after):
        for after, end in ends.items():
            yield leaf_hash(entry(after, end))
