"""A manager's book is what was said last of each customer, in whatever order it was heard."""

from itertools import permutations

from domain.envelope import Recorded
from domain.managers.events import CareChanged
from projections.managers.book import Book, evolve
from tests.conftest import NOON, TODAY

WORDS = [
    ("customer:1", True, 2),
    ("customer:1", False, 5),
    ("customer:1", True, 9),
    ("customer:2", True, 3),
    ("customer:2", False, 4),
]


def word(said: tuple[str, bool, int]) -> Recorded:
    """A word of a customer's event of a version."""
    customer, cares, version = said
    data = CareChanged(customer=customer, cares=cares, version=version)
    return Recorded(1, "manager:1", 1, "s", "1", NOON, TODAY, NOON, None, data)


def test_the_last_word_of_each_holds_in_any_order() -> None:
    """Also where one is heard twice."""
    for order in permutations(WORDS):
        book = Book()
        for said in (*order, order[0]):
            book = evolve(book, word(said))
        assert book.customers == {"customer:1"}
