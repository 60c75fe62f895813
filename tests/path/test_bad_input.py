"""Ten thousand malformed messages among good ones.

All set aside with reasons, none lost, no process restarted.
"""

import json
import random
from pathlib import Path
from typing import Any

from deploy.wiring import journal_of, producer_of
from domain.tiering.events import TierOverridden
from streams.broker.kafka import Broker
from streams.ingest.cloudevents import write
from streams.sources.synth import Bank, synth
from tests.conftest import Running, proposed, wait_until
from tests.sizes import sized

MALFORMED = sized(500, 10_000)

SPOILT: list[Any] = [
    lambda event: {**event, "specversion": "0.1"},
    lambda event: {**event, "type": "tierfold.nonsense.v1"},
    lambda event: {name: value for name, value in event.items() if name != "source"},
    lambda event: {**event, "time": "not a time"},
    lambda event: {**event, "businessdate": "9999-12-31"},
    lambda event: {**event, "data": {"surprise": 1}},
    lambda event: {**event, "data": None},
    lambda event: {**event, "subject": "??"},
]


FIELDS = ("specversion", "type", "source", "time", "businessdate", "data", "subject")


def malformed(number: int, event: dict[str, Any]) -> bytes:
    """A good event made bad, in one way or another."""
    if number % 10 == 8:
        return json.dumps(event).encode()[: 20 + number % 100]
    if number % 10 == 9:
        return b"\xfe\xff" + str(number).encode()
    return json.dumps({**SPOILT[number % 8](event), "id": f"bad-{number}"}).encode()


def test_malformed_messages_are_set_aside_and_nothing_else_happens(
    own_stack: Running, tmp_path: Path
) -> None:
    """Every one is in quarantine with a reason; every good one is recorded; nobody restarted."""
    good = [write(event) for event in synth(Bank(customers=sized(40, 150), months=3, seed=3))]
    chance = random.Random(5)
    bad = [malformed(number, json.loads(chance.choice(good))) for number in range(MALFORMED)]
    mixed = list(good)
    for raw in bad:
        mixed.insert(chance.randrange(len(mixed)), raw)
    (tmp_path / "mixed.jsonl").write_bytes(b"\n".join(mixed))
    children = own_stack.pids()

    own_stack.report("feed", str(tmp_path / "mixed.jsonl"), code=1)
    own_stack.settle()
    counts = own_stack.counts()
    listed = own_stack.report("quarantine", "list", "--limit", "20000")

    assert own_stack.pids() == children
    assert counts.quarantined == MALFORMED == listed["total"] == len(listed["entries"])
    assert counts.balanced()
    assert all(entry["reason"] for entry in listed["entries"])
    fields = {entry["field"] for entry in listed["entries"]}
    assert {field for field in fields if not str(field).startswith("data.")} == {None, *FIELDS}
    own_stack.must_agree()
    _originals_are_kept(own_stack, set(bad))


def _originals_are_kept(running: Running, sent: set[bytes]) -> None:
    kept = {
        entry.original.rstrip(b"\n")
        for shard in journal_of(running.settings)
        for entry in shard.quarantined(0, 20_000)
    }

    assert {raw.rstrip(b"\n") for raw in sent} == kept


def test_what_is_re_driven_as_it_was_is_set_aside_again(own_stack: Running) -> None:
    """Key and headers are kept with the bytes.

    A wrong key is still wrong, a binary message still has its attributes.
    """
    event = json.loads(
        write(next(each for each in synth(Bank(1, 1, 1)) if each.stream.startswith("customer:")))
    )
    headers = [
        (f"ce_{name}", str(value).encode())
        for name, value in event.items()
        if name not in ("data", "cause")
    ]
    producer = Broker(own_stack.settings.broker).producer()
    value = json.dumps({**event["data"], "source": "moon"}).encode()
    producer.send(
        "interactions", key=b"customer:somebody-else", value=json.dumps(event).encode(), partition=0
    ).get(timeout=10)
    producer.send(
        "interactions", key=event["subject"].encode(), value=value, headers=headers, partition=0
    ).get(timeout=10)
    producer.close()
    wait_until(lambda: own_stack.counts().quarantined == 2)
    for entry in own_stack.report("quarantine", "list")["entries"]:
        own_stack.report("quarantine", "re-drive", entry["entry"])
    wait_until(lambda: own_stack.counts().quarantined == 4)
    every = own_stack.report("quarantine", "list", "--all")["entries"]

    assert [entry["field"] for entry in every] == [
        "subject",
        "data.source",
        "subject",
        "data.source",
    ]
    assert own_stack.counts().quarantined == 4


