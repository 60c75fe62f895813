"""What do the models look at?

Whole numbers from the read models, as they are when an offer is decided; the same for every model.

Amounts enter by their number of bits, categories as `name=value` with 1.
"""

import re
from datetime import date

from domain.accounts.monthly_facts import MonthlyFacts
from domain.offers.events import Features
from projections.models.reasons import UNSEEN
from projections.views.customer import Customer

LONGEST = 50
"""Characters of a tier's name in a feature's."""


def features(customer: Customer, channel: str, today: date) -> Features:
    """What is known of a customer at a moment.

    Assets, flows, frequency, recency, channel mix, tenure, tier, past responses, season.
    """
    profile, offers = customer.profile, customer.offers
    seen = (today - profile.last_seen.date()).days if profile.last_seen else UNSEEN
    numbers = {
        "age": age_on(profile.born, today) or 0,
        "assets-bits": sum(
            max(account.balance, 0) for account in customer.ledger.accounts.values()
        ).bit_length(),
        "products": len(profile.products),
        "days-unseen": max(0, min(seen, UNSEEN)),
        "open-cases": len(customer.complaints.open),
        "accepted-before": sum(offers.accepted.values()),
        "declined-before": sum(offers.declined.values()),
        **{f"visits-{name}-bits": number.bit_length() for name, number in profile.channels.items()},
        **of_the_month(
            customer.months.rows[max(customer.months.rows)] if customer.months.rows else None
        ),
    }
    grade = profile.risk.grade if profile.risk else "none"
    tier = re.sub(r"[^A-Za-z0-9_.\-]", "-", customer.standing.tier or "none")[:LONGEST]
    categories = (f"tier={tier}", f"channel={channel}", f"grade={grade}", f"month={today.month}")
    return dict(
        sorted({**numbers, **dict.fromkeys(categories, 1)}.items())
    )  # trap: the order of a dict is not kept with a state


def age_on(born: date | None, today: date) -> int | None:
    """Age in full years.

    >>> age_on(date(1970, 12, 13), date(1993, 12, 12))
    22
    """
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def of_the_month(facts: MonthlyFacts | None) -> Features:
    """What the last month that ended says of a customer's activity; zeros before the first."""
    if facts is None:
        return {
            "transactions": 0,
            "active-days": 0,
            "in-bits": 0,
            "out-bits": 0,
            "tenure-months": 0,
        }
    return {
        "transactions": facts.transactions,
        "active-days": facts.active_days,
        "in-bits": sum(facts.value_in.values()).bit_length(),
        "out-bits": sum(facts.value_out.values()).bit_length(),
        "tenure-months": facts.tenure_months,
    }
