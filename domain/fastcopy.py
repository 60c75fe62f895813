"""How does a frozen state become the next one? A copy with some fields changed."""

from typing import Any, TypeVar

S = TypeVar("S")


def changed(state: S, /, **fields: Any) -> S:
    """A copy of a frozen dataclass (one without slots) with some fields changed.

    What `dataclasses.replace` does, without running `__init__`: ten times as fast on a state of
    twenty fields, and this is the innermost step of every fold. Raises `TypeError` for a field that
    the state does not have.

    >>> from domain.accounts.ledger import Account
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


def build(kind: type[S], /, **fields: Any) -> S:
    """A frozen dataclass (one without slots) of all its fields, none left to its default.

    What calling the class does, without an `object.__setattr__` for each field: two thirds of the
    time.

    >>> from domain.accounts.ledger import Account
    >>> build(Account, asset_class="deposit", currency="CNY", balance=5, closed=False, days={}, stated=None).balance
    5
    """  # noqa: E501
    if fields.keys() != kind.__dataclass_fields__.keys():  # type: ignore[attr-defined]
        raise TypeError(f"{kind.__name__} has not these fields: {sorted(fields)}")
    fresh = object.__new__(kind)
    fresh.__dict__.update(fields)
    return fresh
