"""Where do two policies, or two states, say something else?"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

NAMING = ("offer", "channel", "outcome", "tier", "asset_class")
"""What tells entries of a list apart, where they have it."""


@dataclass(frozen=True, order=True)
class Change:
    """A place, with what is said there before and after, as JSON; empty where it says
    nothing.
    """

    place: str
    before: str
    after: str


def changes(before: JsonValue, after: JsonValue) -> tuple[Change, ...]:
    """Every place at which two of them differ, in order.

    >>> changes({"offers": [{"offer": "fund", "value": 1}]}, {"offers": [{"offer": "fund", "value": 2}]})
    (Change(place='offers[fund].value', before='1', after='2'),)
    """  # noqa: E501
    old, new = dict(_places("", before)), dict(_places("", after))
    return tuple(
        Change(place, old.get(place, ""), new.get(place, ""))
        for place in sorted(old.keys() | new.keys())
        if old.get(place) != new.get(place)
    )


def _places(place: str, said: JsonValue) -> Iterator[tuple[str, str]]:
    """What is said, place by place; a list of plain values is one."""
    if isinstance(said, dict) and said:
        for name, each in said.items():
            yield from _places(f"{place}.{name}".removeprefix("."), each)
    elif isinstance(said, list) and any(isinstance(each, dict) for each in said):
        named = _named(said)
        if not all(name.isdecimal() for name in named):
            yield f"{place}[]", json.dumps([*named], ensure_ascii=False)  # their order
        for name, each in named.items():
            yield from _places(f"{place}[{name}]", each)
    else:
        yield place, json.dumps(said, ensure_ascii=False)


def _named(said: Sequence[JsonValue]) -> Mapping[str, JsonValue]:
    """The entries of a list by what names them, or by their number where that is not one's own."""
    names = [
        next((str(each[name]) for name in NAMING if isinstance(each, dict) and name in each), "")
        for each in said
    ]
    alone = len(set(names)) == len(names) and all(names)
    return dict(zip(names if alone else map(str, range(len(said))), said, strict=True))
