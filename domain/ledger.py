"""What did the customer hold, day by day? Running balances, and a row of facts for each month that ended.

An account keeps what moved on each business day since the last month's end, and everything else follows from that:
the sum of a month's end-of-day balances is
``opening x days + sum(net x days from the business date to the month's end, both counted)``,
in exact integers, whatever the order in which the movements became known.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.change import changed
from domain.days import Month, days_in, month_before, next_month
from domain.facts import AssetFacts, MonthlyFacts
from domain.interaction import AssetClass

Day = str
"""A business day as `YYYY-MM-DD`; sorts as text in order of time."""


class DaysMoves(NamedTuple):
    """What moved on an account on one business day: transactions in and out, how many, what statements corrected, and whether there was one."""

    came: int = 0
    went: int = 0
    number: int = 0
    corrected: int = 0
    stated: bool = False

    @property
    def net(self) -> int:
        """By how much the balance changed."""
        return self.came - self.went + self.corrected


NOTHING = DaysMoves()


class Move(NamedTuple):
    """A transaction, as far as it concerns a ledger: minor units, positive into the account."""

    account: str
    currency: str
    amount: int
    day: Day


@dataclass(frozen=True)
class Account:
    """A running account: balance in minor units of its currency.

    `days` has what moved on each business day that is in no closed month's facts yet, and `stated` the last day
    whose closing balance a system of record has stated.
    """

    asset_class: AssetClass
    currency: str
    balance: int = 0
    closed: bool = False
    days: dict[Day, DaysMoves] = field(default_factory=dict)
    stated: Day | None = None


class Past(NamedTuple):
    """One asset class in a month with facts: the sum of its end-of-day balances, the first two, and the last."""

    balance_days: int = 0
    first: int = 0
    second: int = 0
    closing: int = 0


@dataclass(frozen=True)
class Ledger:
    """A customer's accounts and products, the month they came in, and the last month with facts.

    `past` has the last three months with facts by `class/currency`, the latest first, and `streak` the months in a
    row with an active day (below zero: without).
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    products: frozenset[str] = frozenset()
    since: Month | None = None
    closed_through: Month | None = None
    past: dict[str, tuple[Past, ...]] = field(default_factory=dict)
    streak: int = 0


def seen(ledger: Ledger, month: Month) -> Ledger:
    """The ledger of a customer who was there in this month: the earliest such month is the first to get facts."""
    if ledger.since is not None and ledger.since <= month:
        return ledger
    return changed(ledger, since=month)


def opened(ledger: Ledger, number: str, asset_class: AssetClass, currency: str) -> Ledger:
    """The ledger with an account opened.

    What moved on it before it was known to be of this class belongs to its class, as far as no month with it is closed.
    """
    name = _name(ledger, number, currency)
    known = ledger.accounts.get(name)
    if known is None:
        return _with(ledger, name, Account(asset_class, currency))
    if known.asset_class == asset_class and not known.closed:
        return ledger
    return _with(ledger, name, changed(known, asset_class=asset_class, closed=False))


def closed(ledger: Ledger, number: str) -> Ledger:
    """The ledger with an account marked closed, in every currency."""
    ended = {name: changed(account, closed=True) for name, account in ledger.accounts.items() if name == number or name.startswith(f"{number}/")}
    return changed(ledger, accounts={**ledger.accounts, **ended}) if ended else ledger


def holding(ledger: Ledger, reference: str) -> Ledger:
    """The ledger with one more product held."""
    return changed(ledger, products=ledger.products | {reference})


def not_holding(ledger: Ledger, reference: str) -> Ledger:
    """The ledger with a product given back."""
    return changed(ledger, products=ledger.products - {reference})


def transacted(ledger: Ledger, moves: Iterable[Move]) -> Ledger:
    """The ledger after transactions, in order: moved, and counted by value in and out and by active day.

    An account never heard of is taken to be a deposit. A late movement, of a month already closed, counts from the
    first day of the first month still open: facts of a closed month do not change. A transaction of a day whose
    closing balance has been stated is contained in that balance.
    """
    running: dict[str, _Running] = {}
    for number, currency, amount, day in moves:
        known = running.get(number) or ledger.accounts.get(number)
        name = number if known is None or known.currency == currency else f"{number}/{currency}"
        account = running.get(name)
        if account is None:
            account = running[name] = _Running(ledger.accounts.get(name) or Account("deposit", currency))
        account.move(amount, day)
    return changed(ledger, accounts={**ledger.accounts, **{name: account.account() for name, account in running.items()}})


