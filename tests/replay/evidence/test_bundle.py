"""A bundle proves a customer's history to whoever has the public keys, and nothing that was changed
is ever proven.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from deploy.reports.story import story
from deploy.standalone import verify_bundle
from domain.customers.events import CustomerOnboarded
from domain.tiering.policy import TierPolicy
from projections.rollout.versions import Rules
from replay.evidence.bundle import Maker, NotYet, split
from replay.evidence.notary import Notary
from replay.evidence.signed_note import ProofError, Public, Signer, signed
from replay.evidence.verify_bundle import audit
from streams.broker.routing import shard_of, spread
from streams.journal import Arrival, Journal, LogOffset
from streams.sources.synth import Bank, synth
from tests.conftest import NOON, keyring_in
from tests.replay.evidence.test_verify_journal import SIGNER, fill, vouch

SHARDS = 2
BUNDLES = Signer("bank.example/bundles", b"\5" * 32)
KEYS = [SIGNER.public, BUNDLES.public]
CUSTOMER = "customer:100003"
SCRIPT = Path(verify_bundle.__file__)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Path]]:
    """A synthetic bank in two shards, signed three times as it grew, and counted.

    Then a few events more that are not signed.
    """
    folder = tmp_path_factory.mktemp("bundles")
    journal = Journal(f"sqlite://{folder}/journal", SHARDS, keyring_in(folder))
    copies = [copy for event in synth(Bank(60, 3, 1)) for copy in spread(event, SHARDS)]
    for part in range(4):
        for shard in journal:
            shard.claim()
            own = [event for event in copies if shard_of(event.stream, SHARDS) == shard.number]
            some = own[part * len(own) // 4 : (part + 1) * len(own) // 4]
            shard.record(
                [Arrival(0, number, b"", event) for number, event in enumerate(some)],
                LogOffset("log", part),
                NOON,
            )
        if part < 3:
            assert (
                Notary(
                    journal, folder / "evidence", SIGNER.name, SIGNER, None, 1, timedelta(0)
                ).sign()
                == {}
            )
    yield journal, folder
    journal.close()


@pytest.fixture(scope="module")
def made(bank: tuple[Journal, Path], bohai: TierPolicy) -> bytes:
    """A bundle of a customer."""
    return bundle(bank, bohai)


def bundle(bank: tuple[Journal, Path], policy: TierPolicy, signer: Signer = BUNDLES) -> bytes:
    """A bundle as the bank makes it."""
    journal, folder = bank
    return (
        Maker(journal, folder / "evidence", KEYS, policy, signer)
        .bundle(CUSTOMER, NOON, Rules.of(policy))
        .content
    )


def test_a_bundle_proves_a_history(made: bytes, bank: tuple[Journal, Path]) -> None:
    """All events up to the last checkpoint, in order, none missing up to the census."""
    journal, _ = bank
    found, document = audit(made, KEYS)
    events = [json.loads(each["stored"]) for each in document["streams"][0]["events"]]
    history = journal[shard_of(CUSTOMER, SHARDS)].history(CUSTOMER)

    assert found.customer == CUSTOMER
    assert 5 < found.events < len(history)
    assert [event["id"] for event in events] == [event.id for event in history[: len(events)]]
    assert found.counted is not None
    assert [len(shard["earlier"]) for shard in document["shards"].values()] == [2]


def test_a_history_of_one_checkpoint_is_proven(bohai: TierPolicy, tmp_path: Path) -> None:
    """There is nothing before it that it would have to follow on."""
    journal = fill(tmp_path / "journal", 600)
    vouch(journal, tmp_path / "evidence")
    customer = next(
        row.stream for row in journal[0].read(0, 10) if row.stream.startswith("customer:")
    )
    content = (
        Maker(journal, tmp_path / "evidence", KEYS, bohai, BUNDLES)
        .bundle(customer, NOON, Rules.of(bohai))
        .content
    )
    journal.close()

    assert audit(content, KEYS)[0].events > 1
    assert (
        verify_bundle.verify(content, [verify_bundle.key_of(str(key)) for key in KEYS])[0]
        == f"{customer}: verified"
    )


def test_a_stand_alone_script_proves_the_same(made: bytes, tmp_path: Path) -> None:
    """With an empty environment and nothing of ours to import; and refuses what was changed."""
    (tmp_path / "one.bundle").write_bytes(made)
    (tmp_path / "changed.bundle").write_bytes(made.replace(b"previous", b"previovs", 1))
    (tmp_path / "keys.txt").write_text("# the bank's\n" + "\n".join(map(str, KEYS)))
    script = shutil_copy(SCRIPT, tmp_path)

    def run(name: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-I", "-S", script.name, name, "keys.txt"]
        return subprocess.run(
            command, cwd=tmp_path, env={}, capture_output=True, text=True, check=False
        )

    good, bad, none = run("one.bundle"), run("changed.bundle"), run("keys.txt")
    assert (good.returncode, good.stdout.splitlines()[0]) == (0, f"{CUSTOMER}: verified")
    assert (bad.returncode, bad.stdout) == (
        1,
        "not verified: the document is not the one that was signed\n",
    )
    assert none.returncode == 1


def shutil_copy(file: Path, folder: Path) -> Path:
    """A copy of a file."""
    return Path(folder / file.name) if (folder / file.name).write_bytes(file.read_bytes()) else file


def test_no_byte_of_a_bundle_can_change(made: bytes) -> None:
    """Every byte, each changed in one bit.

    And the stand-alone script finds the same of some hundred.
    """
    chance, passed = Random(1), list[tuple[str, int]]()
    keys = [verify_bundle.key_of(str(key)) for key in KEYS]
    few = set(chance.sample(range(len(made)), 200)) | set(range(0, made.index(b"{"), 7))
    for place in range(len(made)):
        changed = (
            made[:place] + bytes([made[place] ^ (1 << chance.randrange(8))]) + made[place + 1 :]
        )
        passed += [("ours", place)] if proves(lambda content=changed: audit(content, KEYS)) else []
        passed += (
            [("alone", place)]
            if place in few and proves(lambda content=changed: verify_bundle.verify(content, keys))
            else []
        )

    assert passed == []
    assert proves(lambda: verify_bundle.verify(made, keys))


def proves(attempt: Callable[[], Any]) -> bool:
    """Whether something is proven: no doubt, and nothing that cannot be read."""
    try:
        attempt()
    except (ProofError, verify_bundle.ProofError, ValueError):
        return False
    return True


def forged(made: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """A bundle that was changed by somebody who has the key with which bundles are signed."""
    document = json.loads(split(made)[1])
    change(document)
    body = msgspec.json.encode(document)
    text = f"tierfold-bundle@1\n{CUSTOMER}\nsha256 {sha256(body).hexdigest()}\n"
    return signed(text, [BUNDLES.sign(text)]).encode() + b"\n" + body


def without_last(document: dict[str, Any]) -> None:
    """Leave out the last event."""
    document["streams"][0]["events"].pop()


def without_one(document: dict[str, Any]) -> None:
    """Leave out one in the middle."""
    document["streams"][0]["events"].pop(4)


def edited(document: dict[str, Any]) -> None:
    """Change what an event says."""
    event = document["streams"][0]["events"][2]
    event["stored"] = event["stored"].replace("2", "3", 1)


def saying_something_else(document: dict[str, Any]) -> None:
    """Show other content of a sealed event than its head commits to."""
    event = document["streams"][0]["events"][2]
    event["said"] = event["said"].replace("{", '{"more":1,', 1)


def swapped(document: dict[str, Any]) -> None:
    """Change the order of two."""
    events = document["streams"][0]["events"]
    events[3], events[4] = events[4], events[3]


def of_another_index(document: dict[str, Any]) -> None:
    """Say that an event lies elsewhere."""
    document["streams"][0]["events"][2]["index"] += 1


def uncounted(document: dict[str, Any]) -> None:
    """Cut off the end, and say that the stream was in no census."""
    del document["streams"][0]["events"][-3:]
    document["streams"][0]["census"] = None


def of_an_older_checkpoint(document: dict[str, Any]) -> None:
    """Show an older checkpoint as the last."""
    for shard in document["shards"].values():
        shard["checkpoint"] = shard["earlier"].pop()["note"]


def with_a_broken_proof(document: dict[str, Any]) -> None:
    """Change a proof between checkpoints."""
    for shard in document["shards"].values():
        shard["earlier"][0]["proof"] = [base64.b64encode(b"\0" * 32).decode()] * len(
            shard["earlier"][0]["proof"]
        )


FORGERIES = [
    without_last,
    without_one,
    edited,
    saying_something_else,
    swapped,
    of_another_index,
    uncounted,
    of_an_older_checkpoint,
    with_a_broken_proof,
]


@pytest.mark.parametrize("change", FORGERIES)
def test_whoever_has_the_key_of_bundles_still_cannot_forge_a_history(
    made: bytes, change: Callable[[dict[str, Any]], None]
) -> None:
    """What is said of the journal rests on what the notary signed, not on who made the file.

    Both verifiers say so.
    """
    content = forged(made, change)
    keys = [verify_bundle.key_of(str(key)) for key in KEYS]

    with pytest.raises(ProofError):
        audit(content, KEYS)
    with pytest.raises(verify_bundle.ProofError):
        verify_bundle.verify(content, keys)
    assert audit(forged(made, lambda _document: None), KEYS)[0].events


def test_only_the_keys_that_are_trusted_count(
    made: bytes, bank: tuple[Journal, Path], bohai: TierPolicy
) -> None:
    """Neither a bundle nor a checkpoint of anybody else's."""
    stranger = Signer("bank.example", b"\6" * 32)
    trusted: list[list[Public]] = [
        [SIGNER.public],
        [BUNDLES.public],
        [stranger.public, BUNDLES.public],
        [],
    ]
    for keys in trusted:
        with pytest.raises(ProofError):
            audit(made, keys)
    with pytest.raises(ProofError):
        audit(bundle(bank, bohai, stranger), KEYS)


