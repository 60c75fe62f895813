"""What are the states of a customer called?"""

from typing import NamedTuple

from domain.accounts.ledger import Ledger
from domain.customers.identity import Identity
from projections.accounts.months import Months
from projections.customers.profile import Profile
from projections.feedback.experience import Experience


class Facts(NamedTuple):
    """The facts of a customer, without any rule, the other numbers of the same person, and what
    they went through.
    """

    profile: Profile
    ledger: Ledger
    months: Months
    identity: Identity
    experience: Experience
