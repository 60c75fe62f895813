"""What is about somebody is sealed by their key alone.

Nothing else opens it, and when the key is gone nothing does.
"""

import base64
import json
import os
import pickle
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from deploy.keys import with_another_master
from deploy.terminal import UserError
from deploy.wiring import keyring_of
from domain.customers.events import CustomerOnboarded
from domain.envelope import Proposed
from domain.offers.events import ExampleLabelled
from streams.journal import FORGOTTEN, Arrival, Counts, Journal, LogOffset, Rejected, Row, Shard
from streams.journal.sealing import SEALED, closed, opened
from streams.keyring import EnvironmentMaster, FileMaster, Keyring, NoKey, TransitMaster
from streams.keyring.masters import Unwrappable
from tests.conftest import NOON, TODAY, keyring_in, proposed, settings_in

NAMES = ("张伟", "Ada Lovelace", "王芳")


def onboarded(number: int) -> Proposed:
    """A customer with a name of their own."""
    return proposed(
        CustomerOnboarded(name=NAMES[number % 3], source="branch"),
        f"{number}",
        f"customer:{number}",
    )


def record(shard: Shard, *events: Proposed, offset: int = 0) -> Counts:
    """Record what came in one message."""
    return shard.record(
        [Arrival(offset, item, b"", event) for item, event in enumerate(events)],
        LogOffset("log", offset),
        NOON,
    ).counts


@pytest.fixture
def shard(journal: Journal) -> Shard:
    """The first shard, claimed, with six customers in it."""
    journal[0].claim()
    record(journal[0], *map(onboarded, range(6)))
    return journal[0]


def test_what_is_about_somebody_is_nowhere_in_the_clear(tmp_path: Path) -> None:
    """Neither in the journal's files nor in those of the keys; and the keys only wrapped."""
    keyring = keyring_in(tmp_path)
    journal = Journal(f"sqlite://{tmp_path}/journal", 1, keyring)
    journal[0].claim()
    record(journal[0], *map(onboarded, range(6)))
    journal.close()
    written = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    assert all(name.encode() not in written for name in NAMES)
    assert b"customer-onboarded" in written


def test_a_rule_of_the_bank_is_about_nobody_and_stays_in_the_clear(shard: Shard) -> None:
    """Only what is about somebody has a key."""
    from domain.accounts.events import ExchangeRateFixed

    record(
        shard,
        Proposed(
            "t",
            "r",
            "shard:0",
            NOON,
            TODAY,
            ExchangeRateFixed(currency="USD", base="CNY", numerator=7, denominator=1),
        ),
        offset=1,
    )

    assert b'"data":{"currency":"USD"' in shard.stored(6, 1)[0].state


def test_an_example_is_sealed_by_the_key_of_the_customer_it_is_of(
    shard: Shard, journal: Journal
) -> None:
    """Whom it is about, not in whose stream it stands, decides."""
    example = ExampleLabelled(
        offer="card", decision="d", customer="customer:3", features={}, accepted=True
    )
    record(shard, Proposed("t", "e", "model:card", NOON, TODAY, example), offset=1)
    assert journal.keyring is not None
    journal.keyring.destroy(["customer:3"])

    assert [row.event_type for row in shard.read(0, 10)] == [
        *["customer-onboarded.v1"] * 3,
        FORGOTTEN,
        *["customer-onboarded.v1"] * 2,
        FORGOTTEN,
    ]
    assert shard.history("model:card") == []


def test_sealed_events_open_to_what_was_said(shard: Shard) -> None:
    """Byte for byte, in another process too."""
    again = pickle.loads(pickle.dumps(Journal("sqlite:///nowhere", 1, shard._keyring)))

    assert [
        event.data.name
        for event in (row.event() for row in shard.read(0, 10))
        if isinstance(event.data, CustomerOnboarded)
    ] == list(NAMES) * 2
    assert opened(shard.stored(0, 10), again.keyring) == shard.read(0, 10)


@given(st.data())
def test_no_body_opens_behind_another_head(data: st.DataObject) -> None:
    """Swapped between customers, replayed at another version, put under another name, or changed in
    any bit: it never opens.
    """
    rows, keyring = SOUND
    one, other = data.draw(st.sampled_from(rows)), data.draw(st.sampled_from(rows))
    place, behind = one.state.rfind(SEALED), other.state.rfind(SEALED)
    at, bit = (
        data.draw(st.integers(0, len(one.state) - 3)),
        data.draw(st.sampled_from([1, 2, 4, 8, 16, 32, 64])),
    )
    attacks = {
        "swapped": Row(
            one.position, one.stream, one.event_type, one.state[:place] + other.state[behind:]
        ),
        "moved into another stream": other._replace(stream=one.stream),
        "renamed": one._replace(
            state=one.state.replace(one.stream.encode(), other.stream.encode()), stream=other.stream
        ),
        "replayed at another version": one._replace(
            state=one.state.replace(b'"version":1', b'"version":2')
        ),
        "changed": one._replace(
            state=one.state[:at] + bytes([one.state[at] ^ bit]) + one.state[at + 1 :]
        ),
    }
    for how, row in attacks.items():
        if row in rows:
            continue
        try:
            [plain] = opened([row], keyring)
        except (ValueError, NoKey):
            continue
        assert how == "changed"
        with pytest.raises(
            (msgspec.DecodeError, UnicodeDecodeError)
        ):  # the mark of the seal itself was changed: nothing was opened
            plain.event()


