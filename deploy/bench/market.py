"""Does choosing get better by trying?

A simulated market with known preferences that drift, and a new offer that few like, but those much.

Everything but the customers is the bank's own: the funnel with its ramp for a new offer, the
models, the draws and the choice. Beside it stand the same models without any trying, and with a
share of choices by lot (epsilon-greedy). Regret is what the best offer for each customer would have
earned, less what the chosen one is expected to.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, Protocol

from deploy.bench.parts import Figure
from domain.accounts.ledger import Ledger
from domain.envelope import Recorded
from domain.offers.catalogue import Catalogue
from domain.offers.events import Candidate, ExampleLabelled, OfferDecided
from domain.tiering.assessment import Standing
from domain.tiering.policy import TierPolicy
from projections.accounts.ledger import LEDGER
from projections.accounts.months import MONTHS
from projections.customers.profile import Profile
from projections.models.learner import MODEL, Learnt, learnt_from
from projections.offers.responses import OFFERS
from projections.views.customer import Customer
from projections.views.decision import Asked, decide_offer

STEPS = 12_000
SEEDS = (1, 2, 3, 4, 5)
DRIFTS_AT = STEPS // 2
NEW_AT = STEPS // 3
DELAY = 50
EPSILON = 0.1
BEGUN = datetime(2026, 1, 5, 9, tzinfo=UTC)
VALUES = {"bonds": 300, "card": 200, "insurance": 250, "loan": 400, "savings": 100, "travel": 350}
NEW = "travel"


class World(Protocol):
    """Who comes by, what they truly like, and what the bank has for them.

    `values` are the offers with their worth in minor units; `new` comes a third of the way in.
    """

    values: Mapping[str, int]
    new: str | None

    def somebody(self, step: int, chance: Random) -> Any:
        """The next who comes by."""

    def chance_of(self, offer: str, person: Any, step: int) -> float:
        """The true probability of a yes."""

    def likes_the_new(self, person: Any) -> bool:
        """Whether the new offer is made for somebody."""

    def customer(self, person: Any, policy: TierPolicy) -> Customer:
        """What the bank knows of somebody."""


@dataclass(frozen=True)
class Person:
    """Somebody who comes by: an age, and a taste that the bank knows as a segment."""

    number: int
    age: int
    taste: str


@dataclass
class Market:
    """What people truly like: log-odds of a yes by taste, a slope by age, and a change half-way."""

    seed: int
    values: Mapping[str, int] = field(default_factory=lambda: VALUES)
    new: str | None = NEW
    likes: dict[tuple[str, str], float] = field(default_factory=dict)
    slopes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Draw the preferences."""
        chance = Random(self.seed)  # noqa: S311 - chance with a seed, here and below
        self.likes = {
            (offer, taste): chance.gauss(-3.2, 0.9) for offer in VALUES for taste in "abc"
        }
        self.likes |= {(NEW, "a"): -0.8, (NEW, "b"): -5.0, (NEW, "c"): -5.0}
        self.slopes = {offer: chance.gauss(0, 0.5) for offer in VALUES}

    def somebody(self, step: int, chance: Random) -> Person:
        """Of any age, with any taste."""
        return Person(step, chance.randrange(20, 80), chance.choice("abc"))

    def likes_the_new(self, person: Person) -> bool:
        """One taste of three does."""
        return person.taste == "a"

    def customer(self, person: Person, policy: TierPolicy) -> Customer:
        """An age, and the channels by which they come: a taste."""
        born = BEGUN.date().replace(year=BEGUN.year - person.age, month=1, day=1)
        profile = replace(Profile(), kind="person", born=born, channels={person.taste: 8})
        return customer_of(person.number, profile, LEDGER.initial, policy)

    def chance_of(self, offer: str, person: Person, step: int) -> float:
        """The true probability of a yes.

        From the middle on the tastes a and b have changed places, but for the new offer.
        """
        taste = (
            {"a": "b", "b": "a"}.get(person.taste, person.taste)
            if step >= DRIFTS_AT and offer != NEW
            else person.taste
        )
        return 1 / (
            1 + math.exp(-(self.likes[offer, taste] + self.slopes[offer] * (person.age - 45) / 15))
        )


