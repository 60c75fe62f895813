"""Who belongs together, and what do they come to?

Memberships with intervals and shares, and one row of facts for all.

A household or company group has no money of its own: what it comes to is the sum of its members'
months, each as the member's own ledger closed it. So the sum of the members is the whole, by
construction.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, NamedTuple

from domain.accounts.monthly_facts import AssetFacts, MonthlyFacts, Traits
from domain.fastcopy import changed

Take = Literal["sum", "share", "max"]
MOST_BESIDE = 20
"""Members of a household whose months are told one by one, for rules that count the
best of them.
"""


@dataclass(frozen=True)
class Membership:
    """A customer belongs to a whole, in a role and with a share in permille, from a day on, until
    (without) another.
    """

    share_permille: int
    since: date
    until: date | None = None
    role: str = "member"


Memberships = dict[str, tuple[Membership, ...]]
"""By whole, the intervals in which a customer belongs to it, in order."""


class Member(NamedTuple):
    """A member's month, the share that belongs to the whole, in permille, and whose number it is
    one of, if the person has several.
    """

    facts: MonthlyFacts
    share_permille: int = 1000
    person: str | None = None


@dataclass(frozen=True)
class Sums:
    """What the months of several members come to: minor units and counts."""

    assets: tuple[AssetFacts, ...] = ()
    transactions: int = 0
    value_in: dict[str, int] = field(default_factory=dict)
    value_out: dict[str, int] = field(default_factory=dict)
    products: int = 0


@dataclass(frozen=True)
class Told:
    """What a whole came to in a month, as its members learn it.

    All of it, by shares, and in a small household member by member.
    """

    whole: str
    total: Sums
    shared: Sums
    beside: tuple[MonthlyFacts, ...] = ()

    def counting(self, own: MonthlyFacts, take: Take) -> tuple[MonthlyFacts, ...]:
        """The months that count for a member beside their own.

        That of the whole by sum or by shares, or those of all members.
        """
        match take:
            case "sum":
                return (together(own, self.total),)
            case "share":
                return (together(own, self.shared),)
            case "max":
                return self.beside


def joined(memberships: Memberships, whole: str, membership: Membership) -> Memberships:
    """The memberships after one more, whatever the order in which they become known.

    A customer is in one whole of a kind at a time: it lasts until the next one of its kind begins,
    and the one before lasts until it begins; of two that begin on one day, the one that became
    known last. Another share in the same whole is another membership, which ends where the one that
    it divides ended.
    """
    since = membership.since
    kind = {name: held for name, held in memberships.items() if _kind(name) == _kind(whole)}
    divided = [
        each.until
        for each in kind.get(whole, ())
        if each.since <= since and each.until is not None and each.until > since
    ]
    following = [each.since for held in kind.values() for each in held if each.since > since]
    bounded = {
        name: tuple(
            [
                _ended(each, since) if each.since < since else each
                for each in held
                if each.since != since
            ]
        )
        for name, held in kind.items()
    }
    mine = sorted(
        (
            *bounded.get(whole, ()),
            changed(membership, until=min([*divided, *following], default=None)),
        ),
        key=lambda each: each.since,
    )
    return {
        name: held for name, held in {**memberships, **bounded, whole: tuple(mine)}.items() if held
    }


def left(memberships: Memberships, whole: str, day: date) -> Memberships:
    """The memberships after the end of those that had begun by a day.

    One that is not known yet is not ended.
    """
    held = tuple(
        [_ended(each, day) if each.since <= day else each for each in memberships.get(whole, ())]
    )
    return {**memberships, whole: held} if held else dict(memberships)


def counted_on(memberships: Memberships, day: date) -> dict[str, int]:
    """In which wholes a customer counts at the end of a day, and with which share.

    In one of each kind.
    """
    if not memberships:
        return {}
    there = {
        whole: each
        for whole, held in memberships.items()
        for each in held
        if each.since <= day and (each.until is None or each.until > day)
    }
    return {whole: there[whole].share_permille for whole in sorted(there)}


def one_of_each_kind(of_each: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """In which wholes a person with several numbers counts, by what counts for each.

    Of a kind that of the first number that is in one.

    >>> one_of_each_kind([{"company:2": 500}, {"company:1": 1000, "household:7": 1000}])
    {'company:2': 500, 'household:7': 1000}
    """
    found: dict[str, tuple[str, int]] = {}
    for counted in of_each:
        for whole, share in counted.items():
            found.setdefault(_kind(whole), (whole, share))
    return dict(sorted(found.values()))


def summed(members: Iterable[Member], *, by_share: bool = False) -> Sums:
    """What members come to together.

    `by_share`: each with their share, every amount rounded down by itself.
    """
    parts = [_share(facts, share) if by_share else facts for facts, share, _ in members]
    assets: dict[tuple[str, str], AssetFacts] = {}
    for asset in (asset for part in parts for asset in part.assets):
        key = (asset.asset_class, asset.currency)
        assets[key] = _sum(assets[key], asset) if key in assets else asset
    return Sums(
        assets=tuple(assets[key] for key in sorted(assets)),
        transactions=sum(part.transactions for part in parts),
        value_in=_added(part.value_in for part in parts),
        value_out=_added(part.value_out for part in parts),
        products=sum(part.products for part in parts),
    )


def together(own: MonthlyFacts, sums: Sums) -> MonthlyFacts:
    """A member's month with the money, transactions and products of the whole.

    Days, months and traits stay the member's own.
    """
    return replace(
        own,
        assets=sums.assets,
        transactions=sums.transactions,
        value_in=sums.value_in,
        value_out=sums.value_out,
        products=sums.products,
    )


def without_names(months: Iterable[MonthlyFacts]) -> tuple[MonthlyFacts, ...]:
    """Months with amounts and counts alone, without a word of whose they are, in an order that
    tells nothing of it.
    """
    return tuple(
        sorted(
            (
                replace(
                    facts, wholes={}, traits=Traits(open_cases=facts.traits.open_cases), active=0
                )
                for facts in months
            ),
            key=repr,
        )
    )


def _ended(membership: Membership, day: date) -> Membership:
    return (
        membership
        if membership.until is not None and membership.until <= day
        else changed(membership, until=day)
    )


def _kind(whole: str) -> str:
    return whole.partition(":")[0]


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
        AssetFacts(
            each.asset_class,
            each.currency,
            part(each.balance_days),
            part(each.average),
            part(each.closing),
            part(each.ninety_days),
        )
        for each in facts.assets
    )
    value_in, value_out = (
        {currency: part(amount) for currency, amount in side.items()}
        for side in (facts.value_in, facts.value_out)
    )
    return replace(facts, assets=assets, value_in=value_in, value_out=value_out)


def _added(values: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for value in values:
        total.update(value)
    return {currency: total[currency] for currency in sorted(total)}
