"""Which numbers of people and their money stand in a text that somebody wrote?

Found by their shape and their check digits.

Identity cards: 18 places, check digit by ISO 7064 MOD 11-2 (GB 11643-1999). Bank cards: 16 to 19
digits, Luhn (ISO/IEC 7812-1). Mobile phones of the mainland: 11 digits, from 13 to 19.
"""

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

HALF = {0xFF10 + digit: 0x30 + digit for digit in range(10)}
"""Full-width digits, as a Chinese keyboard may give them, and what they mean."""
BEGIN = re.compile(r"(?<![0-9A-Za-z])\+?[0-9]")
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"


Kind = Literal["identity-card", "bank-card", "phone"]


class Found(NamedTuple):
    """A number of somebody's, and where in the text it stands."""

    kind: Kind
    start: int
    end: int


def numbers_in(text: str) -> Iterator[Found]:
    """Every such number in a text; digits may stand in groups, with a blank or a dash between them.

    >>> [found.kind for found in numbers_in("call 138 0013 8000 2 times, 11010519491231002X; 4111-1111-1111-1111")]
    ['phone', 'identity-card', 'bank-card']
    """  # noqa: E501
    plain, at = text.translate(HALF), 0
    while begin := BEGIN.search(plain, at):
        found = _at(plain, begin.start())
        at = begin.end() if found is None else found.end
        if found is not None:
            yield found


def doubt_of_reason(text: str) -> str | None:
    """Why a reason cannot be recorded for ever; None if it can."""
    found = next(numbers_in(text), None)
    if found is not None:
        kind = found.kind.replace("-", " ")
        return (
            f"the reason has the number of a {kind} in it, and is recorded for ever: say it without"
        )
    return None if text.isprintable() else "a reason stands on one line"


def _at(text: str, start: int) -> Found | None:
    for shape, kind, holds in SHAPES:
        run = shape.match(text, start)
        if run is not None and holds(re.sub(r"[ +-]", "", run.group()).upper()):
            return Found(kind, start, run.end())
    return None


def without_numbers(text: str) -> str:
    """The text with stars in the place of such numbers.

    >>> without_numbers("我的手机是13800138000")
    '我的手机是***********'
    """
    for found in numbers_in(text):
        text = f"{text[: found.start]}{'*' * (found.end - found.start)}{text[found.end :]}"
    return text


def _is_identity(digits: str) -> bool:
    if not re.fullmatch(r"[1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9X]", digits):
        return False
    return (
        CHECKS[
            sum(weight * int(digit) for weight, digit in zip(WEIGHTS, digits, strict=False)) % 11
        ]
        == digits[17]
    )


def _is_phone(digits: str) -> bool:
    return re.fullmatch(r"(?:86)?1[3-9][0-9]{9}", digits) is not None


def _is_card(digits: str) -> bool:
    if not re.fullmatch(r"[2-9][0-9]{15,18}", digits):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def _shape(digits: int, last: str = "[0-9]") -> re.Pattern[str]:
    return re.compile(rf"(?:[0-9][ -]?){{{digits - 1}}}{last}(?![0-9A-Za-z])")


SHAPES: tuple[tuple[re.Pattern[str], Kind, Callable[[str], bool]], ...] = (
    (_shape(18, "[0-9Xx]"), "identity-card", _is_identity),
    *((_shape(digits), "bank-card", _is_card) for digits in (19, 18, 17, 16)),
    (re.compile(rf"(?:\+?86[ -]?)?{_shape(11).pattern}"), "phone", _is_phone),
)
