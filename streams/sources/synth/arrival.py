"""How does a customer of the synthetic bank come, and how do they go?"""

from datetime import date

from domain.accounts.events import (
    AccountClosed,
    AccountOpened,
    BalanceReported,
    LoanGranted,
    ProductOpened,
    TransactionPosted,
)
from domain.customers.events import (
    ConsentGranted,
    ConsentWithdrawn,
    ContactStated,
    CreditRated,
    CustomerBlocked,
    CustomerLeft,
    CustomerOnboarded,
    CustomerUnblocked,
    DeathReported,
    GuardianAppointed,
    IdentitiesMerged,
    ProfileFactStated,
    RiskProfileAssessed,
)
from domain.managers.events import ManagerAssigned
from streams.sources.synth.life import Told
from streams.sources.synth.money import CURRENCY
from streams.sources.synth.people import GROWN_UP, LOANS, stream_of
from streams.sources.synth.words import pick

RATINGS = ("AAA", "AA", "A", "BBB")
OFTEN_SAID = 0.8
"""How many of those who leave say so."""


def arrives(told: Told) -> None:
    """On the first day: who they are, what they agree to, what they open."""
    life, who = told.life, told.life.person
    if who.company:
        _company(told)
    else:
        _someone(told)
    life.invested = who.wealth * 6 // 10 if who.rich else 0
    life.balance, life.owed, life.card = who.wealth - life.invested, who.borrowed, who.card
    account = f"d-{who.number}"
    opened = AccountOpened(account=account, product="current-account", currency=CURRENCY)
    told.at(1, 8, 2, "account", opened)
    balance = BalanceReported(account=account, balance=life.balance, currency=CURRENCY)
    told.at(1, 8, 3, "opening", balance)
    number = who.number if who.twin is None else who.twin
    phone = ContactStated(medium="phone", value=f"+86-100-{number:08d}", source="branch")
    told.at(1, 8, 4, "phone", phone)
    branch = ProfileFactStated(fact="branch", value=who.branch, source="branch")
    told.at(1, 8, 5, "branch", branch)
    _agrees(told)
    if who.rich:
        told.at(1, 9, 10, "manager", ManagerAssigned(manager=who.manager))
        wealth = AccountOpened(
            account=f"w-{who.number}",
            product="wealth-account",
            asset_class="wealth",
            currency=CURRENCY,
        )
        told.at(1, 9, 11, "wealth-account", wealth)
    if who.card:
        card = ProductOpened(product="credit-card", reference=f"card-{who.number}")
        told.at(1, 9, 12, "card", card)
    if who.borrowed:
        loan = LoanGranted(
            loan=f"loan-{who.number}",
            account=account,
            principal=who.borrowed,
            currency=CURRENCY,
            months=LOANS[who.owes_for],
            status=who.owes_for,
        )
        told.at(1, 9, 13, "granted", loan)


def _company(told: Told) -> None:
    who = told.life.person
    said = CustomerOnboarded(
        kind="company", name=who.name, industry=who.industry, region=who.region, source="branch"
    )
    told.at(1, 8, 0, "onboarded", said)
    rated = CreditRated(rating=pick(told.chance, RATINGS), agency="own", source="core")
    told.at(1, 8, 1, "rated", rated)


def _someone(told: Told) -> None:
    who, chance = told.life.person, told.chance
    said = CustomerOnboarded(
        name=who.name,
        born=who.born,
        gender=who.gender,
        region=who.region,
        source=pick(chance, ("branch", "app", "web")),
    )
    told.at(1, 8, 0, "onboarded", said)
    valid = date(told.year + 1, told.number, 28)
    if who.age(told.year) >= GROWN_UP:
        assessed = RiskProfileAssessed(grade=who.grade, valid_until=valid, source="app")
        told.at(1, 8, 1, "assessed", assessed)


def _agrees(told: Told) -> None:
    who = told.life.person
    marketing = ConsentGranted if who.marketing else ConsentWithdrawn
    told.at(1, 8, 6, "marketing", marketing(purpose="marketing", source="app"))
    if who.marketing:
        said = ConsentGranted(purpose="financial-marketing", source="app")
        told.at(1, 8, 7, "financial", said)
    if who.profiling:
        told.at(1, 8, 8, "profiling", ConsentGranted(purpose="profiling", source="app"))


def leaves(told: Told) -> None:
    """The rest of the money goes, the account is closed; most say that they leave."""
    life, number = told.life, told.life.person.number
    day, account = told.day(2, 6), f"d-{number}"
    held = {f"{asset}-{number}": amount for asset, amount in life.holds.items()}
    for minute, (name, amount) in enumerate({f"w-{number}": life.invested, **held}.items()):
        if amount:
            sold = BalanceReported(account=name, balance=0, currency=CURRENCY)
            told.at(day, 9, minute, f"sold-{minute}", sold)
    if life.balance:
        rest = TransactionPosted(
            transaction=told.name("rest"),
            account=account,
            amount=-life.balance,
            currency=CURRENCY,
            kind="transfer",
            counterparty="本人他行 own, other bank",
        )
        told.at(day, 10, 0, "rest", rest)
    told.at(day, 10, 1, "closed", AccountClosed(account=account))
    if told.chance.random() < OFTEN_SAID:
        told.at(day, 10, 2, "left", CustomerLeft(source="branch"))
    life.gone = True


def befalls(told: Told, index: int) -> None:
    """What is stated of a customer as a whole: seldom."""
    who, life, chance = told.life.person, told.life, told.chance
    if index == who.dies:
        day = told.day(2, 20)
        died = DeathReported(source="branch", died=date(told.year, told.number, day))
        told.at(min(28, day + 4), 10, 0, "died", died)
        life.gone = True
    elif who.twin is not None and index == who.since + 1:
        said = IdentitiesMerged(other=who.stream, reason="同一证件 one identity document")
        told.at(14, 11, 0, "merged", said, stream_of(who.twin))
    elif not who.company and who.age(told.year) > 75 and chance.random() < 0.002:
        guardian = GuardianAppointed(source="branch", guardian="子女 a child of theirs")
        told.say(told.day(), 10, "guardian", guardian)
    elif chance.random() < 0.0003:
        blocked = CustomerBlocked(source="core", reason="反洗钱调查 under investigation")
        told.say(told.day(2, 10), 9, "blocked", blocked)
        if chance.random() < 0.7:
            free = CustomerUnblocked(source="core", reason="调查结束 it has ended")
            told.say(told.day(20, 27), 9, "unblocked", free)
