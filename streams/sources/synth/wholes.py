"""Who belongs together: couples with a joint account and their children, and company groups."""

from datetime import date, datetime
from random import Random

from domain.accounts.events import AccountOpened, AccountShared, TransactionPosted
from domain.calendar import Month
from domain.envelope import Proposed
from domain.event import Interaction
from domain.households.events import CompanyGroupJoined, HouseholdJoined, HouseholdLeft
from streams.sources.synth.life import SOURCE, Life, Message
from streams.sources.synth.money import CURRENCY
from streams.sources.synth.people import FAMILY_ONE_IN, GROWN_UP, STORIES
from streams.sources.synth.workdays import ZONE

GROUPS = 5
PARTED_ONE_IN = 7
PARTED_AFTER = 3
CHILD = 2


def together(of_each: list[Life], seed: int, month: Month, index: int) -> list[Message]:
    """What a month tells of neighbours who belong together."""
    said: list[Message] = []
    for place in range(0, len(of_each), FAMILY_ONE_IN):
        neighbours = of_each[place : place + FAMILY_ONE_IN]
        if len(neighbours) > 1 and all(_settled(life) for life in neighbours[:2]):
            said += _family(neighbours, seed, month, index)
        said += [_grouped(life, month) for life in neighbours if _is_new_company(life, index)]
    return said


def _settled(life: Life) -> bool:
    who = life.person
    return not who.company and who.since == 0 and who.twin is None and not life.gone


def _family(neighbours: list[Life], seed: int, month: Month, index: int) -> list[Message]:
    """A household, and an account of which each has a half.

    Some part after three months, and keep the account.
    """
    said: list[Message] = []
    family = neighbours[0].person.number // FAMILY_ONE_IN
    household, account = f"household:{family}", f"joint-{family}"
    saved = Random(f"{seed}/{month}/joint/{family}").randrange(100, 200_000)
    for half, life in enumerate(neighbours[:2]):
        number = life.person.number
        if index == 0:
            part = AccountShared(
                account=account, from_permille=500 * half, upto_permille=500 + 500 * half
            )
            opened = AccountOpened(account=account, product="joint-account", currency=CURRENCY)
            joined = HouseholdJoined(household=household, role="spouse")
            said += [
                _said(life, month, 1, f"joint-{place}", data)
                for place, data in enumerate((joined, opened, part))
            ]
        if index == PARTED_AFTER and half and number >= STORIES and family % PARTED_ONE_IN == 1:
            left = HouseholdLeft(household=household)
            said.append(_said(life, month, 15, "parted", left))
        posted = TransactionPosted(
            transaction=f"{number}-{month}-joint",
            account=account,
            amount=saved,
            currency=CURRENCY,
            kind="transfer",
            counterparty="家庭储蓄 family savings",
        )
        said.append(_said(life, month, 20, "joint", posted))
    child = neighbours[CHILD] if len(neighbours) > CHILD else None
    if index == 0 and child and _settled(child) and child.person.age(int(month[:4])) < GROWN_UP:
        joined = HouseholdJoined(household=household, role="child")
        said.append(_said(child, month, 1, "joint-0", joined))
    return said


def _is_new_company(life: Life, index: int) -> bool:
    return life.person.company and life.person.since == index


def _grouped(life: Life, month: Month) -> Message:
    number = life.person.number
    joined = CompanyGroupJoined(group=f"company:{number % GROUPS}", share_permille=600)
    return _said(life, month, 1, "group", joined)


def _said(life: Life, month: Month, day: int, what: str, data: Interaction) -> Message:
    who = life.person
    at = datetime(int(month[:4]), int(month[5:]), day, 9, 30, tzinfo=ZONE)
    name = f"{who.number}-{month}-{what}"
    event = Proposed(SOURCE, name, who.stream, at, date(at.year, at.month, day), data)
    return Message(int(at.timestamp()), event)
