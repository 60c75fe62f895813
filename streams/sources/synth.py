"""What would a bank look like?

A made-up one, in the shape that China Merchants Bank published for 2021.

Two customers in a hundred hold 82 % of the assets. There are salaries, rents, card spending with
its seasons, wealth products, couples with joint accounts, company groups, complaints in two
languages, and offers answered by taste. Same parameters, same events.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import NamedTuple

from domain.accounts.events import (
    AccountOpened,
    AccountShared,
    BalanceReported,
    ExchangeRateFixed,
    ProductOpened,
    TransactionPosted,
)
from domain.bank.events import DayClosed
from domain.calendar import days_in, first_day, next_month
from domain.cases.events import ComplaintAnswered, ComplaintClosed, ComplaintOpened
from domain.customers.events import (
    ChannelVisited,
    ConsentGranted,
    ConsentWithdrawn,
    ContactStated,
    CreditRated,
    CustomerOnboarded,
    Gender,
    RiskGrade,
    RiskProfileAssessed,
)
from domain.envelope import Proposed
from domain.event import BANK, Interaction
from domain.feedback.events import FeedbackGiven, SurveyAnswered
from domain.households.events import CompanyGroupJoined, HouseholdJoined, HouseholdLeft
from domain.managers.events import ManagerAssigned
from domain.offers.events import OfferAccepted, OfferDecided, OfferDeclined, OfferPresented

SOURCE = "synth"
FIRST_MONTH = "2026-01"
CURRENCY = "CNY"
FOREIGN = "USD"
ABROAD_ONE_IN = 16
FAMILY_ONE_IN = 10
"""Of so many neighbours two are a couple, if neither is a company and both were there from
the beginning.
"""
PARTED_ONE_IN = 7
GROUPS = 5
RICH_IN_A_HUNDRED = 2
SHARE_OF_THE_RICH = 82
ASSETS_EACH = 6_000_000
"""Fen of assets per customer, on average: 60,000 yuan."""
SEASONS = {1: 120, 2: 160, 6: 120, 10: 115, 11: 180, 12: 130}
"""Spending in percent of an ordinary month.

