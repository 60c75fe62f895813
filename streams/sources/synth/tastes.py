"""Which offers does a customer like? By what a bank can know of them, and differently as time goes.

The log-odds of a yes are known here, and nowhere in what the bank hears.
"""

from math import exp

from domain.accounts.events import ProductOpened
from domain.event import Channel
from domain.offers.events import (
    Features,
    OfferAccepted,
    OfferDecided,
    OfferDeclined,
    OfferPresented,
)
from streams.sources.synth.life import Told
from streams.sources.synth.people import ASSETS_EACH, GROWN_UP
from streams.sources.synth.service import HOURS, came_by
from streams.sources.synth.words import pick

CARD = "credit-card"
OFFERS = ("savings-plan", CARD, "home-insurance", "wealth-product")
ASKED = 0.25
"""The share of customers who are offered something in a month."""
MIDDLE = ASSETS_EACH.bit_length() - 2


def offered(told: Told, index: int) -> tuple[str, float] | None:
    """An offer decided at random, and answered by taste.

    Gives the decision and how likely a yes was, if something was offered.
    """
    life, chance = told.life, told.chance
    if chance.random() >= ASKED or life.person.age(told.year) < GROWN_UP:
        return None
    wanted = [each for each in OFFERS if each != CARD or not life.card]
    channel, offer, decision = came_by(told), pick(chance, wanted), told.name("offer")
    features = _known(told, index, channel)
    likely = chance_of(offer, features, index, life.person.liking)
    answer = OfferAccepted if chance.random() < likely else OfferDeclined
    day, hour = told.day(2, 25), pick(chance, HOURS[channel])
    made = OfferDecided(
        decision=decision, channel=channel, offer=offer, features=features, catalogue="synth@1"
    )
    told.at(day, hour, 10, "offer-decided", made)
    shown = OfferPresented(decision=decision, offer=offer, channel=channel)
    told.at(day, hour, 11, "offer-presented", shown)
    said = answer(decision=decision, offer=offer, channel=channel)
    told.at(day, hour, 12, "offer-answered", said)
    if offer == CARD and answer is OfferAccepted:
        life.card = True
        card = ProductOpened(product=CARD, reference=f"card-{life.person.number}")
        told.at(day, hour, 20, "card", card)
    return decision, likely


def _known(told: Told, index: int, channel: Channel) -> Features:
    life, who = told.life, told.life.person
    return {
        "age": who.age(told.year),
        "assets-bits": life.assets.bit_length(),
        "products": int(life.card),
        "tenure-months": index - who.since + 1,
        f"channel={channel}": 1,
        f"company={int(who.company)}": 1,
        f"grade={who.grade}": 1,
        f"month={told.number}": 1,
    }


def chance_of(offer: str, known: Features, months: int, liking: float = 0.0) -> float:
    """How likely a customer says yes to an offer, so many months after the first."""
    age, bits = known["age"], known["assets-bits"] - MIDDLE
    careful = "grade=C1" in known or "grade=C2" in known
    if offer == "savings-plan":
        odds = -1.3 + 0.045 * (age - 45) + 0.8 * careful - 0.1 * bits + 0.06 * months
    elif offer == CARD:
        odds = -0.6 - 0.05 * (age - 35) + 0.6 * ("channel=app" in known) - 1.5 * known["products"]
        odds -= 0.06 * months
    elif offer == "home-insurance":
        odds = -1.6 + 1.2 * (30 <= age < 55) + 0.1 * bits
    else:
        odds = -1.8 + 0.35 * bits - 0.8 * careful + 0.5 * ("month=2" in known)
    return 1 / (1 + exp(-max(-6.0, min(6.0, odds + liking))))
