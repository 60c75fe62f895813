"""Who may do what on Apache Kafka, by the ACLs that are shipped; and that everybody may do their work."""

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from deploy.components.kafka import ADMIN, USERS
from deploy.components.together import Components
from deploy.settings import Settings
from domain.customers import ChannelVisited
from streams.cloudevents import write
from streams.kafka import INTERACTIONS, MESSAGE_LIMIT, RECORDED, Broker, TopicPartition
from tests.conftest import TIERFOLD, Running, proposed, wait_until
from tests.real.conftest import settings_beside, started

pytestmark = pytest.mark.real

OTHER = "salaries"
"""A topic of somebody else's in the same cluster."""
WRITES = {INTERACTIONS: {ADMIN, "core", "intake", "agents", "web", "privacy", "operator"}, RECORDED: {ADMIN, "intake"}, OTHER: {ADMIN}}
READS = {INTERACTIONS: {ADMIN, "intake"}, RECORDED: {ADMIN, "intake", "agents"}, OTHER: {ADMIN}}
GROUPS = {("tierfold-intake", "intake"), ("tierfold-agents", "agents")}
MAKES_TOPICS = {ADMIN, "operator"}


@pytest.fixture(scope="module")
def secure() -> Iterator[Components]:
    """Components whose broker lets in by SCRAM only, with the shipped ACLs and the topics."""
    with started(secure=True) as parts:
        broker_as(parts, "operator").create_topics(4)
        broker_as(parts, ADMIN).create_topics(1, names=[OTHER])
        producer = broker_as(parts, ADMIN).producer()
        for topic in (INTERACTIONS, RECORDED, OTHER):
            producer.send(topic, value=b"?", partition=0).get(timeout=10)
        producer.close()
        yield parts


def broker_as(parts: Components, user: str, **other: str) -> Broker:
    """The broker's door for a user."""
    found = {name.removeprefix("TIERFOLD_").lower(): value for name, value in {**parts.environment(user), **other}.items()}
    return Broker(parts.kafka.servers, Settings.model_validate(found).security)


@pytest.mark.parametrize(("topic", "user"), product(WRITES, USERS))
def test_only_who_says_something_may_write(secure: Components, topic: str, user: str) -> None:
    """Each user and topic; a lookup process says decisions at the front door, and nothing that was recorded."""
    producer = broker_as(secure, user).producer()
    try:
        assert allowed(lambda: producer.send(topic, value=b"?", partition=0).get(timeout=10)) == (user in WRITES[topic])
    finally:
        producer.close(timeout=1)


@pytest.mark.parametrize(("topic", "user"), product(READS, USERS))
def test_only_who_has_to_know_may_read(secure: Components, topic: str, user: str) -> None:
    """Each user and topic; the intake reads what comes in and what it has said, and no more."""
    reader = broker_as(secure, user).consumer()
    try:
        place = TopicPartition(topic, 0)
        reader.assign([place])
        reader.seek(place, 0)
        assert allowed(lambda: reader.poll(timeout_ms=5_000 if user in READS[topic] else 1_500)[place]) == (user in READS[topic])
    finally:
        reader.close()


@pytest.mark.parametrize(("group", "user"), product(("tierfold-intake", "tierfold-agents", "somebody"), [user for user in USERS if user != ADMIN]))
def test_nobody_takes_the_work_of_another(secure: Components, group: str, user: str) -> None:
    """Each user and consumer group: who joins the group of another would take their shards."""
    reader = broker_as(secure, user).consumer(group)
    try:
        assert allowed(lambda: reader.committed(TopicPartition(INTERACTIONS, 0)) or True) == ((group, user) in GROUPS)
    finally:
        reader.close()