def test_what_is_not_signed_yet_is_not_bundled(
    bank: tuple[Journal, Path], bohai: TierPolicy, tmp_path: Path
) -> None:
    """And it is said what to wait for."""
    journal, folder = bank
    with pytest.raises(NotYet, match="no checkpoint yet"):
        Maker(journal, tmp_path, KEYS, bohai, BUNDLES).bundle(CUSTOMER, NOON, Rules.of(bohai))
    with pytest.raises(NotYet, match="nothing of customer:nobody"):
        Maker(journal, folder / "evidence", KEYS, bohai, BUNDLES).bundle(
            "customer:nobody", NOON, bohai
        )


def test_a_bundle_is_told_as_a_story(made: bytes) -> None:
    """Every event in order, in words; what customers wrote cannot become part of the page."""
    found, document = audit(made, KEYS)
    page = story(found, document).decode()
    said = [each.data for each in synth(Bank(60, 3, 1)) if each.stream == CUSTOMER]
    [name] = [each.name for each in said if isinstance(each, CustomerOnboarded)]

    assert name
    assert page.count("<section") == len(document["streams"][0]["events"])
    assert "Verified / 已验证" in page
    assert name in page
    first = document["streams"][0]["events"][0]
    first["stored"] = json.dumps({**json.loads(first["stored"]), "source": "<script>"})
    assert "<script>" not in story(found, document).decode()


def test_a_signature_that_is_put_behind_the_banks_is_found(made: bytes) -> None:
    """Although nobody's whose key is known, and although it says nothing."""
    note, body = split(made)
    line = note.rpartition("\n\n")[2]
    more = line.replace(line.split()[1], "somebody")
    longer = f"{note}{more}".encode() + made[len(note.encode()) :]

    assert split(longer)[1] == body
    with pytest.raises(ProofError, match="one signature"):
        audit(longer, KEYS)
    keys = [verify_bundle.key_of(str(key)) for key in KEYS]
    with pytest.raises(verify_bundle.ProofError, match="one signature"):
        verify_bundle.verify(longer, keys)
