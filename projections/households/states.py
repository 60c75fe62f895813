"""What are the states of a household or company group called?"""

from typing import NamedTuple

from projections.households.totals import Calendar, CustomerGroup


class Totals(NamedTuple):
    """A household or company group, or, of a month of the bank, its calendar."""

    whole: CustomerGroup
    calendar: Calendar