@pytest.fixture(scope="module", autouse=True)
def _sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("sound")
    keyring = keyring_in(folder)
    journal = Journal(f"sqlite://{folder}/journal", 1, keyring)
    journal[0].claim()
    record(journal[0], *map(onboarded, range(6)))
    SOUND[:] = [journal[0].stored(0, 10), keyring]
    yield
    journal.close()


SOUND: list = []


def test_a_row_that_was_sealed_by_the_key_of_somebody_else_does_not_open(shard: Shard) -> None:
    """Re-keyed: another customer's key, the same head."""
    keys = shard._keyring.get(["customer:0", "customer:1"])
    [row] = shard.stored(0, 1)
    head = row.state[: row.state.rfind(SEALED)]

    with pytest.raises(ValueError, match="position 1 cannot be opened"):
        opened([row._replace(state=closed(head, b"{}", keys["customer:1"]))], shard._keyring)


def test_two_who_say_the_same_are_digested_differently(shard: Shard) -> None:
    """What is kept to know a resend by tells nobody what was said."""
    contents = {
        bytes(content) for (content,) in shard._recorder.query("SELECT content FROM {p}sources")
    }

    assert len(contents) == 6


def test_who_was_forgotten_is_unreadable_refused_and_stays_so(
    shard: Shard, journal: Journal
) -> None:
    """Their events are places that say nothing, new ones are refused, and every count
    still balances.
    """
    keyring = shard._keyring
    before = shard.stored(0, 10)
    keyring.destroy(["customer:1", "customer:9"])
    counts = record(shard, onboarded(1), onboarded(9), onboarded(7), offset=1)

    assert counts == Counts(arrived=3, recorded=1, refused=2)
    assert journal.counts().balanced()
    assert shard.stored(0, 6) == before
    assert [row.stream for row in shard.read(0, 10)] == [
        "customer:0",
        FORGOTTEN,
        *(f"customer:{number}" for number in (2, 3, 4, 5, 7)),
    ]
    assert shard.history("customer:1") == []
    assert keyring.destroyed(["customer:0", "customer:1", "customer:9", "customer:nobody"]) == {
        "customer:1",
        "customer:9",
    }
    assert keyring.counts() == (6, 2, 0)


def test_another_process_lets_a_key_go_that_was_destroyed(shard: Shard) -> None:
    """Within a second or two, however long it had it at hand."""
    other = pickle.loads(pickle.dumps(shard._keyring))
    assert opened(shard.stored(0, 1), other)[0].event_type != FORGOTTEN
    shard._keyring.destroy(["customer:0"])
    deadline = time.monotonic() + 5
    while opened(shard.stored(0, 1), other)[0].event_type != FORGOTTEN:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_deleted_key_is_not_left_in_the_file(tmp_path: Path) -> None:
    """SQLite overwrites what it deletes, and the log beside it is emptied."""
    keyring = keyring_in(tmp_path)
    keyring.get_or_create(["customer:1"])
    with sqlite3.connect(tmp_path / "keys.db") as database:
        [(wrapped,)] = database.execute("SELECT wrapped FROM keys").fetchall()
    database.close()
    keyring.destroy(["customer:1"])

    assert all(wrapped not in file.read_bytes() for file in tmp_path.glob("keys.db*"))


def test_keys_are_wrapped_anew_by_another_master(shard: Shard, tmp_path: Path) -> None:
    """Rotation: the old master opens nothing any more, the new one everything.

    Nothing in the journal changes.
    """
    keyring, before, stored = shard._keyring, shard.read(0, 10), shard.stored(0, 10)
    file, other = Path(keyring._master._where), pickle.loads(pickle.dumps(keyring))
    old = file.read_text()
    file.write_text(f"{'ab' * 32}\n{old}")
    keyring.notify()
    assert keyring.rewrap() == 6
    file.write_text("ab" * 32)
    keyring.notify()
    (tmp_path / "old").write_text(old)
    time.sleep(1.1)

    assert shard.stored(0, 10) == stored
    assert opened(stored, keyring) == opened(stored, other) == before
    with pytest.raises(Unwrappable, match="is not wrapped by the master key"):
        opened(stored, Keyring(keyring._url, FileMaster(str(tmp_path / "old"))))
    assert keyring.rewrap() == 0


