"""What does the customer hold, and what moved: accounts, products, transactions, balances."""

from typing import Annotated

from pydantic import Field

from domain.interaction import Amount, AssetClass, Currency, Identifier, Interaction, Line, Price


class AccountOpened(Interaction):
    """An account exists from now on; its asset class says where its balance counts."""

    account: Identifier
    product: Identifier
    asset_class: AssetClass = "deposit"
    currency: Currency


class AccountClosed(Interaction):
    """An account takes no more transactions."""

    account: Identifier


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

    order: Identifier
    account: Identifier
    amount: Price
    currency: Currency
    purpose: Line | None = None


class TransactionPosted(Interaction):
    """Money moved: minor units, positive into the account, negative out of it."""

    transaction: Identifier
    account: Identifier
    amount: Amount
    currency: Currency
    kind: Identifier
    counterparty: Line | None = None


class BalanceReported(Interaction):
    """A system of record states an account's balance at the end of the business date, in minor units.

    It contains every transaction of that date and before. Without an asset class the account stays what it is, and
    one never heard of is a deposit.
    """

    account: Identifier
    balance: Amount
    currency: Currency
    asset_class: AssetClass | None = None
