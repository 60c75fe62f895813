"""How is something said in Chinese or English? Sentences with places, names of quantities, and
conditions.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple, Protocol

import yaml

from domain.accounts.currencies import as_money
from domain.rules.conditions import AllOf, AnyOf, AtLeast, AtMost, Condition, Holds, OneOf


class Language(StrEnum):
    """A language in which policies are told."""

    EN = "en"
    ZH = "zh"


class Words(NamedTuple):
    """What is said in a language: sentences with places for values, and names of quantities."""

    sentences: Mapping[str, str]
    names: Mapping[str, str]


@cache
def words(language: Language) -> Words:
    """The words of a language, as they stand in `words.yaml`."""
    said = yaml.safe_load((Path(__file__).parent / "words.yaml").read_text(encoding="utf-8"))
    return Words(**said[language])


class Priced(Protocol):
    """What says which of its quantities are amounts, and in which currency."""

    @property
    def currency(self) -> str:
        """The currency of its amounts."""

    def is_money(self, quantity: str) -> bool:
        """Whether a quantity is an amount, and no count."""


class Saying:
    """Says parts of policies in the words of a language."""

    def __init__(self, language: Language) -> None:
        self.words, self.names = words(language)
        self.language = language

    def say(self, sentence: str, **values: object) -> str:
        """A sentence with its values."""
        return self.words[sentence].format(**values)

    def listed(self, said: Iterable[str]) -> str:
        """Several things, one after the other."""
        return self.words["list"].join(said)

    def named(self, quantity: str) -> str:
        """What a quantity is called; a measure has the name that its author gave it."""
        return self.names.get(quantity, quantity)

    def condition(self, rule: Priced, condition: Condition) -> str:
        """A condition, with amounts as money."""
        match condition:
            case AllOf(all_of=parts):
                return self.words["and"].join(self._within(rule, each) for each in parts)
            case AnyOf(any_of=parts):
                return self.words["or"].join(self._within(rule, each) for each in parts)
            case AtLeast(quantity=name, at_least=bound):
                said = amount(rule, name, bound)
                return self.say("at least", quantity=self.named(name), bound=said)
            case AtMost(quantity=name, at_most=bound):
                said = amount(rule, name, bound)
                return self.say("at most", quantity=self.named(name), bound=said)
            case OneOf(trait=trait, one_of=values):
                said = self.words["any"].join(map(self.named, values))
                return self.say("one of", trait=self.named(trait), values=said)
            case Holds(holds=values):
                return self.say("holds", values=self.words["any"].join(values))

    def _within(self, rule: Priced, condition: Condition) -> str:
        said = self.condition(rule, condition)
        return self.say("within", said=said) if isinstance(condition, AllOf | AnyOf) else said


def amount(rule: Priced, quantity: str, bound: int) -> str:
    """A bound as people write it: an amount with its currency, and a count as a number."""
    return as_money(bound, rule.currency) if rule.is_money(quantity) else f"{bound:,}"
