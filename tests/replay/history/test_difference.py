"""What is otherwise between two moments, and the events between, by both clocks."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.accounts.events import TransactionPosted
from domain.envelope import Proposed
from domain.tiering.policy import TierPolicy
from projections.rollout.versions import Rules
from replay.history.as_of import Moment
from replay.history.difference import Apart, apart, changed_places
from streams.journal import Journal
from tests.conftest import proposed
from tests.replay.history.conftest import BEGUN, record

LATER = BEGUN + timedelta(days=9)
BALANCE = "ledger.accounts.a.balance"


def paid(name: str, yuan: int, day: date) -> Proposed:
    """Money that came to the customer."""
    data = TransactionPosted(
        transaction=name, account="a", amount=yuan * 100, currency="CNY", kind="in"
    )
    return proposed(data, name, day=day)


@pytest.fixture
def told(journal: Journal) -> Journal:
    """Two payments at once, and one of an earlier day that was recorded nine days later."""
    record(journal, [paid("1", 100, date(2026, 1, 5)), paid("2", 20, date(2026, 1, 8))], BEGUN)
    record(journal, [paid("3", 3, date(2026, 1, 6))], LATER)
    return journal


def found(journal: Journal, rule: TierPolicy, first: Moment, second: Moment) -> Apart:
    """What differs of the customer."""
    said = apart(journal, lambda _on, _at: Rules.of(rule), "customer:1", first, second)
    assert said is not None
    return said


def balances(said: Apart) -> list[Any]:
    """The account's balance before and after, where it differs."""
    places = changed_places(said.before, said.after)
    return [(each["before"], each["after"]) for each in places if each["place"] == BALANCE]


@pytest.mark.parametrize(
    ("first", "second", "balance", "events"),
    [
        (
            Moment(occurred=date(2026, 1, 5)),
            Moment(occurred=date(2026, 1, 7)),
            [(100_00, 103_00)],
            [(3, True)],
        ),
        (Moment(recorded=BEGUN), Moment(), [(120_00, 123_00)], [(3, True)]),
        (Moment(), Moment(recorded=BEGUN), [(123_00, 120_00)], [(3, False)]),
        (
            Moment(BEGUN, date(2026, 1, 5)),
            Moment(LATER, date(2026, 1, 8)),
            [(100_00, 123_00)],
            [(2, True), (3, True)],
        ),
        (
            Moment(occurred=date(2026, 1, 1)),
            Moment(BEGUN),
            [(None, 120_00)],
            [(1, True), (2, True)],
        ),
        (Moment(), Moment(), [], []),
    ],
)
def test_the_events_between_two_moments_are_those_that_one_of_them_does_not_know(
    told: Journal,
    bohai: TierPolicy,
    first: Moment,
    second: Moment,
    balance: list[Any],
    events: list[Any],
) -> None:
    """A late event lies between two recordings, and between two days that are both over."""
    said = found(told, bohai, first, second)
    assert balances(said) == balance
    assert [(each.version, each.came) for each in said.events] == events


def test_a_customer_unknown_at_both_moments_has_no_differences(
    told: Journal, bohai: TierPolicy
) -> None:
    """Neither states nor events."""
    early = Moment(datetime(2020, 1, 1, tzinfo=UTC))
    assert apart(told, lambda _on, _at: Rules.of(bohai), "customer:1", early, early) is None


def test_assets_are_compared_by_their_class() -> None:
    """One that comes first does not make the others look changed."""
    deposit, bond = ({"asset_class": name, "closing": 5} for name in ("deposit", "bond"))
    found = changed_places({"assets": [deposit]}, {"assets": [bond, deposit]})

    assert [(each["place"], each["before"], each["after"]) for each in found] == [
        ("assets[]", ["deposit"], ["bond", "deposit"]),
        ("assets[bond].asset_class", None, "bond"),
        ("assets[bond].closing", None, 5),
    ]