class _Running:
    """An account while several transactions move it."""

    __slots__ = ("balance", "before", "currency", "days", "stated")

    def __init__(self, account: Account) -> None:
        self.before = account
        self.currency = account.currency
        self.balance = account.balance
        self.days = dict(account.days)
        self.stated = account.stated

    def move(self, amount: int, day: Day) -> None:
        """One transaction more."""
        came, went, number, corrected, stated = self.days.get(day, NOTHING)
        if amount >= 0:
            self.days[day] = DaysMoves(came + amount, went, number + 1, corrected, stated)
        else:
            self.days[day] = DaysMoves(came, went - amount, number + 1, corrected, stated)
        containing = None if self.stated is None or day > self.stated else _stated_from(self.days, self.stated, day)
        if containing is None:
            self.balance += amount
        else:
            contained = self.days.get(containing, NOTHING)
            self.days[containing] = contained._replace(corrected=contained.corrected - amount)

    def account(self) -> Account:
        """The account after all of them."""
        return changed(self.before, balance=self.balance, days=self.days)


def restated(ledger: Ledger, number: str, balance: int, currency: str, day: Day) -> Ledger:
    """The ledger after a system of record stated the balance at the end of a day.

    The difference to what was known of the end of that day moves on that day; what moved later stays on top. A
    statement that comes after one of a later day does not change the later one. One of a day within a closed month,
    but its last, comes too late: what moved after it in that month is no longer known by days.
    """
    if ledger.closed_through is not None and day < _last_day(ledger.closed_through):
        return ledger
    name = _name(ledger, number, currency)
    account = ledger.accounts.get(name) or Account("deposit", currency)
    amount = balance - (account.balance - sum(moves.net for when, moves in account.days.items() if when > day))
    following = None if account.stated is None else _stated_from(account.days, account.stated, day, itself=False)
    account = _corrected(account, amount, day, stated=True)
    if following is not None:
        return _with(ledger, name, _corrected(account, -amount, following))
    return _with(ledger, name, changed(account, stated=max(day, account.stated or day)))


def month_ended(ledger: Ledger, month: Month) -> tuple[Ledger, tuple[MonthlyFacts, ...]]:
    """The ledger after a month's end, with a row of facts for every month that this closed.

    A month whose own end was never reported is closed with the first later one. A month closed before, or one
    before the customer came, gives no facts.
    """
    rows = []
    due = ledger.since if ledger.closed_through is None else next_month(ledger.closed_through)
    while due is not None and due <= month:
        tally = _tallied(ledger, due)
        rows.append(_facts(ledger, tally))
        accounts = {name: _without_days(account, due) for name, account in ledger.accounts.items()}
        ledger = changed(ledger, accounts=accounts, closed_through=due, past=_remembered(ledger.past, tally), streak=_streak(ledger, tally))
        due = next_month(due)
    return ledger, tuple(rows)


def facts_of(ledger: Ledger, month: Month) -> MonthlyFacts:
    """The facts of the first month that is still open, if nothing more moves in it."""
    return _facts(ledger, _tallied(ledger, month))


class _Tally:
    """What the accounts of one ledger come to in one month; what is late counts from its first day."""

    def __init__(self, month: Month) -> None:
        self.month = month
        self.days = days_in(month)
        self.held: dict[str, Past] = {}
        self.value_in: Counter[str] = Counter()
        self.value_out: Counter[str] = Counter()
        self.transactions = 0
        self.active = 0

    def add(self, account: Account) -> None:
        """Count one account in."""
        opening = account.balance - sum(moves.net for moves in account.days.values())
        total, first, second, closing = opening * self.days, opening, opening, opening
        for day, moves in account.days.items():
            if day[:7] <= self.month:
                since, net = int(day[8:]) if day[:7] == self.month else 1, moves.net
                total += net * (self.days - since + 1)
                first += net if since == 1 else 0
                second += net if since <= 2 else 0
                closing += net
                self._count(moves, account.currency, since)
        if opening or total or first or second or closing:
            key = f"{account.asset_class}/{account.currency}"
            known = self.held.get(key, NONE)
            self.held[key] = Past(known.balance_days + total, known.first + first, known.second + second, known.closing + closing)

    def _count(self, moves: DaysMoves, currency: str, since: int) -> None:
        if moves.number:
            self.transactions += moves.number
            self.active |= 1 << since
            self.value_in[currency] += moves.came
            self.value_out[currency] += moves.went


