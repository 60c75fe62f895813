"""Which customers does a relationship manager look after?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from domain.envelope import Proposed, Recorded, following
from domain.event_types import type_keys
from domain.managers.events import CareChanged
from projections.projection import Group, Projection


@dataclass(frozen=True)
class Book:
    """The customers of one manager, by their streams."""

    customers: frozenset[str] = frozenset()


class Books(NamedTuple):
    """What is known of a manager."""

    book: Book


def evolve(book: Book, event: Recorded) -> Book:
    """The book after one more event."""
    match event.data:
        case CareChanged(customer=customer, cares=True):
            return Book(book.customers | {customer})
        case CareChanged(customer=customer):
            return Book(book.customers - {customer})
        case _:
            return book


def _evolve(states: Books, event: Recorded) -> Books:
    return Books(evolve(states.book, event))


def told(stream: str, before: str | None, after: str | None, event: Recorded) -> Iterator[Proposed]:
    """What managers learn when somebody else looks after a customer."""
    if before == after:
        return
    for manager, cares in ((before, False), (after, True)):
        if manager is not None:
            said = CareChanged(customer=stream, cares=cares)
            yield following(event, "care", manager, said, f"{stream} {manager} {cares}", by=stream)


BOOK = Projection("book", 1, Book(), evolve)
BOOKS = Group("books@1", ("manager",), Books, (BOOK,), _evolve, type_keys(CareChanged))
