"""What do the models look at? Whole numbers from the read models, as they are when an offer is decided."""

from datetime import date

from domain.facts import MonthlyFacts
from domain.ledger import Ledger
from domain.offers import Features
from domain.tiering import Standing
from projections.months import Months
from projections.offers import Offers
from projections.profile import Profile

UNSEEN = 365


def features(profile: Profile, ledger: Ledger, months: Months, standing: Standing, offers: Offers, channel: str, today: date) -> Features:
    """Features by name; amounts enter by their number of bits, categories as `name=value`."""
    facts = months.rows[max(months.rows)] if months.rows else None
    seen = (today - profile.last_seen.date()).days if profile.last_seen else UNSEEN
    numbers = {
        "age": age_on(profile.born, today) or 0,
        "assets-bits": sum(max(account.balance, 0) for account in ledger.accounts.values()).bit_length(),
        "products": len(profile.products),
        "days-unseen": max(0, min(seen, UNSEEN)),
        "open-cases": len(profile.open_cases),
        "accepted-before": sum(offers.accepted.values()),
        "declined-before": sum(offers.declined.values()),
        **_of_the_month(facts),
    }
    categories = (f"tier={standing.tier or 'none'}", f"channel={channel}", f"grade={profile.risk.grade if profile.risk else 'none'}", f"month={today.month}")
    return {**numbers, **dict.fromkeys(categories, 1)}


def age_on(born: date | None, today: date) -> int | None:
    """Age in full years.

    >>> age_on(date(1970, 12, 13), date(1993, 12, 12))
    22
    """
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _of_the_month(facts: MonthlyFacts | None) -> Features:
    if facts is None:
        return {"transactions": 0, "active-days": 0, "in-bits": 0, "out-bits": 0, "tenure-months": 0}
    return {
        "transactions": facts.transactions,
        "active-days": facts.active_days,
        "in-bits": sum(facts.value_in.values()).bit_length(),
        "out-bits": sum(facts.value_out.values()).bit_length(),
        "tenure-months": facts.tenure_months,
    }
