"""How does a tiering rule read? In sentences, and as a ladder; and the precedence of schemes."""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.reports.saying import Saying, amount
from domain.accounts.currencies import as_money
from domain.rules.quantities import Measure, Points, Scored
from domain.tiering.policy import Tier, TierPolicy
from domain.tiering.precedence import Precedence

FULL = 100
"""The weight in percent that goes without saying."""


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


class Tiering(Saying):
    """Says tiering rules."""

    def sentences(self, rule: TierPolicy) -> Iterator[str]:
        """What a rule says beside its tiers."""
        yield self.say(
            "is",
            label=rule.label,
            scheme=rule.scheme,
            whom=self.words[rule.applies_to],
            day=rule.effective,
        )
        yield from (self._measure(rule, name, each) for name, each in rule.measures.items())
        months = self.listed(map(str, rule.assessed_in))
        yield self.say(
            "all months" if len(rule.assessed_in) == 12 else "some months", months=months
        )
        if fast := rule.fast_track:
            yield self.say("fast", months=fast.through_months, over=self.words[fast.over])
        yield self.words[f"up {rule.up}"]
        yield self.say("falls", misses=rule.misses_allowed, to=self.words[rule.drop_to])
        if rule.freeze_in_dispute:
            yield self.words["freeze"]
        if rule.scope:
            yield self.say(rule.scope.of, take=self.words[rule.scope.take])
        if limit := rule.by_hand:
            yield self.say(
                "by hand" if limit.alone else "by hand by two",
                alone=limit.alone,
                days=limit.longest_days,
            )

    def order(self, rule: Precedence) -> Iterator[str]:
        """What a precedence says."""
        yield self.say("order", label=rule.label, day=rule.effective)
        for number, each in enumerate(rule.order, start=1):
            yield self.say(
                "counts from" if each.least else "counts",
                number=number,
                scheme=each.scheme,
                least=each.least,
            )
        if rule.uncounted:
            yield self.say("uncounted", schemes=self.listed(rule.uncounted))

    def rung(self, rule: TierPolicy, number: int) -> Rung:
        """A tier of the ladder."""
        tier = rule.tiers[number]
        return Rung(
            tier.tier,
            tier.name.get(self.language, tier.tier),
            self.condition(rule, tier.reach) if tier.reach else self.words["lowest"],
            self._falls(rule, tier) if number else "",
            tuple(
                self.say("fee", fee=name, amount=as_money(fee, rule.currency))
                for name, fee in tier.service.fees.items()
            ),
        )

    def _falls(self, rule: TierPolicy, tier: Tier) -> str:
        return self.say(
            "rung",
            misses=tier.misses_allowed or rule.misses_allowed,
            to=self.words[tier.drop_to or rule.drop_to],
        )

    def _measure(self, rule: TierPolicy, name: str, measure: Measure) -> str:
        if isinstance(measure, Points):
            parts = self.words["parts"].join(self._scored(rule, each) for each in measure.of)
            return self.say("points", name=name, parts=parts)
        classes = self.listed(
            self.named(asset) if weight == FULL else f"{self.named(asset)} {weight} %"
            for asset, weight in measure.weights_percent.items()
            if weight
        )
        return self.say("balances", name=name, over=self.words[measure.over], classes=classes)

    def _scored(self, rule: TierPolicy, scored: Scored) -> str:
        said = self.say(
            "scored",
            points=scored.points,
            each=amount(rule, scored.quantity, scored.each),
            quantity=self.named(scored.quantity),
        )
        most = scored.at_most
        return said if most is None else self.say("capped", scored=said, most=most)