def test_our_own_word_is_re_driven_as_our_own(own_stack: Running) -> None:
    """Set aside by an intake that was too old for it, alone or in a batch.

    It is judged by what it says again, and not by who says it.
    """
    override = {"tier": "private", "approver": "li.wei", "reason": "x", "until": "2027-01-01"}
    event = proposed(TierOverridden.model_validate_json(json.dumps(override)), "own", "customer:1")
    newer = json.dumps(
        {**json.loads(write(event)), "data": {**override, "mood": "bright"}}
    ).encode()
    with producer_of(own_stack.settings, journal_of(own_stack.settings)) as producer:
        producer.submit(0, newer)
        producer.submit(0, b"[" + newer + b"]", batch=True)
        wait_until(lambda: own_stack.counts().quarantined == 2)
        for entry in own_stack.report("quarantine", "list")["entries"]:
            own_stack.report("quarantine", "re-drive", entry["entry"])
    wait_until(lambda: own_stack.counts().quarantined == 4)
    every = own_stack.report("quarantine", "list", "--all")["entries"]

    assert [entry["field"] for entry in every] == ["data.mood"] * 4


def test_a_mended_event_is_re_driven(own_stack: Running, tmp_path: Path) -> None:
    """Set aside, looked at, mended, sent again, recorded."""
    event = json.loads(
        write(next(each for each in synth(Bank(1, 1, 1)) if each.stream.startswith("customer:")))
    )
    spoilt = tmp_path / "spoilt.jsonl"
    spoilt.write_text(json.dumps({**event, "data": {**event["data"], "source": "moon"}}) + "\n")
    own_stack.report("feed", str(spoilt), code=1)
    [entry] = own_stack.report("quarantine", "list")["entries"]
    shown = own_stack.run("quarantine", "show", entry["entry"])
    (tmp_path / "mended.json").write_text(json.dumps(event))
    own_stack.report(
        "quarantine", "re-drive", entry["entry"], "--with", str(tmp_path / "mended.json")
    )

    assert entry["field"] == "data.source"
    assert shown.stdout.strip() == spoilt.read_bytes().strip()
    assert own_stack.report("quarantine", "list")["total"] == 0
    assert own_stack.report("quarantine", "list", "--all")["total"] == 1
    turns = own_stack.settings.shards  # each shard hears which version has its turn
    ours = 3 + turns + 1  # the policies that the lookups adopted, and that it was mended
    own_stack.arrive(2 + ours)
    assert (
        own_stack.counts().recorded,
        own_stack.counts().quarantined,
        own_stack.counts().arrived,
    ) == (1 + ours, 1, 2 + ours)


def test_many_entries_are_chosen_and_re_driven_together(own_stack: Running, tmp_path: Path) -> None:
    """By who sent them, what they are, and why; those that are still wrong come back."""
    good = [
        json.loads(write(event))
        for event in synth(Bank(3, 1, 1))
        if event.stream.startswith("customer:")
    ]
    bad = [
        {**event, "id": f"bad-{number}", "time": "never", "source": "one" if number % 2 else "two"}
        for number, event in enumerate(good[:6])
    ]
    spoilt = tmp_path / "spoilt.jsonl"
    spoilt.write_text("\n".join([*map(json.dumps, bad), json.dumps({**good[0], "id": ""})]))
    own_stack.report("feed", str(spoilt), code=1)

    every = own_stack.report("quarantine", "list")
    some = own_stack.report("quarantine", "list", "--source", "one", "--field", "time")
    none = own_stack.report("quarantine", "list", "--source", "one", "--reason", "there twice")
    again = own_stack.report("quarantine", "re-drive", "--source", "one")
    wait_until(lambda: own_stack.counts().quarantined == 7 + 3)
    nothing = own_stack.run("quarantine", "re-drive")

    assert (every["total"], some["total"], none["total"]) == (7, 3, 0)
    assert {(entry["source"], entry["type"] is not None) for entry in some["entries"]} == {
        ("one", True)
    }
    assert again == {"entries": 3, "sent": 3}
    assert own_stack.report("quarantine", "list")["total"] == 7
    assert own_stack.report("quarantine", "list", "--all")["total"] == 10
    assert (nothing.returncode, b"--source" in nothing.stderr) == (2, True)
