"""What do the members of a household or company group come to together? One row of facts, the sum of theirs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from domain.facts import AssetFacts, MonthlyFacts


class Member(NamedTuple):
    """A member's month, and the share that belongs to the whole, in permille."""

    facts: MonthlyFacts
    share_permille: int = 1000


def together(own: MonthlyFacts, members: Sequence[Member], take: Literal["sum", "share"]) -> MonthlyFacts:
    """The month of the whole, as the conditions ask for it: money, transactions and products of all members (`own` among them).

    With `share`, each member's amounts enter by their share, rounded down: so the whole is the sum of its parts by
    construction. Days, months and traits are those of the customer who is asked about.
    """
    parts = [facts if take == "sum" else _share(facts, permille) for facts, permille in members]
    assets: dict[tuple[str, str], AssetFacts] = {}
    for asset in (asset for part in parts for asset in part.assets):
        key = (asset.asset_class, asset.currency)
        assets[key] = _sum(assets[key], asset) if key in assets else asset
    return replace(
        own,
        assets=tuple(assets[key] for key in sorted(assets)),
        transactions=sum(part.transactions for part in parts),
        value_in=_added(part.value_in for part in parts),
        value_out=_added(part.value_out for part in parts),
        products=sum(part.products for part in parts),
    )


def _sum(one: AssetFacts, other: AssetFacts) -> AssetFacts:
    return replace(
        one,
        balance_days=one.balance_days + other.balance_days,
        average=one.average + other.average,
        closing=one.closing + other.closing,
        ninety_days=one.ninety_days + other.ninety_days,
    )


def _share(facts: MonthlyFacts, permille: int) -> MonthlyFacts:
    def part(amount: int) -> int:
        return amount * permille // 1000

    assets = tuple(
        AssetFacts(each.asset_class, each.currency, part(each.balance_days), part(each.average), part(each.closing), part(each.ninety_days))
        for each in facts.assets
    )
    value_in, value_out = ({currency: part(amount) for currency, amount in side.items()} for side in (facts.value_in, facts.value_out))
    return replace(facts, assets=assets, value_in=value_in, value_out=value_out)


def _added(values: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for value in values:
        total.update(value)
    return dict(total)
