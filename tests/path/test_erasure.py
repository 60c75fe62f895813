"""A thousand people are forgotten while the bank goes on.

Nothing of them is left anywhere, and everything still proves and rebuilds.
"""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from deploy.wiring import keyring_of
from domain.customers.events import (
    ConsentGranted,
    ContactStated,
    CustomerOnboarded,
    IdentitiesMerged,
    IdentitiesUnmerged,
    RiskProfileAssessed,
)
from domain.envelope import Proposed
from domain.event import Interaction
from domain.feedback.events import FeedbackGiven
from domain.households.events import HouseholdJoined
from domain.offers.events import OfferAccepted
from streams.broker.kafka import INTERACTIONS, RECORDED, Broker, TopicPartition
from streams.ingest.cloudevents import BATCH, write, write_batch
from streams.keyring.masters import Unwrappable
from streams.sources.synth import Bank, synth
from tests.conftest import Running, settings_in
from tests.sizes import sized

PLANTED = sized(50, 1_000)
ASKED = 40
MARK = "planted~"
"""What every planted identity has in it, and nothing else."""


def customer(number: int) -> str:
    """Somebody who will be forgotten."""
    return f"9{number:05}"


def said(number: int, name: str, data: Interaction) -> bytes:
    """An event of theirs."""
    now = datetime.now(UTC)
    return write(
        Proposed(
            "planted", f"{number}/{name}", f"customer:{customer(number)}", now, now.date(), data
        )
    )


