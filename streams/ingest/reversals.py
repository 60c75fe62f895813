"""Does this undo a transaction that was posted?

What is said of a transaction is held to it: of this customer, from the same source, with what it
said; and it is undone once.
"""

from collections.abc import Iterable, Iterator

from domain.accounts.events import TransactionPosted, TransactionReversed
from domain.envelope import Proposed, Recorded
from domain.event_types import type_key
from streams.journal import FORGOTTEN, Rejected, Shard

REVERSED = type_key(TransactionReversed)
AT_ONCE = 1_000
"""Rows of a stream that are read in one go."""
UNKNOWN = Rejected(
    "no such transaction is recorded of this source and customer; if it comes later, send this "
    "again behind it",
    "data.event",
)


def doubt_of_reversal(
    event: Proposed, own: Shard, pending: Iterable[Proposed] = ()
) -> Rejected | None:
    """Why an event undoes nothing that was posted; None if it does, or is no reversal.

    `own` is the shard of the customer; `pending` is what comes before it at the same time.
    """
    said = event.data
    if not isinstance(said, TransactionReversed):
        return None
    here = [each for each in pending if each.stream == event.stream]
    posted = _posted(event, said.event, own, here)
    if posted is None:
        return UNKNOWN
    if not isinstance(posted.data, TransactionPosted):
        return Rejected("it names no transaction", "data.event")
    for name in ("account", "amount", "currency"):
        if getattr(said, name) != getattr(posted.data, name):
            return Rejected("the transaction said otherwise", f"data.{name}")
    if event.business_date < posted.business_date:
        return Rejected("it is undone before it was posted", "businessdate")
    if said.posted != posted.business_date:
        return Rejected(f"the transaction is of {posted.business_date}", "data.posted")
    before: list[Proposed | Recorded] = [*_reversals_since(posted, own), *here]
    for other in before:
        if isinstance(other.data, TransactionReversed) and _undoes(other, event):
            return Rejected(f"the transaction was undone already, by {other.id}", "data.event")
    return None


def _undoes(other: Proposed | Recorded, event: Proposed) -> bool:
    """Whether another reversal undoes the same; the same one sent again is no other."""
    assert isinstance(other.data, TransactionReversed)
    assert isinstance(event.data, TransactionReversed)
    same = (other.source, other.data.event) == (event.source, event.data.event)
    return same and other.id != event.id


def _posted(
    event: Proposed, name: str, own: Shard, here: Iterable[Proposed]
) -> Proposed | Recorded | None:
    """What is recorded under a name, or else what comes first under it now."""
    [known] = own.find([event._replace(id=name)])
    if known is not None:
        rows = own.opened(own.rows(known.stream, known.version - 1, 1), at_the_door=True)
        return next((row.event() for row in rows if row.event_type != FORGOTTEN), None)
    return next((each for each in here if (each.source, each.id) == (event.source, name)), None)


def _reversals_since(posted: Proposed | Recorded, own: Shard) -> Iterator[Recorded]:
    """What is recorded as undone since something was posted: nothing can be undone before."""
    if not isinstance(posted, Recorded):
        return
    after = posted.version
    while rows := own.rows(posted.stream, after, AT_ONCE):
        wanted = [row for row in rows if row.event_type == REVERSED]
        for row in own.opened(wanted, at_the_door=True):
            if row.event_type != FORGOTTEN:
                yield row.event()
        after += len(rows)
