"""What do the bank's own files say?

Tier policies and catalogues, read with errors that name the place.
"""

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from deploy.terminal import UserError
from domain.access.privacy_policy import PrivacyPolicy, unclassed
from domain.bank.arrival_policy import ArrivalPolicy
from domain.event_types import EVENTS, event_fields
from domain.notices.subscribers import Subscribers
from domain.offers.catalogue import Catalogue
from domain.rollout.lifecycle import Policy
from domain.rules.conditions import KINDS
from domain.tiering.policy import TierPolicy
from domain.tiering.precedence import Precedence
from projections.registry import state_fields

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

T = TypeVar("T")


class BadFile(UserError):
    """A file of the bank's cannot be used; says which, where in it, and why."""


class Written(NamedTuple):
    """What a file, or a text of another name, says; nothing is known of its shape yet."""

    name: str
    said: Any


def read_policy(path: Path) -> TierPolicy:
    """The tier policy in a YAML or JSON file; raises `BadFile`."""
    return _tiers(_loaded(path))


def read_precedence(path: Path) -> Precedence:
    """The precedence of schemes in a YAML or JSON file; raises `BadFile`."""
    return _precedence(_loaded(path))


def read_any(path: Path) -> Policy:
    """The policy in a file, whichever it is, by the words that are said in its kind alone; raises
    `BadFile`.
    """
    return _whichever(_loaded(path))


def read_text(text: str) -> Policy:
    """The same of what somebody wrote elsewhere than in a file."""
    return _whichever(_parsed("the policy", text.encode()))


def read_subscribers(path: Path) -> Subscribers:
    """The bank's subscribers in a YAML or JSON file; raises `BadFile`."""
    return _shaped(_loaded(path), TypeAdapter(Subscribers))


def read_catalogue(path: Path) -> Catalogue:
    """The catalogue of offers in a YAML or JSON file; raises `BadFile`."""
    return _catalogue(_loaded(path))


def read_privacy(path: Path) -> PrivacyPolicy:
    """The privacy policy in a YAML or JSON file.

    Raises `BadFile`, also where a field of ours has no class in it.
    """
    return _privacy(_loaded(path))


def read_arrivals(path: Path) -> ArrivalPolicy:
    """The arrival policy in a YAML or JSON file.

    Raises `BadFile`, also for bounds of an event that is none.
    """
    return _arrivals(_loaded(path))


def _whichever(written: Written) -> Policy:
    words = written.said.keys() if isinstance(written.said, dict) else ()
    return next((read for word, read in READERS.items() if word in words), _tiers)(written)


def _tiers(written: Written) -> TierPolicy:
    return _shaped(written, TypeAdapter(TierPolicy))


def _precedence(written: Written) -> Precedence:
    return _shaped(written, TypeAdapter(Precedence))


def _catalogue(written: Written) -> Catalogue:
    return _shaped(written, TypeAdapter(Catalogue))


def _privacy(written: Written) -> PrivacyPolicy:
    policy = _shaped(written, TypeAdapter(PrivacyPolicy))
    if wrong := unclassed(policy, event_fields(), state_fields()):
        head = f"{written.name} cannot be used:"
        raise BadFile("\n".join([head, *(f"  {line}" for line in wrong)]))
    return policy


def _arrivals(written: Written) -> ArrivalPolicy:
    policy, path = _shaped(written, TypeAdapter(ArrivalPolicy)), written.name
    if unknown := sorted(policy.dates.keys() - EVENTS.keys()):
        raise BadFile(f"{path} cannot be used: there is no event {unknown[0]} (dates)")
    for source, keys in policy.business_keys.items():
        for name, chosen in keys.items():
            known = EVENTS[name].model_fields.keys() if name in EVENTS else set[str]()
            if name in EVENTS and "bank" in EVENTS[name].concerns:
                raise BadFile(
                    f"{path} cannot be used: {name} is for the whole bank, and has no business key "
                    f"(business_keys.{source})"
                )
            if unknown := sorted(set(chosen) - known):
                raise BadFile(
                    f"{path} cannot be used: {name} has no field {unknown[0]} "
                    f"(business_keys.{source})"
                )
    return policy


READERS: dict[str, Callable[[Written], Policy]] = {
    "precedence": _precedence,
    "catalogue": _catalogue,
    "purposes": _privacy,
    "longest_step": _arrivals,
}
"""By a word that only one kind of policy says, its reader."""


def _loaded(path: Path) -> Written:
    try:
        if path.stat().st_size > LARGEST:
            raise BadFile(f"{path} cannot be read: it is larger than {LARGEST:,} bytes")
        return _parsed(str(path), path.read_bytes())
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error}") from error


