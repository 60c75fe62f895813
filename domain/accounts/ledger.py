"""What did the customer hold, and what moved?

Running balances, and what moved on each business day.

An account keeps what moved on each business day since the last month's end; what a month comes to
follows from that.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, NamedTuple

from pydantic import PlainSerializer

from domain.accounts.exchange import Rate
from domain.calendar import Month, days_in
from domain.event import AssetClass, Currency
from domain.fastcopy import changed

Day = str
"""A business day as `YYYY-MM-DD`; sorts as text in order of time."""


class DaysMoves(NamedTuple):
    """What moved on an account on one business day.

    Transactions in and out, how many, what statements corrected, and whether there was one.
    """

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
days_moves: Callable[[tuple[int, int, int, int, bool]], DaysMoves] = partial(
    tuple.__new__, DaysMoves
)
"""What `DaysMoves._make` does, without a call of Python: the innermost step of a ledger."""


BESIDE = "|"
"""Between an account's number and its second currency: no number may have it, so that none is
another's.
"""
Move = tuple[str, str, int, Day]
"""A transaction, as far as it concerns a ledger.

Account, currency, amount in minor units (positive into the account), business day.
"""


@dataclass(frozen=True)
class Account:
    """A running account: balance in minor units of its currency.

    `days` has what moved on each business day that is in no closed month's facts yet, and `stated`
    the last day whose closing balance a system of record has stated.
    """

    asset_class: AssetClass
    currency: str
    balance: int = 0
    closed: bool = False
    days: dict[Day, DaysMoves] = field(default_factory=dict)
    stated: Day | None = None


class Part(NamedTuple):
    """The part of an account's money that lies between two permille of it."""

    from_permille: int
    upto_permille: int

    def of(self, amount: int) -> int:
        """This part of an amount: parts that follow one another add up to it.

        >>> Part(0, 333).of(100) + Part(333, 1000).of(100)
        100
        """
        return amount * self.upto_permille // 1000 - amount * self.from_permille // 1000


class Past(NamedTuple):
    """One asset class in a month with facts.

    The sum of its end-of-day balances, the first two, and the last.
    """

    balance_days: int = 0
    first: int = 0
    second: int = 0
    closing: int = 0


@dataclass(frozen=True)
class Ledger:
    """A customer's accounts and products, the month they came in, and the last month with facts.

    `past` has the last three months with facts by `class/currency`, the latest first, and `streak`
    the months in a row with an active day (below zero: without). `rates` has the last rates by
    which money of other currencies was converted into the bank's `base`. `shares` has, by number,
    which part of a joint account is the customer's from which day on.
    """

    accounts: dict[str, Account] = field(default_factory=dict)
    products: Annotated[frozenset[str], PlainSerializer(sorted)] = frozenset()
    since: Month | None = None
    closed_through: Month | None = None
    past: dict[str, tuple[Past, ...]] = field(default_factory=dict)
    streak: int = 0
    base: str | None = None
    rates: dict[str, Rate] = field(default_factory=dict)
    shares: dict[str, dict[Day, Part]] = field(default_factory=dict)

    def shares_of(self, name: str, currency: Currency) -> dict[Day, Part]:
        """Which part of an account's money in a currency is the customer's from which day on.

        Before any of them, all of it.
        """
        return (
            self.shares.get(name) or self.shares.get(name.removesuffix(f"{BESIDE}{currency}")) or {}
        )


def seen(ledger: Ledger, month: Month) -> Ledger:
    """The ledger of a customer who was there in this month.

    The earliest such month is the first to get facts.
    """
    if ledger.since is not None and ledger.since <= month:
        return ledger
    return changed(ledger, since=month)


