"""Is this our own word?

What the bank itself decides comes in by the same front door as all else, and says so by a code that
only we can make.

HMAC-SHA256 (RFC 2104) over the message, in a header. Without it a message may say what core systems
may say, and nothing more; and on `recorded` it is a nudge to read the journal.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from domain.envelope import Proposed
from domain.event import is_own_word

HEADER = "tierfold-own"
OURS = "tierfold/"
"""What a source of our own begins with."""


class Vouching:
    """Makes and checks the code, by a key of 32 bytes that the processes of the bank share."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def header(self, value: bytes, place: str = "") -> tuple[str, bytes]:
        """The header that says that a message is our own, for one `place` if it is named."""
        return HEADER, self._code(value, place)

    def holds(
        self, value: bytes | None, headers: Sequence[tuple[str, bytes]], place: str = ""
    ) -> bool:
        """Whether a message is our own, and was sent to this `place`."""
        said = next((code for name, code in headers if name == HEADER), None)
        return (
            said is not None
            and value is not None
            and hmac.compare_digest(said, self._code(value, place))
        )

    def _code(self, value: bytes, place: str) -> bytes:
        return hmac.digest(self._key, place.encode() + value, sha256)


def needs_signature(event: Proposed) -> bool:
    """Whether nobody but we may say this."""
    return is_own_word(type(event.data)) or event.source.startswith(OURS)
