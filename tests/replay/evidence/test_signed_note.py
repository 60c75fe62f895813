"""Signed notes are those of c2sp.org.

Held to what Go's package publishes, and to every bit of a signature.
"""

import base64
from datetime import UTC, datetime

import pytest

from replay.evidence.signed_note import Checkpoint, ProofError, Public, Signer, opened, signed

TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"  # noqa: E501
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
LINE = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501
OTHER = Signer("EnochRoot", b"\1" * 32)
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_note_is_signed_as_published() -> None:
    """Key, id and signature are those of the example of Go's `sumdb/note`."""
    signer = Signer.read(SECRET)

    assert str(signer.public) == PUBLIC == str(Public.read(PUBLIC))
    assert signer.secret() == SECRET
    assert signer.sign(TEXT) == LINE
    assert opened(f"{TEXT}\n{LINE}", [Public.read(PUBLIC)]).by == {"PeterNeumann": None}


def test_a_note_needs_one_signature_whose_key_is_known_and_no_wrong_one() -> None:
    """Signatures of strangers are let be."""
    note = signed(TEXT, [LINE, OTHER.sign(TEXT)])
    known = [Public.read(PUBLIC)]

    assert opened(note, known).text == TEXT
    assert opened(note, [OTHER.public, *known]).by == {"PeterNeumann": None, "EnochRoot": None}
    with pytest.raises(ProofError, match="nobody whose key is known"):
        opened(signed(TEXT, [OTHER.sign(TEXT)]), known)
    with pytest.raises(ProofError, match="EnochRoot is not over this text"):
        opened(signed(TEXT, [LINE, OTHER.sign("other\n")]), [OTHER.public, *known])


def test_no_byte_of_a_note_can_change() -> None:
    """Neither of the text nor of its signature, not even bits of the code that say nothing."""
    note, known = signed(TEXT, [LINE]).encode(), [Public.read(PUBLIC)]
    passed = []
    for place in range(len(note)):
        for flip in (1, 2, 4, 32, 128):
            changed = note[:place] + bytes([note[place] ^ flip]) + note[place + 1 :]
            try:
                opened(changed.decode("utf-8", "surrogateescape"), known)
            except (ProofError, UnicodeError):
                continue
            passed.append((place, flip))

    assert passed == []


def test_a_cosignature_is_of_a_time() -> None:
    """And of no other: the time is signed with the text."""
    witness = Signer("witness.example", b"\2" * 32, cosigns=True)
    line = witness.cosign(TEXT, AT)
    raw = base64.b64decode(line.split()[2])
    later = f"— {witness.name} {base64.b64encode(raw[:4] + (int.from_bytes(raw[4:12], 'big') + 1).to_bytes(8, 'big') + raw[12:]).decode()}\n"  # noqa: E501

    assert opened(signed(TEXT, [line]), [witness.public]).by == {"witness.example": AT}
    with pytest.raises(ProofError):
        opened(signed(TEXT, [later]), [witness.public])


@pytest.mark.parametrize(
    "line", ["", "name", "name+00000000+AA==", PUBLIC.replace("c74f20a3", "c74f20a4"), PUBLIC[:-4]]
)
def test_what_is_no_key_is_refused(line: str) -> None:
    """With what a key looks like."""
    with pytest.raises(ValueError, match="key"):
        Public.read(line)


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    """And in no other spelling."""
    checkpoint = Checkpoint("bank.example/shard/3", 20_852_163, b"\5" * 32, AT, ("events 7",))
    text = checkpoint.text()

    assert Checkpoint.read(text) == checkpoint
    assert text.startswith("bank.example/shard/3\n20852163\n")
    for wrong in (
        text.replace("20852163", "020852163"),
        text.replace("time ", ""),
        text + "\n",
        "\n".join(text.split("\n")[:2]),
        text.replace("BQU", "BQ!"),
    ):
        with pytest.raises(ProofError, match="no checkpoint"):
            Checkpoint.read(wrong)
