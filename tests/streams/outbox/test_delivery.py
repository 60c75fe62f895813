"""Each notice is handed over at least once, under one name, in order per customer."""

import hashlib
import hmac
import json
import socket
import threading
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from deploy.policy_files import read_privacy
from deploy.settings import POLICIES
from domain.access.privacy_policy import PrivacyPolicy
from domain.accounts.events import TransactionPosted
from domain.envelope import Proposed
from domain.event import Role
from domain.notices.subscribers import Subscriber
from domain.offers.events import OfferDecided
from domain.tiering.events import TierChanged
from streams.journal import Arrival, Journal, LogOffset, Rejected
from streams.keyring import Keyring
from streams.outbox.checkpoint import Checkpoints
from streams.outbox.delivery import HOUR, TRIES, Delivery
from streams.outbox.notices import Source
from streams.outbox.sinks import Webhook
from tests.conftest import NOON, master_in, policies, proposed
from tests.sizes import sized

SECRET = bytes(range(32))
SHARDS = 2
DAY = date(2026, 3, 1)
PRIVACY = read_privacy(POLICIES / "privacy.yaml")


class Receiver(ThreadingHTTPServer):
    """A receiver that notes what it was told, in order by customer; `answers` says how."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.answers: Callable[[dict[str, Any]], int] = lambda _said: 200
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.lock = threading.Lock()
        self.connections: list[socket.socket] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}/hook?of=bank"

    def hang_up(self) -> None:
        """Close the connections that are open."""
        for each in self.connections:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Note each connection."""
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def by_subject(self) -> dict[str, list[str]]:
        """The names that were taken, by customer, each the first time."""
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for _, body in self.heard:
            said = json.loads(body)
            found[said["subject"]].setdefault(said["id"])
        return {subject: list(names) for subject, names in found.items()}


class _Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        status = self.server.answers(json.loads(body))
        with self.server.lock:
            if status < 300:
                self.server.heard.append((dict(self.headers), body))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver."""
    made = Receiver()
    yield made
    made.shutdown()


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An empty journal of two shards."""
    made = Journal(f"sqlite://{tmp_path / 'journal'}", SHARDS)
    for shard in made:
        shard.claim()
    return made


def changed(number: int, who: int) -> Proposed:
    """A customer rises."""
    data = TierChanged(before="mass", after="gold", policy="p@1", effective=DAY)
    return proposed(data, f"t{number}", f"customer:{who}", DAY)


def record(journal: Journal, events: list[Proposed], shard: int = 0) -> None:
    """Record events in a shard."""
    at = journal[shard].tracked("log") + 1
    arrivals = [Arrival(at, item, b"", event) for item, event in enumerate(events)]
    journal[shard].record(arrivals, LogOffset("log", at), NOON)


