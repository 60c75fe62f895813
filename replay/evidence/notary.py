"""Who vouches for what the journal says?

A notary: it hashes what is newly stored, and signs the head of every shard's tree.

It does not take intake's word. What it reads must be what intake hashed when it was appended, and
must follow on what it has signed before; otherwise it signs nothing more for that shard, and says
so.
"""

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Protocol

import structlog

from replay.evidence.census import counted, counted_by, entries
from replay.evidence.folder import Evidence
from replay.evidence.proofs import Proofs
from replay.evidence.signed_note import Checkpoint, ProofError, Public, Signer, opened, signed
from replay.evidence.verify_journal import differences
from replay.evidence.witness import Behind, cosigned
from streams.journal import Journal, Leaf, Shard
from streams.journal.merkle import Tree, leaf_hash, root_over
from streams.observability.metrics import DOUBTED, PULSE, SIGNED

log = structlog.get_logger()

LOOK_EVERY = 1.0
CHUNK_LEAVES = 10_000
DAY = timedelta(days=1)


class Busy(RuntimeError):
    """Another notary is at work on the same evidence."""


class Cosigner(Protocol):
    """A witness, here or elsewhere."""

    public: Public

    def cosign(self, old: int, proof: Sequence[bytes], note: str) -> str: ...


class Book:
    """What the notary knows of one shard: its evidence, and the tree over it."""

    def __init__(self, shard: Shard, folder: Path, origin: str, signer: Signer) -> None:
        self.shard = shard
        self.origin = f"{origin}/shard/{shard.number}"
        self._census_origin = f"{origin}/census/{shard.number}"
        self._signer = signer
        self._evidence = Evidence(folder, shard.number)
        self._tree = Tree()
        self._pending: list[Leaf] = []
        self._after = 0
        self.signed = self._opened()
        self.counted = self._last(self._evidence.censuses())

    def look(self, *, force: bool, events: int, every: timedelta, now: datetime) -> str | None:
        """Read what is new; the text of a signed checkpoint if one is due.

        Raises `ProofError` if what is stored is not what was appended.
        """
        while leaves := list(islice(self.shard.leaves(self._tree.size), CHUNK_LEAVES)):
            self._take(leaves)
        fresh = self._tree.size - (self.signed.size if self.signed else 0)
        late = self.signed is None or now - self.signed.at >= every
        if not fresh or not (force or late or fresh >= events):
            return None
        self._evidence.append_leaves(self._pending)
        self._pending = []
        self.signed = Checkpoint(self.origin, self._tree.size, self._tree.root, now)
        return signed(self.signed.text(), [self._signer.sign(self.signed.text())])

    @property
    def is_signed(self) -> bool:
        """Whether nothing has come since it was signed."""
        return self.signed is not None and self.signed.size == self._tree.size

    def keep(self, note: str) -> None:
        """Keep a checkpoint, cosigned or not."""
        self._evidence.append_checkpoint(note)

    def count(self, now: datetime, *, force: bool) -> None:
        """Take the census of what is signed, if the last is a day old or of half as many events.

        Only where nothing waits to be signed.
        """
        if self.signed is None or not self.is_signed:
            return
        before = counted_by(self.counted)
        if before == self.signed.size or (
            self.counted
            and not force
            and now - self.counted.at < DAY
            and self.signed.size < 2 * before
        ):
            return
        hashes = list(entries(self.shard, self._after))
        self.counted = Checkpoint(
            self._census_origin, len(hashes), root_over(hashes), now, (counted(self.signed.size),)
        )
        text = self.counted.text()
        self._evidence.append_census(
            signed(text, [self._signer.sign(text)]), now.date().isoformat(), hashes
        )

    def _take(self, leaves: Sequence[Leaf]) -> None:
        PULSE.beat()
        rows = self.shard.stored(
            self._after, leaves[-1].position - self._after, leaves[-1].position
        )
        if wrong := differences(leaves, [Leaf(row.position, leaf_hash(row.state)) for row in rows]):
            raise ProofError(f"position {wrong[0].first} {wrong[0].said} since it was appended")
        for leaf in leaves:
            self._tree.append(leaf.hash)
        self._pending += leaves
        self._after = leaves[-1].position

    def _opened(self) -> Checkpoint | None:
        """Go on behind the evidence, which must come to what was signed last."""
        last = self._last(self._evidence.checkpoints())
        for position, leaf in self._evidence.leaves():
            self._tree.append(leaf)
            self._after = position
            if last and self._tree.size == last.size and self._tree.root != last.root:
                raise ProofError(
                    f"the evidence of {self.origin} does not come to the root that was signed last"
                )
        if last and self._tree.size < last.size:
            raise ProofError(
                f"the evidence of {self.origin} has {self._tree.size} leaves, and {last.size} "
                "were signed"
            )
        return last

    def _last(self, notes: Sequence[str]) -> Checkpoint | None:
        return Checkpoint.read(opened(notes[-1], [self._signer.public]).text) if notes else None


