"""What does each feature count in a score, for and against, and how do people read it?"""

from dataclasses import dataclass

from domain.accounts.currencies import as_money
from domain.offers.events import Features
from projections.models.propensity import Ready, shared

UNSEEN = 365
"""Days since the last visit, at most: also of whoever was never seen."""
Words = dict[str, str]
"""What is said, by language."""
LANGUAGES = ("zh", "en")
"""In the order in which sentences stand."""

NUMBERS: dict[str, tuple[str, str]] = {
    "age": ("年龄 {} 岁", "age: {}"),
    "products": ("持有产品 {} 项", "products held: {}"),
    "days-unseen": ("{} 天未到访", "days since the last visit: {}"),
    "open-cases": ("未结投诉 {} 件", "open cases: {}"),
    "accepted-before": ("曾接受推荐 {} 次", "offers accepted before: {}"),
    "declined-before": ("曾拒绝推荐 {} 次", "offers declined before: {}"),
    "transactions": ("上月交易 {} 笔", "transactions last month: {}"),
    "active-days": ("上月有交易 {} 天", "active days last month: {}"),
    "tenure-months": ("在行 {} 个月", "months with the bank: {}"),
}
UNKNOWN: dict[tuple[str, int], tuple[str, str]] = {
    ("age", 0): ("年龄不详", "age unknown"),
    ("days-unseen", UNSEEN): ("一年或更久未到访", "no visit for a year or longer"),
}
"""Values that stand for what is not known, or lies beyond what is counted."""
AMOUNTS: dict[str, tuple[str, str]] = {
    "assets-bits": ("总资产约 {} (各币种合计)", "assets of about {} (all currencies together)"),
    "in-bits": (
        "上月流入约 {} (各币种合计)",
        "about {} came in last month (all currencies together)",
    ),
    "out-bits": (
        "上月流出约 {} (各币种合计)",
        "about {} went out last month (all currencies together)",
    ),
}
CATEGORIES: dict[str, tuple[str, str]] = {
    "tier": ("层级 {}", "tier {}"),
    "channel": ("来自渠道 {}", "asked on {}"),
    "grade": ("风险等级 {}", "risk grade {}"),
    "month": ("{} 月", "month {}"),
}
VISITS = ("经 {0} 到访约 {1} 次", "visits by {0}: about {1}")
OTHER = ("{0} 为 {1}", "{0} is {1}")
LARGEST = 64
"""Bits of an amount."""


@dataclass(frozen=True)
class Reason:
    """What a feature counts in a score, in log-odds: above zero it speaks for a yes."""

    feature: str
    value: int
    counts: float
    words: Words


def reasons_of(ready: Ready, known: Features, currency: str) -> tuple[Reason, ...]:
    """What each feature counts, the strongest first; with the model's intercept they add up to the
    score.
    """
    return tuple(
        Reason(name, known[name], counts, words(name, known[name], currency))
        for name, counts in ready.terms(shared(known))
    )


def words(feature: str, value: int, currency: str) -> Words:
    """A feature as a person says it; one that is not known by its own name.

    Amounts and visits enter features as their number of bits: the middle of what has so many is
    said. Amounts are in minor units of the currency.

    >>> words("age", 42, "CNY"), words("age", 0, "CNY")["en"]
    ({'zh': '年龄 42 岁', 'en': 'age: 42'}, 'age unknown')
    >>> words("tier=gold", 1, "CNY")["en"], words("a{b}=c", 1, "CNY")["en"]
    ('tier gold', 'a{b} is c')
    >>> words("visits-app-bits", 3, "CNY")["en"]
    'visits by app: about 6'
    >>> words("assets-bits", 27, "CNY")["en"]
    'assets of about 1,006,632.96 CNY (all currencies together)'
    """
    kind, is_category, named = feature.partition("=")
    if is_category:
        known = CATEGORIES.get(kind)
        return _said(known, named) if known else _said(OTHER, kind, named)
    if (feature, value) in UNKNOWN:
        return _said(UNKNOWN[feature, value])
    if feature.startswith("visits-") and feature.endswith("-bits"):
        channel = feature.removeprefix("visits-").removesuffix("-bits")
        return _said(VISITS, channel, _middle(value))
    if feature in AMOUNTS:
        return _said(AMOUNTS[feature], as_money(_middle(value), currency))
    known = NUMBERS.get(feature)
    return _said(known, value) if known else _said(OTHER, feature, value)


def _middle(bits: int) -> int:
    """The middle of the numbers of so many bits."""
    return (3 << max(0, min(bits, LARGEST))) >> 2


def _said(sentences: tuple[str, str], *values: object) -> Words:
    return dict(zip(LANGUAGES, (each.format(*values) for each in sentences), strict=True))
