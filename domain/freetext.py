"""Which numbers of people and their money stand in a text that somebody wrote? Found by their shape and their check digits.

Identity cards: 18 places, check digit by ISO 7064 MOD 11-2 (GB 11643-1999). Bank cards: 16 to 19 digits, Luhn (ISO/IEC 7812-1).
Mobile phones of the mainland: 11 digits, from 13 to 19.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

RUN = re.compile(r"(?<![0-9A-Za-z])(?:\+?86[- ]?)?[0-9](?:[ -]?[0-9]){9,18}[Xx]?(?![0-9A-Za-z])", re.ASCII)
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"


Kind = Literal["identity-card", "bank-card", "phone"]


class Found(NamedTuple):
    """A number of somebody's, and where in the text it stands."""

    kind: Kind
    start: int
    end: int


def numbers_in(text: str) -> Iterator[Found]:
    """Every such number in a text.

    >>> [found.kind for found in numbers_in("call 138 0013 8000, my card is 6222 0200 0000 0000 005")]
    ['phone']
    """
    for run in RUN.finditer(text):
        digits = re.sub(r"[ +-]", "", run.group()).upper()
        kind = _kind(digits)
        if kind is not None:
            yield Found(kind, *run.span())


def without_numbers(text: str) -> str:
    """The text with stars in the place of such numbers.

    >>> without_numbers("我的手机是13800138000")
    '我的手机是***********'
    """
    for found in numbers_in(text):
        text = f"{text[: found.start]}{'*' * (found.end - found.start)}{text[found.end :]}"
    return text


def _kind(digits: str) -> Kind | None:
    if _is_identity(digits):
        return "identity-card"
    if _is_phone(digits):
        return "phone"
    return "bank-card" if _is_card(digits) else None


def _is_identity(digits: str) -> bool:
    if not re.fullmatch(r"[1-9][0-9]{5}(?:18|19|20)[0-9]{9}[0-9X]", digits):
        return False
    return CHECKS[sum(weight * int(digit) for weight, digit in zip(WEIGHTS, digits, strict=False)) % 11] == digits[17]


def _is_phone(digits: str) -> bool:
    return re.fullmatch(r"(?:86)?1[3-9][0-9]{9}", digits) is not None


def _is_card(digits: str) -> bool:
    if not re.fullmatch(r"[2-9][0-9]{15,18}", digits):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0
