"""What another policy changes: place by place, and over the same history for whoever looks."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers.events import CustomerOnboarded
from domain.event_types import type_key
from replay.history.changes import changes
from replay.policies.window import Window, position_at, sampled
from streams.journal import Arrival, Journal, LogOffset
from tests.conftest import proposed

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
ONBOARDED = type_key(CustomerOnboarded)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A journal of two shards: a customer each hour, of two sources by turns."""
    made = Journal(f"sqlite://{tmp_path}/journal", 2)
    for shard in made:
        shard.claim()
        for hour in range(100):
            said = CustomerOnboarded(name="x", born=date(1980, 1, 1), source="branch")
            event = proposed(said, f"{hour}", f"customer:{hour}", source=("a", "b")[hour % 2])
            shard.record(
                [Arrival(hour, 0, b"", event)],
                LogOffset("log", hour),
                BEGAN + timedelta(hours=hour),
            )
    yield made
    made.close()


def test_a_place_is_named_as_its_author_would() -> None:
    """Offers by their names, caps by their number; what is not said is empty."""
    before = {"offers": [{"offer": "fund", "value": 1}], "caps": [{"at_most": 1}], "least_age": 18}
    after = {"offers": [{"offer": "card", "value": 1}], "caps": [{"at_most": 2}], "least_age": 18}
    two = [{"offer": "fund"}, {"offer": "card"}]
    turned = changes({"offers": two}, {"offers": two[::-1]})

    assert [(each.place, each.before, each.after) for each in changes(before, after)] == [
        ("caps[0].at_most", "1", "2"),
        ("offers[]", '["fund"]', '["card"]'),
        ("offers[card].offer", "", '"card"'),
        ("offers[card].value", "", "1"),
        ("offers[fund].offer", '"fund"', ""),
        ("offers[fund].value", "1", ""),
    ]
    assert [(each.before, each.after) for each in turned] == [
        ('["fund", "card"]', '["card", "fund"]')
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
policies = st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4)


@given(st.tuples(policies, policies) | policies.map(lambda same: (same, same)))
def test_policies_differ_somewhere_unless_they_say_the_same(
    both: tuple[dict[str, object], dict[str, object]],
) -> None:
    """Nothing that is said otherwise is left out of a comparison, and nothing is made up."""
    before, after = both
    spelt = [json.dumps(each, sort_keys=True) for each in both]

    assert bool(changes(before, after)) == (spelt[0] != spelt[1])  # type: ignore[arg-type] - JSON


def test_a_moment_is_found_in_a_shard(journal: Journal) -> None:
    """The last position that was recorded by then; none before the first."""
    at = [position_at(journal[0], BEGAN + timedelta(hours=hour)) for hour in (-1, 0, 50, 99, 500)]

    assert at[0] == 0
    assert all(earlier < later for earlier, later in pairwise(at[:4]))
    assert at[3] == at[4] == journal[0].head()


def test_a_sample_is_of_the_window_and_always_the_same(journal: Journal) -> None:
    """Of one source, in the order of their recording; more history does not change it."""
    window = Window(BEGAN + timedelta(hours=60), days=1, sample=10)
    found = sampled(journal, window, ONBOARDED, "a")
    all_of_it = sampled(journal, window._replace(sample=1_000), ONBOARDED, "a")

    assert all_of_it.total == len(all_of_it.events) == found.total == 24
    assert len(found.events) == 10
    assert {event.source for event in all_of_it.events} == {"a"}
    times = [event.recorded_at for event in found.events]
    assert times == sorted(times)
    assert BEGAN + timedelta(hours=36) < times[0]
    assert times[-1] <= window.until
    assert sampled(journal, window, ONBOARDED, "a") == found
    assert {event.stream for event in found.events} <= {event.stream for event in all_of_it.events}
