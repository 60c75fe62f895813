"""What did the customer hold, day by day? Running balances, and a row of facts for each month that ended.

All sums are exact integers. The sum of a month's end-of-day balances is
``opening x days + sum(amount x days from the business date to the month's end, both counted)``,
which does not depend on the order in which the month's movements became known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from domain.change import changed
from domain.days import Month, days_in, month_of, next_month
from domain.interaction import AssetClass


@dataclass(frozen=True)
class AssetFacts:
    """One asset class in one currency over one month, in minor units.

    `balance_days` is the sum of the end-of-day balances, `average` that sum over the days of the month, rounded
    half up, and `closing` the balance at the end of the last day.
    """

    asset_class: AssetClass
    currency: str
    balance_days: int
    average: int
    closing: int


@dataclass(frozen=True)
class MonthlyFacts:
    """What one month of one customer came to, before any policy: minor units, counts, days."""

    month: Month
    days: int
    assets: tuple[AssetFacts, ...]
    transactions: int
    value_in: dict[str, int]
    value_out: dict[str, int]
    active_days: int
    products: int
    tenure_months: int


@dataclass(frozen=True)
class Account:
    """A running account: balance in minor units of its currency.

    `days` has the net of each business day (ISO date) since the last month's end, and `stated` the last day whose
    closing balance a system of record has stated.
    """

    asset_class: AssetClass
    currency: str
    balance: int = 0
    closed: bool = False
    days: dict[str, int] = field(default_factory=dict)
    stated: date | None = None


class Movement(NamedTuple):
    """Money that moved in one class and currency in one open month: net, and weighted by the days it counts."""

    net: int = 0
    weighted: int = 0


@dataclass(frozen=True)
class OpenMonth:
    """What has happened in a month that has not ended: movements by `class/currency`, counts, active days as bits."""

    movements: dict[str, Movement] = field(default_factory=dict)
    transactions: int = 0
    value_in: dict[str, int] = field(default_factory=dict)
    value_out: dict[str, int] = field(default_factory=dict)
    active: int = 0


@dataclass(frozen=True)
class Ledger:
    """A customer's accounts, the balances at the last month's end, and the months that are still open."""

    accounts: dict[str, Account] = field(default_factory=dict)
    products: frozenset[str] = frozenset()
    opening: dict[str, int] = field(default_factory=dict)
    months: dict[Month, OpenMonth] = field(default_factory=dict)
    since: Month | None = None
    closed_through: Month | None = None


Count = Callable[[OpenMonth, str, int, int], dict[str, Any]]
"""What a movement changes in a month beside the balance: entry, currency, amount, day of the month."""


def seen(ledger: Ledger, day: date) -> Ledger:
    """The ledger of a customer who was there on this day: the earliest such month is the first to get facts."""
    month = month_of(day)
    if ledger.since is not None and ledger.since <= month:
        return ledger
    return changed(ledger, since=month)


def opened(ledger: Ledger, number: str, account: Account, day: date) -> Ledger:
    """The ledger with an account opened.

    What moved on it before it was known to be of this class moves over to its class, on this day.
    """
    name = _name(ledger, number, account.currency)
    known = ledger.accounts.get(name)
    if known is None:
        return changed(ledger, accounts={**ledger.accounts, name: account})
    if known.asset_class == account.asset_class:
        return ledger
    ledger = _shifted(ledger, name, known, -known.balance, day, _not_counted)
    emptied = changed(ledger.accounts[name], asset_class=account.asset_class)
    return _shifted(ledger, name, emptied, known.balance, day, _not_counted)


def closed(ledger: Ledger, number: str) -> Ledger:
    """The ledger with an account marked closed."""
    known = ledger.accounts.get(number)
    if known is None:
        return ledger
    return changed(ledger, accounts={**ledger.accounts, number: changed(known, closed=True)})


def holding(ledger: Ledger, reference: str) -> Ledger:
    """The ledger with one more product held."""
    return changed(ledger, products=ledger.products | {reference})


def not_holding(ledger: Ledger, reference: str) -> Ledger:
    """The ledger with a product given back."""
    return changed(ledger, products=ledger.products - {reference})


def transacted(ledger: Ledger, number: str, amount: int, day: date, unknown: Account) -> Ledger:
    """The ledger after a transaction: moved, and counted by value in and out and by active day.

    An account never heard of is taken to be `unknown`. A late movement, of a month already closed, counts from the
    first day of the first month still open: facts of a closed month do not change. A transaction of a day whose
    closing balance has been stated is contained in that balance.
    """
    name = _name(ledger, number, unknown.currency)
    account = ledger.accounts.get(name, unknown)
    ledger = _shifted(ledger, name, account, amount, day, _counted)
    return _balanced(ledger, name, amount, account.stated) if account.stated and day <= account.stated else ledger


def restated(ledger: Ledger, number: str, balance: int, day: date, account: Account) -> Ledger:
    """The ledger after a system of record stated the balance at the end of a day.

    The difference to what was known of the end of that day moves on that day; what moved later stays on top. A
    statement that comes after one of a later day does not change the later one.
    """
    name = _name(ledger, number, account.currency)
    known = ledger.accounts.get(name, account)
    later = sum(net for when, net in known.days.items() if when > day.isoformat())
    amount = balance - (known.balance - later)
    ledger = _shifted(ledger, name, known, amount, day, _not_counted)
    if known.stated and day < known.stated:
        return _balanced(ledger, name, amount, known.stated)
    return changed(ledger, accounts={**ledger.accounts, name: changed(ledger.accounts[name], stated=day)})


def month_ended(ledger: Ledger, month: Month) -> tuple[Ledger, tuple[MonthlyFacts, ...]]:
    """The ledger after a month's end, with a row of facts for every month that this closed.

    A month whose own end was never reported is closed with the first later one. A month closed before, or one
    before the customer came, gives no facts.
    """
    rows = []
    due = ledger.since if ledger.closed_through is None else next_month(ledger.closed_through)
    while due is not None and due <= month:
        ledger, facts = _close(ledger, due)
        rows.append(facts)
        due = next_month(due)
    return ledger, tuple(rows)


def _shifted(ledger: Ledger, name: str, account: Account, amount: int, day: date, count: Count) -> Ledger:
    month, since = _effective(ledger, day)
    entry = ledger.months.get(month, OpenMonth())
    key = f"{account.asset_class}/{account.currency}"
    net, weighted = entry.movements.get(key, Movement())
    movement = Movement(net + amount, weighted + amount * (days_in(month) - since + 1))
    entry = changed(entry, movements={**entry.movements, key: movement}, **count(entry, account.currency, amount, since))
    when = day.isoformat()
    moved = changed(account, balance=account.balance + amount, days={**account.days, when: account.days.get(when, 0) + amount})
    return changed(ledger, accounts={**ledger.accounts, name: moved}, months={**ledger.months, month: entry})


def _balanced(ledger: Ledger, name: str, amount: int, stated: date) -> Ledger:
    """The ledger in which an amount that a stated balance contains is taken back on the day of that balance."""
    return _shifted(ledger, name, ledger.accounts[name], -amount, stated, _not_counted)


def _name(ledger: Ledger, number: str, currency: str) -> str:
    """Where an account's balance in a currency is kept: money in a second currency is a balance of its own."""
    known = ledger.accounts.get(number)
    return number if known is None or known.currency == currency else f"{number}/{currency}"


