"""How does a frozen state become the next one? A copy with some fields changed."""

from typing import Any, TypeVar

S = TypeVar("S")


def changed(state: S, **fields: Any) -> S:
    """A copy of a frozen dataclass (one without slots) with some fields changed.

    What `dataclasses.replace` does, without running `__init__`: ten times as fast on a state of twenty fields,
    and this is the innermost step of every fold. Raises `TypeError` for a field that the state does not have.

    >>> from domain.ledger import Account
    >>> changed(Account("deposit", "CNY"), balance=5).balance
    5
    """
    before = state.__dict__
    copy = object.__new__(state.__class__)
    after = copy.__dict__
    after.update(before)
    after.update(fields)
    if len(after) != len(before):
        raise TypeError(f"{type(state).__name__} has no {sorted(fields.keys() - before.keys())}")
    return copy
