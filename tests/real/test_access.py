"""Who may do what on Apache Kafka, by the ACLs that are shipped.

And that everybody may do their work.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from deploy.components.kafka import ADMIN, USERS
from deploy.components.together import Components
from deploy.settings import Settings
from deploy.wiring import journal_of
from domain.customers.events import ChannelVisited
from streams.broker.kafka import (
    INTERACTIONS,
    MESSAGE_LIMIT,
    OUTCOME_TOPIC,
    RECORDED,
    TOPICS,
    Broker,
    TopicPartition,
)
from streams.ingest.cloudevents import write
from tests.conftest import TIERFOLD, Running, proposed, wait_until
from tests.real.conftest import settings_beside, started

pytestmark = pytest.mark.real

OTHER = "salaries"
"""A topic of somebody else's in the same cluster."""
WRITES = {
    INTERACTIONS: {ADMIN, "core", "intake", "agents", "web", "privacy", "operator"},
    RECORDED: {ADMIN, "intake"},
    OUTCOME_TOPIC: {ADMIN, "intake"},
    OTHER: {ADMIN},
}
READS = {
    INTERACTIONS: {ADMIN, "intake"},
    RECORDED: {ADMIN, "intake", "agents"},
    OUTCOME_TOPIC: {ADMIN, "intake", "core"},
    OTHER: {ADMIN},
}
GROUPS = {("tierfold-intake", "intake"), ("tierfold-agents", "agents")}
WORKERS = [user for user in USERS if user not in (ADMIN, "scaling")]
"""What scales may look at the offsets of groups, and does no more."""
MAKES_TOPICS = {ADMIN, "operator"}


@pytest.fixture(scope="module")
def secure() -> Iterator[Components]:
    """Components whose broker lets in by SCRAM only, with the shipped ACLs and the topics."""
    with started(secure=True) as parts:
        broker_as(parts, "operator").create_topics(4)
        broker_as(parts, ADMIN).create_topics(1, names=[OTHER])
        producer = broker_as(parts, ADMIN).producer()
        for topic in (*TOPICS, OTHER):
            producer.send(topic, value=b"?", partition=0).get(timeout=10)
        producer.close()
        yield parts


def broker_as(parts: Components, user: str, **other: str) -> Broker:
    """The broker's door for a user."""
    return Broker(parts.kafka.servers, parts.settings(user, **other).security)


def admin_as(parts: Components, user: str, **other: str) -> KafkaAdminClient:
    """A client that asks about topics, for a user; gives up soon where it is not let in."""
    door = broker_as(parts, user, **other)
    return KafkaAdminClient(
        bootstrap_servers=door.servers.split(","), bootstrap_timeout_ms=6_000, **door.security
    )


@pytest.mark.parametrize(("topic", "user"), product(WRITES, USERS))
def test_only_who_says_something_may_write(secure: Components, topic: str, user: str) -> None:
    """Each user and topic.

    A lookup process says decisions at the front door, and nothing that was recorded.
    """
    producer = broker_as(secure, user).producer()
    try:
        assert allowed(lambda: producer.send(topic, value=b"?", partition=0).get(timeout=10)) == (
            user in WRITES[topic]
        )
    finally:
        producer.close(timeout=1)


@pytest.mark.parametrize(("topic", "user"), product(READS, USERS))
def test_only_who_has_to_know_may_read(secure: Components, topic: str, user: str) -> None:
    """Each user and topic, by the broker's own word.

    The intake reads what comes in and what it has said, and no more.
    """
    admin = admin_as(secure, user)
    try:
        [said] = admin.describe_topics([topic])
        assert ("READ" in (said["authorized_operations"] or ())) == (user in READS[topic])
    finally:
        admin.close()


@pytest.mark.parametrize(
    ("topic", "user"), [(topic, user) for topic in READS for user in sorted(READS[topic])]
)
def test_who_may_read_does(secure: Components, topic: str, user: str) -> None:
    """A message, from the first on."""
    reader, place = broker_as(secure, user).consumer(), TopicPartition(topic, 0)
    try:
        reader.assign([place])
        reader.seek(place, 0)
        wait_until(lambda: bool(reader.poll(timeout_ms=200).get(place)))
    finally:
        reader.close()


def test_who_may_say_and_not_read_is_refused_what_others_said(secure: Components) -> None:
    """A channel's process tries to read what comes in from others."""
    reader, place = broker_as(secure, "web").consumer(), TopicPartition(INTERACTIONS, 0)
    try:
        reader.assign([place])
        reader.seek(place, 0)
        with pytest.raises(TopicAuthorizationFailedError):
            wait_until(lambda: bool(reader.poll(timeout_ms=200)))
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("group", "user"), product(("tierfold-intake", "tierfold-agents", "somebody"), WORKERS)
)
def test_nobody_takes_the_work_of_another(secure: Components, group: str, user: str) -> None:
    """Each user and consumer group: who joins the group of another would take their shards."""
    reader = broker_as(secure, user).consumer(group)
    try:
        assert allowed(lambda: reader.committed(TopicPartition(INTERACTIONS, 0)) or True) == (
            (group, user) in GROUPS
        )
    finally:
        reader.close()


