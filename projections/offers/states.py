"""What are the states of a customer's offers called?"""

from typing import NamedTuple

from projections.offers.responses import Offers


class Responses(NamedTuple):
    """The offers of a customer, or the contacts of a household."""

    offers: Offers
