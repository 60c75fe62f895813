"""What would be recorded of a file of messages, in one shard, without a journal?"""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b

from domain.envelope import Proposed, Recorded
from streams.broker.routing import spread
from streams.ingest.cloudevents import read_event
from streams.journal import Rejected
from streams.publish.bulk_feed import each_of

NAME_BYTES = 16


def recorded(
    raws: Iterable[bytes | None], left_out: Callable[[str], None] = lambda _reason: None
) -> Iterator[Recorded]:
    """The events of CloudEvents in order, each once.

    `left_out` hears the reason for each message that cannot be read.
    """
    named, versions, position = set[bytes](), dict[str, int](), 0
    for raw in (one for line in raws if line and line.strip() for one in each_of(line)):
        read = read_event(raw)
        if isinstance(read, Rejected):
            left_out(read.reason)
            continue
        name = blake2b(f"{read.source}#{read.id}".encode(), digest_size=NAME_BYTES).digest()
        if name in named:
            continue
        named.add(name)
        for event in spread(read, 1):
            position += 1
            version = versions[event.stream] = versions.get(event.stream, 0) + 1
            yield as_recorded(event, position, version)


def as_recorded(event: Proposed, position: int, version: int) -> Recorded:
    """An event as if it had been recorded when it occurred."""
    return Recorded(
        position,
        event.stream,
        version,
        event.source,
        event.id,
        event.occurred_at,
        event.business_date,
        event.occurred_at,
        event.cause,
        event.data,
    )