@dataclass
class Run:
    """What one way of choosing came to.

    The regret step by step, in minor units, how likely a yes truly was, and to whom the new offer
    went at the end.
    """

    regret: list[float] = field(default_factory=list)
    likely: list[float] = field(default_factory=list)
    new_to_those_who_like_it: int = 0
    new_to_others: int = 0
    examples: list[tuple[str, ExampleLabelled]] = field(default_factory=list)


Choose = Callable[[OfferDecided, Random], Candidate]


def first(decided: OfferDecided, _chance: Random) -> Candidate:
    """What the bank would show."""
    return decided.candidates[0]


def by_lot(decided: OfferDecided, chance: Random) -> Candidate:
    """Anything that the bank may show."""
    return chance.choice(decided.candidates)


def now_and_then_by_lot(decided: OfferDecided, chance: Random) -> Candidate:
    """What the bank would show, or with a small probability anything."""
    return by_lot(decided, chance) if chance.random() < EPSILON else decided.candidates[0]


Way = tuple[bool, Choose]
"""Whether the bank draws, and what is shown of what it decided."""
WAYS: dict[str, Way] = {
    "ours": (True, first),
    "epsilon-greedy": (False, now_and_then_by_lot),
    "no exploration": (False, first),
}


def simulate(
    way: Way,
    seed: int,
    policy: TierPolicy,
    steps: int = STEPS,
    world: Callable[[int], World] = Market,
) -> Run:
    """One run of a market under one way of choosing; answers come fifty steps late."""
    explored, choose = way
    market, chance, run = world(seed), Random(seed * 7), Run()  # noqa: S311
    old = {name: value for name, value in market.values.items() if name != market.new}
    shelves = [_shelf(explored, old, None), _shelf(explored, market.values, market.new)]
    models = dict.fromkeys(market.values, MODEL.initial)
    answers: list[tuple[str, ExampleLabelled]] = []
    ready: dict[str, Learnt] = {name: learnt_from(state, 0) for name, state in models.items()}
    for step in range(steps):
        shelf = shelves[step >= NEW_AT]
        person = market.somebody(step, chance)
        for name, example in answers[: max(0, len(answers) - DELAY)]:
            models[name] = MODEL.evolve(models[name], recorded(name, example, step))
            ready[name] = learnt_from(models[name], step)
        answers = answers[max(0, len(answers) - DELAY) :]
        decided = decide_offer(
            market.customer(person, policy),
            [],
            shelf,
            ready,
            Asked(f"{seed}/{step}", "app", BEGUN + timedelta(minutes=step)),
        )
        chosen = choose(decided, chance)
        worth = {
            offer.offer: market.chance_of(offer.offer, person, step) * offer.value
            for offer in shelf.offers
        }
        run.regret.append(max(worth.values()) - worth[chosen.offer])
        likely = market.chance_of(chosen.offer, person, step)
        run.likely.append(likely)
        accepted = chance.random() < likely
        example = ExampleLabelled(
            offer=chosen.offer,
            decision=f"{step}",
            customer=f"customer:{step}",
            features=decided.features,
            accepted=accepted,
            propensity=chosen.propensity,
            score=chosen.score,
            model=chosen.model,
        )
        answers.append((chosen.offer, example))
        run.examples.append((chosen.offer, example))
        if chosen.offer == market.new and step >= steps * 3 // 4:
            run.new_to_those_who_like_it += market.likes_the_new(person)
            run.new_to_others += not market.likes_the_new(person)
    return run


def regret(runs: Mapping[str, Sequence[Run]], named: str) -> Figure:
    """The regret of each way, cumulated over a market's life: the median of some seeds."""
    totals = {way: median(sum(run.regret) for run in some) for way, some in runs.items()}
    return Figure(f"{named}_regret", totals.pop("ours"), "minor units", {}, totals)


def market(policy: TierPolicy, plot: Path | None = None) -> list[Figure]:
    """The regret of each way, and to whom the new offer went; the plot, if it is asked for."""
    runs = {name: [simulate(way, seed, policy) for seed in SEEDS] for name, way in WAYS.items()}
    found = median(
        run.new_to_those_who_like_it / max(1, run.new_to_those_who_like_it + run.new_to_others)
        for run in runs["ours"]
    )
    if plot is not None:
        plot.write_text(_drawn({way: _curve(some) for way, some in runs.items()}), encoding="utf-8")
    return [
        regret(runs, "market"),
        Figure("market_new_offer_to_its_audience", found, "share"),
    ]


