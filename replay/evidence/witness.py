"""Who else has seen it?

A witness cosigns a checkpoint only if it follows on the last one that it saw:
c2sp.org/tlog-witness.

Whoever has its cosignature need not fear that the bank shows one history to one and another to
others. It keeps the last checkpoint of every shard in a folder of its own, and knows nothing of
what the shards hold.
"""

import base64
import binascii
import fcntl
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from replay.evidence.signed_note import (
    Checkpoint,
    Opened,
    ProofError,
    Public,
    Signer,
    opened,
    signed,
)
from streams.journal.merkle import is_consistent

PROOF_LIMIT = 63


class Behind(Exception):
    """The witness has seen another size than the one that was begun from: begin from `size`."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness has seen {size}")
        self.size = size


class Witness:
    """A witness for the logs whose keys it knows."""

    def __init__(
        self, folder: Path, signer: Signer, logs: Sequence[Public], now: Callable[[], datetime]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._signer = signer
        self._logs = logs
        self._now = now

    def cosign(self, old: int, proof: Sequence[bytes], note: str) -> str:
        """The signature line of a checkpoint that follows, by a proof, on the one of `old` leaves.

        Raises `Behind` where that is not the last one seen, and `ProofError` for what is not signed
        by a known log or does not follow.
        """
        found = Checkpoint.read(opened(note, self._logs).text)
        file = self._folder / sha256(found.origin.encode()).hexdigest()
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            seen = _last(file)
            if old != (seen.size if seen else 0):
                raise Behind(seen.size if seen else 0)
            if seen and not is_consistent(seen.size, seen.root, found.size, found.root, proof):
                raise ProofError(f"{found.origin}: {found.size} does not follow on {seen.size}")
            _put(file, note)
        return self._signer.cosign(found.text(), self._now())


def _last(file: Path) -> Checkpoint | None:
    return (
        Checkpoint.read(file.read_text(encoding="utf-8").rpartition("\n\n")[0] + "\n")
        if file.exists()
        else None
    )


def _put(file: Path, note: str) -> None:
    """Put the last checkpoint seen in the place of the one before: whole or not at all."""
    new = file.with_suffix(".new")
    with new.open("w", encoding="utf-8") as opened_file:
        opened_file.write(note)
        opened_file.flush()
        os.fsync(opened_file.fileno())
    new.replace(file)


def asked(old: int, proof: Sequence[bytes], note: str) -> str:
    """The question to a witness, as tlog-witness writes it."""
    return "".join(
        [f"old {old}\n", *(f"{base64.b64encode(step).decode()}\n" for step in proof), "\n", note]
    )


def read_question(body: str) -> tuple[int, list[bytes], str]:
    """What a witness is asked: the size to begin from, the proof, and the checkpoint.

    Raises `ProofError` if it cannot be read.
    """
    head, gap, note = body.partition("\n\n")
    first, *steps = head.split("\n")
    try:
        old = int(first.removeprefix("old "))
        proof = [base64.b64decode(step, validate=True) for step in steps]
    except (ValueError, binascii.Error) as error:
        raise ProofError("this is no question to a witness") from error
    if not gap or not first.startswith("old ") or old < 0 or len(proof) > PROOF_LIMIT:
        raise ProofError("this is no question to a witness")
    return old, proof, note


def cosigned(note: str, line: str, witness: Public) -> str:
    """A checkpoint with a witness's line behind the others.

    Raises `ProofError` if the witness did not sign it.
    """
    text, _, lines = note.rpartition("\n\n")
    both = signed(f"{text}\n", [lines, line])
    found: Opened = opened(both, [witness])
    return signed(found.text, [lines, line])
