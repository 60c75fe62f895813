"""What do the bank's own files say? Tier policies and catalogues, read with errors that name the place."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from deploy.console import Mendable
from domain.conditions import KINDS
from domain.offers import Catalogue
from domain.policy import TierPolicy

T = TypeVar("T")


class BadFile(Mendable):
    """A file of the bank's cannot be used; says which, where in it, and why."""


def read_policy(path: Path) -> TierPolicy:
    """The tier policy in a YAML or JSON file; raises `BadFile`."""
    return _read(path, TypeAdapter(TierPolicy))


def read_catalogue(path: Path) -> Catalogue:
    """The catalogue of offers in a YAML or JSON file; raises `BadFile`."""
    return _read(path, TypeAdapter(Catalogue))


def _read(path: Path, shape: TypeAdapter[T]) -> T:
    try:
        return shape.validate_python(yaml.load(path.read_text(encoding="utf-8"), _Strict))  # noqa: S506 - a safe loader
    except ValidationError as error:
        found = [f"  {line}" for each in error.errors() for line in _said(each["loc"], each["msg"])]
        raise BadFile("\n".join([f"{path} cannot be used:", *found])) from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BadFile(f"{path} cannot be read: {error}") from error


def _said(place: Sequence[str | int], message: str) -> list[str]:
    """What is wrong at a place; a fault of the whole names its places itself."""
    if not place:
        return message.removeprefix("Value error, ").split("; ")
    return [f"{_named(place)}: {message}"]


def _named(place: Sequence[str | int]) -> str:
    """`tiers[3].reach.at_least`: as it stands in the file, without the names that only the program gives."""
    words: list[str] = []
    for before, word in pairwise(("", *place)):
        inside = before in {"reach", "all_of", "any_of"} or (isinstance(before, int) and len(words) > 2)
        if isinstance(word, int):
            words.append(f"[{word}]")
        elif not (inside and word in KINDS) and word not in {"balances", "points"}:
            words.append(f".{word}")
    return "".join(words).removeprefix(".")


class _Strict(yaml.SafeLoader):
    """YAML in which nothing is said twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises `YAMLError` for a key that is there before."""
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is said twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
