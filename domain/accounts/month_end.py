"""What did a month come to?

A row of facts for each month that ended, from what moved on each of its days.

The sum of a month's end-of-day balances is ``opening x days + sum(net x days from the business date
to the month's end, both counted)``, in exact integers, whatever the order in which the movements
became known. Money of another currency counts in the bank's own: each day's balance and movements
at that day's rate, rounded half up. Of a joint account counts the customer's part, each day.
"""

from collections.abc import Callable
from functools import lru_cache, partial

from domain.accounts.exchange import NO_RATES, Rate, Rates
from domain.accounts.ledger import NOTHING, Account, Day, DaysMoves, Ledger, Part, Past
from domain.accounts.monthly_facts import AssetFacts, MonthlyFacts, Traits
from domain.calendar import Month, days_in, days_of_three, next_month, numbers_of
from domain.fastcopy import build, changed

Worth = Callable[[int], int]
ALL = Part(0, 1000)


def month_ended(
    ledger: Ledger, month: Month, rates: Rates = NO_RATES
) -> tuple[Ledger, tuple[MonthlyFacts, ...]]:
    """The ledger after a month's end, with a row of facts for every month that this closed.

    Money of a currency that has no rate by its month's end is told in that currency. A month whose
    own end was never reported is closed with the first later one. A month closed before, or one
    before the customer came, gives no facts.
    """
    rows = []
    due = open_month(ledger)
    while due is not None and due <= month:
        tally = _tallied(ledger, due, rates)
        rows.append(facts := _facts(ledger, tally))
        accounts = {
            name: _without_days(account, tally.last_day)
            for name, account in ledger.accounts.items()
        }
        ledger = changed(
            ledger,
            accounts=accounts,
            closed_through=due,
            past=_remembered(ledger.past, tally),
            streak=facts.streak,
        )
        ledger = changed(ledger, base=rates.base, rates=tally.used) if tally.used else ledger
        due = next_month(due)
    return ledger, tuple(rows)


def open_month(ledger: Ledger) -> Month | None:
    """The first month that is not closed; None before the customer came."""
    return ledger.since if ledger.closed_through is None else next_month(ledger.closed_through)


def facts_of(ledger: Ledger, month: Month) -> MonthlyFacts:
    """The facts of the first month that is still open, if nothing more moves in it, at the rates of
    the last month's end.
    """
    rates = Rates(
        ledger.base, {currency: {f"{month}-01": rate} for currency, rate in ledger.rates.items()}
    )
    return _facts(ledger, _tallied(ledger, month, rates))


class _Tally:
    """What the accounts of one ledger come to in one month; what is late counts from
    its first day.
    """

    __slots__ = (
        "active",
        "days",
        "held",
        "last_day",
        "month",
        "numbers",
        "transactions",
        "used",
        "value_in",
        "value_out",
    )

    def __init__(self, month: Month) -> None:
        self.month = month
        self.days = days_in(month)
        self.numbers = numbers_of(month)
        self.last_day = f"{month}-{self.days}"
        self.held: dict[str, Past] = {}
        self.value_in: dict[str, int] = {}
        self.value_out: dict[str, int] = {}
        self.transactions = 0
        self.active = 0
        self.used: dict[str, Rate] = {}

    def add(self, name: str, account: Account, ledger: Ledger, rates: Rates) -> None:
        """Count one account in."""
        daily = (
            None
            if rates.base is None or rates.base == account.currency
            else rates.of_month(account.currency, self.month)
        )
        if daily:
            assert rates.base is not None
            self.used[account.currency] = daily[-1]
        shares = ledger.shares_of(name, account.currency) if ledger.shares else {}
        if daily or shares:
            self._add_by_worth(
                account,
                rates.base if daily and rates.base else account.currency,
                _worths(shares, self.numbers, daily),
            )
        else:
            self._add_whole(account)

    def _add_whole(self, account: Account) -> None:
        """Count in an account of which all is the customer's, in its own currency."""
        days, numbers, last_day = self.days, self.numbers, self.last_day
        total = first = second = moved = later = number = came = went = 0
        for day, (into, out, count, corrected, _) in account.days.items():
            net = into - out + corrected
            since = numbers.get(day)
            if since is None:
                if day > last_day:
                    later += net
                    continue
                since = 1
            moved += net
            total += net * (days - since + 1)
            if since <= 2:
                second += net
                first += net if since == 1 else 0
            if count:
                number, came, went = number + count, came + into, went + out
                self.active |= 1 << since
        closing = account.balance - later
        opening = closing - moved
        self._count(number, came, went, account.currency)
        self._hold(
            account,
            account.currency,
            Past(opening * days + total, opening + first, opening + second, closing),
            opening,
        )

    def _add_by_worth(self, account: Account, currency: str, worths: dict[int, Worth]) -> None:
        """Count in an account that is worth something else than its balance.

        Each balance for as many days as nothing changes.
        """
        balance = opening = account.balance - sum([moves.net for moves in account.days.values()])
        by_day: dict[int, DaysMoves] = {}
        for day, moves in account.days.items():
            if day <= self.last_day:
                since = self.numbers.get(day, 1)
                known = by_day.get(since, NOTHING)
                by_day[since] = DaysMoves(
                    known.came + moves.came,
                    known.went + moves.went,
                    known.number + moves.number,
                    known.corrected + moves.corrected,
                )
        total, first, second, worth_of = 0, 0, 0, worths[1]
        changes = sorted({1, *by_day, *worths})
        for number, following in zip(changes, (*changes[1:], self.days + 1), strict=True):
            moves, worth_of = by_day.get(number, NOTHING), worths.get(number, worth_of)
            balance += moves.net
            held = worth_of(balance)
            total += held * (following - number)
            if number <= 2:
                first, second = held if number == 1 else first, held
            if moves.number:
                self._count(moves.number, worth_of(moves.came), worth_of(moves.went), currency)
                self.active |= 1 << number
        self._hold(account, currency, Past(total, first, second, worth_of(balance)), opening)

    def _hold(self, account: Account, currency: str, held: Past, opening: int) -> None:
        if opening or any(held):
            key = f"{account.asset_class}/{currency}"
            known = self.held.get(key)
            self.held[key] = (
                held if known is None else Past(*map(sum, zip(known, held, strict=True)))
            )

    def _count(self, number: int, came: int, went: int, currency: str) -> None:
        if number:
            self.transactions += number
            self.value_in[currency] = self.value_in.get(currency, 0) + came
            self.value_out[currency] = self.value_out.get(currency, 0) + went