NONE = Past()


def _tallied(ledger: Ledger, month: Month) -> _Tally:
    tally = _Tally(month)
    for account in ledger.accounts.values():
        tally.add(account)
    return tally


def _facts(ledger: Ledger, tally: _Tally) -> MonthlyFacts:
    return MonthlyFacts(
        month=tally.month,
        days=tally.days,
        assets=tuple(_asset_facts(key, tally, ledger.past.get(key, ())) for key in sorted(tally.held.keys() | ledger.past.keys())),
        transactions=tally.transactions,
        value_in=dict(tally.value_in),
        value_out=dict(tally.value_out),
        active_days=tally.active.bit_count(),
        products=len(ledger.products) + sum(not account.closed for account in ledger.accounts.values()),
        tenure_months=_months_between(ledger.since or tally.month, tally.month) + 1,
        streak=_streak(ledger, tally),
    )


def _asset_facts(key: str, tally: _Tally, past: tuple[Past, ...]) -> AssetFacts:
    asset_class, currency = key.split("/")
    now = tally.held.get(key, NONE)
    average = (2 * now.balance_days + tally.days) // (2 * tally.days)
    return AssetFacts(asset_class, currency, now.balance_days, average, now.closing, _ninety_days(now, tally.month, past))  # type: ignore[arg-type]


def _ninety_days(now: Past, month: Month, past: tuple[Past, ...]) -> int:
    """The sum over 90 days up to a month's end: three months, less their first days, or with the last day before them."""
    one, two, three = (*past, NONE, NONE, NONE)[:3]
    earlier = month_before(month)
    days = days_in(month) + days_in(earlier) + days_in(month_before(earlier))
    edge = {89: three.closing, 90: 0, 91: -two.first, 92: -two.first - two.second}
    return now.balance_days + one.balance_days + two.balance_days + edge[days]


def _remembered(past: dict[str, tuple[Past, ...]], tally: _Tally) -> dict[str, tuple[Past, ...]]:
    months = {key: (tally.held.get(key, NONE), *past.get(key, ()))[:3] for key in past.keys() | tally.held.keys()}
    return {key: each for key, each in months.items() if any(map(any, each))}


def _streak(ledger: Ledger, tally: _Tally) -> int:
    return max(ledger.streak, 0) + 1 if tally.active else min(ledger.streak, 0) - 1


def _corrected(account: Account, amount: int, day: Day, *, stated: bool = False) -> Account:
    """The account after a correction of its balance, on a day; by a statement of that day, or because of another."""
    moves = account.days.get(day, NOTHING)
    moves = moves._replace(corrected=moves.corrected + amount, stated=moves.stated or stated)
    return changed(account, balance=account.balance + amount, days={**account.days, day: moves})


def _stated_from(days: Mapping[Day, DaysMoves], last: Day, day: Day, *, itself: bool = True) -> Day | None:
    """The first day from this one on (or after it) whose closing balance was stated; `last` is the last there is."""
    found = [when for when, moves in days.items() if moves.stated and (when > day or (itself and when == day))]
    return min(found, default=last if last > day or (itself and last == day) else None)


def _last_day(month: Month) -> Day:
    return f"{month}-{days_in(month):02d}"


def _with(ledger: Ledger, name: str, account: Account) -> Ledger:
    return changed(ledger, accounts={**ledger.accounts, name: account})


def _name(ledger: Ledger, number: str, currency: str) -> str:
    """Where an account's balance in a currency is kept: money in a second currency is a balance of its own."""
    known = ledger.accounts.get(number)
    return number if known is None or known.currency == currency else f"{number}/{currency}"


def _without_days(account: Account, month: Month) -> Account:
    return changed(account, days={day: moves for day, moves in account.days.items() if day[:7] > month}) if account.days else account


def _months_between(first: Month, last: Month) -> int:
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:7]) - int(first[5:7])
