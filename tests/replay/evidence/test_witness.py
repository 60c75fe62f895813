"""A witness cosigns what follows on what it saw, and nothing else.

Whoever shows two histories is found out.
"""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from structlog.testing import capture_logs

from replay.evidence.folder import Evidence
from replay.evidence.notary import Notary
from replay.evidence.signed_note import Checkpoint, ProofError, Signer, opened, signed
from replay.evidence.witness import Behind, Witness
from replay.evidence.witness_http import RemoteWitness, witness_app
from streams.journal.merkle import consistency, leaf_hash, root_over
from tests.conftest import free_port
from tests.replay.evidence.test_verify_journal import SIGNER, fill

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
WITNESS = Signer("witness.example", b"\3" * 32, cosigns=True)
LEAVES = [leaf_hash(b"%d" % number) for number in range(40)]
OTHERS = [leaf_hash(b"x"), *LEAVES[1:]]


def checkpoint(size: int, leaves: list[bytes] = LEAVES, signer: Signer = SIGNER) -> str:
    """A signed checkpoint of the first so many leaves."""
    text = Checkpoint("bank.example/shard/0", size, root_over(leaves[:size]), AT).text()
    return signed(text, [signer.sign(text)])


def proof(old: int, new: int, leaves: list[bytes] = LEAVES) -> list[bytes]:
    """That one list is the beginning of another."""
    return consistency(lambda begin, end: root_over(leaves[begin:end]), old, new)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """A witness of the bank."""
    return Witness(tmp_path / "witness", WITNESS, [SIGNER.public], lambda: AT)


@pytest.fixture
def remote(witness: Witness) -> Iterator[RemoteWitness]:
    """The same, in a server of its own."""
    server = uvicorn.Server(
        uvicorn.Config(witness_app(witness), port=(port := free_port()), log_level="error")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield RemoteWitness(f"http://127.0.0.1:{port}", WITNESS.public)
    server.should_exit = True
    thread.join()


def test_what_follows_is_cosigned(witness: Witness, tmp_path: Path) -> None:
    """From nothing, further, the same once more, and by a witness that was started anew."""
    for old, new in ((0, 7), (7, 7), (7, 20)):
        note = checkpoint(new)
        line = witness.cosign(old, proof(old, new) if old else [], note)
        assert opened(note + line, [WITNESS.public]).by == {"witness.example": AT}
    again = Witness(tmp_path / "witness", WITNESS, [SIGNER.public], lambda: AT)

    assert again.cosign(20, proof(20, 33), checkpoint(33))


def test_what_does_not_follow_is_refused(witness: Witness) -> None:
    """Another history, a shorter one, a proof of something else, somebody else's signature.

    And the next true one is cosigned.
    """
    witness.cosign(0, [], checkpoint(20))
    for old, steps, note, refused in (
        (20, proof(20, 33, OTHERS), checkpoint(33, OTHERS), "does not follow"),
        (20, [], checkpoint(20, OTHERS), "does not follow"),
        (20, [], checkpoint(7), "does not follow"),
        (20, proof(20, 40), checkpoint(33), "does not follow"),
        (
            20,
            proof(20, 33),
            checkpoint(33, signer=Signer("bank.example", b"\4" * 32)),
            "nobody whose key is known",
        ),
    ):
        with pytest.raises(ProofError, match=refused):
            witness.cosign(old, steps, note)
    with pytest.raises(Behind) as behind:
        witness.cosign(7, proof(7, 33), checkpoint(33))

    assert behind.value.size == 20
    assert witness.cosign(20, proof(20, 33), checkpoint(33))


def test_a_witness_elsewhere_is_asked_as_published(remote: RemoteWitness) -> None:
    """c2sp.org/tlog-witness: 200 with its line, 409 with its size, 422 for what does not follow."""
    line = remote.cosign(0, [], checkpoint(20))

    assert opened(checkpoint(20) + line, [WITNESS.public]).by == {"witness.example": AT}
    with pytest.raises(Behind):
        remote.cosign(0, [], checkpoint(33))
    with pytest.raises(ProofError, match="does not follow"):
        remote.cosign(20, [], checkpoint(33, OTHERS))
    for wrong, status in (
        (b"", 422),
        (b"old x\n\n", 422),
        (b"old 1\n!\n\nnote", 422),
        (b"\xff", 422),
        (b"x" * 70_000, 413),
    ):
        assert httpx.post(remote._url, content=wrong).status_code == status


def test_a_notary_has_its_checkpoints_cosigned_and_signs_alone_where_it_cannot(
    tmp_path: Path, remote: RemoteWitness
) -> None:
    """A witness that is gone, or refuses, is said to be; evidence goes on."""
    journal = fill(tmp_path / "journal", 600)

    def sign(witness: RemoteWitness) -> None:
        assert (
            Notary(
                journal, tmp_path / "evidence", SIGNER.name, SIGNER, witness, 1, timedelta(0)
            ).sign()
            == {}
        )

    sign(remote)
    fill(tmp_path / "journal", 900, begun=600).close()
    with capture_logs() as logs:
        sign(RemoteWitness(f"http://127.0.0.1:{free_port()}", WITNESS.public))
    fill(tmp_path / "journal", 1_200, begun=900).close()
    sign(remote)
    by = [
        opened(note, [SIGNER.public, WITNESS.public]).by.keys()
        for note in Evidence(tmp_path / "evidence", 0).checkpoints()
    ]

    assert [sorted(names) for names in by] == [
        ["bank.example", "witness.example"],
        ["bank.example"],
        ["bank.example", "witness.example"],
    ]
    assert [each["event"] for each in logs] == ["not_witnessed"]