def _parsed(name: str, text: bytes) -> Written:
    try:
        said = yaml.load(text.decode("utf-8"), _Strict)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise BadFile(
            f"{name} cannot be read: save it as UTF-8 ({error.reason} at byte {error.start})"
        ) from error
    except RecursionError as error:
        raise BadFile(f"{name} cannot be read: it is nested too deeply") from error
    except yaml.MarkedYAMLError as error:
        raise BadFile(f"{name} cannot be read: {_marked(error)}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise BadFile(f"{name} cannot be read: {error}") from error
    if said is None:
        raise BadFile(f"{name} cannot be used: it is empty")
    return Written(name, said)


def _marked(error: yaml.MarkedYAMLError) -> str:
    """Where YAML cannot be read, why, and the line."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return str(error)
    where, shown = f"line {mark.line + 1}, column {mark.column + 1}", mark.get_snippet()
    return "\n".join(filter(None, [f"{where}: {error.problem or error.context}", shown]))


def _shaped(written: Written, shape: TypeAdapter[T]) -> T:
    try:
        return shape.validate_python(written.said)
    except ValidationError as error:
        found = [
            f"  {line}" for each in error.errors() for line in _faults(each["loc"], _in_words(each))
        ]
        head = f"{written.name} cannot be used:"
        raise BadFile("\n".join([head, *dict.fromkeys(found)])) from error


ANOTHER = re.compile(r"; (?=[a-z][\w.\[\]-]*(?: [\w-]+)?: )")
"""Between two faults of the whole, each with its place; a fault may have a semicolon of its own."""
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
LARGEST = 1 << 20
"""Bytes of a file of the bank's."""
MOST_PARTS = 100_000
"""Words, numbers, lists and mappings in it: three seconds' work."""
PLAIN = {
    "invalid_key": "a word is meant before the colon; a number has no commas (2000, not 2,000)",
    "string_pattern_mismatch": (
        "letters, digits and _ . - : / @ # only (names for people stand under `name`)"
    ),
    "union_tag_not_found": "say which kind it is, `kind: balances` or `kind: points`",
    "union_tag_invalid": "the kind is `balances` or `points`",
    "int_parsing": "a whole number is meant, without commas; amounts are in minor units",
    "int_type": "a whole number is meant; amounts are in minor units",
    "int_from_float": "a whole number is meant; amounts are in minor units",
    "model_type": "several words with their values are meant, as `quantity: assets`",
    "model_attributes_type": "several words with their values are meant, as `kind: balances`",
}
"""What an author of a rule can act on, where pydantic speaks to programmers."""


def _in_words(fault: "ErrorDetails") -> str:
    if fault["type"] == "string_pattern_mismatch" and fault["loc"][-1] == "currency":
        return "a currency has three capital letters, as CNY"
    if fault["type"] == "string_pattern_mismatch" and fault["loc"][-1] == "scheme":
        return "begins with a small letter; then small letters, digits and -, 40 at most"
    if fault["type"] == "extra_forbidden" and str(fault["loc"][-1])[:1].isdigit():
        return "an amount with commas is put in quotes, or written with _ (500_000 CNY)"
    return PLAIN.get(fault["type"], fault["msg"])


def _faults(place: Sequence[str | int], message: str) -> list[str]:
    """What is wrong at a place; a fault of the whole names its places itself."""
    if not place:
        return ANOTHER.split(message.removeprefix("Value error, "))
    return [f"{_named(place)}: {message.removeprefix('Value error, ')}"]


def _named(place: Sequence[str | int]) -> str:
    """`tiers[3].reach.at_least`.

    As it stands in the file, without the names that only the program gives.
    """
    words: list[str] = []
    for number, (before, word) in enumerate(pairwise(("", *place))):
        inside = before in {"reach", "all_of", "any_of"} or (
            isinstance(before, int) and len(words) > 2
        )
        kind_of_measure = number == 2 and place[0] == "measures" and word in {"balances", "points"}
        if isinstance(word, int):
            words.append(f"[{word}]")
        elif not (inside and word in KINDS) and not kind_of_measure and word != "[key]":
            words.append(f".{word}")
    return "".join(words).removeprefix(".")


class _Strict(yaml.SafeLoader):
    """YAML in which nothing is said twice, and no number is another one than it looks."""

    _parts = 0
    """Words, numbers, lists and mappings that were read."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Whatever is written; raises `YAMLError` for what refers to another place: a few lines
        that do so again and again mean more than any memory holds. So it does for more parts than
        any bank's policy has: a megabyte of them was read for eleven seconds.
        """
        self._parts += 1
        if self._parts > MOST_PARTS:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "it has too many parts", mark)
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "say it again in full, without *", mark)
        return super().compose_node(parent, index)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A whole number as it looks; raises `YAMLError` where YAML counts by sixty, sixteen,
        eight or two.
        """
        if not WHOLE.fullmatch(node.value):
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"{node.value} is no number: a number has no commas (2000, not 2,000), and a word "
                "with digits is put in quotes",
                node.start_mark,
            )
        return int(node.value)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        """No number has a point; raises `YAMLError`."""
        raise yaml.constructor.ConstructorError(
            None,
            None,
            f"{node.value} is no whole number: an amount has its unit (50000.00 CNY, 5万) or is in "
            "minor units, so that 50000.00 is written 5000000",
            node.start_mark,
        )

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping; raises `YAMLError` for a key that is there before."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a word is meant before the colon", key.start_mark
                )
            if key.value in seen:
                comma = " (a number has no commas)" if key.value.isdecimal() else ""
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value} is said twice{comma}", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Strict.add_constructor("tag:yaml.org,2002:int", _Strict.construct_yaml_int)
_Strict.add_constructor("tag:yaml.org,2002:float", _Strict.construct_yaml_float)