def test_topics_that_are_not_as_they_must_be_are_named(secure: Components) -> None:
    """By an operator who may not change anything: too few partitions, too few copies."""
    door = broker_as(secure, "operator")
    small = KafkaAdminClient(bootstrap_servers=secure.kafka.servers.split(","), **broker_as(secure, ADMIN).security)
    assert door.topic_faults(4, 1) == []
    small.alter_configs([ConfigResource(ConfigResourceType.TOPIC, RECORDED, configs={"max.message.bytes": "1000000"})])
    assert door.topic_faults(4, 1) == [f"{RECORDED} refuses large messages: let max.message.bytes be {MESSAGE_LIMIT}"]
    small.alter_configs([ConfigResource(ConfigResourceType.TOPIC, RECORDED, configs={"max.message.bytes": f"{MESSAGE_LIMIT}"})])
    small.close()
    named = [f"{name} has 4 partitions, and there are 8 shards" for name in (INTERACTIONS, RECORDED)]
    assert [fault.partition(":")[0] for fault in door.topic_faults(8, 1)] == named
    assert [fault for fault in door.topic_faults(4, 3) if "copies" in fault]


@pytest.mark.parametrize("user", USERS)
def test_only_operators_make_topics(secure: Components, user: str) -> None:
    """Each user; nobody but the administrator removes one."""
    door = broker_as(secure, user)
    admin = KafkaAdminClient(bootstrap_servers=door.servers.split(","), **door.security)
    try:
        assert allowed(lambda: admin.create_topics([NewTopic(f"made-by-{user}", 1, 1)])) == (user in MAKES_TOPICS)
        assert allowed(lambda: admin.delete_topics([RECORDED]) if user != ADMIN else None) == (user == ADMIN)
    finally:
        admin.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"TIERFOLD_SASL_USERNAME": "mallory"},
        {"TIERFOLD_SASL_PASSWORD": "guessed"},
        {"TIERFOLD_SECURITY_PROTOCOL": "PLAINTEXT"},
        {"TIERFOLD_SASL_MECHANISM": "SCRAM-SHA-256"},
    ],
)
def test_an_unknown_user_gets_nowhere(secure: Components, wrong: dict[str, str]) -> None:
    """A name that is not there, a wrong password, none at all, another mechanism: no metadata, no message."""
    door = broker_as(secure, "intake", **wrong)
    assert not allowed(lambda: KafkaAdminClient(bootstrap_servers=door.servers.split(","), bootstrap_timeout_ms=4_000, **door.security))


def test_every_process_does_its_work_as_its_own_user(secure: Components, tmp_path: Path) -> None:
    """Intake, agents and lookups, each let in as itself: what a core system sends becomes a read model."""
    settings = settings_beside(secure, tmp_path / "data")
    settings.data_dir.mkdir()
    processes = [start(secure, settings, name, tmp_path) for name in ("intake", "agents", "web")]
    try:
        running = Running(settings)
        wait_until(running._is_ready)
        event = proposed(ChannelVisited(channel="app"), "1", "customer:1")
        sent = subprocess.run([*TIERFOLD, "feed", "-"], env=environment_as(secure, settings, "core"), input=write(event), capture_output=True, check=False)
        assert sent.returncode == 0, sent.stderr
        wait_until(lambda: running.calls("core").get("/v1/customers/1").status_code != httpx.codes.NOT_FOUND)
    finally:
        for process in processes:
            process.terminate()
            process.wait(timeout=30)


def allowed(act: Callable[[], Any]) -> bool:
    """Whether the broker lets this be done."""
    try:
        act()
    except (KafkaError, KeyError):
        return False
    return True


def environment_as(parts: Components, settings: Settings, user: str) -> dict[str, str]:
    """The environment of a process that is let in as a user."""
    return {**os.environ, **parts.environment(user), "TIERFOLD_DATA_DIR": str(settings.data_dir), "TIERFOLD_PORT": str(settings.port)}


def start(parts: Components, settings: Settings, name: str, folder: Path) -> "subprocess.Popen[bytes]":
    """One of our processes, as its own user."""
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen([*TIERFOLD, name], env=environment_as(parts, settings, name), stdout=log, stderr=log)
