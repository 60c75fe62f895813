"""What can be believed when it arrives, and why something is not."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from deploy.policy_files import BadFile, read_arrivals
from deploy.settings import POLICIES
from domain.accounts.events import ExchangeRateFixed, TransactionPosted
from domain.bank.events import DayClosed
from domain.customers.events import CustomerOnboarded
from domain.envelope import Proposed
from domain.event import Interaction
from streams.ingest.screening import Screen
from streams.journal import Rejected
from tests.conftest import proposed

FILE = POLICIES / "arrivals.yaml"
NOW = datetime(2026, 11, 28, 17, tzinfo=UTC)
TODAY = NOW.date()
PAID = TransactionPosted(transaction="t", account="a", amount=1, currency="CNY", kind="card")
ONBOARDED = CustomerOnboarded(source="branch")


def rate(numerator: int, denominator: int) -> ExchangeRateFixed:
    """So much for so much."""
    return ExchangeRateFixed(
        currency="USD", base="CNY", numerator=numerator, denominator=denominator
    )


def doubt(event: Proposed, closed: date | None = None) -> Rejected | None:
    """Why the shipped policy does not believe an event."""
    return Screen(["password"], read_arrivals(FILE)).doubt(event, NOW, lambda _: closed)


@pytest.mark.parametrize(
    ("data", "day", "believed"),
    [
        (PAID, TODAY, True),
        (PAID, TODAY + timedelta(1), True),
        (PAID, TODAY + timedelta(2), False),
        (PAID, TODAY - timedelta(14_610), True),
        (PAID, TODAY - timedelta(14_611), False),
        (ONBOARDED, TODAY - timedelta(14_611), True),
        (ONBOARDED, TODAY - timedelta(36_526), False),
    ],
)
def test_a_business_date_lies_within_the_bounds_of_its_type(
    data: Interaction, day: date, *, believed: bool
) -> None:
    """Both bounds included."""
    found = doubt(proposed(data, stream="customer:1", day=day))

    assert (found is None) == believed
    assert believed or (found is not None and found.field == "businessdate")


@pytest.mark.parametrize("stream", ["bank", "shard:3"])
@pytest.mark.parametrize(
    ("closed", "day", "believed"),
    [
        (None, date(2026, 1, 31), True),
        (date(2026, 1, 31), date(2026, 3, 12), True),
        (date(2026, 1, 31), date(2026, 3, 13), False),
        (date(2026, 1, 31), date(2026, 1, 30), True),
    ],
)
def test_days_follow_one_another_within_a_step(
    stream: str, closed: date | None, day: date, *, believed: bool
) -> None:
    """For the bank, and for a copy that names a shard itself."""
    found = doubt(proposed(DayClosed(date=day), stream=stream, day=day), closed)

    assert (found is None) == believed
    assert believed or (found is not None and "close-day" in found.reason)


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        (rate(10**6, 1), True),
        (rate(10**6 + 1, 1), False),
        (rate(1, 10**6), True),
        (rate(1, 10**6 + 1), False),
    ],
)
def test_a_rate_lies_within_what_is_dearest(said: ExchangeRateFixed, *, believed: bool) -> None:
    """In both directions."""
    assert (doubt(proposed(said, stream="bank", day=TODAY)) is None) == believed


def test_bounds_go_with_the_day() -> None:
    """What is of the future today is not tomorrow, for the same front door."""
    screen = Screen(["password"], read_arrivals(FILE))
    late = proposed(PAID, stream="customer:1", day=TODAY + timedelta(2))

    assert screen.doubt(late, NOW, lambda _: None) is not None
    assert screen.doubt(late, NOW + timedelta(1), lambda _: None) is None


def test_bounds_of_an_event_that_there_is_not_stop_the_start(tmp_path: Path) -> None:
    """With its name."""
    file = tmp_path / "arrivals.yaml"
    file.write_text(FILE.read_text(encoding="utf-8").replace("day-closed:", "day-shut:"))

    with pytest.raises(BadFile, match="there is no event day-shut"):
        read_arrivals(file)


def keyed(tmp_path: Path, **keys: list[str]) -> Path:
    """The shipped policy, with business keys for the source `core`."""
    said = FILE.read_text(encoding="utf-8") + f"\nbusiness_keys: {json.dumps({'core': keys})}\n"
    (tmp_path / "arrivals.yaml").write_text(said, encoding="utf-8")
    return tmp_path / "arrivals.yaml"


def test_an_event_is_named_by_what_its_source_knows_it_by(tmp_path: Path) -> None:
    """The same for the same transaction, and never for two; other sources and types keep theirs."""
    policy = read_arrivals(keyed(tmp_path, **{"transaction-posted": ["account", "transaction"]}))
    one, other = (
        PAID.model_copy(update={"account": account, "transaction": number})
        for account, number in (("70/1", "2"), ("70", "1/2"))
    )

    assert policy.named(proposed(one, "x", source="core")).id == "transaction-posted/70%2F1/2"
    assert policy.named(proposed(other, "y", source="core")).id == "transaction-posted/70/1%2F2"
    for event in (proposed(one, "x", source="cards"), proposed(ONBOARDED, "x", source="core")):
        assert policy.named(event) == event


@pytest.mark.parametrize("name", ["transaction-posted", "no-such-event"])
def test_a_business_key_of_no_field_is_refused(tmp_path: Path, name: str) -> None:
    """With the source and the field."""
    with pytest.raises(BadFile, match=f"{name} has no field number.*business_keys.core"):
        read_arrivals(keyed(tmp_path, **{name: ["number"]}))


def test_what_is_for_the_whole_bank_has_no_business_key(tmp_path: Path) -> None:
    """Each shard has a copy under a name of its own."""
    with pytest.raises(BadFile, match="day-closed is for the whole bank"):
        read_arrivals(keyed(tmp_path, **{"day-closed": ["date"]}))


def test_a_name_of_long_fields_is_no_longer_than_an_id(tmp_path: Path) -> None:
    """And still another one for another transaction."""
    policy = read_arrivals(keyed(tmp_path, **{"transaction-posted": ["account", "transaction"]}))
    first, second = (
        policy.named(proposed(PAID.model_copy(update=update), "x", source="core")).id
        for update in ({"account": "a" * 128, "transaction": last * 128} for last in "xy")
    )

    assert len(first) == len(second) <= 200
    assert first != second
