"""How does an answer become a page? The door to the console's templates."""

from collections.abc import Mapping, Sequence
from datetime import date
from difflib import unified_diff
from functools import cache, partial
from math import cos, pi, sin
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from pydantic import ValidationError
from starlette.responses import HTMLResponse, Response

from deploy.console.reasons import faults, reason
from deploy.console.words import Words, catalog
from deploy.reports.policy_in_words import PolicyInWords, in_words
from deploy.reports.saying import Language
from deploy.reports.story import lines
from domain.rollout.lifecycle import KINDS
from domain.tiering.amounts import with_units
from domain.tiering.policy import TierPolicy
from streams.web.jobs import ORDERS

TEMPLATES = Path(__file__).parent / "templates"
BESIDE = 6
"""Lines that are shown beside one that differs."""
WIDE, HIGH = 240, 48
"""Units of a small chart."""
ACROSS, DOWN = 150, 80
"""Units from the middle of a map to its ring, to the sides and to the top."""


def render(words: Words, template: str, what: Mapping[str, Any], status: int) -> Response:
    """A page in a language."""
    page = _environment(words.language).get_template(f"{template}.html")
    return HTMLResponse(page.render(words=words, **what), status)


@cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        extensions=["jinja2.ext.i18n"],
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said: Any = made
    said.install_gettext_translations(catalog(language), newstyle=True)
    made.globals |= {
        "orders": ORDERS,
        "points": points,
        "ring": ring,
        "lines": lines,
        "drawn": partial(token_hex, 16),
        "reason": reason,
        "faults": faults,
        "gap": gap,
        "difference": difference,
        "policy_in_words": policy_in_words,
    }
    made.filters |= {"quoted": partial(quote, safe=""), "yaml": as_yaml}
    return made


def gap(later: Mapping[str, Any], earlier: Mapping[str, Any]) -> int:
    """Days between two entries of a timeline, the newest of which comes first.

    >>> gap({"business_date": "2026-03-05"}, {"since": "2026-02-01", "until": "2026-03-01"})
    4
    """
    begun = later.get("since") or later["business_date"]
    ended = earlier.get("until") or earlier["business_date"]
    return (date.fromisoformat(begun) - date.fromisoformat(ended)).days


def difference(before: Any, after: Any) -> list[tuple[str, str]]:
    """Where two policies differ, line by line as their author writes them: `-` is gone, `+` came, a
    blank is the same beside it, and `…` stands for what is left out.

    >>> difference({"version": 1, "name": "a"}, {"version": 2, "name": "a"})
    [('-', 'version: 1'), ('+', 'version: 2'), (' ', 'name: a')]
    """
    old, new = (as_yaml(each).splitlines() if each else [] for each in (before, after))
    found = list(unified_diff(old, new, lineterm="", n=BESIDE))[2:]
    return [("…", "") if line.startswith("@@") else (line[:1], line[1:]) for line in found][1:]


def policy_in_words(words: Words, of: str, policy: Any) -> PolicyInWords | None:
    """What a policy of the bank says, in the reader's language; None of one that this release
    cannot read.
    """
    kinds = {kind.name: kind.says for kind in KINDS.values()} | {"tier": TierPolicy}
    try:
        return in_words(kinds[of].model_validate(policy), Language(words.language))
    except ValidationError:
        return None


def as_yaml(policy: Any) -> str:
    """A policy as its author writes it: amounts with their unit, what is left open left out."""
    said = with_units(policy) if "tiers" in policy else policy
    return yaml.safe_dump(_closed(said), allow_unicode=True, sort_keys=False, width=100)


def _closed(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: _closed(each) for name, each in said.items() if each is not None}
    return [_closed(each) for each in said] if isinstance(said, list) else said


def ring(count: int) -> list[tuple[float, float]]:
    """Places around a middle, the first above it, then clockwise.

    >>> ring(2)
    [(0.0, -80.0), (0.0, 80.0)]
    """
    turns = [2 * pi * number / count for number in range(count)]
    return [(round(ACROSS * sin(turn), 1), round(-DOWN * cos(turn), 1)) for turn in turns]


def points(values: Sequence[float]) -> str:
    """Values as the points of a line in a small chart, the first on the left.

    >>> points([1, 3, 2])
    '0.0,48.0 120.0,0.0 240.0,24.0'
    """
    low, spread = min(values), (max(values) - min(values)) or 1
    step = WIDE / max(len(values) - 1, 1)
    return " ".join(
        f"{number * step:.1f},{HIGH - (value - low) / spread * HIGH:.1f}"
        for number, value in enumerate(values)
    )
