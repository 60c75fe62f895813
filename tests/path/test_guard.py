"""A guard goes round while everything runs.

What is no longer what it was shows in the metrics with the next whole round.
"""

import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import redis

from domain.customers.events import ChannelVisited
from domain.envelope import Proposed
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import NOON, Running, settings_in
from tests.sizes import sized

LONG = 180.0
"""Seconds in which a guard with a core goes round in a bank that is not at rest."""
SMALL = sized(Bank(20, 1, 5), Bank(60, 3, 5))


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Running]:
    """A stack of one's own, whose guard has a core."""
    with Running(settings_in(tmp_path, guard_share=1.0)) as made:
        yield made


def guarded(running: Running) -> dict[str, float]:
    """What the guard says: findings by kind, and how often it was round."""
    text = running.client.get("/metrics", timeout=10).text
    found = {
        kind: float(value)
        for kind, value in re.findall(r'tierfold_guard_findings\{kind="(\w+)"\} (\S+)', text)
    }
    return {
        **found,
        "rounds": float((re.findall(r"tierfold_guard_rounds_total (\d\S*)", text) or ["0"])[0]),
    }


def next_round(running: Running) -> dict[str, float]:
    """What the guard says at the end of the round after the one in which it is."""
    begun, deadline = guarded(running)["rounds"], time.monotonic() + LONG
    while (seen := guarded(running))["rounds"] < begun + 2:
        assert time.monotonic() < deadline, seen
        time.sleep(0.5)
    return seen


def fed(running: Running, file: Path, events: Sequence[Proposed]) -> None:
    """Feed events, and wait until they are folded."""
    file.write_bytes(b"\n".join(map(write, events)))
    running.report("feed", str(file))
    running.settle()


def test_an_altered_state_and_a_hole_raise_a_metric_with_the_next_round(
    own_stack: Running, tmp_path: Path
) -> None:
    """Sound before; then a state in Redis is changed behind the agents' back, and an event is cut
    out of the journal. An event comes behind that: a guard does not hurry in a bank at rest.
    """
    *events, last = synth(SMALL)
    fed(own_stack, tmp_path / "bank.jsonl", events)
    deadline = time.monotonic() + LONG
    while not (sound := guarded(own_stack))["rounds"]:
        assert time.monotonic() < deadline
        time.sleep(0.5)

    client = redis.Redis.from_url(own_stack.settings.redis_url, protocol=2)
    [key, *_] = sorted(client.scan_iter("tierfold:*:ledger@1:customer:*"))
    client.set(key, client.get(key).replace(b'"balance":', b'"balance":1'))
    with sqlite3.connect(own_stack.settings.data_dir / "journal" / "shard-1.db") as database:
        database.execute("DROP TRIGGER stored_events_no_delete")
        cut = (
            "DELETE FROM stored_events WHERE rowid = (SELECT rowid FROM stored_events WHERE "
            "originator_id LIKE 'customer:%' ORDER BY rowid LIMIT 1)"
        )
        database.execute(cut)
    fed(own_stack, tmp_path / "last.jsonl", [last])
    seen = next_round(own_stack)

    assert {name: value for name, value in sound.items() if name != "rounds"} == {
        "event": 0,
        "count": 0,
        "hole": 0,
        "state": 0,
    }
    assert seen["state"]
    assert seen["hole"]
    assert seen["count"]
    assert own_stack.run("replay", "verify", "--json").returncode == 1


def test_what_a_privacy_officer_does_is_no_finding(own_stack: Running, tmp_path: Path) -> None:
    """Somebody is restricted, somebody else forgotten, while the guard goes round."""
    events = [*synth(SMALL)]
    fed(own_stack, tmp_path / "bank.jsonl", events)
    one, other, *_ = sorted({each.stream for each in events if each.stream.startswith("customer:")})
    why = ("--by", "li.wei", "--reason", "asked")
    own_stack.report("privacy", "restrict", one.removeprefix("customer:"), *why)
    own_stack.report("privacy", "forget", other.removeprefix("customer:"), *why, "--early")
    last = Proposed("core", "last", one, NOON, NOON.date(), ChannelVisited(channel="app"))
    fed(own_stack, tmp_path / "more.jsonl", [last])
    seen = next_round(own_stack)

    assert {name: value for name, value in seen.items() if name != "rounds"} == {
        "event": 0,
        "count": 0,
        "hole": 0,
        "state": 0,
    }
