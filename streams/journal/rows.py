"""What is a recorded event as it is stored?

A row: its place, its stream, its type and its bytes.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from domain.envelope import Recorded
from streams.journal.codec import decode

FORGOTTEN = "forgotten"
"""Stream and type of a row whose subject was forgotten.

Nobody folds it, and its place is still a place.
"""


class Row(NamedTuple):
    """A recorded event as it is stored, or as it was before it was sealed."""

    position: int
    stream: str
    event_type: str
    state: bytes

    def event(self) -> Recorded:
        """The event in the bytes, which must not be sealed."""
        return decode(self.position, self.state)


row_of: Callable[[tuple[Any, ...]], Row] = partial(tuple.__new__, Row)
"""What `Row._make` does, without a call of Python for each row."""
