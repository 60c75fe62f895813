"""Was an event changed, deleted, inserted or moved, and which?

The journal, held to what was vouched for, position by position.

Who can write the journal can write all of it, its own tree too. So what is held against it is the
evidence: leaves that come to the roots of signed checkpoints, in a place that the journal's
administrators cannot write.
"""

from collections.abc import Iterator, Sequence
from itertools import compress, count, groupby, islice
from operator import ne
from typing import NamedTuple

import msgspec

from replay.evidence.folder import Evidence
from replay.evidence.signed_note import Checkpoint, ProofError, Public, opened
from replay.rebuild.verify import Finding
from streams.journal import Leaf, Row, Shard, previous_of
from streams.journal.merkle import Tree, leaf_hash

RANGE = 100_000
"""Leaves that are held against the journal at once."""


class Difference(NamedTuple):
    """A stretch of positions, and what is wrong with what lies there."""

    first: int
    last: int
    said: str


def differences(vouched: Sequence[Leaf], found: Sequence[Leaf]) -> list[Difference]:
    """What is not where it was vouched for, by position; both in order of position.

    >>> differences([Leaf(1, b"a"), Leaf(2, b"b")], [Leaf(1, b"a"), Leaf(2, b"x"), Leaf(3, b"c")])
    [Difference(first=2, last=2, said='was edited'), Difference(first=3, last=3, said='was inserted')]
    """  # noqa: E501
    begin = _alike(vouched, found)
    behind = min(_alike(vouched[::-1], found[::-1]), min(len(vouched), len(found)) - begin)
    there, here = (
        dict(vouched[begin : len(vouched) - behind]),
        dict(found[begin : len(found) - behind]),
    )
    home, lies = (
        {hash_: position for position, hash_ in there.items()},
        {hash_: position for position, hash_ in here.items()},
    )
    wrong = (
        position
        for position in sorted(there.keys() | here.keys())
        if there.get(position) != here.get(position)
    )
    named = (
        (position, *_wrong(there.get(position), here.get(position), home, lies, position))
        for position in wrong
    )
    return [
        _difference(list(alike))
        for _, alike in groupby(enumerate(named), lambda each: (each[1][0] - each[0], *each[1][1:]))
    ]


def _alike(vouched: Sequence[Leaf], found: Sequence[Leaf]) -> int:
    """How many leaves are the same from the beginning on."""
    return next(compress(count(), map(ne, vouched, found)), min(len(vouched), len(found)))


def _wrong(
    there: bytes | None,
    here: bytes | None,
    home: dict[bytes, int],
    lies: dict[bytes, int],
    position: int,
) -> tuple[str, int]:
    """What is wrong with a position, and how far what belongs there has moved."""
    gone = there is not None and there not in lies
    if here is None:
        return (
            ("was deleted", 0)
            if there is None or gone
            else ("was moved to", lies[there] - position)
        )
    if here in home:
        return (
            "was deleted; there lies what was recorded at"
            if gone
            else "holds what was recorded at",
            home[here] - position,
        )
    return ("was edited" if gone else "was inserted", 0)


def _difference(alike: Sequence[tuple[int, tuple[int, str, int]]]) -> Difference:
    """Positions next to each other of which the same is wrong."""
    (_, (first, said, moved)), (_, (last, _, _)) = alike[0], alike[-1]
    where = (
        ""
        if not moved
        else f" position {first + moved}"
        if first == last
        else f" positions {first + moved} to {last + moved}"
    )
    return Difference(first, last, said + where)


class Seen(NamedTuple):
    """A stretch that was looked at: how many leaves, and what was found."""

    leaves: int
    findings: list[Finding]


