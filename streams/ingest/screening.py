"""What must never come in?

Passwords, biometrics and their like (C3 of JR/T 0171-2020): such an event is refused, and nothing
of it is kept.
"""

import re
from collections.abc import Sequence

from domain.customers.events import PreferenceStated, ProfileFactStated
from domain.event import Interaction
from streams.ingest.cloudevents import Item
from streams.journal import Rejected

NAMED_BY_THE_SENDER: dict[type[Interaction], str] = {
    ProfileFactStated: "fact",
    PreferenceStated: "topic",
}
"""By event, the field with a name that its sender has thought of."""
SHORT = 4
"""Letters up to which a word must stand alone in a name: a shipping address has no PIN."""


class Screen:
    """Finds names that hold one of these words, as `login-password` or `userPin`."""

    def __init__(self, words: Sequence[str]) -> None:
        short = "|".join(re.escape(word) for word in words if len(word) <= SHORT)
        long = "|".join(re.escape(word) for word in words if len(word) > SHORT)
        alone = (
            rf"(?:(?<![A-Za-z])(?:{short})|(?<=[a-z])(?-i:{_capital(words)}))(?![a-z])"
            if short
            else r"(?!)"
        )
        self._named = re.compile(rf"{alone}|{long or '(?!)'}", re.IGNORECASE)
        self._names = re.compile(rb'"([^"\\]{1,200})"\s*:')

    def forbids(self, item: Item) -> bool:
        """Whether an event must not come in.

        A fact or preference of such a name, or anything unreadable that has such a field.
        """
        if isinstance(item.read, Rejected):
            return any(
                self._named.search(name.decode("utf-8", "replace"))
                for name in self._names.findall(item.raw)
            )
        field = NAMED_BY_THE_SENDER.get(type(item.read.data))
        return field is not None and self._named.search(getattr(item.read.data, field)) is not None


def _capital(words: Sequence[str]) -> str:
    return "|".join(re.escape(word.capitalize()) for word in words if len(word) <= SHORT)
