"""Other systems are told what happened, on the whole path: by webhook and on a Kafka topic."""

import json
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.operations.notices import new_secret
from deploy.settings import Settings
from deploy.wiring import broker_of, journal_of
from domain.accounts.events import TransactionPosted
from domain.bank.events import DayClosed
from domain.customers.events import CustomerOnboarded
from domain.envelope import Proposed
from streams.broker.kafka import NOTICES, TopicPartition
from streams.ingest.cloudevents import write
from tests.conftest import Running, proposed, settings_in
from tests.path.test_rollout import feed
from tests.sizes import sized
from tests.streams.outbox.test_delivery import Receiver

PEOPLE = sized(40, 1_000)
JANUARY = date(2026, 1, 31)


def subscribed(folder: Path, url: str) -> Settings:
    """Settings of a bank with a CRM, a core system and the topic as subscribers."""
    file = folder / "subscribers.yaml"
    crm = {"name": "crm", "role": "supervisor", "types": ["tier-changed"], "url": url}
    core = {
        "name": "core",
        "role": "core",
        "types": ["arrival-set-aside"],
        "sources": ["test"],
        "url": url,
    }
    topic = {"name": "topic", "role": "channel", "types": ["tier-changed"]}
    file.write_text(yaml.safe_dump({"subscribers": [crm, core, topic]}), encoding="utf-8")
    settings = settings_in(folder, subscribers=file)
    for name in ("crm", "core"):
        new_secret(settings, name)
    return settings


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver."""
    made = Receiver()
    yield made
    made.shutdown()


@pytest.fixture
def running(tmp_path: Path, receiver: Receiver) -> Iterator[Running]:
    """A stack with subscribers."""
    with Running(subscribed(tmp_path, receiver.url)) as made:
        yield made


def rich(number: int) -> list[Proposed]:
    """A customer who comes with much money."""
    stream, day = f"customer:{number}", date(2026, 1, 1)
    came = TransactionPosted(
        transaction="t", account=f"a{number}", amount=60_000_000, currency="CNY", kind="in"
    )
    on = proposed(CustomerOnboarded(source="branch"), f"on-{number}", stream, day)
    return [on, proposed(came, f"in-{number}", stream, day)]


def on_the_topic(running: Running) -> list[dict[str, Any]]:
    """What is on the topic by now."""
    consumer = broker_of(running.settings).consumer()
    try:
        places = [TopicPartition(NOTICES, number) for number in range(running.settings.shards)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found, empty = [], 0
        while empty < 3:
            polled = consumer.poll(timeout_ms=500)
            empty = 0 if polled else empty + 1
            found += [json.loads(each.value) for some in polled.values() for each in some]
        return found
    finally:
        consumer.close()


def standing(running: Running) -> dict[str, dict[str, Any]]:
    """How far each subscriber is."""
    return {each["subscriber"]: each for each in running.report("notices", "list")["subscribers"]}


def test_crm_and_topic_hear_of_every_rise_though_the_outbox_is_killed(
    running: Running, receiver: Receiver
) -> None:
    """Under one name each, as the journal has them; the sender hears what was set aside."""
    asked = iter(range(10**9))
    receiver.answers = lambda _said: 503 if next(asked) % 5 == 4 else 200
    events = [event for number in range(PEOPLE) for event in rich(number)]
    feed(
        running,
        [*map(write, events), write(proposed(DayClosed(date=JANUARY), "d", "bank", JANUARY))],
    )
    bad = json.loads(write(events[0])) | {"id": "bad", "type": "tierfold.nothing.v1"}
    (running.settings.data_dir / "bad.jsonl").write_text(json.dumps(bad) + "\n")
    running.report("feed", str(running.settings.data_dir / "bad.jsonl"), code=1)
    for _ in range(3):
        time.sleep(1)
        running.kill("outbox")
    running.settle()
    deadline = time.monotonic() + 120
    while any(each["behind"] for each in standing(running).values()):
        assert time.monotonic() < deadline, standing(running)
        time.sleep(0.5)

    wanted = {
        f"events/{shard.number}/{event.position}"
        for shard in journal_of(running.settings)
        for event in shard.events(["tier-changed.v1"])
    }
    told = {json.loads(body)["id"]: json.loads(body) for _, body in receiver.heard}
    assert len(wanted) == PEOPLE
    assert wanted == {name for name in told if name.startswith("events/")}
    assert {each["data"]["after"] for name, each in told.items() if name in wanted} == {"platinum"}
    [aside] = [each for each in told.values() if each["type"].startswith("tierfold.arrival")]
    assert aside["data"]["id"] == "bad"
    assert {each["id"] for each in on_the_topic(running)} == wanted
    assert all(each["given_up"] == 0 for each in standing(running).values())


def test_what_was_given_up_is_delivered_again_when_the_receiver_is_mended(
    running: Running, receiver: Receiver
) -> None:
    """Refused again and again, it is a dead letter with its reason; and then it is none."""
    receiver.answers = lambda said: 400 if said["subject"] == "customer:1" else 200
    both = [event for number in (1, 2) for event in rich(number)]
    end = proposed(DayClosed(date=JANUARY), "d", "bank", JANUARY)
    feed(running, [*map(write, both), write(end)])
    file = running.settings.outbox_dir / "crm.json"
    deadline = time.monotonic() + 90
    while '"failing": {"events' not in file.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    feed(running, list(map(write, rich(3))))
    february = date(2026, 2, 28)
    feed(running, [write(proposed(DayClosed(date=february), "d2", "bank", february))])
    while not standing(running)["crm"]["given_up"]:
        assert time.monotonic() < deadline + 240, standing(running)
        time.sleep(0.5)
    [letter] = running.report("notices", "undelivered", "crm")["undelivered"]
    receiver.answers = lambda _said: 200

    assert letter["why"] == "status 400"
    assert running.report("notices", "deliver-again", "crm") == {"asked": 1}
    while running.report("notices", "undelivered", "crm")["undelivered"]:
        assert time.monotonic() < deadline + 300
        time.sleep(0.2)
    assert receiver.by_subject()["customer:1"] == [letter["id"]]


def test_a_file_that_asks_for_more_than_a_role_may_see_starts_nothing(tmp_path: Path) -> None:
    """It says which subscriber, and what is allowed."""
    settings = subscribed(tmp_path, "http://127.0.0.1:1/")
    assert settings.subscribers is not None
    said = settings.subscribers.read_text(encoding="utf-8")
    wrong = said.replace("role: supervisor", "role: operator")
    settings.subscribers.write_text(wrong, encoding="utf-8")
    done = Running(settings).run("up")

    assert done.returncode == 2
    assert "operator may not be told of tier-changed" in done.stderr.decode()
