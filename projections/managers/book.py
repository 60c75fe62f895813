"""Which customers does a relationship manager look after?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.envelope import Proposed, Recorded, following
from domain.event_types import type_keys
from domain.managers.events import CareChanged
from projections.projection import Group, Projection


@dataclass(frozen=True)
class Book:
    """What was said last of each customer, by the version of the event of theirs that it follows
    from: below zero where the manager looks after them no longer.
    """

    words: dict[str, int] = field(default_factory=dict)

    @property
    def customers(self) -> frozenset[str]:
        """The customers of the manager, by their streams."""
        return frozenset(customer for customer, version in self.words.items() if version > 0)


class Books(NamedTuple):
    """What is known of a manager."""

    book: Book


def evolve(book: Book, event: Recorded) -> Book:
    """The book after one more event."""
    match event.data:
        case CareChanged(customer=customer, cares=cares, version=version) if version > abs(
            book.words.get(customer, 0)
        ):
            return Book({**book.words, customer: version if cares else -version})
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
            said = CareChanged(customer=stream, cares=cares, version=event.version)
            yield following(event, "care", manager, said, f"{stream} {manager} {cares}", by=stream)


BOOK = Projection("book", 1, Book(), evolve)
BOOKS = Group("books@1", ("manager",), Books, (BOOK,), _evolve, type_keys(CareChanged))
