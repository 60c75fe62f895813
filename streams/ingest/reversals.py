"""Does this undo a transaction that was posted?

What is said of a transaction is held to it: of this customer, from the same source, with what it
said; and it is undone once.
"""

from collections.abc import Iterable, Iterator

from domain.accounts.events import TransactionPosted, TransactionReversed
from domain.envelope import Proposed, Recorded
from domain.event_types import type_key
from streams.journal import Rejected, Shard

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
    before: list[Proposed | Recorded] = [*_reversals(event.stream, own), *here]
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
        return next(iter(own.at_the_door(known.stream, known.version - 1, 1)), None)
    return next((each for each in here if (each.source, each.id) == (event.source, name)), None)


def _reversals(stream: str, own: Shard) -> Iterator[Recorded]:
    """All that was undone: seldom asked, and by whoever is about to undo something more."""
    return own.at_the_door(stream, event_types=(type_key(TransactionReversed),))