NONE = Past()
NO_TRAITS = Traits()


def _worths(
    shares: dict[Day, Part], numbers: dict[Day, int], daily: list[Rate] | None
) -> dict[int, Worth]:
    """What an amount of an account is worth to this customer, from the first day of a month on and
    from each on which that changes.

    Converted at the rate of the day, then the customer's part of it.
    """
    parts = {numbers[day]: part for day, part in shares.items() if day in numbers}
    part = shares[max(before)] if (before := [day for day in shares if day < min(numbers)]) else ALL
    rates = (
        {
            number: rate
            for number, rate in enumerate(daily, start=1)
            if number == 1 or rate != daily[number - 2]
        }
        if daily
        else {}
    )
    worths, rate = dict[int, Worth](), None
    for number in sorted({1, *parts, *rates}):
        part, rate = parts.get(number, part), rates.get(number, rate)
        worths[number] = part.of if rate is None else partial(_converted, part, rate)
    return worths


def _converted(part: Part, rate: Rate, amount: int) -> int:
    return part.of(rate.convert(amount))


def _tallied(ledger: Ledger, month: Month, rates: Rates) -> _Tally:
    tally = _Tally(month)
    for name, account in ledger.accounts.items():
        tally.add(name, account, ledger, rates)
    return tally


def _facts(ledger: Ledger, tally: _Tally) -> MonthlyFacts:
    return build(
        MonthlyFacts,
        month=tally.month,
        days=tally.days,
        assets=tuple(
            [
                _asset_facts(key, tally, ledger.past.get(key, ()))
                for key in sorted(tally.held.keys() | ledger.past.keys())
            ]
        ),
        transactions=tally.transactions,
        value_in=_in_order(tally.value_in),
        value_out=_in_order(tally.value_out),
        active_days=tally.active.bit_count(),
        products=len(ledger.products)
        + sum(not account.closed for account in ledger.accounts.values()),
        tenure_months=_months_between(ledger.since or tally.month, tally.month) + 1,
        streak=_streak(ledger, tally),
        traits=NO_TRAITS,
        wholes={},
        active=tally.active,
    )


def _in_order(values: dict[str, int]) -> dict[str, int]:
    return values if len(values) < 2 else dict(sorted(values.items()))


def _asset_facts(key: str, tally: _Tally, past: tuple[Past, ...]) -> AssetFacts:
    asset_class, currency = key.split("/")
    now = tally.held.get(key, NONE)
    return build(
        AssetFacts,
        asset_class=asset_class,
        currency=currency,
        balance_days=now.balance_days,
        average=(2 * now.balance_days + tally.days) // (2 * tally.days),
        closing=now.closing,
        ninety_days=_ninety_days(now, tally.month, past),
    )


def _ninety_days(now: Past, month: Month, past: tuple[Past, ...]) -> int:
    """The sum over 90 days up to a month's end.

    Three months, less their first days, or with the last day before them.
    """
    one, two, three = (*past, NONE, NONE, NONE)[:3]
    match days_of_three(month):
        case 89:
            edge = three.closing
        case 91:
            edge = -two.first
        case 92:
            edge = -two.first - two.second
        case _:
            edge = 0
    return now.balance_days + one.balance_days + two.balance_days + edge


def _remembered(past: dict[str, tuple[Past, ...]], tally: _Tally) -> dict[str, tuple[Past, ...]]:
    months = {
        key: (tally.held.get(key, NONE), *past.get(key, ()))[:3]
        for key in past.keys() | tally.held.keys()
    }
    return {key: each for key, each in months.items() if any(map(any, each))}


def _streak(ledger: Ledger, tally: _Tally) -> int:
    return max(ledger.streak, 0) + 1 if tally.active else min(ledger.streak, 0) - 1


def _without_days(account: Account, last_day: str) -> Account:
    return (
        changed(account, days={day: moves for day, moves in account.days.items() if day > last_day})
        if account.days
        else account
    )


@lru_cache(maxsize=4096)
def _months_between(first: Month, last: Month) -> int:
    return (int(last[:4]) - int(first[:4])) * 12 + int(last[5:7]) - int(first[5:7])
