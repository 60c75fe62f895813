"""How are households, company groups and the bank's months folded together?"""

from domain.envelope import Recorded
from domain.event import Interaction
from domain.households.events import KINDS, MonthReported
from projections.households.reactions import react
from projections.households.states import Totals
from projections.households.totals import CALENDAR, WHOLE, count, evolve
from projections.projection import Group


def _evolve(states: Totals, event: Recorded) -> Totals:
    return Totals(evolve(states.whole, event), count(states.calendar, event))


def all_reported(data: Interaction) -> bool:
    """Whether this says that every shard has reported a month, which concerns every household and
    company group.
    """
    return isinstance(data, MonthReported)


CUSTOMER_GROUPS = Group(
    "wholes@2",
    (*KINDS, "month"),
    Totals,
    (WHOLE, CALENDAR),
    _evolve,
    is_broadcast=all_reported,
    react=react,
)
