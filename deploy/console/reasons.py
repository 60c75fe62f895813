"""How is a reason told that the domain gave? Its English was recorded; each has its words.

The English texts with their places for values stand in the catalog, under a context of their own.
A recorded reason is held against them, and what stood in its places is put into their words. All
else that is in it is told as it was recorded: names, numbers and identifiers are evidence.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from babel.messages.pofile import read_po

from deploy.console.words import LOCALE, Words, catalog

CONTEXT = "reason"
LONGEST = 500
"""Characters of a reason that is put into words: what senders write may be of any length."""
DEEPEST = 2
"""How deep reasons stand within reasons."""
PLACE = r"%\((\w+)\)s"
A_NUMBER, A_CODE, A_REASON = r"-?[0-9][0-9,.-]*", r"[^\s,;`]+", r"(?:(?!; ).)+?"
ANYTHING, WHATEVER = r"(?:(?!; |: |`).)+?", r"(?:(?!; |`).)+?"
NUMBERS = (
    *("age", "low", "high", "least", "bound", "count", "there", "counted", "events", "bytes"),
    *("limit", "times", "hours", "days", "within", "month", "shard", "first", "line", "column"),
)
CODES = (
    *("quantity", "field", "channel", "purpose", "kind", "outcome", "product", "offer", "stage"),
    *("grade", "needed", "currency", "group", "error"),
)
AT_PLACE = re.compile(r"\s*(?P<place>[a-z0-9_][\w.\[\]-]*): (?P<why>.+)")
QUOTED = " " * 4
"""How a line begins that was taken from a file."""
EXAMPLE = "example"
"""The place of examples, which the catalog has as a text of their own,"""
OTHERS = ("what", "pattern", "allowed", EXAMPLE)
"""places in which texts of others stand,"""
OWN = "why"
"""The place in which a reason of its own stands,"""
FIELDS = ("quantity", "field")
"""the places of a field, which the catalog names,"""
VALUES = (
    *("instead", "channel", "channels", "purpose", "kind", "outcome", "product", "offer", "stage"),
    *("day", "whom", "has", "some", "roles"),
)
"""and those of our own codes and of days."""


def reason(words: Words, said: str) -> str | None:
    """A recorded reason in the reader's language; None if it has no words for it."""
    if words.language == "en":
        return said
    return None if len(said) > LONGEST else _one(words, said) or _several(words, said.split("; "))


class Fault(NamedTuple):
    """A line of what is wrong with what somebody wrote.

    The place, as they wrote it, and why; `words` is None where the reader's language has none.
    """

    place: str | None
    why: str
    words: str | None

    @property
    def is_quoted(self) -> bool:
        """Whether it is a line of what they wrote."""
        return self.why.startswith(QUOTED)


def faults(words: Words, said: str) -> list[Fault]:
    """What is wrong, line by line: of a file of the bank's, or of a step that is not allowed."""
    found: list[Fault] = []
    for line in said.splitlines():
        if line.startswith(QUOTED) and found and found[-1].is_quoted:
            found[-1] = found[-1]._replace(why=f"{found[-1].why}\n{line}")
        elif line.startswith(QUOTED):
            found.append(Fault(None, line, None))
        elif line.strip():
            found.append(_fault(words, line.rstrip()))
    return found


def _fault(words: Words, line: str) -> Fault:
    at = AT_PLACE.fullmatch(line)
    if at and (told := reason(words, at["why"])):
        return Fault(at["place"], at["why"], told)
    said = line.strip()
    return Fault(None, said, reason(words, said))


def _several(words: Words, said: Sequence[str]) -> str | None:
    found = [_one(words, each) for each in said] if len(said) > 1 else [None]
    return words.say("; ").join(filter(None, found)) if all(found) else None


def _one(words: Words, said: str, within: int = 0) -> str | None:
    for pattern, text in reasons():
        if found := pattern.fullmatch(said):
            named = {
                name: _part(words, name, each, within) for name, each in found.groupdict().items()
            }
            if None not in named.values():
                return catalog(words.language).pgettext(CONTEXT, text) % named
    return None


def _part(words: Words, name: str, said: str, within: int) -> str | None:
    """What stands in a place of a reason; None for a reason that has no words, or is too deep."""
    if name == OWN:
        return _one(words, said, within + 1) if within < DEEPEST else None
    if name in FIELDS:
        return words.path(said)
    if name == EXAMPLE:
        return catalog(words.language).pgettext(CONTEXT, said)
    if name not in VALUES:
        return said
    found = catalog(words.language).pgettext(CONTEXT, said)
    return found if found != said else words.value(said)


@cache
def reasons() -> tuple[tuple[re.Pattern[str], str], ...]:
    """How the reasons that have words in another language are recognised; those first that say most
    themselves.
    """
    with (LOCALE / "zh.po").open(encoding="utf-8") as said:
        texts = [str(each.id) for each in read_po(said) if each.context == CONTEXT]
    return tuple(
        (re.compile(_with_groups(text), re.DOTALL), text)
        for text in sorted(texts, key=lambda text: -len(re.sub(PLACE, "", text)))
    )


def _with_groups(text: str) -> str:
    """A pattern for a text with places for values."""
    parts = re.split(PLACE, text)
    return "".join(
        f"(?P<{part}>{_of_place(part)})" if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )


def _of_place(name: str) -> str:
    """What may stand in a place."""
    if name == OWN:
        return A_REASON
    if name in OTHERS:
        return WHATEVER
    return A_NUMBER if name in NUMBERS else A_CODE if name in CODES else ANYTHING