def _shelf(explored: bool, values: Mapping[str, int], new: str | None) -> Catalogue:
    offers = [
        {
            "offer": name,
            "name": {"en": name},
            "value": value,
            "again_days": 1,
            "ramp": name == new,
        }
        for name, value in values.items()
    ]
    exploration = {"on": explored, "first_permille": 100, "full_at": 20, "expected_permille": 50}
    return Catalogue.model_validate(
        {
            "catalogue": "market",
            "version": 1,
            "currency": "CNY",
            "offers": offers,
            "exploration": exploration,
        }
    )


def customer_of(number: int, profile: Profile, ledger: Ledger, policy: TierPolicy) -> Customer:
    """Somebody of whom nothing else is known."""
    return Customer(
        f"customer:{number}",
        profile,
        ledger,
        MONTHS.initial,
        Standing(),
        OFFERS.initial,
        policy,
        {},
    )


def recorded(name: str, example: ExampleLabelled, position: int) -> Recorded:
    """An example in a model's stream."""
    return Recorded(
        position,
        f"model:{name}",
        position,
        "market",
        f"{position}",
        BEGUN,
        BEGUN.date(),
        BEGUN,
        None,
        example,
    )


def _curve(runs: Sequence[Run], points: int = 60) -> list[float]:
    """The cumulated regret at some moments, the median of the runs."""
    sums = []
    for run in runs:
        total, sofar = 0.0, []
        for each in run.regret:
            total += each
            sofar.append(total)
        sums.append(sofar)
    steps = len(sums[0])
    return [
        median(sofar[min(steps - 1, steps * point // points)] for sofar in sums)
        for point in range(points + 1)
    ]


COLOURS = {"ours": "#0b6e4f", "epsilon-greedy": "#c8553d", "no exploration": "#6c6c6c"}
WIDTH, HEIGHT, EDGE = 640, 320, 48


def _drawn(curves: dict[str, list[float]]) -> str:
    """The curves as SVG."""
    top = max(max(curve) for curve in curves.values())
    lines = []
    for place, (way, curve) in enumerate(curves.items()):
        step = (WIDTH - 2 * EDGE) / (len(curve) - 1)
        points = " ".join(
            f"{EDGE + number * step:.1f},{HEIGHT - EDGE - value / top * (HEIGHT - 2 * EDGE):.1f}"
            for number, value in enumerate(curve)
        )
        lines.append(
            f'<polyline fill="none" stroke="{COLOURS[way]}" stroke-width="2" points="{points}"/>'
        )
        lines.append(
            f'<text x="{EDGE + 12}" y="{EDGE + 18 * place}" fill="{COLOURS[way]}">{way}: {curve[-1]:,.0f}</text>'  # noqa: E501
        )
    marks = [(NEW_AT, "a new offer"), (DRIFTS_AT, "tastes change")]
    for step_at, word in marks:
        x = EDGE + (WIDTH - 2 * EDGE) * step_at / STEPS
        lines.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{EDGE}" y2="{HEIGHT - EDGE}" stroke="#bbb" stroke-dasharray="4"/>'  # noqa: E501
        )
        lines.append(f'<text x="{x + 4:.1f}" y="{HEIGHT - EDGE - 6}" fill="#777">{word}</text>')
    axis = f'<path d="M{EDGE} {EDGE} V{HEIGHT - EDGE} H{WIDTH - EDGE}" fill="none" stroke="#333"/>'
    below = f'<text x="{WIDTH // 2}" y="{HEIGHT - 14}" text-anchor="middle">customers asked ({STEPS:,})</text>'  # noqa: E501
    words = f'{below}<text x="{EDGE}" y="{EDGE - 14}">cumulated regret</text>'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">'  # noqa: E501
    return "\n".join(
        [head, '<rect width="100%" height="100%" fill="white"/>', axis, words, *lines, "</svg>", ""]
    )