def test_topics_that_are_not_as_they_must_be_are_named(secure: Components) -> None:
    """By an operator who may not change anything: too few partitions, too few copies."""
    door = broker_as(secure, "operator")
    small = admin_as(secure, ADMIN)
    assert door.topic_faults(4, 1) == []
    small.alter_configs(
        [
            ConfigResource(
                ConfigResourceType.TOPIC, RECORDED, configs={"max.message.bytes": "1000000"}
            )
        ]
    )
    assert door.topic_faults(4, 1) == [
        f"{RECORDED} refuses large messages: let max.message.bytes be {MESSAGE_LIMIT}"
    ]
    small.alter_configs(
        [
            ConfigResource(
                ConfigResourceType.TOPIC,
                RECORDED,
                configs={"max.message.bytes": f"{MESSAGE_LIMIT}"},
            )
        ]
    )
    small.close()
    named = [f"{name} has 4 partitions, and there are 8 shards" for name in TOPICS]
    assert [fault.partition(":")[0] for fault in door.topic_faults(8, 1)] == named
    assert [fault for fault in door.topic_faults(4, 3) if "copies" in fault]


@pytest.mark.parametrize("user", USERS)
def test_only_operators_make_topics(secure: Components, user: str) -> None:
    """Each user; nobody but the administrator removes one."""
    admin = admin_as(secure, user)
    try:
        assert allowed(lambda: admin.create_topics([NewTopic(f"made-by-{user}", 1, 1)])) == (
            user in MAKES_TOPICS
        )
        assert allowed(lambda: admin.delete_topics([RECORDED]) if user != ADMIN else None) == (
            user == ADMIN
        )
    finally:
        admin.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"sasl_username": "mallory"},
        {"sasl_password": "guessed"},
        {"security_protocol": "PLAINTEXT"},
        {"sasl_mechanism": "SCRAM-SHA-256"},
    ],
)
def test_an_unknown_user_gets_nowhere(secure: Components, wrong: dict[str, str]) -> None:
    """A name that is not there, a wrong password, none at all, another mechanism.

    No metadata, no message.
    """
    admin_as(secure, "intake").close()
    with pytest.raises(KafkaError):
        admin_as(secure, "intake", **wrong)


def test_every_process_does_its_work_as_its_own_user(tmp_path: Path) -> None:
    """Intake, agents and lookups, each let in as itself.

    What a core system sends becomes a read model. Beside a broker without the tests' own messages.
    """
    with started(secure=True) as parts:
        broker_as(parts, "operator").create_topics(4)
        settings = settings_beside(parts, tmp_path / "data")
        settings.data_dir.mkdir()
        processes = [start(parts, settings, name, tmp_path) for name in ("intake", "agents", "web")]
        try:
            running = Running(settings)
            wait_until(running._is_ready)
            event = write(proposed(ChannelVisited(channel="app"), "1", "customer:1"))
            sent = subprocess.run(
                [*TIERFOLD, "feed", "-"],
                env=environment_as(parts, settings, "core"),
                input=event,
                capture_output=True,
                check=False,
            )
            assert sent.returncode == 0, sent.stderr
            wait_until(lambda: "customer:1" in journal_streams(settings))
            running.settle()
            assert running.calls("supervisor").get("/v1/customers/1").json()["profile"][
                "channels"
            ] == {"app": 1}
        finally:
            for process in processes:
                process.terminate()
                process.wait(timeout=30)


def journal_streams(settings: Settings) -> set[str]:
    """The streams that have an event."""
    return {event.stream for shard in journal_of(settings) for event in shard.events(())}


def allowed(act: Callable[[], Any]) -> bool:
    """Whether the broker lets this be done; what else goes wrong is an error of its own."""
    try:
        act()
    except KafkaError as error:
        if "AuthorizationFailed" in f"{type(error).__name__}: {error}":
            return False
        raise
    return True


def environment_as(parts: Components, settings: Settings, user: str) -> dict[str, str]:
    """The environment of a process that is let in as a user."""
    return {
        **os.environ,
        **parts.environment(user),
        "TIERFOLD_DATA_DIR": str(settings.data_dir),
        "TIERFOLD_PORT": str(settings.port),
    }


def start(
    parts: Components, settings: Settings, name: str, folder: Path
) -> "subprocess.Popen[bytes]":
    """One of our processes, as its own user."""
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [*TIERFOLD, name], env=environment_as(parts, settings, name), stdout=log, stderr=log
        )
