"""Does choosing get better by trying, among the customers of the synthetic bank?

Their tastes are those of `tierfold synth`: known there, and drifting by the month. What the bank
knows of them is their age, assets, products and risk grade. Beside ours stand the same models
without trying, with a share of choices by lot, adaptive naive Bayes, and the truth.
"""

from collections.abc import Mapping
from datetime import date
from random import Random
from typing import NamedTuple

from deploy.bench.market import BEGUN, SEEDS, WAYS, customer_of, regret, simulate
from deploy.bench.parts import Figure
from deploy.bench.side_by_side import side_by_side
from domain.accounts.ledger import Account, Ledger
from domain.customers.events import RiskGrade
from domain.fastcopy import changed
from domain.offers.events import Features
from domain.tiering.policy import TierPolicy
from projections.customers.profile import Profile, Risk
from projections.views.customer import Customer
from streams.sources.synth.people import ASSETS_EACH, GRADES
from streams.sources.synth.tastes import OFFERS, chance_of
from streams.sources.synth.words import pick

VALUES = dict(zip(OFFERS, (12_000, 30_000, 20_000, 60_000), strict=True))
"""What the shipped catalogue says that an acceptance is worth, in fen."""
A_MONTH = 1_000
"""Customers who come by in a month."""
VALID = date(2199, 12, 31)


class Somebody(NamedTuple):
    """A customer who comes by."""

    number: int
    age: int
    assets: int
    card: bool
    grade: RiskGrade


class Tastes:
    """The tastes of the synthetic bank, of which the seed changes only who comes by."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.values: Mapping[str, int] = VALUES
        self.new: str | None = None

    def somebody(self, step: int, chance: Random) -> Somebody:
        """Of the ages, assets and grades that there are."""
        return Somebody(
            step,
            chance.randrange(20, 80),
            int(chance.lognormvariate(0, 1.8) * ASSETS_EACH / 8),
            chance.random() < 0.4,
            pick(chance, GRADES),
        )

    def chance_of(self, offer: str, person: Somebody, step: int) -> float:
        """As the synthetic bank has it."""
        known: Features = {
            "age": person.age,
            "assets-bits": person.assets.bit_length(),
            "products": int(person.card),
            "channel=app": 1,
            f"grade={person.grade}": 1,
            f"month={BEGUN.month}": 1,
        }
        return chance_of(offer, known, step // A_MONTH)

    def likes_the_new(self, _person: Somebody) -> bool:
        """There is nothing new."""
        return False

    def customer(self, person: Somebody, policy: TierPolicy) -> Customer:
        """What a bank knows of them."""
        profile = Profile(
            kind="person",
            born=date(BEGUN.year - person.age, 1, 1),
            risk=Risk(person.grade, VALID),
            products={"card-1": "credit-card"} if person.card else {},
        )
        account = Account("deposit", "CNY", balance=person.assets)
        ledger = changed(Ledger(), accounts={"d-1": account})
        return customer_of(person.number, profile, ledger, policy)


def made_up_market(policy: TierPolicy) -> list[Figure]:
    """Regret beside other ways of choosing, and the models beside a peer and the truth."""
    runs = {
        name: [simulate(way, seed, policy, world=Tastes) for seed in SEEDS]
        for name, way in WAYS.items()
    }
    return [regret(runs, "made_up_market"), *side_by_side(policy, "made_up_market", Tastes)]
