"""Are these two names one person's? However they are spelt, and whichever letters are large."""

import re
import unicodedata

_BETWEEN = re.compile(r"[\s_.\-:/#]+")


def spelt(name: str) -> str:
    """A name without what differs by keyboard: width, case, blanks around it.

    >>> spelt(" Ｌｉ.Wei ")
    'li.wei'
    """  # noqa: RUF002 - full width is meant
    return unicodedata.normalize("NFKC", name).strip().casefold()


def same_person(one: str, other: str) -> bool:
    """Whether two names may be of one person: alike but for case, width, points and what is behind
    an `@`. Who is asked by mistake asks somebody else.

    >>> same_person("li.wei", "Li-Wei@bank.example"), same_person("li.wei", "li.wen")
    (True, False)
    """
    return _bare(one) == _bare(other)


def _bare(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _BETWEEN.sub("", plain.lstrip("@").partition("@")[0]) or plain
