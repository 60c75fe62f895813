"""Who are the customers of the synthetic bank?

Drawn by the seed alone. What they hold has the shape that China Merchants Bank published for 2021:
two in a hundred hold 82 % of the assets. Ages follow the census of 2020, roughly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from random import Random

from domain.customers.events import Gender, RiskGrade
from domain.event import Channel
from streams.sources.synth.words import INDUSTRIES, REGIONS, branch_of, company_name, name_of, pick

FIRST_NUMBER = 100_000
RICH_IN_A_HUNDRED = 2
SHARE_OF_THE_RICH = 82
ASSETS_EACH = 6_000_000
"""Fen of assets per customer, on average: 60,000 yuan."""
FAMILY_ONE_IN = 10
"""Of so many neighbours the first two are a couple, if neither is a company and both were there
from the beginning; in some families the third is their child.
"""
KIN = 3
"""The first neighbours of each family live in one place, and their ages and names fit."""
STORIES = 2
"""The first customers are people of whom more can be told."""
STORIES_BORN, LAST_BORN = 1976, 2024
GENERATION = 30
"""Years from a couple's decade to that of their child."""
TWIN_ONE_IN = 400
BRANCH_MANAGERS = 4
FIRST_MANAGER = "manager:0"
"""Who looks after the first customers."""
GRADES: tuple[RiskGrade, ...] = ("C1", "C2", "C3", "C4", "C5")
DECADES = (
    *((1936, 30), (1946, 95), (1956, 200), (1966, 420)),
    *((1976, 595), (1986, 800), (1996, 970)),
)
"""From a year on so many of 970 are born within ten years, together with those before them."""
CHANNELS: tuple[Channel, ...] = ("app", "web", "branch", "atm", "call")
YOUNG, OLD = (70, 88, 91, 98, 100), (25, 32, 70, 88, 100)
"""By which of these the young and the old come, in a hundred, added up."""
YEAR, GROWN_UP = 2026, 18
OLDER, OLDEST = 60, 75
LOANS = {"装修 renovation": 36, "汽车 car": 60, "住房 home": 240}
"""What people borrow for, and the months over which they pay it back."""
OWNS_FROM = 500_000
"""Fen of salary from which on somebody gets a loan for a home."""


@dataclass(slots=True)
class Person:
    """A made-up customer as they come to the bank.

    Money in fen; `since` counts months from the first; `twin` is the number under which the same
    person is known already; `dies` is a month, -1 for never.
    """

    number: int
    company: bool
    name: str
    gender: Gender
    born: date
    region: str
    branch: str
    industry: str
    wealth: int
    salary: int
    since: int
    grade: RiskGrade
    rents: bool
    owes_for: str
    borrowed: int
    card: bool
    marketing: bool
    profiling: bool
    liking: float
    comes_by: tuple[int, ...]
    twin: int | None
    dies: int

    @property
    def stream(self) -> str:
        """The name of the customer's stream."""
        return stream_of(self.number)

    @property
    def rich(self) -> bool:
        """Whether a manager looks after the customer."""
        return self.wealth > ASSETS_EACH

    @property
    def manager(self) -> str:
        """The manager: one of those of the branch."""
        if self.number < STORIES:
            return FIRST_MANAGER
        branch = self.branch.split()[-1].lower().replace("'", "")
        return f"manager:{branch}-{self.number % BRANCH_MANAGERS + 1}"

    def age(self, year: int) -> int:
        """The age that the customer reaches in a year."""
        return year - self.born.year


def stream_of(number: int) -> str:
    """The name of a customer's stream."""
    return f"customer:{FIRST_NUMBER + number}"