def journal_held(
    shard: Shard, evidence: Evidence, origin: str, keys: Sequence[Public]
) -> Iterator[Seen]:
    """A shard, held to its evidence, and behind that to its own tree.

    Stretch by stretch, and at the end what its checkpoints say.
    """
    heads, doubts = _heads(shard, evidence, origin, keys)
    head = shard.head()
    tree, chain, after = Tree(), dict[str, bytes](), 0
    vouched, own = _vouched(shard, evidence), shard.leaves(0)
    yield Seen(0, doubts)
    while some := list(islice(vouched, RANGE)):
        rows = shard.stored(after, some[-1].position - after, some[-1].position)
        after = some[-1].position
        leaves = [Leaf(row.position, _hash(row)) for row in rows]
        findings = [_finding("event", shard, each) for each in differences(some, leaves)]
        findings += [
            _finding("tree", shard, each)
            for each in differences(some, list(islice(own, len(some))))
        ]
        findings += _chained(shard, rows, leaves, chain)
        for leaf in some:
            tree.append(leaf.hash)
            findings += [
                Finding("checkpoint", shard.number, said, "is not what the evidence comes to")
                for said, root in heads.pop(tree.size, [])
                if root != tree.root
            ]
        yield Seen(len(some), findings)
    yield Seen(
        0,
        [
            *_behind(shard, after, head),
            *(_cut(shard, size, said) for size, rest in heads.items() for said, _ in rest),
        ],
    )


def _hash(row: Row) -> bytes:
    """The hash of what is stored; of what are no bytes at all, none."""
    return leaf_hash(row.state) if isinstance(row.state, bytes) else b""


def _vouched(shard: Shard, evidence: Evidence) -> Iterator[Leaf]:
    size = 0
    for size, leaf in enumerate(evidence.leaves(), start=1):  # noqa: B007 - where the journal's own tree goes on
        yield leaf
    yield from shard.leaves(size)


def _heads(
    shard: Shard, evidence: Evidence, origin: str, keys: Sequence[Public]
) -> tuple[dict[int, list[tuple[str, bytes]]], list[Finding]]:
    """What the checkpoints say, by size, with the number and time of each.

    And those that nobody signed.
    """
    heads, doubts = dict[int, list[tuple[str, bytes]]](), list[Finding]()
    for number, note in enumerate(evidence.checkpoints(), start=1):
        try:
            found = Checkpoint.read(opened(note, keys).text)
            if found.origin != origin:
                raise ProofError(f"is of {found.origin}")
        except ProofError as doubt:
            doubts.append(Finding("checkpoint", shard.number, f"checkpoint {number}", str(doubt)))
        else:
            heads.setdefault(found.size, []).append(
                (f"checkpoint {number} of {found.at.isoformat()}", found.root)
            )
    return heads, doubts


def _chained(
    shard: Shard, rows: Sequence[Row], leaves: Sequence[Leaf], chain: dict[str, bytes]
) -> Iterator[Finding]:
    """Whether each event names the hash of the one before in its stream."""
    for row, leaf in zip(rows, leaves, strict=True):
        try:
            if previous_of(row.state) != chain.get(row.stream):
                yield Finding(
                    "chain",
                    shard.number,
                    f"position {row.position}",
                    "does not follow on the event before in its stream",
                )
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
            yield Finding("event", shard.number, f"position {row.position}", "cannot be read")
        chain[row.stream] = leaf.hash


def _behind(shard: Shard, after: int, head: int) -> Iterator[Finding]:
    """What lay behind the last leaf when this was begun; what came since has leaves of its own."""
    while rows := shard.stored(after, RANGE, head):
        yield _finding(
            "event", shard, Difference(rows[0].position, rows[-1].position, "was inserted")
        )
        after = rows[-1].position


def _cut(shard: Shard, size: int, said: str) -> Finding:
    return Finding(
        "checkpoint",
        shard.number,
        said,
        f"is of {size} events, and neither the journal nor the evidence has them",
    )


def _finding(kind: str, shard: Shard, each: Difference) -> Finding:
    where = (
        f"position {each.first}"
        if each.first == each.last
        else f"positions {each.first} to {each.last}"
    )
    return Finding(kind, shard.number, where, each.said)
