"""In which language does the command line explain itself? In that of the terminal.

English stands in the code; what it is in Chinese stands in the catalog of the console.
"""

import os
from collections.abc import Mapping
from zoneinfo import ZoneInfo

VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Where POSIX looks for the language of messages; the first that says anything counts."""
CONTEXT = "help"


def is_chinese(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal is that of a Chinese reader."""
    return next(filter(None, map(environment.get, VARIABLES)), "").startswith("zh")


def in_paragraphs(text: str) -> str:
    """A help text as the catalog has it, wherever its lines break in the code."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def explained(text: str) -> str:
    """A help text in Chinese."""
    from deploy.console.words import catalog

    return catalog("zh").pgettext(CONTEXT, in_paragraphs(text))


def complained(said: str) -> str:
    """What is wrong, in Chinese as far as there are words for it, line by line."""
    from deploy.console.reasons import faults
    from deploy.console.words import Words

    told = [
        f"{each.place}: {each.words}" if each.place else each.words or each.why
        for each in faults(Words("zh", ZoneInfo("UTC")), said)
    ]
    head, *more = told or [said]
    return "\n".join([head, *(line if line.startswith(" ") else f"  {line}" for line in more)])
