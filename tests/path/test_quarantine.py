"""Who sent what was set aside is told; and what was set aside gets out again, on record."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from deploy.operations.schemas import asyncapi
from deploy.wiring import journal_of
from domain.bank.events import QuarantineCleared
from streams.broker.kafka import INTERACTIONS, OUTCOME_TOPIC, Broker, TopicPartition
from tests.conftest import Running, settings_in, wait_until
from tests.path.test_reported_faults import event_of

VISIT: dict[str, Any] = {
    "subject": "customer:f2",
    "type": "channel-visited",
    "day": date(2026, 1, 3),
    "data": {"channel": "app"},
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack for all of this page."""
    with Running(settings_in(tmp_path_factory.mktemp("quarantine"))) as made:
        yield made


def send(running: Running, *messages: tuple[bytes, list[tuple[str, bytes]]]) -> None:
    """Send messages as a core system does, and wait until each has an outcome."""
    running.settle()
    before = running.counts().arrived
    producer = Broker(running.settings.broker).producer()
    for value, headers in messages:
        producer.send(INTERACTIONS, value=value, partition=0, headers=headers).get(timeout=10)
    producer.close()
    running.arrive(before + len(messages))


def told(running: Running) -> list[dict[str, Any]]:
    """What `outcomes` tells."""
    places = [TopicPartition(OUTCOME_TOPIC, number) for number in range(running.settings.shards)]
    reader = Broker(running.settings.broker).consumer()
    try:
        reader.assign(places)
        reader.seek_to_beginning(*places)
        wanted = sum(reader.end_offsets(places).values())
        found: list[bytes] = []
        while len(found) < wanted:
            found += [each.value for some in reader.poll(500).values() for each in some]
        return [json.loads(value) for value in found]
    finally:
        reader.close()


def binary(name: str, channel: str) -> tuple[bytes, list[tuple[str, bytes]]]:
    """A visit in the binary mode of Kafka's binding."""
    event = json.loads(event_of({**VISIT, "data": {"channel": channel}}, name))
    data = event.pop("data")
    return json.dumps(data).encode(), [
        (f"ce_{attribute}", value.encode()) for attribute, value in event.items()
    ]


def outcome(running: Running, name: str, source: str = "s", **caller: Any) -> tuple[int, Any]:
    """What a sender is told who asks by name."""
    asked = {"source": source, "id": name, "subject": "customer:f2"}
    role = caller.pop("role", "core")
    with running.calls(role, **caller) as client:
        answer = client.get("/v1/interactions", params=asked)
    return answer.status_code, answer.json()


def test_a_sender_is_told_what_was_set_aside_and_why(running: Running) -> None:
    """On a topic of its own, once, also behind a start anew; and where it asks by name."""
    wrong = event_of({**VISIT, "data": {"channel": "moon"}}, "wrong"), []
    send(running, wrong, binary("twice", "app"), binary("twice", "web"))
    running.kill("intake")
    send(running, (event_of({**VISIT, "type": "nonsense"}, "unknown"), []))
    wait_until(lambda: len(told(running)) == 3)
    kinds = {each["data"]["id"]: each for each in told(running)}
    seen = {name: outcome(running, name)[1] for name in ("wrong", "unknown")}
    entries = {each["entry"]: each for each in running.report("quarantine", "list")["entries"]}

    assert {each["type"] for each in kinds.values()} == {"tierfold.arrival-set-aside.v1"}
    assert {each["subject"] for each in kinds.values()} == {"s"}
    assert {name: each["data"]["field"] for name, each in kinds.items()} == {
        "wrong": "data.channel",
        "twice": "id",
        "unknown": "type",
    }
    said = asyncapi()["channels"][OUTCOME_TOPIC]["messages"]["arrival-set-aside-v1"]["payload"]
    for each in kinds.values():
        assert each.keys() == said["properties"].keys()
        assert each["data"].keys() == said["properties"]["data"]["properties"].keys()
    assert all(entries[each["id"]]["reason"] == each["data"]["reason"] for each in kinds.values())
    assert {name: (each["outcome"], each["field"]) for name, each in seen.items()} == {
        "wrong": ("quarantined", "data.channel"),
        "unknown": ("quarantined", "type"),
    }


def test_what_was_recorded_is_told_with_its_place(running: Running) -> None:
    """By the name alone: whoever lost the answer need not send again to know."""
    send(running, (event_of(VISIT, "good"), []))
    status, said = outcome(running, "good")

    assert (status, said["outcome"], said["stream"]) == (200, "recorded", "customer:f2")
    assert {"version", "position", "recorded_at"} <= said.keys()
    assert outcome(running, "never")[0] == 404


def test_nobody_asks_for_the_names_of_another(running: Running) -> None:
    """A channel for its own source; an operator for all."""
    assert outcome(running, "good", role="channel", who="mobile")[0] == 403
    assert outcome(running, "good", role="channel", who="s", customer="f2")[0] in {200, 404}
    assert outcome(running, "good", role="operator", who="anna")[0] in {200, 404}
    assert outcome(running, "x", source="tierfold/decisions")[0] == 403


def test_many_are_let_go_at_once_with_a_reason(running: Running) -> None:
    """Listed no more but among all; who did it, and why, is on record; others wait on."""
    junk = event_of({**VISIT, "type": "junk"}, "junk"), []
    send(running, junk, junk, (event_of({**VISIT, "data": {"channel": "mars"}}, "mars"), []))
    said = ("--by", "li.wei", "--why", "a test of the sender")
    done = running.report("quarantine", "discard", "--type", "tierfold.junk.v1", *said)
    left = running.report("quarantine", "list")["entries"]
    every = running.report("quarantine", "list", "--all", "--type", "tierfold.junk.v1")["entries"]
    nothing = running.run("quarantine", "discard", *said)
    events = [
        event.data
        for shard in journal_of(running.settings)
        for event in shard.events(())
        if isinstance(event.data, QuarantineCleared)
    ]

    assert done == {"discarded": 2}
    assert "tierfold.junk.v1" not in {each["type"] for each in left}
    assert "mars" in {each["id"] for each in left}
    assert [each["fate"] for each in every] == ["discarded"] * 2
    assert {(each.fate, each.by, each.reason) for each in events} == {
        ("discarded", "li.wei", "a test of the sender")
    }
    assert (nothing.returncode, b"name an entry" in nothing.stderr) == (2, True)


def test_what_cannot_be_on_record_is_not_done(running: Running) -> None:
    """A name that is none: refused before anything is sent."""
    send(running, (event_of({**VISIT, "type": "junk"}, "kept"), []))
    before = running.counts().arrived
    done = running.run("quarantine", "re-drive", "--type", "tierfold.junk.v1", "--by", "li wei")

    assert done.returncode != 0
    assert running.counts().arrived == before


def test_who_has_a_name_of_megabytes_is_told_of_its_beginning(running: Running) -> None:
    """A message has its limit, and intake goes on."""
    before = len(told(running))
    send(running, (event_of({**VISIT, "type": "junk"}, "x" * 3_000_000), []))
    wait_until(lambda: len(told(running)) > before)

    assert max(len(each["data"]["id"]) for each in told(running)) < 1_000
