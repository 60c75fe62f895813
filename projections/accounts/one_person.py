"""What do the accounts of several numbers come to, as those of one person?"""

from collections.abc import Sequence

from domain.accounts.ledger import BESIDE, Account, Day, Ledger, Part, Past


def ledger_together(of_each: Sequence[tuple[str, Ledger]], streak: int) -> Ledger:
    """All accounts of several numbers, the one that stays first, by the names of their streams.

    Of two accounts with one number the second is called `number|stream`, which no account can be
    called. `streak` is that of the last month that all have closed.
    """
    accounts, shares = dict[str, Account](), dict[str, dict[Day, Part]]()
    past: dict[str, list[tuple[Past, ...]]] = {}
    for stream, ledger in of_each:
        for name, account in ledger.accounts.items():
            own = name if name not in accounts else f"{name}{BESIDE}{stream}"
            accounts[own] = account
            if parts := ledger.shares_of(name, account.currency):
                shares[own] = parts
        for key, months in ledger.past.items():
            past.setdefault(key, []).append(months)
    ledgers = [ledger for _, ledger in of_each]
    return Ledger(
        accounts=accounts,
        products=frozenset().union(*(ledger.products for ledger in ledgers)),
        since=min((ledger.since for ledger in ledgers if ledger.since), default=None),
        closed_through=min(
            (ledger.closed_through for ledger in ledgers if ledger.closed_through), default=None
        ),
        past={key: _past(months) for key, months in past.items()},
        streak=streak,
        base=next((ledger.base for ledger in ledgers if ledger.base), None),
        rates={
            currency: rate
            for ledger in reversed(ledgers)
            for currency, rate in ledger.rates.items()
        },
        shares=shares,
    )


def _past(of_each: Sequence[tuple[Past, ...]]) -> tuple[Past, ...]:
    """The last three months of several numbers, added up month by month."""
    if len(of_each) == 1:
        return of_each[0]
    longest = max(map(len, of_each))
    padded = [(*months, *[Past()] * (longest - len(months))) for months in of_each]
    return tuple(Past(*map(sum, zip(*month, strict=True))) for month in zip(*padded, strict=True))
