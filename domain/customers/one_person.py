"""What did the months of several numbers come to, as those of one person?

What one number would have come to that had all that moved on any of them.
"""

from collections.abc import Mapping, Sequence

from domain.accounts.monthly_facts import AssetFacts, MonthlyFacts, Traits
from domain.calendar import Month
from domain.fastcopy import build, changed
from domain.households.membership import one_of_each_kind


def month_together(rows: Sequence[MonthlyFacts], before: int | None = None) -> MonthlyFacts:
    """One month of several numbers, the one that stays first.

    Amounts add up, days count once, the longest tenure is the person's. Of the traits the first
    that is stated counts. The streak goes on from the one `before`; it is the best of them where
    that is not said.
    """
    active = transactions = products = 0
    for row in rows:
        active |= row.active
        transactions += row.transactions
        products += row.products
    if before is None:
        streak = max(row.streak for row in rows)
    else:
        streak = max(before, 0) + 1 if active else min(before, 0) - 1
    if len(rows) == 1:
        return rows[0] if rows[0].streak == streak else changed(rows[0], streak=streak)
    return changed(
        rows[0],
        assets=_assets(rows),
        transactions=transactions,
        value_in=_added([row.value_in for row in rows]),
        value_out=_added([row.value_out for row in rows]),
        active_days=active.bit_count(),
        products=products,
        tenure_months=max(row.tenure_months for row in rows),
        streak=streak,
        traits=traits_together([row.traits for row in rows]),
        wholes=one_of_each_kind([row.wholes for row in rows]),
        active=active,
    )


def months_together(of_each: Sequence[Mapping[Month, MonthlyFacts]]) -> dict[Month, MonthlyFacts]:
    """The months of several numbers, the one that stays first.

    As far as all of them have been closed: where one of them lags behind, the later ones are not
    known yet.
    """
    there = [rows for rows in of_each if rows]
    if not there:
        return {}
    through = min(max(rows) for rows in there)
    found, streak = dict[Month, MonthlyFacts](), 0
    for month in sorted({month for rows in there for month in rows if month <= through}):
        row = month_together([rows[month] for rows in there if month in rows], streak)
        found[month], streak = row, row.streak
    return found


def traits_together(of_each: Sequence[Traits]) -> Traits:
    """What was known of several numbers: the first that is stated, what any of them holds, and all
    open cases.
    """
    return build(
        Traits,
        kind=next((each.kind for each in of_each if each.kind), None),
        rating=next((each.rating for each in of_each if each.rating), None),
        industry=next((each.industry for each in of_each if each.industry), None),
        region=next((each.region for each in of_each if each.region), None),
        born=next((each.born for each in of_each if each.born), None),
        holdings=tuple(sorted({held for each in of_each for held in each.holdings})),
        open_cases=sum(each.open_cases for each in of_each),
    )


def _assets(rows: Sequence[MonthlyFacts]) -> tuple[AssetFacts, ...]:
    """Assets by class and currency; the average is that of the sum, rounded once."""
    found: dict[tuple[str, str], list[AssetFacts]] = {}
    for row in rows:
        for asset in row.assets:
            found.setdefault((asset.asset_class, asset.currency), []).append(asset)
    days = rows[0].days
    return tuple(_asset(found[key], days) for key in sorted(found, key="/".join))


def _asset(some: Sequence[AssetFacts], days: int) -> AssetFacts:
    if len(some) == 1:
        return some[0]
    balance_days = sum(each.balance_days for each in some)
    return changed(
        some[0],
        balance_days=balance_days,
        average=(2 * balance_days + days) // (2 * days),
        closing=sum(each.closing for each in some),
        ninety_days=sum(each.ninety_days for each in some),
    )


def _added(values: Sequence[Mapping[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for value in values:
        for currency, amount in value.items():
            found[currency] = found.get(currency, 0) + amount
    return {currency: found[currency] for currency in sorted(found)}