New year, spring festival, the shopping days of June and November.
"""
REGIONS = ("Beijing", "Shanghai", "Guangdong", "Zhejiang", "Tianjin", "Sichuan")
INDUSTRIES = ("manufacturing", "trade", "software", "logistics")
GRADES: tuple[RiskGrade, ...] = ("C1", "C2", "C3", "C4", "C5")
RATINGS = ("AAA", "AA", "A", "BBB")
WORDS = (
    "手续费太高，请解释。",
    "The transfer took three days.",
    "柜台等了一个小时。",
    "The app logged me out twice.",
)
OFFERS = ("savings-plan", "credit-card", "home-insurance", "wealth-product")


@dataclass(frozen=True, slots=True)
class Bank:
    """What to make up: how many customers, how many months, and the seed."""

    customers: int
    months: int
    seed: int


class Person(NamedTuple):
    """A made-up customer: wealth and salary in fen, and how ready to say yes, in percent."""

    number: int
    stream: str
    company: bool
    born: date
    wealth: int
    salary: int
    since: int
    readiness: int

    @property
    def family(self) -> int | None:
        """The number of the household that this customer would be in."""
        return (
            self.number // FAMILY_ONE_IN
            if self.number % FAMILY_ONE_IN < 2 and not self.company and self.since == 0
            else None
        )


class Happening(NamedTuple):
    """Something on a day of a month; the hour keeps the order within the day."""

    day: int
    hour: int
    stream: str
    name: str
    data: Interaction


def synth(bank: Bank) -> Iterator[Proposed]:
    """The events of a synthetic bank, day by day, each day closed after its events."""
    people = _people(bank)
    couples = [
        (one, other)
        for one, other in pairwise(people)
        if one.family is not None and one.family == other.family
    ]
    month = FIRST_MONTH
    for index in range(bank.months):
        happenings = [
            each for person in people for each in _month_of(person, bank.seed, month, index)
        ]
        happenings += [
            each for couple in couples for each in _together(couple, bank.seed, month, index)
        ]
        happenings += _rates(bank.seed, month)
        happenings.sort(key=lambda each: (each.day, each.hour, each.name))
        yield from _days(month, happenings)
        month = next_month(month)


def _days(month: str, happenings: list[Happening]) -> Iterator[Proposed]:
    first, at = first_day(month), 0
    for number in range(1, days_in(month) + 1):
        day = first + timedelta(days=number - 1)
        while at < len(happenings) and happenings[at].day == number:
            each = happenings[at]
            at += 1
            yield Proposed(
                SOURCE,
                each.name,
                each.stream,
                datetime(day.year, day.month, day.day, each.hour, tzinfo=UTC),
                day,
                each.data,
            )
        yield Proposed(
            SOURCE,
            f"day-{day}",
            BANK,
            datetime(day.year, day.month, day.day, 23, tzinfo=UTC),
            day,
            DayClosed(date=day),
        )


def _people(bank: Bank) -> list[Person]:
    """Everybody; the first two in a hundred are the rich ones, and the shares of wealth are
    as published.
    """
    rich = max(1, bank.customers * RICH_IN_A_HUNDRED // 100)
    weights = [_weight(bank, number) for number in range(bank.customers)]
    total = bank.customers * ASSETS_EACH
    theirs, others = total * SHARE_OF_THE_RICH // 100, total * (100 - SHARE_OF_THE_RICH) // 100
    of_rich, of_others = sum(weights[:rich]), max(1, sum(weights[rich:]))
    return [
        _person(
            bank,
            number,
            theirs * weight // of_rich if number < rich else others * weight // of_others,
        )
        for number, weight in enumerate(weights)
    ]


def _weight(bank: Bank, number: int) -> int:
    chance = Random(f"{bank.seed}/wealth/{number}")
    return 1 + int(chance.paretovariate(1.6) * 1000)


def _person(bank: Bank, number: int, wealth: int) -> Person:
    chance = Random(f"{bank.seed}/person/{number}")
    early = chance.randrange(100) < 80
    return Person(
        number=number,
        stream=f"customer:{100_000 + number}",
        company=chance.randrange(100) < 3,
        born=date(chance.randrange(1940, 2006), chance.randrange(1, 13), chance.randrange(1, 29)),
        wealth=wealth,
        salary=chance.randrange(400_000, 2_500_000) // 100 * 100,
        since=0 if early else chance.randrange(bank.months),
        readiness=chance.randrange(5, 60),
    )


def _month_of(person: Person, seed: int, month: str, index: int) -> Iterator[Happening]:
    if index < person.since:
        return
    chance = Random(f"{seed}/{month}/{person.number}")
    if index == person.since:
        yield from _arrival(person, chance, month)
    yield from _money(person, chance, month)
    yield from _abroad(person, seed, month, first=index == person.since)
    yield from _contact(person, chance, month)
    if chance.randrange(100) < 25:
        yield from _offer(person, chance, month, index)


def _arrival(person: Person, chance: Random, month: str) -> Iterator[Happening]:
    def on_first(what: str, data: Interaction) -> Happening:
        return Happening(1, 8, person.stream, f"{person.number}-{what}", data)

    region = REGIONS[person.number % len(REGIONS)]
    if person.company:
        yield on_first(
            "0",
            CustomerOnboarded(
                kind="company",
                name=f"Company {person.number}",
                industry=chance.choice(INDUSTRIES),
                region=region,
                source="branch",
            ),
        )
        yield on_first("1", CreditRated(rating=chance.choice(RATINGS), agency="own", source="core"))
        yield on_first(
            "9", CompanyGroupJoined(group=f"company:{person.number % GROUPS}", share_permille=600)
        )
    else:
        gender: Gender = chance.choice(("female", "male"))
        yield on_first(
            "0",
            CustomerOnboarded(
                name=f"Customer {person.number}",
                born=person.born,
                gender=gender,
                region=region,
                source=chance.choice(("branch", "app", "web")),
            ),
        )
        yield on_first(
            "1",
            RiskProfileAssessed(
                grade=GRADES[chance.randrange(5)],
                valid_until=date(int(month[:4]) + 1, int(month[5:]), 28),
                source="app",
            ),
        )
    yield on_first(
        "2",
        AccountOpened(account=f"d-{person.number}", product="current-account", currency=CURRENCY),
    )
    yield on_first(
        "3",
        BalanceReported(
            account=f"d-{person.number}",
            balance=person.wealth * (40 if person.wealth > ASSETS_EACH else 100) // 100,
            currency=CURRENCY,
        ),
    )
    yield on_first(
        "4", ContactStated(medium="phone", value=f"000-{person.number:08d}", source="branch")
    )
    consent = ConsentGranted if chance.randrange(100) < 85 else ConsentWithdrawn
    yield on_first("5", consent(purpose="marketing", source="app"))
    if consent is ConsentGranted and person.number % 10:
        yield on_first("10", ConsentGranted(purpose="financial-marketing", source="app"))
    if person.wealth > ASSETS_EACH:
        yield on_first("6", ManagerAssigned(manager=f"manager:{person.number % 20}"))
        yield on_first(
            "7",
            AccountOpened(
                account=f"w-{person.number}",
                product="wealth-account",
                asset_class="wealth",
                currency=CURRENCY,
            ),
        )
    if chance.randrange(100) < 40:
        yield on_first("8", ProductOpened(product="credit-card", reference=f"card-{person.number}"))


def _money(person: Person, chance: Random, month: str) -> Iterator[Happening]:
    def posted(what: str, day: int, amount: int, kind: str) -> Happening:
        name = f"{person.number}-{month}-{what}"
        data = TransactionPosted(
            transaction=name,
            account=f"d-{person.number}",
            amount=amount,
            currency=CURRENCY,
            kind=kind,
        )
        return Happening(day, 10, person.stream, name, data)

    income = person.salary * (20 if person.company else 1)
    season = SEASONS.get(int(month[5:]), 100)
    spent = [
        person.salary * season * chance.randrange(1, 12) // 10_000
        for _ in range(chance.randrange(2, 9))
    ]
    rent = person.salary * 30 // 100
    yield posted("salary", 10, income, "income" if person.company else "salary")
    yield posted("rent", 5, -rent, "rent")
    for number, amount in enumerate(spent):
        yield posted(f"card-{number}", chance.randrange(1, days_in(month) + 1), -amount, "card")
    yield posted(
        "household",
        26,
        -(income - rent - sum(spent)) * chance.randrange(90, 111) // 100,
        "transfer",
    )
    if person.wealth > ASSETS_EACH:
        balance = person.wealth * chance.randrange(55, 66) // 100
        data = BalanceReported(
            account=f"w-{person.number}", balance=balance, currency=CURRENCY, asset_class="wealth"
        )
        yield Happening(
            1 if month == FIRST_MONTH else days_in(month),
            20,
            person.stream,
            f"{person.number}-{month}-wealth",
            data,
        )


def _abroad(person: Person, seed: int, month: str, *, first: bool) -> Iterator[Happening]:
    """One in a few has dollars too, and saves some every month."""
    if person.number % ABROAD_ONE_IN:
        return
    account = f"usd-{person.number}"
    if first:
        yield Happening(
            2,
            9,
            person.stream,
            f"{person.number}-usd",
            AccountOpened(account=account, product="foreign-account", currency=FOREIGN),
        )
    cents = Random(f"{seed}/{month}/usd/{person.number}").randrange(1_000, 50_000)
    name = f"{person.number}-{month}-usd"
    yield Happening(
        12,
        10,
        person.stream,
        name,
        TransactionPosted(
            transaction=name, account=account, amount=cents, currency=FOREIGN, kind="transfer"
        ),
    )


def _together(
    couple: tuple[Person, Person], seed: int, month: str, index: int
) -> Iterator[Happening]:
    """A household, and an account of which each has a half.

    Some part after three months, and keep the account.
    """
    family = couple[0].family
    assert family is not None
    household, account = f"household:{family}", f"joint-{family}"
    saved = Random(f"{seed}/{month}/joint/{family}").randrange(100, 20_000)
    for half, person in enumerate(couple):
        if index == 0:
            yield Happening(
                1,
                9,
                person.stream,
                f"{person.number}-joint-0",
                HouseholdJoined(household=household, role="spouse"),
            )
            yield Happening(
                1,
                9,
                person.stream,
                f"{person.number}-joint-1",
                AccountOpened(account=account, product="joint-account", currency=CURRENCY),
            )
            part = AccountShared(
                account=account, from_permille=500 * half, upto_permille=500 + 500 * half
            )
            yield Happening(1, 9, person.stream, f"{person.number}-joint-2", part)
        if index == 3 and half == 1 and family % PARTED_ONE_IN == 0:
            yield Happening(
                15, 9, person.stream, f"{person.number}-parted", HouseholdLeft(household=household)
            )
        name = f"{person.number}-{month}-joint"
        posted = TransactionPosted(
            transaction=name, account=account, amount=saved, currency=CURRENCY, kind="transfer"
        )
        yield Happening(20, 10, person.stream, name, posted)


def _rates(seed: int, month: str) -> Iterator[Happening]:
    """What a dollar is worth, four times a month."""
    chance = Random(f"{seed}/{month}/rates")
    for day in (1, 8, 16, 24):
        rate = ExchangeRateFixed(
            currency=FOREIGN,
            base=CURRENCY,
            numerator=chance.randrange(69_000, 73_000),
            denominator=10_000,
        )
        yield Happening(day, 7, BANK, f"rate-{month}-{day}", rate)


def _contact(person: Person, chance: Random, month: str) -> Iterator[Happening]:
    def at(day: int, hour: int, what: str, data: Interaction) -> Happening:
        return Happening(day, hour, person.stream, f"{person.number}-{month}-{what}", data)

    for number in range(chance.randrange(3)):
        yield at(
            chance.randrange(1, 29),
            12,
            f"visit-{number}",
            ChannelVisited(channel=chance.choice(("app", "web", "branch", "atm"))),
        )
    if chance.randrange(100) < 3:
        day, case = chance.randrange(1, 20), f"c-{person.number}-{month}"
        yield at(
            day,
            13,
            "complaint-0",
            ComplaintOpened(case=case, text=chance.choice(WORDS), channel="call"),
        )
        yield at(
            day + 5,
            14,
            "complaint-1",
            ComplaintAnswered(case=case, text="已处理 / resolved", upheld=chance.randrange(2) == 0),
        )
        yield at(day + 6, 15, "complaint-2", ComplaintClosed(case=case, outcome="resolved"))
    if chance.randrange(100) < 4:
        yield at(15, 16, "feedback", FeedbackGiven(text=chance.choice(WORDS), channel="app"))
        yield at(
            16,
            16,
            "survey",
            SurveyAnswered(survey="quarter", score=chance.randrange(11), channel="app"),
        )


def _offer(person: Person, chance: Random, month: str, index: int) -> Iterator[Happening]:
    """An offer decided at random and answered by taste.

    The ready and the wealthy say yes more often.
    """
    day, offer = chance.randrange(2, 25), chance.choice(OFFERS)
    decision = f"{person.number}-{month}"
    features = {
        "assets-bits": person.wealth.bit_length(),
        "tenure-months": index - person.since + 1,
        f"company={int(person.company)}": 1,
    }
    likes = person.readiness + (
        20 if offer == "wealth-product" and person.wealth > ASSETS_EACH else 0
    )
    answer = OfferAccepted if chance.randrange(100) < likes else OfferDeclined
    steps: tuple[Interaction, ...] = (
        OfferDecided(
            decision=decision, channel="app", offer=offer, features=features, catalogue="synth@1"
        ),
        OfferPresented(decision=decision, offer=offer, channel="app"),
        answer(decision=decision, offer=offer, channel="app"),
    )
    for hour, data in enumerate(steps):
        yield Happening(day, 17 + hour, person.stream, f"{decision}-offer-{hour}", data)
