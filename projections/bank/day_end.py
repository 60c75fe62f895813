"""What had the bank said by then?

Folded from a shard's own stream, for the folds of events that concern everyone.
"""

from dataclasses import dataclass

from domain.accounts.exchange import NO_RATES, Rates, fixed
from domain.bank.events import DayClosed
from domain.calendar import Month, ends_month, month_before, month_of
from domain.envelope import Recorded
from domain.event import Interaction
from domain.fastcopy import changed
from projections.projection import Projection


@dataclass(frozen=True)
class BankContext:
    """The rates of other currencies.

    The last month that was closed, by the event at which position, and the last one closed before
    it.

    Months are empty before any was closed.
    """

    rates: Rates = NO_RATES
    closed: Month = ""
    closed_before: Month = ""
    closed_at: int = 0


def evolve(bank: BankContext, event: Recorded) -> BankContext:
    """What the bank had said after one more event of its own.

    A month's end that is told again changes nothing.
    """
    if ends_a_month(event.data):
        assert isinstance(event.data, DayClosed)
        month = month_of(event.data.date)
        return (
            changed(bank, closed=month, closed_before=bank.closed, closed_at=event.position)
            if month > bank.closed
            else bank
        )
    rates = fixed(bank.rates, event.data, event.business_date.isoformat())
    return bank if rates is bank.rates else changed(bank, rates=rates)


def ends_a_month(data: Interaction) -> bool:
    """Whether this is the end of a month, which concerns every customer."""
    return isinstance(data, DayClosed) and ends_month(data.date)


def months_ended(event: Recorded) -> list[Month]:
    """The months that the bank closed with an end of day: its own, and those before it whose own
    ends were never told.
    """
    assert isinstance(event.data, DayClosed)
    month, bank = month_of(event.data.date), event.context
    found = [month]
    if bank is not None and bank.closed == month and bank.closed_before:
        while (before := month_before(found[0])) > bank.closed_before:
            found.insert(0, before)
    return found


CONTEXT = Projection("bank", 1, BankContext(), evolve)
