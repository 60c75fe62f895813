"""What did the customer hold, and what moved? Running balances, without any policy."""

from collections.abc import Iterable, Sequence

import msgspec

from domain.accounts import ledger
from domain.accounts.events import (
    AccountClosed,
    AccountOpened,
    AccountShared,
    BalanceReported,
    ProductClosed,
    ProductOpened,
    TransactionPosted,
    TransactionReversed,
)
from domain.accounts.exchange import NO_RATES
from domain.accounts.ledger import Day, Ledger, Part
from domain.accounts.month_end import month_ended
from domain.accounts.monthly_facts import MonthlyFacts
from domain.bank.events import DayClosed
from domain.calendar import month_of
from domain.envelope import Recorded
from domain.event import Interaction
from projections.projection import Projection


def evolve(state: Ledger, event: Recorded) -> Ledger:
    """The ledger after one more event."""
    return advance(state, event)[0]


def advance(state: Ledger, event: Recorded) -> tuple[Ledger, tuple[MonthlyFacts, ...]]:
    """The ledger after one more event, and a row of facts for each month that the event closed."""
    match event.data:
        case DayClosed(date=closed):
            return month_ended(
                state, month_of(closed), event.context.rates if event.context else NO_RATES
            )
        case data:
            day = event.business_date.isoformat()
            return _held(ledger.seen(state, day[:7]), data, day), ()


def _held(state: Ledger, data: Interaction, day: Day) -> Ledger:
    match data:
        case TransactionPosted(account=account, amount=amount, currency=currency):
            return ledger.transacted(state, ((account, currency, amount, day),))
        case TransactionReversed(account=account, amount=amount, currency=currency, posted=posted):
            return ledger.undone(state, account, currency, amount, posted.isoformat(), day)
        case BalanceReported(
            account=account, balance=balance, currency=currency, asset_class=asset_class
        ):
            if asset_class is not None:
                state = ledger.opened(state, account, asset_class, currency)
            return ledger.restated(state, account, balance, currency, day)
        case _:
            return _has(state, data, day)


def _has(state: Ledger, data: Interaction, day: Day) -> Ledger:
    """What the customer has to do with the bank, and no money moves."""
    match data:
        case AccountOpened(account=account, asset_class=asset_class, currency=currency):
            return ledger.opened(state, account, asset_class, currency)
        case AccountClosed(account=account):
            return ledger.closed(state, account)
        case AccountShared(account=account, from_permille=start, upto_permille=end):
            return ledger.shared(state, account, Part(start, end), day)
        case ProductOpened(reference=reference):
            return ledger.holding(state, reference)
        case ProductClosed(reference=reference):
            return ledger.not_holding(state, reference)
        case _:
            return state


class Dated(msgspec.Struct, gc=False):
    """As much as a ledger asks of a stored event that moves nothing."""

    business_date: Day


class PostedData(msgspec.Struct, gc=False):
    """What a ledger asks of a transaction."""

    account: str
    currency: str
    amount: int


class Posted(Dated, gc=False):
    """As much of a stored transaction as a ledger asks for."""

    data: PostedData


def evolve_dated(state: Ledger, days: Iterable[Day]) -> Ledger:
    """The ledger after events that move nothing, by their business dates.

    What `evolve` comes to, one after the other.
    """
    return ledger.seen(state, min(days)[:7])


def evolve_posted(state: Ledger, events: Sequence[Posted]) -> Ledger:
    """The ledger after several transactions: what `evolve` comes to, one after the other."""
    moves = [
        (data.account, data.currency, data.amount, event.business_date)
        for event in events
        for data in (event.data,)
    ]
    return ledger.transacted(evolve_dated(state, [move[3] for move in moves]), moves)


LEDGER = Projection("ledger", 1, Ledger(), evolve)
