"""Does a bundle prove what it says?

Held to nothing but public keys: no journal, no network, no trust in who made it.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Any

import msgspec

from domain.offers.events import DECISIONS
from replay.evidence.bundle import FORMAT, split
from replay.evidence.census import counted_by, entry
from replay.evidence.signed_note import COSIGNS, Checkpoint, Opened, ProofError, Public, opened
from streams.journal import End
from streams.journal.merkle import is_consistent, is_included, leaf_hash
from streams.keyring import commitment

UNPROVEN = (
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    ValueError,
    binascii.Error,
    msgspec.DecodeError,
)
"""What reading a document may raise that no bundle is."""


@dataclass
class Audited:
    """What a bundle was found to prove."""

    customer: str
    events: int = 0
    streams: int = 0
    checkpoints: list[str] = field(default_factory=list)
    """The times of the last checkpoints, one a shard."""
    witnesses: list[str] = field(default_factory=list)
    counted: str | None = None
    """The time of the census up to whose count nothing of the customer is missing."""
    decisions: int = 0
    equal: int = 0
    sealed: int = 0
    """Events whose content is not disclosed, or was forgotten.

    That they were recorded, and where, is proven all the same.
    """


def audit(content: bytes, keys: Sequence[Public]) -> tuple[Audited, dict[str, Any]]:
    """What a bundle proves, and the document in it.

    Raises `ProofError` with the first thing that it does not prove.
    """
    try:
        note, body = split(content)
        if note.rpartition("\n\n")[2].count("\n") != 1:
            raise ProofError("a bundle has one signature, that of the bank, and nothing behind it")
        document = _document(opened(note, keys).text, body)
        return _audited(document, keys), document
    except ProofError:
        raise
    except UNPROVEN as error:
        raise ProofError(f"this is no bundle that can be read ({type(error).__name__})") from error


def _document(text: str, body: bytes) -> dict[str, Any]:
    format_, customer, digest = text.removesuffix("\n").split("\n")
    if format_ != FORMAT:
        raise ProofError(f"this is {format_}, and only {FORMAT} can be verified")
    if digest != f"sha256 {sha256(body).hexdigest()}":
        raise ProofError("the document is not the one that was signed")
    found: dict[str, Any] = msgspec.json.decode(body)
    if found["customer"] != customer or found["streams"][0]["stream"] != customer:
        raise ProofError(f"the document is not about {customer}")
    return found


def _audited(document: Mapping[str, Any], keys: Sequence[Public]) -> Audited:
    found = Audited(document["customer"], streams=len(document["streams"]))
    shards = {int(number): _Shard(shown, keys) for number, shown in document["shards"].items()}
    for shown in document["streams"]:
        found.events += shards[shown["shard"]].follow(shown)
        found.sealed += sum(shown_event(event)["data"] is None for event in shown["events"])
    own = shards[document["streams"][0]["shard"]]
    found.counted = (
        own.census.at.isoformat() if own.census and document["streams"][0]["census"] else None
    )
    found.checkpoints = [shard.head.at.isoformat() for shard in shards.values()]
    found.witnesses = sorted(set.intersection(*(shard.witnesses for shard in shards.values())))
    found.decisions, found.equal = _explained(document)
    return found


class _Shard:
    """A shard as a bundle shows it: its last checkpoint, those before it, and its census."""

    def __init__(self, shown: Mapping[str, Any], keys: Sequence[Public]) -> None:
        self.head, signed = _signed(shown["checkpoint"], "shard", keys)
        self.witnesses = {name for name, at in signed.by.items() if at is not None}
        self.census = _signed(shown["census"], "census", keys)[0] if shown["census"] else None
        earlier = [_signed(each["note"], "shard", keys)[0] for each in shown["earlier"]]
        for (old, new), each in zip(pairwise([*earlier, self.head]), shown["earlier"], strict=True):
            if old.origin != new.origin or not is_consistent(
                old.size, old.root, new.size, new.root, _bytes(each["proof"])
            ):
                raise ProofError(
                    f"the checkpoint of {new.at.isoformat()} does not follow on that of "
                    f"{old.at.isoformat()}"
                )

    def follow(self, shown: Mapping[str, Any]) -> int:
        """How many events of a stream are proven, each behind the other."""
        stream, before, counted, hashes = (
            shown["stream"],
            -1,
            counted_by(self.census),
            list[bytes](),
        )
        previous: bytes | None = None
        for version, event in enumerate(shown["events"], start=1):
            stored, index = event["stored"].encode(), event["index"]
            head, leaf = msgspec.json.decode(stored), leaf_hash(stored)
            if (head["stream"], head["version"]) != (stream, version) or index <= before:
                raise ProofError(
                    f"{stream}: where event {version} should be is {head['version']} of "
                    f"{head['stream']}"
                )
            if (base64.b64decode(head["previous"]) if "previous" in head else None) != previous:
                raise ProofError(f"{stream}: event {version} does not follow on the one before")
            if not is_included(leaf, index, self.head.size, _bytes(event["path"]), self.head.root):
                raise ProofError(f"{stream}: event {version} is not in what was signed")
            previous, before = leaf, index
            hashes += [leaf] if index < counted else []
        self._count(stream, hashes, shown["census"])
        return len(shown["events"])

    def _count(self, stream: str, hashes: Sequence[bytes], shown: Mapping[str, Any] | None) -> None:
        """Whether the stream had just these events when the census was taken."""
        if self.census is None or not hashes:
            if shown:
                raise ProofError(f"{stream}: is said to be counted, and was not")
            return
        end = End(len(hashes), hashes[-1])
        if shown is None or not is_included(
            leaf_hash(entry(stream, end)),
            shown["index"],
            self.census.size,
            _bytes(shown["path"]),
            self.census.root,
        ):
            raise ProofError(f"{stream}: had not {len(hashes)} events when the census was taken")


def _signed(note: str, kind: str, keys: Sequence[Public]) -> tuple[Checkpoint, Opened]:
    """A checkpoint that whom its origin names has signed; witnesses may have signed too."""
    opened_note = opened(note, keys)
    found = Checkpoint.read(opened_note.text)
    by, _, what = found.origin.rpartition(f"/{kind}/")
    if (
        not what
        or by not in {key.name for key in keys if key.kind != COSIGNS} & opened_note.by.keys()
    ):
        raise ProofError(f"a checkpoint of {found.origin} is not signed by {by or 'it'}")
    return found, opened_note


def _explained(document: Mapping[str, Any]) -> tuple[int, int]:
    """How many decisions are proven, and how many came out the same.

    All that are proven are explained, and as they were recorded.
    """
    events = [shown_event(each) for each in document["streams"][0]["events"]]
    proven = {event["id"]: event for event in events if event["source"] == DECISIONS}
    explained = {each["decision"]: each for each in document["decisions"]}
    for decision, event in proven.items():
        each = explained.get(decision)
        if each is None or each["version"] != event["version"]:
            raise ProofError(f"the decision {decision} is not explained")
        if "recorded" in each and any(
            each["recorded"].get(name) != value for name, value in (event["data"] or {}).items()
        ):
            raise ProofError(f"the decision {decision} is not explained as it was recorded")
    return len(proven), sum(explained[decision]["equal"] for decision in proven)


def shown_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as it is shown.

    Its head, and under `data` what it says, which must be what its head commits to; None if that is
    not shown.
    """
    found: dict[str, Any] = msgspec.json.decode(event["stored"])
    if "digest" in found:
        found.pop("sealed")
        found["data"] = msgspec.json.decode(event["said"]) if "said" in event else None
        if "said" in event and commitment(
            event["said"].encode(), base64.b64decode(event["salt"])
        ) != base64.b64decode(found["digest"]):
            raise ProofError(
                f"{found['stream']}: event {found['version']} does not say what is shown"
            )
    return found


def _bytes(steps: Sequence[str]) -> list[bytes]:
    return [base64.b64decode(step, validate=True) for step in steps]
