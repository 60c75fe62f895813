"""How does a tiering rule read? In sentences, in Chinese and English, and as a ladder."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from domain.accounts.currencies import as_money
from domain.rules.conditions import AllOf, AnyOf, AtLeast, AtMost, Condition, Holds, OneOf
from domain.rules.quantities import Measure, Points, Scored
from domain.tiering.policy import Tier, TierPolicy
from domain.tiering.precedence import Precedence

MONTHS = 12
FULL = 100
"""The weight in percent that goes without saying."""


class Language(StrEnum):
    """A language in which rules are told."""

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


@dataclass(frozen=True)
class Rung:
    """A tier of the ladder: its name for people, what it asks for, when one falls from it, and what
    its customers pay a year.
    """

    tier: str
    name: str
    asks: str
    falls: str
    fees: tuple[str, ...] = ()


@dataclass(frozen=True)
class RuleInWords:
    """A rule as people read it: sentences, and the tiers from the highest down."""

    label: str
    digest: str
    sentences: tuple[str, ...]
    ladder: tuple[Rung, ...]


def in_words(rule: TierPolicy | Precedence, language: Language) -> RuleInWords:
    """A rule as people of a language read it."""
    said = _Saying(language)
    if isinstance(rule, Precedence):
        return RuleInWords(rule.label, rule.digest, tuple(said.order(rule)), ())
    ladder = tuple(said.rung(rule, number) for number in reversed(range(len(rule.tiers))))
    return RuleInWords(rule.label, rule.digest, tuple(said.sentences(rule)), ladder)


class _Saying:
    """Says parts of rules in the words of a language."""

    def __init__(self, language: Language) -> None:
        self._words, self._names = words(language)
        self._language = language

    def sentences(self, rule: TierPolicy) -> Iterator[str]:
        """What a rule says beside its tiers."""
        yield self._say(
            "is",
            label=rule.label,
            scheme=rule.scheme,
            whom=self._words[rule.applies_to],
            day=rule.effective,
        )
        yield from (self._measure(rule, name, each) for name, each in rule.measures.items())
        months = self._listed(map(str, rule.assessed_in))
        yield self._say(
            "all months" if len(rule.assessed_in) == 12 else "some months", months=months
        )
        if fast := rule.fast_track:
            yield self._say("fast", months=fast.through_months, over=self._words[fast.over])
        yield self._words[f"up {rule.up}"]
        yield self._say("falls", misses=rule.misses_allowed, to=self._words[rule.drop_to])
        if rule.freeze_in_dispute:
            yield self._words["freeze"]
        if rule.scope:
            yield self._say(rule.scope.of, take=self._words[rule.scope.take])
        if limit := rule.by_hand:
            yield self._say(
                "by hand" if limit.alone else "by hand by two",
                alone=limit.alone,
                days=limit.longest_days,
            )

    def order(self, rule: Precedence) -> Iterator[str]:
        """What a precedence says."""
        yield self._say("order", label=rule.label, day=rule.effective)
        for number, each in enumerate(rule.order, start=1):
            yield self._say(
                "counts from" if each.least else "counts",
                number=number,
                scheme=each.scheme,
                least=each.least,
            )
        if rule.uncounted:
            yield self._say("uncounted", schemes=self._listed(rule.uncounted))

    def rung(self, rule: TierPolicy, number: int) -> Rung:
        """A tier of the ladder."""
        tier = rule.tiers[number]
        return Rung(
            tier.tier,
            tier.name.get(self._language, tier.tier),
            self._condition(rule, tier.reach) if tier.reach else self._words["lowest"],
            self._falls(rule, tier) if number else "",
            tuple(
                self._say("fee", fee=name, amount=as_money(fee, rule.currency))
                for name, fee in tier.service.fees.items()
            ),
        )

    def _falls(self, rule: TierPolicy, tier: Tier) -> str:
        return self._say(
            "rung",
            misses=tier.misses_allowed or rule.misses_allowed,
            to=self._words[tier.drop_to or rule.drop_to],
        )

    def _measure(self, rule: TierPolicy, name: str, measure: Measure) -> str:
        if isinstance(measure, Points):
            parts = self._words["parts"].join(self._scored(rule, each) for each in measure.of)
            return self._say("points", name=name, parts=parts)
        classes = self._listed(
            self._named(asset) if weight == FULL else f"{self._named(asset)} {weight} %"
            for asset, weight in measure.weights_percent.items()
            if weight
        )
        return self._say("balances", name=name, over=self._words[measure.over], classes=classes)

    def _scored(self, rule: TierPolicy, scored: Scored) -> str:
        said = self._say(
            "scored",
            points=scored.points,
            each=_amount(rule, scored.quantity, scored.each),
            quantity=self._named(scored.quantity),
        )
        most = scored.at_most
        return said if most is None else self._say("capped", scored=said, most=most)

    def _condition(self, rule: TierPolicy, condition: Condition) -> str:
        match condition:
            case AllOf(all_of=parts):
                return self._words["and"].join(self._within(rule, each) for each in parts)
            case AnyOf(any_of=parts):
                return self._words["or"].join(self._within(rule, each) for each in parts)
            case AtLeast(quantity=name, at_least=bound):
                amount = _amount(rule, name, bound)
                return self._say("at least", quantity=self._named(name), bound=amount)
            case AtMost(quantity=name, at_most=bound):
                amount = _amount(rule, name, bound)
                return self._say("at most", quantity=self._named(name), bound=amount)
            case OneOf(trait=trait, one_of=values):
                said = self._words["any"].join(map(self._named, values))
                return self._say("one of", trait=self._named(trait), values=said)
            case Holds(holds=values):
                return self._say("holds", values=self._words["any"].join(values))

    def _within(self, rule: TierPolicy, condition: Condition) -> str:
        said = self._condition(rule, condition)
        return self._say("within", said=said) if isinstance(condition, AllOf | AnyOf) else said

    def _named(self, quantity: str) -> str:
        """What a quantity is called; a measure has the name that its author gave it."""
        return self._names.get(quantity, quantity)

    def _say(self, sentence: str, **values: object) -> str:
        return self._words[sentence].format(**values)

    def _listed(self, said: Iterable[str]) -> str:
        return self._words["list"].join(said)


def _amount(rule: TierPolicy, quantity: str, bound: int) -> str:
    """A bound as people write it: an amount with its currency, and a count as a number."""
    return as_money(bound, rule.currency) if rule.is_money(quantity) else f"{bound:,}"