class Clock:
    """A clock that is moved."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        """What time it is."""
        return self.at


def subscriber(
    url: str, *types: str, role: Role = "channel", sources: tuple[str, ...] = ()
) -> Subscriber:
    """A subscriber from the beginning on."""
    return Subscriber(
        name="crm",
        role=role,
        types=types or ("tier-changed",),
        sources=sources,
        url=url,
        begin="beginning",
    )


def delivery(
    who: Subscriber, journal: Journal, folder: Path, clock: Clock, privacy: PrivacyPolicy = PRIVACY
) -> Delivery:
    """How it is told."""
    assert who.url is not None
    return Delivery(
        who,
        Source(journal, who, policies(privacy)),
        Webhook(who.url, [SECRET]),
        Checkpoints(folder / "outbox", who.name),
        clock,
    )


def until_idle(some: Delivery, steps: int = 10_000) -> None:
    """Go on as long as there is anything."""
    for _ in range(steps):
        if not some.step():
            return
    raise AssertionError("it never ends")


def test_a_notice_is_signed_as_standard_webhooks_says(
    journal: Journal, receiver: Receiver, tmp_path: Path
) -> None:
    """A structured CloudEvent under one name; whoever has the secret can check it."""
    record(journal, [changed(1, 1)])
    until_idle(delivery(subscriber(receiver.url), journal, tmp_path, Clock()))
    [(headers, body)] = receiver.heard
    said = json.loads(body)
    name, at = headers["webhook-id"], headers["webhook-timestamp"]
    wanted = hmac.new(SECRET, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()

    assert b64decode(headers["webhook-signature"].removeprefix("v1,")) == wanted
    assert headers["content-type"] == "application/cloudevents+json"
    assert (said["id"], said["type"]) == (name, "tierfold.tier-changed.v1")
    assert (said["subject"], said["data"]["after"]) == ("customer:1", "gold")


NUMBER = sized(1_500, 100_000)
CUSTOMERS = sized(60, 2_000)
KILLED_EVERY = sized(20, 300)
"""Steps; what was handed over behind the oldest that waits is handed over once more."""


def test_all_are_told_in_order_though_receiver_and_outbox_are_killed(
    journal: Journal, receiver: Receiver, tmp_path: Path
) -> None:
    """One answer in forty is an error, and the outbox begins anew again and again."""
    for start in range(0, NUMBER, 500):
        for shard in range(SHARDS):
            numbers = [
                number
                for number in range(start, min(start + 500, NUMBER))
                if number % CUSTOMERS % SHARDS == shard
            ]
            record(journal, [changed(each, each % CUSTOMERS) for each in numbers], shard)
    asked = iter(range(10**9))
    receiver.answers = lambda _said: 503 if next(asked) % 40 == 39 else 200
    clock, who = Clock(), subscriber(receiver.url)
    some = delivery(who, journal, tmp_path, clock)
    for step in range(100_000):
        if step % KILLED_EVERY == KILLED_EVERY - 1:
            some = delivery(who, journal, tmp_path, clock)  # the one before was killed
        some.step()
        clock.at += 2.0
        if step % 50 == 0 and not some.waiting and len(receiver.heard) >= NUMBER:
            break

    told = receiver.by_subject()
    wanted: dict[str, list[str]] = defaultdict(list)
    for shard in journal:
        for event in shard.events(["tier-changed.v1"]):
            wanted[event.stream].append(f"events/{shard.number}/{event.position}")
    assert told == wanted
    assert Checkpoints(tmp_path / "outbox", "crm").given_up() == []


def test_a_receiver_that_is_away_for_a_day_is_told_all_then(
    journal: Journal, receiver: Receiver, tmp_path: Path
) -> None:
    """Nothing is lost, and it is not asked all the time."""
    record(journal, [changed(each, each % 5) for each in range(50)])
    asked: list[str] = []

    def away(said: dict[str, Any]) -> int:
        asked.append(said["id"])
        return 503

    receiver.answers = away
    clock = Clock()
    some = delivery(subscriber(receiver.url), journal, tmp_path, clock)
    begun = clock.at
    while clock.at < begun + 24 * HOUR:
        some.step()
        clock.at += 60.0
    assert len(asked) < 24 * 15
    receiver.answers = lambda _said: 200
    clock.at += 301.0
    until_idle(some)

    assert sum(map(len, receiver.by_subject().values())) == 50
    assert Checkpoints(tmp_path / "outbox", "crm").given_up() == []


def test_a_receiver_that_always_fails_loses_nothing(
    journal: Journal, receiver: Receiver, tmp_path: Path
) -> None:
    """It is asked of one subject after the other; a month later, it is told all."""
    record(journal, [changed(each, each % 5) for each in range(20)])
    asked: set[str] = set()

    def fails(said: dict[str, Any]) -> int:
        asked.add(said["subject"])
        return 500

    receiver.answers = fails
    clock = Clock()
    some = delivery(subscriber(receiver.url), journal, tmp_path, clock)
    for _ in range(200):
        some.step()
        clock.at += 4 * HOUR
    assert len(asked) == 5
    receiver.answers = lambda _said: 200
    until_idle(some)

    assert sum(map(len, receiver.by_subject().values())) == 20
    assert Checkpoints(tmp_path / "outbox", "crm").given_up() == []


@pytest.mark.parametrize(("status", "hours"), [(400, 1), (500, 80)])
def test_a_notice_that_fails_holds_up_nobody_else(
    journal: Journal, receiver: Receiver, tmp_path: Path, status: int, hours: int
) -> None:
    """It is given up in the end, if others are taken; asked for, it is handed over after all."""
    record(journal, [changed(1, 1), changed(2, 1), changed(3, 2)])
    receiver.answers = lambda said: status if said["id"] == "events/0/1" else 200
    clock = Clock()
    some = delivery(subscriber(receiver.url), journal, tmp_path, clock)
    some.step()
    assert list(receiver.by_subject()) == ["customer:2"]
    record(journal, [changed(4, 3)])
    for _ in range(60):
        some.step()
        clock.at += hours * HOUR / 50
    kept = Checkpoints(tmp_path / "outbox", "crm")
    [letter] = kept.given_up()
    assert (letter["id"], letter["why"]) == ("events/0/1", f"status {status}")
    assert letter["tries"] >= TRIES
    assert receiver.by_subject()["customer:1"] == ["events/0/2"]

    receiver.answers = lambda _said: 200
    kept.ask_again()
    until_idle(some)
    assert kept.given_up() == []
    assert receiver.by_subject()["customer:1"] == ["events/0/2", "events/0/1"]


@pytest.mark.parametrize("status", [302, 401, 404])
def test_a_receiver_that_is_asked_in_the_wrong_way_gives_no_dead_letters(
    journal: Journal, receiver: Receiver, tmp_path: Path, status: int
) -> None:
    """A secret or an address that is wrong is no fault of the notices."""
    record(journal, [changed(each, each) for each in range(5)])
    receiver.answers = lambda _said: status
    clock = Clock()
    some = delivery(subscriber(receiver.url), journal, tmp_path, clock)
    for _ in range(50):
        some.step()
        clock.at += HOUR
    assert Checkpoints(tmp_path / "outbox", "crm").given_up() == []
    receiver.answers = lambda _said: 200
    until_idle(some)
    assert len(receiver.by_subject()) == 5


def test_whoever_is_forgotten_while_a_receiver_is_away_is_not_told_of(
    receiver: Receiver, tmp_path: Path
) -> None:
    """What waited is read once more before it goes out."""
    keyring = Keyring(f"sqlite://{tmp_path / 'keys.db'}", master_in(tmp_path))
    journal = Journal(f"sqlite://{tmp_path / 'journal'}", 1, keyring)
    journal[0].claim()
    record(journal, [changed(1, 1), changed(2, 2)])
    receiver.answers = lambda _said: 503
    clock = Clock()
    some = delivery(subscriber(receiver.url), journal, tmp_path, clock)
    some.step()
    keyring.destroy(["customer:1"])
    clock.at += HOUR
    receiver.answers = lambda _said: 200
    until_idle(some)

    assert receiver.by_subject() == {"customer:2": ["events/0/2"]}


def test_a_connection_that_the_receiver_closed_is_no_failure(
    journal: Journal, receiver: Receiver, tmp_path: Path
) -> None:
    """It is asked once more on a fresh one, at once."""
    clock = Clock()
    some = delivery(subscriber(receiver.url), journal, tmp_path, clock)
    for number in range(3):
        record(journal, [changed(number, 1)])
        until_idle(some)
        receiver.hang_up()

    assert receiver.by_subject() == {"customer:1": ["events/0/1", "events/0/2", "events/0/3"]}
    assert clock.at == Clock().at


def test_each_role_is_told_as_much_as_it_may_see(
    journal: Journal, receiver: Receiver, tmp_path: Path
) -> None:
    """A decision in short; nothing of what was not asked for; a sender of its own alone."""
    decided = OfferDecided(
        decision="d1",
        channel="app",
        offers=("card",),
        features={"age": 30},
        catalogue="c@1",
    )
    posted = TransactionPosted(
        transaction="t", account="6222-1", amount=5, currency="CNY", kind="card"
    )
    mine = proposed(posted, "m1", "customer:1", DAY, "core/deposits")
    others = proposed(posted, "o1", "customer:1", DAY, "core/cards")
    record(journal, [proposed(decided, "d1", "customer:1", DAY), mine, others, changed(1, 1)])
    raw = b'{"source": "core/deposits", "id": "bad"}'
    aside = [Arrival(99, 0, raw, Rejected("no such type", "type"))]
    journal[0].record(aside, LogOffset("log", 99), NOON + timedelta(days=1))

    told: dict[str, list[dict[str, Any]]] = {}
    roles: dict[str, tuple[Role, tuple[str, ...], tuple[str, ...]]] = {
        "channel": ("channel", ("offer-decided",), ()),
        "core": ("core", ("arrival-recorded", "arrival-set-aside"), ("core/deposits",)),
    }
    for name, (role, types, sources) in roles.items():
        receiver.heard.clear()
        who = subscriber(receiver.url, *types, role=role, sources=sources)
        until_idle(delivery(who, journal, tmp_path / name, Clock()))
        told[name] = [json.loads(body) for _, body in receiver.heard]

    [short] = told["channel"]
    assert short["data"].keys() == {"decision", "channel", "offers"}
    recorded, set_aside = sorted(told["core"], key=itemgetter("type"))
    assert (recorded["type"], recorded["data"]["id"]) == ("tierfold.arrival-recorded.v1", "m1")
    assert "amount" not in json.dumps(recorded)
    assert set_aside["data"]["reason"] == "no such type"


def test_who_begins_now_is_not_told_of_before(
    journal: Journal, receiver: Receiver, tmp_path: Path
) -> None:
    """And what comes between two starts is told."""
    record(journal, [changed(1, 1)])
    who = subscriber(receiver.url).model_copy(update={"begin": "now"})
    delivery(who, journal, tmp_path, Clock()).close()
    record(journal, [changed(2, 1)])
    until_idle(delivery(who, journal, tmp_path, Clock()))

    assert receiver.by_subject() == {"customer:1": ["events/0/2"]}


def test_a_notice_that_is_too_large_says_where_its_data_is(
    journal: Journal, receiver: Receiver, tmp_path: Path
) -> None:
    """A receiver is told that something happened all the same."""
    names = tuple(f"tier:{number:064d}" for number in range(5_000))
    data = TierChanged(before="mass", after="gold", policy="p@1", effective=DAY, corrects=names)
    record(journal, [proposed(data, "large", "customer:1", DAY), changed(2, 1)])
    until_idle(delivery(subscriber(receiver.url), journal, tmp_path, Clock()))
    large, small = [json.loads(body) for _, body in receiver.heard]

    assert "data" not in large
    assert large["dataref"] == "/v1/customers/1/history"
    assert small["data"]["after"] == "gold"