def wealths(customers: int, seed: int) -> list[int]:
    """What each holds, in fen; the first two in a hundred are the rich ones."""
    chance = Random(f"{seed}/wealth")
    rich = max(1, customers * RICH_IN_A_HUNDRED // 100)
    weights = [1 + int(chance.paretovariate(1.6) * 1000) for _ in range(customers)]
    total = customers * ASSETS_EACH
    theirs, others = total * SHARE_OF_THE_RICH // 100, total * (100 - SHARE_OF_THE_RICH) // 100
    of_rich, of_others = sum(weights[:rich]), max(1, sum(weights[rich:]))
    return [
        theirs * weight // of_rich if number < rich else others * weight // of_others
        for number, weight in enumerate(weights)
    ]


def person(
    number: int, wealth: int, months: int, seed: int, others: Sequence[Person], year: int = YEAR
) -> Person:
    """A customer of a bank that begins in a year; `others` are neighbours who may be the same
    person, registered twice.
    """
    chance = Random(f"{seed}/person/{number}")
    kin = (
        Random(f"{seed}/family/{number // FAMILY_ONE_IN}")
        if number % FAMILY_ONE_IN < KIN
        else chance
    )
    told = number < STORIES
    since = 0 if told or chance.random() < 0.8 else int(chance.random() * months)
    company = not told and chance.random() < 0.03
    female = (kin.random() < 0.5) != (kin is not chance and number % FAMILY_ONE_IN == 1)
    gender: Gender = "female" if female else "male"
    region, industry = pick(kin, REGIONS), pick(chance, INDUSTRIES)
    branch, born = branch_of(kin, region), _born(kin, chance, number)
    born = born.replace(year=born.year - YEAR + year)
    twin = _twin(chance, number, others, told=told or company or year - born.year < GROWN_UP)
    known = others[twin - others[0].number] if twin is not None else None
    born = known.born if known else born
    age = year - born.year
    grown_up = age >= GROWN_UP
    salary = _salary(chance, age) if grown_up else 0
    borrows = grown_up and not company and age < OLDER
    owes_for, borrowed = _loan(chance, salary) if borrows else ("", 0)
    return Person(
        number=number,
        company=company,
        name=known.name
        if known
        else company_name(chance, region, industry)
        if company
        else name_of(chance, gender, kin if number % FAMILY_ONE_IN != 1 else chance),
        gender=known.gender if known else gender,
        born=born,
        region=known.region if known else region,
        branch=branch,
        industry=industry,
        wealth=max(wealth, 3 * ASSETS_EACH) if told else wealth,
        salary=salary * (20 if company else 1),
        since=max(1, since) if known and months > 1 else since,
        grade=pick(chance, GRADES[: 5 if age < OLDER else 4 if age < OLDEST else 2]),
        rents=grown_up and not company and chance.random() < (0.5 if age < 35 else 0.15),
        owes_for=owes_for,
        borrowed=borrowed,
        card=grown_up and chance.random() < 0.4,
        marketing=told or chance.random() < 0.85,
        profiling=told or chance.random() < 0.75,
        liking=chance.gauss(0, 0.3),
        comes_by=OLD if age >= OLDER else YOUNG,
        twin=twin,
        dies=int(chance.random() * months)
        if age > 70 and not told and chance.random() < 0.03
        else -1,
    )


def _born(kin: Random, chance: Random, number: int) -> date:
    """When somebody was born: couples within ten years, and their child a generation later."""
    place = kin.random() * DECADES[-1][1]
    first = next(year for year, upto in DECADES if place < upto)
    if number < KIN:
        first = STORIES_BORN
    if number % FAMILY_ONE_IN >= KIN and chance.random() < 0.01:
        first = 2010
    year = first + int(chance.random() * 10)
    if number % (2 * FAMILY_ONE_IN) == KIN - 1 and first + GENERATION <= LAST_BORN:
        year = min(year + GENERATION, LAST_BORN)
    return date(year, 1 + int(chance.random() * 12), 1 + int(chance.random() * 28))


def _twin(chance: Random, number: int, others: Sequence[Person], *, told: bool) -> int | None:
    if told or number % FAMILY_ONE_IN < KIN or chance.random() * TWIN_ONE_IN >= 1 or not others:
        return None
    found: Person = pick(chance, others)
    fit = not found.company and found.twin is None and found.since == 0 and found.dies < 0
    return found.number if fit and found.number >= STORIES else None


def _salary(chance: Random, age: int) -> int:
    """Fen a month: most in the middle of life; pensions are lower."""
    by_age = 60 if age >= OLDER else min(110, 50 + 3 * max(0, age - GROWN_UP))
    return int(400_000 * chance.paretovariate(2.2)) * by_age // 10_000 * 100


def _loan(chance: Random, salary: int) -> tuple[str, int]:
    """What for and how much one in six borrows, in fen: at 4 % a year, a part of the salary pays it
    back.
    """
    if chance.random() >= 1 / 6:
        return "", 0
    what = pick(chance, tuple(LOANS)[: 3 if salary >= OWNS_FROM else 2])
    months, least = LOANS[what], 25 if what == "住房 home" else 10
    instalment = salary * (least + int(chance.random() * 20)) // 100
    return what, instalment * 300 * months // (300 + months) // 100_000 * 100_000