def identity(number: int) -> list[bytes]:
    """Name, phone, an identity card in free text, a grade, consents.

    Every tenth lives with another one, and with one who stays; every tenth has the next number
    too, and every tenth was once taken for one who stays.
    """
    mark = f"{MARK}{number:06}"
    events: list[Interaction] = [
        CustomerOnboarded(name=f"{mark} 张三", born=date(1980, 5, 1), source="branch"),
        ContactStated(medium="phone", value=f"138{mark}", source="app"),
        FeedbackGiven(text=f"我的身份证是 110101{mark}", channel="app"),
        RiskProfileAssessed(grade="C3", valid_until=date(2199, 1, 1), source="app"),
        ConsentGranted(purpose="financial-marketing", source="app"),
    ]
    if number % 10 == 0:
        events.append(HouseholdJoined(household=f"household:h{number // 20}", role="member"))
    if number % 10 == 3:
        other = f"customer:{customer(number + 1)}"
        events.append(IdentitiesMerged(other=other, reason=f"one passport {mark}"))
    if number % 10 == 5:
        other = f"customer:{100000 + number // 10 % 40}"
        events.append(IdentitiesMerged(other=other, reason=f"one passport {mark}"))
        events.append(IdentitiesUnmerged(other=other, reason=f"two passports {mark}"))
    return [said(number, str(place), data) for place, data in enumerate(events)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack with a bank in it, planted identities, answers that models learnt, and
    something in quarantine.
    """
    with Running(settings_in(tmp_path_factory.mktemp("forgetting"))) as made:
        lines = [write(event) for event in synth(Bank(customers=sized(40, 100), months=2, seed=3))]
        lines += [line for number in range(PLANTED) for line in identity(number)]
        now = datetime.now(UTC)
        lines += [
            write(
                Proposed(
                    "stays",
                    f"{n}",
                    f"customer:{100000 + n}",
                    now,
                    now.date(),
                    HouseholdJoined(household=f"household:h{n}", role="member"),
                )
            )
            for n in range(5)
        ]
        bad = [
            f'{{"specversion":"1.0","id":"b{n}","source":"x","type":"tierfold.nothing.v1","subject":"customer:{customer(n)}","data":"{MARK}"}}'
            for n in range(9)
        ]
        (made.settings.data_dir / "in.jsonl").write_bytes(
            b"\n".join([*lines, *(line.encode() for line in bad)])
        )
        made.report("feed", str(made.settings.data_dir / "in.jsonl"), code=1)
        (made.settings.data_dir / "in.jsonl").unlink()
        made.settle()
        with made.calls() as client:
            shown = [
                client.get(
                    f"/v1/customers/{customer(number)}/next-best-offer",
                    params={"channel": "branch"},
                ).json()
                for number in range(ASKED)
            ]
            for number in range(ASKED, 2 * ASKED):
                client.get(
                    f"/v1/customers/{customer(number)}/next-best-offer", params={"channel": "sms"}
                )  # holds a place with the caps
            made.settle()
            accepted = [
                said(
                    number,
                    "accepted",
                    OfferAccepted(decision=each["decision"], offer=each["offer"], channel="branch"),
                )
                for number, each in enumerate(shown)
            ]
            assert (
                client.post(
                    "/v1/interactions",
                    content=write_batch(accepted),
                    headers={"content-type": BATCH},
                ).status_code
                == 201
            )
            made.settle()
            time.sleep(1)  # until what the models have learnt is looked at again
            for number in range(20):
                client.get(
                    f"/v1/customers/{100000 + number}/next-best-offer", params={"channel": "branch"}
                )
        made.settle()
        yield made


def marks(folder: Path) -> list[str]:
    """The files in which a planted identity can be read."""
    return [
        str(file)
        for file in folder.rglob("*")
        if file.is_file() and MARK.encode() in file.read_bytes()
    ]


def in_redis(running: Running) -> list[bytes]:
    """Keys under which a planted identity can be read, or that name one of them."""
    redis = Redis.from_url(running.settings.redis_url)
    keys = list(redis.scan_iter(count=1000))
    of_kind = {
        kind: [key for key in keys if redis.type(key) == kind] for kind in (b"string", b"set")
    }
    said = [
        key
        for key, value in zip(of_kind[b"string"], redis.mget(of_kind[b"string"]), strict=True)
        if MARK.encode() in (value or b"")
    ]
    return said + [
        name
        for name in (*keys, *(name for key in of_kind[b"set"] for name in redis.smembers(key)))
        if b"customer:9" in name
    ]


def in_kafka(running: Running) -> int:
    """Messages of both topics in which a planted identity can be read."""
    reader, found = Broker(running.settings.broker).consumer(), 0
    for topic in (INTERACTIONS, RECORDED):
        places = [TopicPartition(topic, number) for number in range(running.settings.shards)]
        reader.assign(places)
        ends = reader.end_offsets(places)
        reader.seek_to_beginning(*places)
        while any(reader.position(place) < ends[place] for place in places):
            found += sum(
                MARK.encode() in (message.value or b"")
                for some in reader.poll(timeout_ms=500).values()
                for message in some
            )
    reader.close()
    return found


def eventually(condition: Any) -> None:
    """Wait a while for something to become true."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)


def test_all_who_asked_for_it_are_forgotten_everywhere(running: Running, tmp_path: Path) -> None:
    """Journal, keys, Kafka, Redis, quarantine, snapshots, models, logs and an old backup.

    None is left; all proofs hold; live is rebuilt.
    """
    data, backup = running.settings.data_dir, tmp_path / "backup"
    before = running.report("digest")
    assert in_redis(running)
    assert in_kafka(running)
    assert MARK in running.client.get(f"/v1/customers/{customer(7)}/history").text
    assert running.report("audit", "verify-journal")["findings"] == []
    for folder in ("journal", "vault", "evidence"):
        shutil.copytree(data / folder, backup / folder)
    named = [number for number in range(PLANTED) if number % 10 != 4]  # the same people's others
    (tmp_path / "who").write_text("\n".join(map(customer, named)))

    certificate = running.report(
        "privacy",
        "forget",
        "--file",
        str(tmp_path / "who"),
        "--by",
        "li.wei",
        "--reason",
        "they asked for it",
        "--early",
    )
    running.settle()
    live = running.must_agree()

    assert certificate["wrong"] == []
    assert len(certificate["subjects"]) == PLANTED
    assert "customer:100000 event" in certificate["places"]["numbers of others"]
    assert marks(data) == marks(backup) == []
    assert in_redis(running) == []
    assert in_kafka(running) == 0
    assert [
        running.run("quarantine", "show", entry["entry"]).stdout
        for entry in running.report("quarantine", "list")["entries"]
    ] == [b""] * 9
    assert running.report("audit", "verify-journal")["findings"] == []
    assert running.report("replay", "verify")["found"] == 0
    again = running.report("replay", "verify-decisions")
    assert again["forgotten"] > 0
    assert (again["different"], again["unknown"]) == (0, 0)
    assert live["model@4"] != before["model@4"]
    _nobody_answers_for_them(running)
    _a_restored_backup_may_not_serve(running, backup)


def _nobody_answers_for_them(running: Running) -> None:
    """Unknown to channels; what is sent for them is refused; who stays is as before."""
    with running.calls() as client:
        assert client.get(f"/v1/customers/{customer(1)}").status_code == 404
        assert client.get(f"/v1/customers/{customer(1)}/history").status_code == 404
        assert client.get("/v1/customers/100001").status_code == 200
        assert client.get("/v1/households/h0").json()["members"].keys() == {"customer:100000"}
        again = client.post(
            "/v1/interactions",
            content=write_batch([said(1, "again", FeedbackGiven(text="x", channel="app"))]),
            headers={"content-type": BATCH},
        )
    assert (again.status_code, again.headers["content-type"]) == (410, "application/problem+json")
    counts = running.counts()
    assert counts.refused == 1
    assert counts.balanced()


def _a_restored_backup_may_not_serve(running: Running, backup: Path) -> None:
    """Old keys in the place of the new ones.

    The register says who must be forgotten first, and the master that wrapped them is gone.
    """
    vault = running.settings.data_dir / "vault"
    running.stop()
    shutil.rmtree(vault)
    shutil.copytree(backup / "vault", vault)
    refused = running.run("digest", "--rebuild")

    assert refused.returncode == 2
    assert b"Run `tierfold privacy replay` first" in refused.stderr
    with pytest.raises(Unwrappable):
        keyring_of(running.settings, restored=True).get([f"customer:{customer(1)}"])


@pytest.mark.parametrize("lost", [("vault", "master"), ("vault", "master", "journal", "redis")])
def test_what_was_restored_is_forgotten_again_before_it_serves(
    own_stack: Running, tmp_path: Path, lost: tuple[str, ...]
) -> None:
    """Where an old backup of keys can still be opened, nothing starts until the register
    was replayed: first at rest, and once more when the bank is up. So where journal and read
    models are as old as the keys.
    """
    running = own_stack
    (tmp_path / "in.jsonl").write_bytes(b"\n".join(identity(0) + identity(1)))
    running.report("feed", str(tmp_path / "in.jsonl"))
    running.settle()
    running.stop()
    saved = {
        folder: shutil.copytree(tmp_path / folder, tmp_path / "backup" / folder) for folder in lost
    }
    running.start()
    running.report(
        "privacy",
        "forget",
        customer(0),
        "--by",
        "li.wei",
        "--reason",
        "they asked for it",
        "--early",
    )
    for folder, copy in saved.items():
        shutil.rmtree(tmp_path / folder)
        shutil.copytree(copy, tmp_path / folder)
    running.stop()
    refused = running.run("up")
    at_rest = running.report("privacy", "replay")
    running.start()
    replayed = running.report("privacy", "replay")
    running.settle()

    assert refused.returncode == 2
    assert b"Run `tierfold privacy replay` first" in refused.stderr
    assert "once more" in at_rest["next"]
    assert running.client.get(f"/v1/customers/{customer(0)}").status_code == 404
    assert running.client.get(f"/v1/customers/{customer(1)}").status_code == 200
    assert (replayed["subjects"], replayed["wrong"]) == ([f"customer:{customer(0)}"], [])
    running.must_agree()