def _counted(entry: OpenMonth, currency: str, amount: int, since: int) -> dict[str, Any]:
    side = "value_in" if amount >= 0 else "value_out"
    totals: dict[str, int] = getattr(entry, side)
    totals = {**totals, currency: totals.get(currency, 0) + abs(amount)}
    return {"transactions": entry.transactions + 1, "active": entry.active | 1 << (since - 1), side: totals}


def _not_counted(_entry: OpenMonth, _currency: str, _amount: int, _since: int) -> dict[str, Any]:
    return {}


def _close(ledger: Ledger, month: Month) -> tuple[Ledger, MonthlyFacts]:
    days = days_in(month)
    entry = ledger.months.get(month, OpenMonth())
    keys = sorted(ledger.opening.keys() | entry.movements.keys())
    assets = tuple(_asset_facts(key, ledger.opening, entry.movements, days) for key in keys)
    facts = MonthlyFacts(
        month=month,
        days=days,
        assets=assets,
        transactions=entry.transactions,
        value_in=entry.value_in,
        value_out=entry.value_out,
        active_days=entry.active.bit_count(),
        products=len(ledger.products) + sum(not account.closed for account in ledger.accounts.values()),
        tenure_months=_months_between(ledger.since or month, month) + 1,
    )
    closing = {key: asset.closing for key, asset in zip(keys, assets, strict=True)}
    rest = {later: open_month for later, open_month in ledger.months.items() if later != month}
    accounts = {name: _without_days(account, month) for name, account in ledger.accounts.items()}
    return changed(ledger, accounts=accounts, opening=closing, months=rest, closed_through=month), facts


def _without_days(account: Account, month: Month) -> Account:
    return changed(account, days={when: net for when, net in account.days.items() if when[:7] > month}) if account.days else account


def _asset_facts(key: str, opening: Mapping[str, int], movements: Mapping[str, Movement], days: int) -> AssetFacts:
    asset_class, currency = key.split("/")
    start = opening.get(key, 0)
    net, weighted = movements.get(key, Movement())
    total = start * days + weighted
    average = (2 * total + days) // (2 * days)
    return AssetFacts(asset_class, currency, total, average, start + net)  # type: ignore[arg-type]


def _effective(ledger: Ledger, day: date) -> tuple[Month, int]:
    month = month_of(day)
    if ledger.closed_through is not None and month <= ledger.closed_through:
        return next_month(ledger.closed_through), 1
    return month, day.day


def _months_between(first: Month, last: Month) -> int:
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:7]) - int(first[5:7])