def test_an_empty_database_of_keys_is_not_taken_for_oblivion(shard: Shard, tmp_path: Path) -> None:
    """A lost key is an error; only a destroyed one is silence."""
    with pytest.raises(NoKey, match="not the one that belongs to this journal"):
        opened(shard.stored(0, 10), keyring_in(tmp_path / "other"))


def test_two_processes_that_make_a_key_at_once_have_the_same(tmp_path: Path) -> None:
    """Whoever comes second takes the first one's."""
    first = keyring_in(tmp_path)
    rings = [first, *(pickle.loads(pickle.dumps(first)) for _ in range(3))]
    found: list[bytes] = []

    def make(ring: Keyring) -> None:
        for number in range(50):
            [key] = ring.get_or_create([f"customer:{number}"]).values()
            assert key is not None
            found.append(key.digest(b"%d" % number))

    threads = [threading.Thread(target=make, args=(ring,)) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 200
    assert len(set(found)) == 50


@pytest.mark.parametrize("said", ["", "00", "zz" * 32])
def test_what_is_no_master_key_is_refused(
    tmp_path: Path, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it stands."""
    (tmp_path / "master").write_text(said)
    monkeypatch.setenv("MASTER", said)
    for made in (lambda: FileMaster(str(tmp_path / "master")), lambda: EnvironmentMaster("MASTER")):
        with pytest.raises(ValueError, match="64 hexadecimal digits"):
            made()


class _Transit(BaseHTTPRequestHandler):
    """As much of Vault's transit engine as is asked of it."""

    aead = AESGCM(b"\1" * 32)

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        beside = base64.b64decode(said["associated_data"])
        try:
            assert self.headers["x-vault-token"] == "secret"
            if self.path == "/v1/transit/encrypt/tierfold":
                sealed = self.aead.encrypt(b"\0" * 12, base64.b64decode(said["plaintext"]), beside)
                found = {"ciphertext": f"vault:v1:{base64.b64encode(sealed).decode()}"}
            else:
                opened_ = self.aead.decrypt(
                    b"\0" * 12, base64.b64decode(said["ciphertext"].rpartition(":")[2]), beside
                )
                found = {"plaintext": base64.b64encode(opened_).decode()}
        except Exception:  # noqa: BLE001
            self.send_response(400)
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"data": found}).encode())

    def log_message(self, *_: object) -> None:
        pass


def test_a_master_may_be_somebody_who_never_gives_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transit engine's protocol.

    Encrypt and decrypt, bound to the subject, with a token from the environment.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Transit)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("TOKEN", "secret")
    master = TransitMaster(
        f"http://127.0.0.1:{server.server_port}/v1/transit/keys/tierfold", "TOKEN"
    )
    ring = Keyring(f"sqlite://{tmp_path}/keys.db", master)
    [key] = ring.get_or_create(["customer:1"]).values()
    [again] = Keyring(f"sqlite://{tmp_path}/keys.db", master).get(["customer:1"]).values()
    assert key is not None
    assert again is not None
    assert again.open(key.seal(b"said", b"head"), b"head") == b"said"
    with pytest.raises(Unwrappable, match="does not decrypt"):
        master.unwrap("customer:2", master.wrap("customer:1", b"key"))
    monkeypatch.setenv("TOKEN", "wrong")
    with pytest.raises(Unwrappable, match="does not encrypt"):
        master.wrap("customer:1", b"key")
    server.shutdown()


def test_restricted_keys_are_for_auditors_only_until_it_is_lifted(journal: Journal) -> None:
    """Everybody else finds them gone; intake goes on sealing, and auditors open it.

    Lifted, all is as before; destroyed, it is gone for all.
    """
    shard, keyring = journal[0], journal.keyring
    assert keyring is not None
    auditors = Keyring(keyring._url, keyring._master, for_auditors=True)
    keyring.get_or_create(["customer:1", "customer:2"])
    keyring.restrict(["customer:1"])

    assert keyring.get(["customer:1"]) == {"customer:1": None}
    assert auditors.get(["customer:1"])["customer:1"] is not None
    assert keyring.destroyed(["customer:1", "customer:2"]) == set()
    assert keyring.counts() == (2, 0, 1)
    shard.claim()
    arrival = Arrival(0, 0, b"", proposed(CustomerOnboarded(source="branch"), "1", "customer:1"))
    assert shard.record([arrival], LogOffset("log", 0), NOON).counts.recorded == 1
    assert shard.record([arrival], LogOffset("log", 1), NOON).counts.already == 1
    assert (shard.history("customer:1"), keyring.restricted_since("customer:2")) == ([], None)
    assert keyring.restricted_since("customer:1") is not None
    keyring.lift(["customer:1"])
    assert keyring.get(["customer:1"])["customer:1"] is not None
    assert [event.version for event in shard.history("customer:1")] == [1]
    keyring.restrict(["customer:1"])
    keyring.destroy(["customer:1"])
    auditors = Keyring(keyring._url, keyring._master, for_auditors=True)
    assert auditors.get(["customer:1"]) == keyring.get(["customer:1"]) == {"customer:1": None}
    assert keyring.counts() == (1, 1, 0)