class Notary:
    """Signs the heads of all shards: after so many `events`, or `every` so long.

    And takes a census a day.
    """

    def __init__(
        self,
        journal: Journal,
        folder: Path,
        origin: str,
        signer: Signer,
        witness: Cosigner | None,
        events: int,
        every: timedelta,
    ) -> None:
        self._journal = journal
        self._folder = folder
        self._open: Callable[[Shard], Book] = partial(
            Book, folder=folder, origin=origin, signer=signer
        )
        self._witness = witness
        self._events = events
        self._every = every
        self._books: dict[int, Book] = {}
        self._doubted: dict[int, str] = {}

    def run(self, stop: threading.Event) -> None:
        """Look again and again until told to stop.

        A shard that is doubted is signed no more. Raises `Busy`.
        """
        with self._alone():
            while not stop.wait(LOOK_EVERY):
                self._round(force=False)

    def sign(self) -> dict[int, str]:
        """Sign and count all that is new; gives the doubts, by shard. Raises `Busy`."""
        with self._alone():
            return self._round(force=True)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Two who append to the same evidence would spoil it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise Busy(f"another notary writes to {self._folder}") from error
            yield

    def _round(self, *, force: bool) -> dict[int, str]:
        """Look at every shard once, and sign and count what is due, or all if forced."""
        PULSE.beat()
        for shard in self._journal:
            if shard.number not in self._doubted:
                try:
                    self._look(shard, force=force)
                except ProofError as doubt:
                    self._doubted[shard.number] = str(doubt)
                    DOUBTED.set(len(self._doubted))
                    log.error("not_vouched_for", shard=shard.number, said=str(doubt))  # noqa: TRY400 - the sentence says it
        return self._doubted

    def _look(self, shard: Shard, *, force: bool) -> None:
        if shard.number not in self._books:
            self._books[shard.number] = self._open(shard)
        book, now = self._books[shard.number], datetime.now(UTC).replace(microsecond=0)
        if note := book.look(force=force, events=self._events, every=self._every, now=now):
            book.keep(self._cosigned(shard, note))
        if book.signed:
            SIGNED.labels(shard.number).set((now if book.is_signed else book.signed.at).timestamp())
        book.count(now, force=force)

    def _cosigned(self, shard: Shard, note: str) -> str:
        """With the witness's word, if there is a witness and it can be reached.

        It is asked again with the next one.
        """
        if self._witness is None:
            return note
        size = Checkpoint.read(note.rpartition("\n\n")[0] + "\n").size
        old = 0
        try:
            for _ in range(2):
                try:
                    line = self._witness.cosign(old, Proofs(shard).consistency(old, size), note)
                    return cosigned(note, line, self._witness.public)
                except Behind as behind:
                    old = behind.size
        except (ProofError, OSError) as error:
            log.error("not_witnessed", shard=shard.number, said=str(error))  # noqa: TRY400
        return note
