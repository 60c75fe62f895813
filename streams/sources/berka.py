"""What does the Berka bank (PKDD'99) look like as interactions?

Its folder of `.asc` files, in the files' date order.

The history ends with the last transaction: accounts, cards and loans dated later are left out.
Amounts in the files are crowns with decimals; here they are hellers (minor units of CZK). A client
is onboarded with the account they belong to. Standing orders carry no date and are placed when
their account is opened.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from domain.accounts.events import (
    AccountOpened,
    LoanGranted,
    ProductOpened,
    StandingOrderPlaced,
    TransactionPosted,
)
from domain.bank.events import DayClosed
from domain.customers.events import CustomerOnboarded, Gender
from domain.envelope import Proposed
from domain.event import BANK, Interaction

SOURCE = "berka"
CURRENCY = "CZK"
CREDIT = "PRIJEM"

Line = dict[str, str]


def berka(folder: Path) -> Iterator[Proposed]:
    """Every event up to the last transaction's day, each day closed after its events.

    Raises `FileNotFoundError` naming the file that is missing.
    """
    days = _days(folder)
    day, last = min(days), max(_day(line["date"]) for line in _lines(folder, "trans_1993"))
    while day <= last:
        yield from days.get(day, ())
        yield _proposed(f"day-{day}", BANK, day, DayClosed(date=day), hour=23)
        day += timedelta(days=1)


def _days(folder: Path) -> dict[date, list[Proposed]]:
    """The events of each day.

    People and accounts first, then what they did, in the order of the files.
    """
    days: dict[date, list[Proposed]] = defaultdict(list)
    opened = {line["account_id"]: _day(line["date"]) for line in _lines(folder, "account")}
    members = list(_lines(folder, "disp"))
    account_of = {line["disp_id"]: line["account_id"] for line in members}
    owners = {
        line["account_id"]: f"customer:{line['client_id']}"
        for line in members
        if line["type"] == "OWNER"
    }
    clients = {line["client_id"]: line for line in _lines(folder, "client")}
    for line in members:
        day = opened[line["account_id"]]
        days[day].append(_onboarded(clients[line["client_id"]], day))
    for account, day in opened.items():
        days[day].append(_account(account, owners, day))
    for line in _lines(folder, "order"):
        days[opened[line["account_id"]]].append(_order(line, owners, opened))
    for line in _lines(folder, "card"):
        days[_day(line["issued"][:6])].append(_card(line, owners[account_of[line["disp_id"]]]))
    for line in _lines(folder, "loan"):
        days[_day(line["date"])].append(_loan(line, owners))
    for line in _lines(folder, "trans_1993"):
        days[_day(line["date"])].append(_transaction(line, owners))
    return days


def _onboarded(client: Line, day: date) -> Proposed:
    born, gender = _born(client["birth_number"])
    data = CustomerOnboarded(
        born=born, gender=gender, region=client["district_id"], source="branch"
    )
    return _proposed(f"client-{client['client_id']}", f"customer:{client['client_id']}", day, data)


def _born(number: str) -> tuple[date, Gender]:
    """`YYMMDD`, with 50 added to a woman's month.

    >>> _born("706213")
    (datetime.date(1970, 12, 13), 'female')
    """
    year, month, day = 1900 + int(number[:2]), int(number[2:4]), int(number[4:6])
    return (
        (date(year, month - 50, day), "female") if month > 50 else (date(year, month, day), "male")
    )


def _account(account: str, owners: dict[str, str], day: date) -> Proposed:
    data = AccountOpened(account=account, product="current-account", currency=CURRENCY)
    return _proposed(f"account-{account}", owners[account], day, data)


def _card(line: Line, owner: str) -> Proposed:
    data = ProductOpened(product=f"card-{line['type']}", reference=f"card-{line['card_id']}")
    return _proposed(f"card-{line['card_id']}", owner, _day(line["issued"][:6]), data)


def _order(line: Line, owners: dict[str, str], opened: dict[str, date]) -> Proposed:
    account = line["account_id"]
    data = StandingOrderPlaced(
        order=line["order_id"],
        account=account,
        amount=_minor(line["amount"]),
        currency=CURRENCY,
        purpose=line["k_symbol"].strip() or None,
    )
    return _proposed(f"order-{line['order_id']}", owners[account], opened[account], data)


def _loan(line: Line, owners: dict[str, str]) -> Proposed:
    data = LoanGranted(
        loan=line["loan_id"],
        account=line["account_id"],
        principal=_minor(line["amount"]),
        currency=CURRENCY,
        months=int(line["duration"]),
        status=line["status"],
    )
    return _proposed(
        f"loan-{line['loan_id']}", owners[line["account_id"]], _day(line["date"]), data
    )


def _transaction(line: Line, owners: dict[str, str]) -> Proposed:
    amount = _minor(line["amount"])
    data = TransactionPosted(
        transaction=line["trans_id"],
        account=line["account_id"],
        amount=amount if line["type"] == CREDIT else -amount,
        currency=CURRENCY,
        kind="-".join((line["operation"] or line["type"]).split()).lower(),
        counterparty=line["bank"] + line["account"] or None,
    )
    return _proposed(line["trans_id"], owners[line["account_id"]], _day(line["date"]), data)


def _proposed(name: str, stream: str, day: date, data: Interaction, hour: int = 12) -> Proposed:
    return Proposed(
        SOURCE, name, stream, datetime(day.year, day.month, day.day, hour, tzinfo=UTC), day, data
    )


def _lines(folder: Path, name: str) -> Iterator[Line]:
    with (folder / f"{name}.asc").open(encoding="latin-1", newline="") as file:
        yield from csv.DictReader(file, delimiter=";")


def _day(number: str) -> date:
    return date(1900 + int(number[:2]), int(number[2:4]), int(number[4:6]))


def _minor(amount: str) -> int:
    """Crowns with decimals as hellers; raises `decimal.Inexact` rather than round."""
    minor = Decimal(amount) * 100
    if minor != minor.to_integral_value():
        raise ValueError(f"{amount} has more than two decimals")
    return int(minor)