def test_a_key_is_never_made_with_a_master_that_is_gone(tmp_path: Path) -> None:
    """Another master followed just before the key is kept: it is wrapped by the new one."""
    keyring = keyring_in(tmp_path)
    master = Path(keyring._master._where)
    keyring.get_or_create(["customer:1"])
    other = Keyring(keyring._url, keyring._master)
    master.write_text(f"{os.urandom(32).hex()}\n{master.read_text()}")
    other.notify()
    other.rewrap()
    master.write_text(master.read_text().split()[0])
    other.notify()
    keyring._looked = time.monotonic()  # it has not heard yet
    made = keyring.get_or_create(["customer:2"])

    assert made["customer:2"] is not None
    assert Keyring(keyring._url, FileMaster(str(master))).get(
        ["customer:1", "customer:2"]
    ).keys() == {"customer:1", "customer:2"}


def test_two_rotations_at_once_lose_nothing(tmp_path: Path) -> None:
    """The second is told to wait; every key is there afterwards."""
    settings = settings_in(tmp_path)
    keyring = keyring_of(settings)
    keyring.get_or_create([f"customer:{number}" for number in range(50)])
    said: list[str] = []

    def rotate() -> None:
        try:
            said.append(with_another_master(settings, keyring_of(settings)))
        except UserError as error:
            said.append(str(error))

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for thread in threads:
        thread.start()
        time.sleep(0.5)
    for thread in threads:
        thread.join()

    assert sorted(each.partition(" ")[0] for each in said) == ["another", "cannot"]
    assert (
        None
        not in keyring_of(settings).get([f"customer:{number}" for number in range(50)]).values()
    )


@pytest.mark.parametrize("binary", [True, False])
def test_quarantined_bytes_go_with_whom_they_name(journal: Journal, binary: bool) -> None:
    """In the bytes, or in a header of a binary event: once the key is gone, so are they."""
    shard, keyring = journal[0], journal.keyring
    assert keyring is not None
    shard.claim()
    keyring.get_or_create(["customer:q"])
    raw = (
        b'{"value": "13800138000"}'
        if binary
        else b'{"subject": "customer:q", "value": "13800138000"}'
    )
    beside = json.dumps({"key": None, "headers": {"ce_subject": "customer:q"}}) if binary else None
    shard.record([Arrival(0, 0, raw, Rejected("bad"), beside)], LogOffset("log", 0), NOON)
    assert shard.quarantined()[0].original == raw
    keyring.destroy(["customer:q"])

    assert (shard.quarantined()[0].original, shard.quarantined()[0].sent_with) == (b"", None)


def test_junk_makes_no_keys(journal: Journal) -> None:
    """Three thousand names of nobody in quarantine: one key, that of the month."""
    shard, keyring = journal[0], journal.keyring
    assert keyring is not None
    shard.claim()
    before = keyring.counts().there
    junk = [
        Arrival(0, number, b'{"subject": "customer:nobody-%d"}' % number, Rejected("bad"))
        for number in range(3_000)
    ]
    shard.record(junk, LogOffset("log", 0), NOON)

    assert keyring.counts().there == before + 1
    assert {entry.subject for entry in shard.quarantined(limit=3_000)} == {
        f"quarantine:{NOON:%Y-%m}"
    }


def test_a_key_that_was_read_before_it_was_destroyed_is_not_at_hand_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread reads it, another hears of its end, and only then does the first go on."""
    keyring = keyring_in(tmp_path)
    keyring.get_or_create(["customer:1"])
    other = pickle.loads(pickle.dumps(keyring))
    query, read = other._tables.query, threading.Event()
    destroyed = threading.Event()

    def slow(sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        rows = query(sql, parameters)
        if "wrapped, restricted_at" in sql and not read.is_set():
            read.set()
            assert destroyed.wait(10)
        return rows

    monkeypatch.setattr(other._tables, "query", slow)
    reading = threading.Thread(target=other.get, args=(["customer:1"],))
    reading.start()
    assert read.wait(10)
    keyring.destroy(["customer:1"])
    time.sleep(1.1)
    other.known(["customer:2"])  # this thread hears of it
    destroyed.set()
    reading.join()

    assert other.get(["customer:1"]) == {"customer:1": None}
