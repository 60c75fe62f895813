"""What moves on a customer's accounts in a month?

Every amount in fen, above zero into the account.
"""

from bisect import bisect
from datetime import date
from itertools import accumulate

from domain.accounts.events import AccountOpened, BalanceReported, TransactionPosted
from domain.event import AssetClass
from streams.sources.synth.life import EARNS_ELSEWHERE, MOVED, Told
from streams.sources.synth.people import GROWN_UP, LOANS, OLDER, STORIES
from streams.sources.synth.words import CELEBRATED, MERCHANTS, OFTEN, pick
from streams.sources.synth.workdays import worked_by

CURRENCY = "CNY"
SEASONS = {1: 120, 2: 160, 6: 120, 10: 115, 11: 180, 12: 130}
"""Spending in percent of an ordinary month.

New year, spring festival, the shopping days of June and November.
"""
PAYDAY, RENT_DAY, LOAN_DAY, SAVING_DAY = 10, 5, 20, 26
DEAREST = 2
"""So many times what most spend in a kind of shop nobody goes beyond, however well off."""
INTEREST_DAY, INTEREST_MONTHS = 21, (3, 6, 9, 12)
MATURES = 3
"""Months after which what a customer has invested matures."""
BOUGHT: tuple[AssetClass, ...] = ("wealth", "fund", "insurance", "bond", "metal")
WELL_OFF = 20
"""Bits of assets from which on people think of more than a current account: 10,000 yuan."""
LEAST = 200_000
_OFTEN, _CELEBRATED = tuple(accumulate(OFTEN)), tuple(accumulate(CELEBRATED))


