"""What would a bank look like? Its customers' lives month by month, in the order of time.

Same parameters, same events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from domain.accounts.events import AccountOpened, ExchangeRateFixed, TransactionPosted
from domain.bank.events import DayClosed
from domain.calendar import Month, days_in, first_day, next_month
from domain.envelope import Proposed
from domain.event import BANK, Interaction
from domain.managers.events import TrainingCompleted
from streams.sources.synth.arrival import arrives, befalls, leaves
from streams.sources.synth.life import SOURCE, Life, Message, Told
from streams.sources.synth.money import CURRENCY, money
from streams.sources.synth.people import STORIES, Person, person, wealths
from streams.sources.synth.service import serviced
from streams.sources.synth.tastes import offered
from streams.sources.synth.wholes import together
from streams.sources.synth.workdays import ZONE

__all__ = ["SOURCE", "Bank", "Part", "months_of", "parts_of", "synth"]

FIRST_MONTH = "2026-01"
PART = 1_000
"""Customers whose lives are made together."""
AHEAD = 3
"""Months ahead of which it is told how likely somebody leaves."""
ABROAD_ONE_IN = 16
FOREIGN = {"USD": 710, "EUR": 770, "HKD": 91, "JPY": 5}
"""Other currencies, and what a hundred of their minor units are worth in fen, roughly."""
RATE_DAYS = (1, 8, 16, 24)


@dataclass(frozen=True, slots=True)
class Bank:
    """What to make up: how many customers, how many months from which on, and the seed."""

    customers: int
    months: int
    seed: int
    first_month: Month = FIRST_MONTH


@dataclass(frozen=True, slots=True, order=True)
class Hidden:
    """What the bank is never told.

    `what` is "may leave" (within three months of the end of `month`, with this `chance`, most of
    all because of `cause`; of all others it is small), "left" (in `month`), or "asked" (the
    `chance` of a yes to the offer of a `decision`).
    """

    what: str
    customer: str
    month: Month
    chance: float
    cause: str = ""
    decision: str = ""


class Part:
    """Some neighbours of a bank, whose months are told one after the other."""

    def __init__(self, bank: Bank, wealth: Sequence[int], first: int) -> None:
        self._bank = bank
        self.hidden: list[Hidden] = []
        people: list[Person] = []
        year = int(bank.first_month[:4])
        for number in range(first, min(first + PART, bank.customers)):
            people.append(person(number, wealth[number], bank.months, bank.seed, people, year))
        self._lives = [Life(each) for each in people]
        if first == 0 and bank.months > 2 and len(self._lives) >= STORIES:
            self._lives[STORIES - 1].flat = bank.months - 2

    def month(self, month: Month, index: int) -> list[Message]:
        """What happens in a month, in no order."""
        self.hidden = []
        said = [message for life in self._lives for message in self._told(life, month, index)]
        return said + together(self._lives, self._bank.seed, month, index)

    def _told(self, life: Life, month: Month, index: int) -> Sequence[Message]:
        who = life.person
        if life.gone or index < who.since:
            return ()
        told = Told(life, month, Random(f"{self._bank.seed}/{month}/{who.number}"))
        if index == who.since:
            arrives(told)
        elif who.number >= STORIES and told.chance.random() < life.chance_to_leave():
            leaves(told)
            self.hidden.append(Hidden("left", who.stream, month, 1.0, life.cause))
            return told.messages
        befalls(told, index)
        if life.gone:
            return told.messages
        money(told, index)
        _abroad(told, first=index == who.since)
        serviced(told)
        if (asked := offered(told, index)) is not None:
            self.hidden.append(Hidden("asked", who.stream, month, asked[1], decision=asked[0]))
        life.older()
        if life.causes and who.number >= STORIES:
            may = life.chance_to_leave(AHEAD)
            self.hidden.append(Hidden("may leave", who.stream, month, may, life.cause))
        return told.messages


def synth(bank: Bank) -> Iterator[Proposed]:
    """The events of a synthetic bank, day by day, each day closed after its events."""
    parts = parts_of(bank)
    for index, month in enumerate(months_of(bank)):
        said = [message for part in parts for message in part.month(month, index)]
        said += of_the_bank(bank.seed, month)
        yield from (message.event for message in sorted(said, key=_in_order))


def _in_order(message: Message) -> tuple[int, str]:
    return message.at, message.event.id


def parts_of(bank: Bank, share: slice = slice(None)) -> list[Part]:
    """The parts of a bank, or some of them."""
    wealth = wealths(bank.customers, bank.seed)
    return [Part(bank, wealth, first) for first in range(0, bank.customers, PART)[share]]


def months_of(bank: Bank) -> Iterator[Month]:
    """The months of a bank, from the first on."""
    month = bank.first_month
    for _ in range(bank.months):
        yield month
        month = next_month(month)


def of_the_bank(seed: int, month: Month) -> list[Message]:
    """What the bank itself says in a month: rates, courses of its managers, days that end."""
    chance, first = Random(f"{seed}/{month}/bank"), first_day(month)

    def at(day: date, hour: int, minute: int, stream: str, name: str, data: Interaction) -> Message:
        when = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE)
        event = Proposed(SOURCE, name, stream, when, day, data)
        return Message(int(when.timestamp()), event)

    said = []
    for each in RATE_DAYS:
        day = first + timedelta(days=each - 1)
        for currency, worth in FOREIGN.items():
            rate = ExchangeRateFixed(
                currency=currency,
                base=CURRENCY,
                numerator=worth * (980 + int(chance.random() * 41)),
                denominator=100_000,
            )
            said.append(at(day, 7, 0, BANK, f"rate-{currency}-{day}", rate))
    course = TrainingCompleted(course=f"suitability-{month}", score=60 + int(chance.random() * 41))
    said.append(
        at(first, 17, 0, f"manager:heping-{chance.randrange(1, 5)}", f"course-{month}", course)
    )
    for number in range(days_in(month)):
        day = first + timedelta(days=number)
        said.append(at(day, 23, 59, BANK, f"day-{day}", DayClosed(date=day)))
    return said


def _abroad(told: Told, *, first: bool) -> None:
    """One in a few has an account in another currency too, and saves some every month."""
    number = told.life.person.number
    if number % ABROAD_ONE_IN:
        return
    currency = tuple(FOREIGN)[number // ABROAD_ONE_IN % len(FOREIGN)]
    account = f"{currency.lower()}-{number}"
    if first:
        opened = AccountOpened(account=account, product="foreign-account", currency=currency)
        told.at(2, 9, 0, "abroad-0", opened)
    amount = 1_000 + int(told.chance.random() * 49_000)
    saved = TransactionPosted(
        transaction=told.name("abroad"),
        account=account,
        amount=amount,
        currency=currency,
        kind="transfer",
    )
    told.say(12, 10, "abroad", saved)
