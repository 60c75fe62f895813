"""The synthetic bank: the same for a seed, like a bank, and sent as core systems send."""

from collections import Counter
from collections.abc import Iterable
from datetime import date

import pytest

from domain.accounts.events import ProductOpened
from domain.bank.events import DayClosed
from domain.customers.events import CustomerLeft, CustomerOnboarded
from domain.envelope import Proposed
from domain.households.events import CompanyGroupJoined, HouseholdJoined
from projections.models.forecast import CHURN
from replay.evaluation.foresight import Judged, Missed, ends, judge
from replay.history.from_file import recorded
from streams.ingest.cloudevents import read_event
from streams.journal import Rejected
from streams.sources.synth import Bank, synth
from streams.sources.synth.bank import PART, Hidden, parts_of
from streams.sources.synth.people import LOANS, OLDEST, YEAR
from streams.sources.synth.sent import _made, sent
from streams.sources.synth.workdays import works

BANK = Bank(customers=2 * PART, months=3, seed=1)
SMALL = Bank(customers=400, months=6, seed=1)


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """What a small bank sends."""
    return list(sent(SMALL))


def test_however_many_processes_write_the_lines_are_the_same() -> None:
    """Two shares have what one has."""
    whole = [made.lines for made in _made(BANK, 0, 1)]
    halves = zip(_made(BANK, 0, 2), _made(BANK, 1, 2), strict=True)

    assert [sorted(one.lines + other.lines) for one, other in halves] == whole


def test_what_is_sent_is_what_happened(lines: list[bytes]) -> None:
    """Late, twice or garbled first: in the end every event is there, with the same content."""
    read = [event for line in lines if isinstance(event := read_event(line), Proposed)]
    happened = {event.id: event for event in synth(SMALL)}

    assert {event.id: event.data for event in read} == {
        name: event.data for name, event in happened.items()
    }


def test_some_of_it_is_late_twice_or_garbled(lines: list[bytes]) -> None:
    """One in a hundred behind its day's end, one in a thousand twice, hardly one garbled."""
    read = [read_event(line) for line in lines]
    names = Counter(each.id for each in read if isinstance(each, Proposed))
    closed, late = date.min, 0
    for each in read:
        if isinstance(each, Proposed):
            closed = each.data.date if isinstance(each.data, DayClosed) else closed
            late += each.business_date <= closed and not isinstance(each.data, DayClosed)

    assert 0.005 < late / len(lines) < 0.02
    assert 0 < sum(count > 1 for count in names.values()) < len(lines) / 300
    assert sum(isinstance(each, Rejected) for each in read) < len(lines) / 3_000


def test_families_have_ages_that_fit() -> None:
    """Couples within ten years, grown up; a child a generation after them."""
    people = [life.person for part in parts_of(Bank(20_000, 2, 1)) for life in part._lives]
    joined = {
        event.stream: event.data.household
        for event in synth(Bank(3_000, 1, 1))
        if isinstance(event.data, HouseholdJoined) and event.data.role == "child"
    }

    for first, second in zip(people[::10], people[1::10], strict=True):
        assert abs(first.born.year - second.born.year) < 10
        assert max(first.born.year, second.born.year) < 2007
    assert joined
    for stream in joined:
        child = people[int(stream.removeprefix("customer:")) - 100_000]
        parents = people[child.number - 2 : child.number]
        assert all(20 <= child.born.year - parent.born.year <= 45 for parent in parents)


def _ages(events: Iterable[Proposed]) -> list[int]:
    """By customer, in the year in which they came."""
    return [
        event.business_date.year - event.data.born.year
        for event in events
        if isinstance(event.data, CustomerOnboarded) and event.data.born
    ]


def test_another_first_month_is_where_everything_begins() -> None:
    """Days end from its first on, and nothing lies behind the last month."""
    events = list(synth(Bank(40, 3, 1, "2024-11")))
    days = [event.data.date for event in events if isinstance(event.data, DayClosed)]

    assert (min(days), max(days)) == (date(2024, 11, 1), date(2025, 1, 31))
    assert _ages(events) == _ages(synth(Bank(40, 3, 1, "2026-11")))
    assert max(event.business_date for event in events) == date(2025, 1, 31)


def test_nobody_belongs_anywhere_before_they_came() -> None:
    """A company joins its group in the month in which it becomes a customer."""
    came: dict[str, date] = {}
    for event in synth(Bank(1_500, 4, 1)):
        came.setdefault(event.stream, event.business_date)
        if isinstance(event.data, CompanyGroupJoined):
            assert came[event.stream] == event.business_date


def test_salaries_come_on_working_days() -> None:
    """On the tenth, or the last working day before."""
    paid = {event.business_date for event in synth(SMALL) if event.id.endswith("-salary")}

    assert len(paid) == 6
    assert all(works(day) and 6 <= day.day <= 10 for day in paid)


def test_who_leaves_had_a_cause_and_does_nothing_more() -> None:
    """Of most the truth names it; nothing comes from them in later months."""
    told: list[Hidden] = []
    list(sent(Bank(1_000, 9, 1), told.append))
    left = {each.customer: each for each in told if each.what == "left"}
    events = list(synth(Bank(1_000, 9, 1)))
    said = {event.stream for event in events if isinstance(event.data, CustomerLeft)}
    later = {
        event.stream
        for event in events
        if event.stream in left and f"{event.business_date:%Y-%m}" > left[event.stream].month
    }

    assert len(left) > 30
    assert sum(bool(each.cause) for each in left.values()) > 0.8 * len(left)
    assert said <= left.keys()
    assert len(said) > len(left) / 2
    assert not later - {event.stream for event in events if "merged" in event.id}


def test_everybody_is_judged_once_for_a_month_by_the_model_of_then() -> None:
    """Of leaving, from the month on in which a model had learnt of three months before."""
    bank = sent(Bank(customers=400, months=9, seed=1))
    found = list(judge([ends(recorded(bank))], "CNY", [CHURN]))
    judged = [each for each in found if isinstance(each, Judged)]
    names = Counter((each.example.customer, each.month) for each in judged)

    assert judged
    assert set(names.values()) == {1}
    assert {each.month for each in judged} == {"2026-04", "2026-05", "2026-06"}
    assert any(isinstance(each, Missed) for each in found)


def test_what_people_have_fits_their_lives() -> None:
    """Cards for those who have none, caution in old age, loans that a salary pays back."""
    people = [life.person for part in parts_of(Bank(20_000, 2, 1)) for life in part._lives]
    owing = [each for each in people if each.borrowed]
    cards = Counter(
        event.stream for event in synth(Bank(1_000, 6, 1)) if isinstance(event.data, ProductOpened)
    )

    assert max(cards.values()) == 1
    old = {each.grade for each in people if each.age(YEAR) >= OLDEST and not each.company}
    assert old == {"C1", "C2"}
    assert owing
    for each in owing:
        instalment = each.borrowed // LOANS[each.owes_for] + each.borrowed * 4 // 1_200
        assert instalment <= each.salary * 45 // 100
        assert each.borrowed >= 15_000_000 or each.owes_for != "住房 home"
