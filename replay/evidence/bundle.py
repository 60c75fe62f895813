"""What does an auditor take away?

One file: a customer's events with their proofs, the policies, and every decision explained.

It is a signed note, an empty line, and one JSON document, whose SHA-256 the note names; so no byte
of it can change. What is said of the journal needs no trust in who made the file: each event has a
path to the root of a signed checkpoint, follows by its hash on the one before in its stream, and
the last is held to the census.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from domain.offers.events import CATALOGUES, DECISIONS, OfferDecided
from domain.rollout.events import STREAM
from domain.tiering.policy import TierPolicy
from projections.rollout.versions import Rules
from replay.evidence.census import counted_by, entry
from replay.evidence.folder import Evidence
from replay.evidence.proofs import Proofs
from replay.evidence.signed_note import Checkpoint, ProofError, Public, Signer, opened, signed
from replay.history.as_of import history
from replay.history.explain import explain
from replay.history.redecide import Decisions, Unknown
from streams.broker.routing import shard_of
from streams.journal import End, Journal, Row, Shard
from streams.journal.merkle import inclusion, leaf_hash, root_over

FORMAT = "tierfold-bundle@1"
EARLIER = 32
"""Checkpoints before the last one that are shown to be its beginning."""
HISTORY_EVENTS = 1_000


class NotYet(ValueError):
    """There is nothing to prove yet; says what to wait for."""


@dataclass(frozen=True)
class Bundled:
    """What went into a bundle: proven events, and those that are newer than the last checkpoint."""

    events: int
    newer: int
    decisions: int
    content: bytes


class Maker:
    """Makes bundles of one journal; the bank began with a tier policy."""

    def __init__(
        self,
        journal: Journal,
        evidence: Path,
        keys: Sequence[Public],
        begun_with: TierPolicy,
        signer: Signer,
    ) -> None:
        self._journal = journal
        self._evidence = evidence
        self._keys = keys
        self._begun_with = begun_with
        self._signer = signer
        self._shards: dict[int, _ShardProven] = {}

    def bundle(self, customer: str, now: datetime, rules: Rules) -> Bundled:
        """The bundle of a customer (`customer:7`); raises `NotYet` while nothing of
        them is proven.
        """
        own, newer = self._stream(customer)
        if not own["events"]:
            raise NotYet(
                f"nothing of {customer} is behind a checkpoint yet: {newer} events wait for the "
                "next one"
            )
        why = explain(self._journal, rules, customer, now.date())
        numbers = [number for number in why.numbers if number != customer] if why else []
        others = [
            proven
            for stream in (*numbers, STREAM, CATALOGUES)
            if (proven := self._stream(stream)[0])["events"]
        ]
        shown = [own, *others]
        decisions = list(decided(self._journal, self._begun_with, customer))
        body = msgspec.json.encode(
            {
                "customer": customer,
                "made_at": now,
                "shards": {
                    str(number): self._shards[number].shown
                    for number in sorted({stream["shard"] for stream in shown})
                },
                "streams": shown,
                "tier": why.as_json() if why else None,
                "decisions": decisions,
            }
        )
        text = f"{FORMAT}\n{customer}\nsha256 {sha256(body).hexdigest()}\n"
        content = signed(text, [self._signer.sign(text)]).encode() + b"\n" + body
        return Bundled(len(own["events"]), newer, len(decisions), content)

    def _stream(self, stream: str) -> tuple[dict[str, Any], int]:
        """A stream with its proofs, and how many of its events have none yet."""
        number = shard_of(stream, len(self._journal))
        if number not in self._shards:
            self._shards[number] = _ShardProven(
                self._journal[number], Evidence(self._evidence, number), self._keys
            )
        return self._shards[number].stream(stream)


def decided(journal: Journal, begun_with: TierPolicy, customer: str) -> Iterator[dict[str, Any]]:
    """Every decision about a customer, made once more."""
    decisions = Decisions(journal, begun_with)
    for event in history(journal[shard_of(customer, len(journal))], customer):
        if event.source == DECISIONS and isinstance(event.data, OfferDecided):
            try:
                remade = asdict(decisions.again(event))
                del remade["in_full"]  # it follows, and nothing in a bundle proves it
                yield {"version": event.version, **remade}
            except Unknown as why:
                yield {
                    "version": event.version,
                    "decision": event.data.decision,
                    "equal": False,
                    "unknown": str(why),
                }


def split(content: bytes) -> tuple[str, bytes]:
    """The note of a bundle, and the document that it names."""
    text, _, rest = content.partition(b"\n\n")
    lines, _, body = rest.partition(b"\n\n")
    return f"{text.decode()}\n\n{lines.decode()}\n", body


class _ShardProven:
    """A shard at its last checkpoint, and proofs that lead there.

    `shown` is what a bundle says of it.
    """

    def __init__(self, shard: Shard, evidence: Evidence, keys: Sequence[Public]) -> None:
        notes = evidence.checkpoints()
        if not notes:
            raise NotYet(
                f"shard {shard.number} has no checkpoint yet: run the notary, and wait a minute"
            )
        earlier = _some(notes[:-1])
        heads = [Checkpoint.read(opened(note, keys).text) for note in (*earlier, notes[-1])]
        proofs = Proofs(shard)
        self._shard = shard
        self._size = heads[-1].size
        self._path = partial(proofs.inclusion, size=self._size)
        counted = evidence.censuses()[-1:]
        self._census = Checkpoint.read(opened(counted[0], keys).text) if counted else None
        self._entries = evidence.entries(self._census.at.date().isoformat()) if self._census else []
        self.shown: dict[str, Any] = {
            "checkpoint": notes[-1],
            "earlier": [
                {"note": note, "proof": proofs.consistency(old.size, new.size)}
                for note, (old, new) in zip(earlier, pairwise(heads), strict=True)
            ],
            "census": counted[0] if counted else None,
        }

    def stream(self, stream: str) -> tuple[dict[str, Any], int]:
        """A stream's events with their proofs, its entry in the census, and how many events are not
        yet proven.
        """
        places = [(row, self._shard.index_of(row.position)) for row in _rows(self._shard, stream)]
        proven = [(row, index) for row, index in places if index < self._size]
        counted = counted_by(self._census)
        shown = {
            "stream": stream,
            "shard": self._shard.number,
            "events": [
                self._shown(row, index, told)
                for (row, index), told in zip(
                    proven, self._shard.payloads([row for row, _ in proven]), strict=True
                )
            ],
            "census": self._entry(stream, [row for row, index in proven if index < counted]),
        }
        return shown, len(places) - len(proven)

    def _shown(self, row: Row, index: int, told: tuple[bytes, bytes] | None) -> dict[str, Any]:
        """An event with its path.

        If it is sealed, what it says, with the salt of its head's commitment.
        """
        shown = {"index": index, "stored": row.state.decode(), "path": self._path(index)}
        return shown if told is None else {**shown, "said": told[0].decode(), "salt": told[1]}

    def _entry(self, stream: str, counted: Sequence[Row]) -> dict[str, Any] | None:
        """Where in the last census the stream is, and its path to the root.

        None if it was not there yet.
        """
        if not counted:
            return None
        end = End(len(counted), leaf_hash(counted[-1].state))
        here = leaf_hash(entry(stream, end))
        if here not in self._entries:
            raise ProofError(
                f"{stream} does not end where the census of "
                f"{self._census.at.date() if self._census else None} counted it: verify the journal"
            )
        index = self._entries.index(here)
        return {
            "version": end.version,
            "hash": end.hash,
            "index": index,
            "path": inclusion(
                lambda begin, end: root_over(self._entries[begin:end]), index, 0, len(self._entries)
            ),
        }


def _rows(shard: Shard, stream: str) -> Iterator[Row]:
    version = 0
    while rows := shard.rows(stream, version, HISTORY_EVENTS):
        yield from rows
        version += len(rows)


def _some(notes: Sequence[str]) -> Sequence[str]:
    """The first, and so many of the others, evenly."""
    step = max(1, -(-len(notes) // EARLIER))
    return notes[::step]