def opened(ledger: Ledger, number: str, asset_class: AssetClass, currency: str) -> Ledger:
    """The ledger with an account opened.

    What moved on it before it was known to be of this class belongs to its class, as far as no
    month with it is closed.
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
    ended = {
        name: changed(account, closed=True)
        for name, account in ledger.accounts.items()
        if name == number or name.startswith(f"{number}{BESIDE}")
    }
    return changed(ledger, accounts={**ledger.accounts, **ended}) if ended else ledger


def shared(ledger: Ledger, number: str, part: Part, day: Day) -> Ledger:
    """The ledger with an account of which a part is the customer's from a day on.

    A closed month stays what it was.
    """
    return changed(
        ledger, shares={**ledger.shares, number: {**ledger.shares.get(number, {}), day: part}}
    )


def holding(ledger: Ledger, reference: str) -> Ledger:
    """The ledger with one more product held."""
    return changed(ledger, products=ledger.products | {reference})


def not_holding(ledger: Ledger, reference: str) -> Ledger:
    """The ledger with a product given back."""
    return changed(ledger, products=ledger.products - {reference})


def transacted(ledger: Ledger, moves: Iterable[Move]) -> Ledger:
    """The ledger after transactions, in order.

    Moved, and counted by value in and out and by active day.

    An account never heard of is taken to be a deposit. A late movement, of a month already closed,
    counts from the first day of the first month still open: facts of a closed month do not change.
    A transaction of a day whose closing balance has been stated is contained in that balance.
    """
    running: dict[str, _Running] = {}
    for number, currency, amount, day in moves:
        account = running.get(number)
        if account is None or account.currency != currency:
            account = _moving(running, ledger, number, currency)
        account.move(amount, day)
    return changed(
        ledger,
        accounts={
            **ledger.accounts,
            **{name: account.account() for name, account in running.items()},
        },
    )


def undone(
    ledger: Ledger, number: str, currency: str, amount: int, posted: Day, day: Day
) -> Ledger:
    """The ledger after a transaction of `amount` that was `posted` on a day was undone on another.

    The money goes back on the day on which it was undone: it was there until then. What the
    transaction counted on its own day it counts no more, unless that month is closed.
    """
    running: dict[str, _Running] = {}
    account = _moving(running, ledger, number, currency)
    is_open = ledger.closed_through is None or posted[:7] > ledger.closed_through
    account.undo(amount, posted if is_open else None, day)
    return _with(ledger, next(iter(running)), account.account())


def _moving(
    running: "dict[str, _Running]", ledger: Ledger, number: str, currency: str
) -> "_Running":
    """The account that money of a currency moves, among those that are moving."""
    known = running.get(number) or ledger.accounts.get(number)
    name = number if known is None or known.currency == currency else f"{number}{BESIDE}{currency}"
    if name not in running:
        running[name] = _Running(ledger.accounts.get(name) or Account("deposit", currency))
    return running[name]


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
            self.days[day] = days_moves((came + amount, went, number + 1, corrected, stated))
        else:
            self.days[day] = days_moves((came, went - amount, number + 1, corrected, stated))
        containing = self._containing(day)
        if containing is None:
            self.balance += amount
        else:
            contained = self.days.get(containing, NOTHING)
            self.days[containing] = contained._replace(corrected=contained.corrected - amount)

    def undo(self, amount: int, posted: Day | None, day: Day) -> None:
        """Take a transaction back; `posted` is None where its month is closed."""
        if posted is not None and (was := self.days.get(posted)) is not None and was.number:
            came, went = was.came - max(amount, 0), was.went - max(-amount, 0)
            self.days[posted] = DaysMoves(
                came, went, was.number - 1, was.corrected + amount, was.stated
            )
        then = self.days.get(day, NOTHING)
        self.days[day] = then._replace(corrected=then.corrected - amount)
        containing = self._containing(day)
        if containing is None:
            self.balance -= amount
        else:
            contained = self.days.get(containing, NOTHING)
            self.days[containing] = contained._replace(corrected=contained.corrected + amount)

    def _containing(self, day: Day) -> Day | None:
        """The day whose stated balance contains what moves on this one, if there is one."""
        if self.stated is None or day > self.stated:
            return None
        return _stated_from(self.days, self.stated, day)

    def account(self) -> Account:
        """The account after all of them."""
        return changed(self.before, balance=self.balance, days=self.days)


def restated(ledger: Ledger, number: str, balance: int, currency: str, day: Day) -> Ledger:
    """The ledger after a system of record stated the balance at the end of a day.

    The difference to what was known of the end of that day moves on that day; what moved later
    stays on top. A statement that comes after one of a later day does not change the later one. One
    of a day within a closed month, but its last, comes too late: what moved after it in that month
    is no longer known by days.
    """
    if ledger.closed_through is not None and day < _last_day(ledger.closed_through):
        return ledger
    name = _name(ledger, number, currency)
    account = ledger.accounts.get(name) or Account("deposit", currency)
    amount = balance - (
        account.balance - sum(moves.net for when, moves in account.days.items() if when > day)
    )
    following = (
        None
        if account.stated is None
        else _stated_from(account.days, account.stated, day, itself=False)
    )
    account = _corrected(account, amount, day, stated=True)
    if following is not None:
        return _with(ledger, name, _corrected(account, -amount, following))
    return _with(ledger, name, changed(account, stated=max(day, account.stated or day)))


def _corrected(account: Account, amount: int, day: Day, *, stated: bool = False) -> Account:
    """The account after a correction of its balance, on a day.

    By a statement of that day, or because of another.
    """
    moves = account.days.get(day, NOTHING)
    moves = moves._replace(corrected=moves.corrected + amount, stated=moves.stated or stated)
    return changed(account, balance=account.balance + amount, days={**account.days, day: moves})


def _stated_from(
    days: Mapping[Day, DaysMoves], last: Day, day: Day, *, itself: bool = True
) -> Day | None:
    """The first day from this one on (or after it) whose closing balance was stated.

    `last` is the last there is.
    """
    found = [
        when
        for when, moves in days.items()
        if moves.stated and (when > day or (itself and when == day))
    ]
    return min(found, default=last if last > day or (itself and last == day) else None)


def _last_day(month: Month) -> Day:
    return f"{month}-{days_in(month):02d}"


def _with(ledger: Ledger, name: str, account: Account) -> Ledger:
    return changed(ledger, accounts={**ledger.accounts, name: account})


def _name(ledger: Ledger, number: str, currency: str) -> str:
    """Where an account's balance in a currency is kept.

    Money in a second currency is a balance of its own.
    """
    known = ledger.accounts.get(number)
    return number if known is None or known.currency == currency else f"{number}{BESIDE}{currency}"
