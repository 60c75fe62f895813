"""What is other money worth? Folded from a shard's own stream, for whoever folds a month's end."""

from domain.accounts.exchange import NO_RATES, Rates, fixed
from domain.envelope import Recorded
from projections.projection import Projection


def evolve(rates: Rates, event: Recorded) -> Rates:
    """The rates after one more event."""
    return fixed(rates, event.data, event.business_date.isoformat())


RATES = Projection("rates", 1, NO_RATES, evolve)
