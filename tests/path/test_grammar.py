"""Random events that are malformed or extreme: none of them stops anything, or anybody.

Made from the shape of each event type, so that every field gets what it cannot hold, what it just
can, and what it just cannot.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from domain.event_types import EVENTS
from streams.ingest.cloudevents import write
from tests.conftest import Running, proposed, settings_in
from tests.sizes import sized

EVENTS_MADE = sized(6_000, 1_000_000)
AT_ONCE = 50_000
ALL_OF_IT = 16 << 30
"""Bytes of messages that the broker holds before it is started anew, as it should be: never here,
where nothing may be."""
SEED = 20261129
EXTREME: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        1,
        1.5,
        -0.0,
        1e308,
        10**15,
        10**15 + 1,
        -(10**15),
        2**53 + 1,
        2**63,
        10**30,
    ),
    *(
        "",
        " ",
        "a",
        "a" * 128,
        "a" * 129,
        "a" * 4_001,
        "70/1",
        "../x",
        "%00",
        "=1+1",
        "é",
        "e\u0301",
    ),
    *("\u0000", "\ud83d\ude00", "null", "customer:1", "customer:", "household:1/2", "CNY", "RMB"),
    *("1850-01-01", "2026-02-30", "2199-12-31", "9999-12-31", "2026-01-31", "2026-01-31T00:00:00Z"),
    *([], {}, [[]], {"a": {"a": {"a": 1}}}, ["a"] * 50),
)
NEAR = ("core", "app", "branch", "sms", "C1", "granted", "deposit", "phone", "person", "marketing")


def schema_of(name: str) -> dict[str, Any]:
    """The shape of an event type."""
    return EVENTS[name].model_json_schema()


class Grammar:
    """Draws events by the shapes of their types; the same seed, the same events."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._shapes = {name: schema_of(name) for name in sorted(EVENTS)}
        self._number = 0

    def events(self) -> Iterator[bytes]:
        """One after the other, without end."""
        while True:
            self._number += 1
            yield self._event()

    def _event(self) -> bytes:
        chance = self._chance
        name = chance.choice([*self._shapes])
        shape = self._shapes[name]
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": f"g{self._number}",
            "source": f"grammar/{SEED}",
            "type": f"tierfold.{name}.v1",
            "subject": f"customer:g{chance.randrange(200)}",
            "time": self._time(),
            "businessdate": str(date(2026, 1, 1) + timedelta(chance.randrange(300))),
            "data": self._object(shape, shape.get("$defs", {})),
        }
        match chance.randrange(20):
            case 0:
                event[chance.choice([*event])] = chance.choice(EXTREME)
            case 1:
                del event[chance.choice([*event])]
            case 2:
                event["data"][chance.choice(["surprise", "", "é"])] = chance.choice(EXTREME)
            case _:
                pass
        raw = json.dumps(event, ensure_ascii=chance.random() < 0.5, allow_nan=True)
        bytes_ = raw.encode("utf-8", "surrogatepass")
        if chance.random() < 0.02:
            at = chance.randrange(len(bytes_))
            bytes_ = bytes_[:at] + bytes([chance.randrange(256)]) + bytes_[at + 1 :]
        return bytes_.replace(b"\n", b" ").replace(b"\r", b" ")

    def _time(self) -> str:
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=self._chance.randrange(7_000))
        return moment.isoformat()

    def _object(self, shape: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        asked = shape.get("required", [])
        return {
            name: self._value(part, known)
            for name, part in shape.get("properties", {}).items()
            if name in asked or self._chance.random() < 0.5
        }

    def _value(self, shape: dict[str, Any], known: dict[str, Any]) -> Any:  # noqa: PLR0911, C901 - one line a kind
        chance = self._chance
        if chance.random() < 0.08:
            return chance.choice(EXTREME)
        if "$ref" in shape:
            return self._value(known[shape["$ref"].rpartition("/")[2]], known)
        if "anyOf" in shape:
            return self._value(chance.choice(shape["anyOf"]), known)
        if "enum" in shape or "const" in shape:
            return chance.choice(shape.get("enum", [shape.get("const")]))
        match shape.get("type"):
            case "integer":
                low, high = shape.get("minimum", -(10**15)), shape.get("maximum", 10**15)
                return chance.choice([low, high, low - 1, high + 1, 0, chance.randint(low, high)])
            case "number":
                return chance.choice([0, 0.5, -1.5, 1e300])
            case "boolean":
                return chance.random() < 0.5
            case "array":
                return [
                    self._value(shape.get("items", {}), known) for _ in range(chance.randrange(3))
                ]
            case "object":
                return self._object(shape, known)
            case "string" if shape.get("format") == "date":
                return str(date(2026, 1, 1) + timedelta(chance.randrange(-70_000, 70_000)))
            case "string":
                return chance.choice(
                    [*NEAR, f"customer:g{chance.randrange(200)}", "household:g1", "CNY"]
                )
            case _:
                return chance.choice(EXTREME)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack that nobody has hurt yet."""
    settings = settings_in(tmp_path_factory.mktemp("grammar"))
    with Running(settings.model_copy(update={"broker_memory_limit": ALL_OF_IT})) as made:
        yield made


def test_no_random_event_stops_the_bank_or_a_customer(running: Running, tmp_path: Path) -> None:
    """No process restarted, every arrival has one outcome, each refusal names a reason, and where
    a field is at fault the field; others are answered, and live is rebuilt.
    """
    print(f"seed {SEED}, {EVENTS_MADE} events")
    children, made = running.pids(), Grammar(SEED).events()
    good = tmp_path / "good.jsonl"
    good.write_bytes(write(proposed(EVENTS["channel-visited"](channel="app"), "v", "customer:ok")))
    running.report("feed", str(good))
    sent = 1
    while sent < EVENTS_MADE:
        some = list(islice(made, min(AT_ONCE, EVENTS_MADE - sent)))
        (tmp_path / "some.jsonl").write_bytes(b"\n".join(some))
        running.run("feed", str(tmp_path / "some.jsonl"))
        running.settle()
        sent += len(some)
        assert running.client.get("/v1/customers/ok").status_code == 200

    counts, listed = running.counts(), running.report("quarantine", "list", "--limit", "1000000")
    assert running.pids() == children
    assert counts.balanced()
    assert counts.quarantined == listed["total"] > 0
    assert counts.recorded > 0
    assert all(entry["reason"] for entry in listed["entries"])
    unnamed = [entry for entry in listed["entries"] if entry["field"] is None]
    assert len(unnamed) < len(listed["entries"]) / 10, unnamed[:5]
    for number in range(200):
        answer = running.client.get(f"/v1/customers/g{number}")
        assert answer.status_code in {200, 404}, answer.text
        if answer.status_code == 200:
            for question in ("tier", "ledger", "foresight", "next-best-offer?channel=app"):
                asked = running.client.get(f"/v1/customers/g{number}/{question}")
                assert asked.status_code == 200, (number, question, asked.text)
    running.settle()
    running.must_agree()
    assert running.report("replay", "verify")["found"] == 0
