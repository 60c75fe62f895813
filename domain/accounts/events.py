"""What does the customer hold, and what moved: accounts, products, transactions, balances."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from domain.event import (
    MONEY_LIMIT,
    Amount,
    AssetClass,
    Currency,
    Identifier,
    Interaction,
    Line,
    PlausibleDate,
    Price,
)

Units = Annotated[int, Field(ge=1, le=MONEY_LIMIT)]


class AccountOpened(Interaction):
    """An account exists from now on; its asset class says where its balance counts."""

    account: Identifier
    product: Identifier
    asset_class: AssetClass = "deposit"
    currency: Currency


class AccountClosed(Interaction):
    """An account takes no more transactions."""

    account: Identifier


class AccountShared(Interaction):
    """From the business date on, a part of the account's money is this customer's.

    What lies between two permille of it.

    A joint account is in the stream of each holder, with all that moves on it. Parts that follow
    one another, such as 0 to 500 and 500 to 1000, add up to the whole account, to the last minor
    unit. Transactions and products are counted for each holder, so a household of both counts them
    twice.
    """

    account: Identifier
    from_permille: Annotated[int, Field(ge=0, lt=1000)]
    upto_permille: Annotated[int, Field(gt=0, le=1000)]

    @model_validator(mode="after")
    def _of_some_size(self) -> Self:
        if self.from_permille >= self.upto_permille:
            raise ValueError("upto_permille must be more than from_permille")
        return self


class ProductOpened(Interaction):
    """The customer took up a product that is not an account: a card, a safe, an insurance."""

    product: Identifier
    reference: Identifier


class ProductClosed(Interaction):
    """The customer gave a product back."""

    product: Identifier
    reference: Identifier


class LoanGranted(Interaction):
    """The bank lent money: principal in minor units, to be paid back over so many months."""

    loan: Identifier
    account: Identifier
    principal: Price
    currency: Currency
    months: Annotated[int, Field(ge=1, le=600)]
    status: Line | None = None


class StandingOrderPlaced(Interaction):
    """The customer ordered a regular payment, in minor units."""

    customer_seen = False
    order: Identifier
    account: Identifier
    amount: Price
    currency: Currency
    purpose: Line | None = None


class TransactionPosted(Interaction):
    """Money moved: minor units, positive into the account, negative out of it."""

    customer_seen = False
    transaction: Identifier
    account: Identifier
    amount: Amount
    currency: Currency
    kind: Identifier
    counterparty: Line | None = None


class TransactionReversed(Interaction):
    """A transaction was undone: a mistake, which was no movement of the customer's.

    It names the event that posted it by its id at the same source, and repeats what it said. The
    money goes back on the business date; the transaction no longer counts among those of its day,
    while that month is open.
    """

    customer_seen = False
    event: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    account: Identifier
    amount: Amount
    currency: Currency
    posted: PlausibleDate


class BalanceReported(Interaction):
    """A system of record states an account's balance at the end of the business date, in
    minor units.

    It contains every transaction of that date and before. Without an asset class the account stays
    what it is, and one never heard of is a deposit.
    """

    customer_seen = False
    account: Identifier
    balance: Amount
    currency: Currency
    asset_class: AssetClass | None = None


class ExchangeRateFixed(Interaction):
    """From the business date on, `denominator` minor units of a currency are worth `numerator`
    minor units of the bank's base currency.

    Sent once to the stream `bank`, recorded once in each shard's own stream, as `DayClosed` is.
    """

    concerns = ("shard", "bank")
    currency: Currency
    base: Currency
    numerator: Units
    denominator: Units