def money(told: Told, index: int) -> None:
    """A month's money; `index` counts months from the first."""
    who, before = told.life.person, told.life.balance
    if who.company:
        _business(told)
    elif who.salary:
        _household(told)
    elif told.life.balance:
        _posted(told, told.day(), 16, "pocket", 5_000 + 100 * told.day(), "transfer", "家人 family")
    if told.number in INTEREST_MONTHS and before > 1_000:
        _posted(told, INTEREST_DAY, 3, "interest", before // 8_000, "interest", None)
    if index == told.life.flat:
        _buys_a_flat(told)
    elif who.rich:
        _invested(told, index)
    _moved(told)
    _bought(told)


def _posted(
    told: Told, day: int, hour: int, what: str, amount: int, kind: str, other: str | None
) -> None:
    told.life.balance += amount
    account = f"d-{told.life.person.number}"
    data = TransactionPosted(
        transaction=told.name(what),
        account=account,
        amount=amount,
        currency=CURRENCY,
        kind=kind,
        counterparty=other,
    )
    told.say(day, hour, what, data)


def _household(told: Told) -> None:
    life, who, chance = told.life, told.life.person, told.chance
    if life.paid and who.number >= STORIES and chance.random() < 0.006:
        life.paid = False
        life.learnt.append(EARNS_ELSEWHERE)
    began = life.balance
    if life.paid:
        day = worked_by(date(told.year, told.number, PAYDAY)).day
        _posted(told, day, 9, "salary", who.salary, "salary", _payer(told))
    if who.rents and life.balance > who.salary:
        _posted(told, RENT_DAY, 8, "rent", -who.salary * 3 // 10, "rent", "房东 landlord")
    if life.owed:
        _repaid(told)
    _spent(told)
    left = (life.balance - began) * (90 + int(chance.random() * 21)) // 100
    if left > 0:
        _posted(told, SAVING_DAY, 19, "household", -left, "transfer", "家庭账户 household")


def _payer(told: Told) -> str:
    return "养老金 pension" if told.life.person.age(told.year) >= OLDER else "代发工资 payroll"


def _spent(told: Told) -> None:
    """Shopping: on weekends and festivals of another kind, and in some months more of it."""
    life, chance = told.life, told.chance
    percent = SEASONS.get(told.number, 100) * max(50, min(250, life.person.salary // 6_000)) // 100
    for each in range(2 + int(chance.random() * 7)):
        day = 1 + int(chance.random() * told.days)
        kinds = _OFTEN if told.worked[day - 1] else _CELEBRATED
        shop = MERCHANTS[bisect(kinds, chance.random() * kinds[-1])]
        hour = shop.opens + int(chance.random() * (shop.closes - shop.opens))
        share = chance.random() ** 3
        spent = (shop.least + int((shop.most - shop.least) * share)) * percent // 100
        amount = min(spent, DEAREST * shop.most)
        if amount < life.balance:
            _posted(told, day, hour, f"card-{each}", -amount, "card", pick(chance, shop.names))


def _repaid(told: Told) -> None:
    """An instalment of a loan; a few miss some, and pay them later with a fee."""
    life, chance = told.life, told.chance
    due = life.owed // LOANS[life.person.owes_for] + life.owed * 4 // 1_200
    misses = chance.random() < (0.6 if life.missed else 0.015)
    if life.balance < due or (misses and life.missed < 5):
        life.missed += 1
        return
    late, life.missed = life.missed, 0
    _posted(told, LOAN_DAY, 6, "loan", -due * (1 + late), "loan-repayment", None)
    if late:
        _posted(told, LOAN_DAY, 6, "late-fee", -due * late // 20, "late-fee", None)


def _business(told: Told) -> None:
    """A company: it is paid by its own customers, and pays wages and those who supply it."""
    who, chance = told.life.person, told.chance
    began = told.life.balance
    for each in range(2 + int(chance.random() * 3)):
        amount = who.salary * (50 + int(chance.random() * 100)) // 300
        _posted(told, told.day(), 11, f"paid-{each}", amount, "income", "货款 goods")
    day = worked_by(date(told.year, told.number, PAYDAY)).day
    _posted(told, day, 8, "payroll", -who.salary * 6 // 10, "payroll", "员工工资 wages")
    left = (told.life.balance - began) * (90 + int(chance.random() * 21)) // 100
    if left > 0:
        _posted(told, SAVING_DAY, 15, "supplier", -left, "transfer", "供应商 supplier")


def chance_to_buy(asset: AssetClass, age: int, bits: int, careful: bool, month: int) -> float:
    """How likely somebody buys something of an asset class in a month, who holds none of it."""
    rich = max(0, bits - WELL_OFF)
    chances: dict[AssetClass, float] = {
        "wealth": 0.008 * rich * (0.5 if careful else 1),
        "fund": (0.002 if careful else 0.015) * (age < 45) + 0.002 * rich * (not careful),
        "insurance": 0.015 if 30 <= age < 55 else 0.002,
        "bond": (0.012 if careful and age >= 55 else 0.001) + 0.001 * rich,
        "metal": 0.012 if month in (1, 2) else 0.002,
    }
    return chances[asset]


def _bought(told: Told) -> None:
    """Something new of an asset class, out of what is on the current account."""
    life, who, chance = told.life, told.life.person, told.chance
    if who.company or not who.salary or who.rich or life.balance < LEAST:
        return
    age, bits, careful = who.age(told.year), life.assets.bit_length(), who.grade in ("C1", "C2")
    for asset in BOUGHT:
        likely = chance_to_buy(asset, age, bits, careful, told.number)
        if asset in life.holds or chance.random() >= likely or life.balance < LEAST:
            continue
        amount = life.balance * (20 + int(chance.random() * 40)) // 100
        account, day = f"{asset}-{who.number}", told.day(2, 27)
        _posted(told, day, 14, f"{asset}-bought", -amount, f"{asset}-purchase", None)
        opened = AccountOpened(
            account=account, product=f"{asset}-account", asset_class=asset, currency=CURRENCY
        )
        told.at(day, 15, 0, f"{asset}-opened", opened)
        held = BalanceReported(account=account, balance=amount, currency=CURRENCY)
        told.at(day, 20, 0, f"{asset}-held", held)
        life.holds[asset] = amount


def _invested(told: Told, index: int) -> None:
    """What matures comes back to the current account, and is invested anew a few days later."""
    life, chance = told.life, told.chance
    if index and (index + life.person.number) % MATURES == 0:
        part = life.invested * (20 + int(chance.random() * 40)) // 100
        _posted(told, 12, 5, "matured", part, "maturity", None)
        _reported(told, 12, "matured-w", life.invested - part)
        again = part * (94 + int(chance.random() * 13)) // 100
        again = min(again, life.balance)
        _posted(told, 15, 11, "bought", -again, "wealth-purchase", None)
        _reported(told, 15, "bought-w", life.invested - part + again)
        life.invested += again - part
    else:
        life.invested = life.invested * (996 + int(chance.random() * 10)) // 1_000
        _reported(told, 1 if not index else told.days, "wealth", life.invested)


def _reported(told: Told, day: int, what: str, balance: int) -> None:
    data = BalanceReported(
        account=f"w-{told.life.person.number}",
        balance=balance,
        currency=CURRENCY,
        asset_class="wealth",
    )
    told.say(day, 20, what, data)


def _buys_a_flat(told: Told) -> None:
    """Most of what was invested is sold, and most of all goes to the seller."""
    life = told.life
    part = life.invested * 95 // 100
    _posted(told, 16, 5, "sold", part, "maturity", None)
    life.invested -= part
    _reported(told, 16, "sold-w", life.invested)
    _posted(told, 18, 10, "flat", -life.balance * 97 // 100, "transfer", "房屋买卖 a flat")


def _moved(told: Told) -> None:
    """Some take most of their money to another bank."""
    life, who = told.life, told.life.person
    grown_up = who.age(told.year) >= GROWN_UP
    if (
        grown_up
        and who.number >= STORIES
        and told.chance.random() < 0.004
        and life.balance > 10_000
    ):
        life.learnt.append(MOVED)
        gone = -life.balance * (80 + int(told.chance.random() * 15)) // 100
        _posted(told, told.day(12, 27), 14, "moved", gone, "transfer", "本人他行 own, other bank")
