"""What do the bank's own files say? Tier policies and catalogues, read with errors that name the place."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from deploy.console import Mendable
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
        return shape.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        found = [f"  {line}" for each in error.errors() for line in _said(each["loc"], each["msg"])]
        raise BadFile("\n".join([f"{path} cannot be used:", *found])) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadFile(f"{path} cannot be read: {error}") from error


def _said(place: Sequence[str | int], message: str) -> list[str]:
    """What is wrong at a place; a fault of the whole names its places itself."""
    if not place:
        return message.removeprefix("Value error, ").split("; ")
    return [f"{'.'.join(map(str, place))}: {message}"]
