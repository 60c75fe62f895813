"""Verify a tierfold bundle with nothing but Python: `python3 verify_bundle.py FILE KEYS`.

KEYS is a text file with a public key on each line (name+id+key), which you were given by a way that
you trust. This script stands alone on purpose: it imports nothing but the standard library, reads
no database and asks no network. Its Ed25519 is RFC 8032, section 5.1.7, its tree RFC 9162, section
2.1.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

MOST_SIGNATURES = 32
FORMAT = "tierfold-bundle@1"
DASH = "\u2014 "
SIGNS, COSIGNS = 1, 4
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]
Key = tuple[str, bytes, int, bytes]


class ProofError(Exception):
    """The bundle does not prove what it says."""


def must(held: object, said: str) -> None:
    """Raise what is doubtful, unless something holds."""
    if not held:
        raise ProofError(said)


# Ed25519: points as (X, Y, Z, T) with x = X/Z, y = Y/Z, T = XY/Z


def add(one: Point, two: Point) -> Point:
    """The sum of two points."""
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % P, (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: Point) -> Point:
    """A point, so many times."""
    found: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = add(found, point)
        point, number = add(point, point), number >> 1
    return found


def point_of(said: bytes) -> Point | None:
    """The point that is written in 32 bytes; None if there is none."""
    y = int.from_bytes(said, "little")
    odd, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and odd):
        return None
    x = P - x if x & 1 != odd else x
    return x, y, 1, x * y % P


BASE = point_of((4 * pow(5, -1, P) % P).to_bytes(32, "little")) or (0, 0, 0, 0)


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a key has signed a message."""
    whose, begun = point_of(key), point_of(signature[:32])
    number = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or whose is None or begun is None or number >= ORDER:
        return False
    challenge = (
        int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    )
    left, right = times(number, BASE), add(begun, times(challenge, whose))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % P == 0


# Signed notes and checkpoints: c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature


def decoded(text: str) -> bytes:
    """What is written in base64, in the one way there is."""
    found = base64.b64decode(text, validate=True)
    must(base64.b64encode(found).decode() == text, "base64 is written in more than one way")
    return found


def key_of(line: str) -> Key:
    """Name, id, kind and bytes of a public key."""
    name, _, rest = line.strip().partition("+")
    named, _, coded = rest.partition("+")
    said = decoded(coded)
    found = hashlib.sha256(name.encode() + b"\n" + said).digest()[:4]
    must(
        found.hex() == named and len(said) == 33 and said[0] in (SIGNS, COSIGNS),
        f"the key of {name} is none",
    )
    return name, found, said[0], said[1:]


def opened(note: str, keys: list[Key]) -> tuple[str, dict[str, int]]:
    """The text of a note, and the names of those who signed it, with the kind of their keys."""
    text, gap, lines = note.rpartition("\n\n")
    must(gap and lines.endswith("\n"), "this is no signed note")
    text, by = text + "\n", dict[str, int]()
    must(lines.count("\n") <= MOST_SIGNATURES, "there are too many signatures")
    for line in lines.splitlines():
        name, _, coded = line.removeprefix(DASH).partition(" ")
        signature = decoded(coded)
        must(line.startswith(DASH) and len(signature) >= 68, "a signature line cannot be read")
        for whose, number, kind, key in keys:
            if (whose, number) == (name, signature[:4]):
                at, said = int.from_bytes(signature[4:12], "big"), signature[4:]
                message = text.encode()
                if kind == COSIGNS:
                    message, said = f"cosignature/v1\ntime {at}\n{text}".encode(), signature[12:]
                must(
                    is_signed(key, message, said), f"the signature of {name} is not over this text"
                )
                by[name] = kind
    must(by, "nobody whose key is known has signed this")
    return text, by


def checkpoint(note: str, kind: str, keys: list[Key]) -> dict[str, Any]:
    """Origin, size, root, time and further lines of a checkpoint that its own log has signed, and
    who cosigned it.
    """
    text, by = opened(note, keys)
    origin, size, root, at, *more = text.removesuffix("\n").split("\n")
    name, gap, _ = origin.rpartition(f"/{kind}/")
    must(gap and by.get(name) == SIGNS, f"a checkpoint of {origin} is not signed by {name}")
    return {
        "origin": origin,
        "size": int(size),
        "root": decoded(root),
        "at": at.removeprefix("time "),
        "more": more,
        "witnesses": set(by) - {name},
    }


# The tree: RFC 9162, sections 2.1.3.2 and 2.1.4.2


def leaf_hash(said: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\0" + said).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


def is_included(leaf: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Whether a path leads from a leaf to the root."""
    if not 0 <= index < size:
        return False
    at, last = index, size - 1
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            leaf = node_hash(step, leaf)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            leaf = node_hash(leaf, step)
        at, last = at >> 1, last >> 1
    return last == 0 and leaf == root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, path: list[bytes]) -> bool:
    """Whether the older tree is the beginning of the newer one."""
    if old == new:
        return not path and old_root == new_root
    if not 0 < old < new or not path:
        return False
    steps = [old_root, *path] if old & (old - 1) == 0 else path
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    one = two = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            one, two = node_hash(step, one), node_hash(step, two)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            two = node_hash(two, step)
        at, last = at >> 1, last >> 1
    return last == 0 and one == old_root and two == new_root


# The bundle


def verify(content: bytes, keys: list[Key]) -> list[str]:
    """What a bundle proves, as lines to print."""
    text, _, rest = content.partition(b"\n\n")
    lines, _, body = rest.partition(b"\n\n")
    must(b"\n" not in lines, "a bundle has one signature, that of the bank")
    said, _ = opened(f"{text.decode()}\n\n{lines.decode()}\n", keys)
    form, customer, digest = said.removesuffix("\n").split("\n")
    must(form == FORMAT, f"this is {form}, and only {FORMAT} can be verified")
    must(
        digest == f"sha256 {hashlib.sha256(body).hexdigest()}",
        "the document is not the one that was signed",
    )
    document = json.loads(body)
    must(
        document["customer"] == document["streams"][0]["stream"] == customer,
        f"the document is not about {customer}",
    )
    shards = {int(number): shard(shown, keys) for number, shown in document["shards"].items()}
    proven = sum(follow(shown, shards[shown["shard"]]) for shown in document["streams"])
    head = shards[document["streams"][0]["shard"]]
    return [
        f"{customer}: verified",
        f"{len(document['streams'][0]['events'])} events of the customer, {proven} with those of "
        "the bank's rules",
        f"in the tree of {head['size']} events that was signed at {head['at']}; cosigned by "
        f"{', '.join(sorted(head['witnesses'])) or 'nobody'}",
        f"none is missing up to the census of {head['census']['at']}"
        if document["streams"][0]["census"]
        else "not in a census yet",
    ]


def shard(shown: dict[str, Any], keys: list[Key]) -> dict[str, Any]:
    """A shard's last checkpoint, which follows on those before it, and its census."""
    head = checkpoint(shown["checkpoint"], "shard", keys)
    earlier = [checkpoint(each["note"], "shard", keys) for each in shown["earlier"]]
    for old, new, each in zip(earlier, [*earlier, head][1:], shown["earlier"], strict=True):
        proof = [decoded(step) for step in each["proof"]]
        follows = old["origin"] == new["origin"] and is_consistent(
            old["size"], old["root"], new["size"], new["root"], proof
        )
        must(follows, f"the checkpoint of {new['at']} does not follow on that of {old['at']}")
    return {
        **head,
        "census": checkpoint(shown["census"], "census", keys) if shown["census"] else None,
    }


def follow(shown: dict[str, Any], head: dict[str, Any]) -> int:
    """How many events of a stream are proven, each behind the other."""
    stream, before, hashes = shown["stream"], -1, list[bytes]()
    previous: bytes | None = None
    counted = int(head["census"]["more"][0].removeprefix("events ")) if head["census"] else 0
    for version, event in enumerate(shown["events"], start=1):
        stored = event["stored"].encode()
        said, leaf = json.loads(stored), leaf_hash(stored)
        must(
            (said["stream"], said["version"]) == (stream, version) and event["index"] > before,
            f"{stream}: event {version} is not where it should be",
        )
        must(
            (decoded(said["previous"]) if "previous" in said else None) == previous,
            f"{stream}: event {version} does not follow on the one before",
        )
        path = [decoded(step) for step in event["path"]]
        must(
            is_included(leaf, event["index"], head["size"], path, head["root"]),
            f"{stream}: event {version} is not in what was signed",
        )
        if "digest" in said and "said" in event:
            shown_digest = hashlib.blake2b(
                event["said"].encode(), digest_size=32, key=decoded(event["salt"])
            ).digest()
            must(
                shown_digest == decoded(said["digest"]),
                f"{stream}: event {version} does not say what is shown",
            )
        previous, before = leaf, event["index"]
        hashes += [leaf] if before < counted else []
    if hashes or shown["census"]:
        must(
            hashes and shown["census"] and head["census"],
            f"{stream}: is said to be counted, and was not, or the other way round",
        )
        entry = json.dumps(
            [stream, len(hashes), base64.b64encode(hashes[-1]).decode()],
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        path = [decoded(step) for step in shown["census"]["path"]]
        there = is_included(
            leaf_hash(entry),
            shown["census"]["index"],
            head["census"]["size"],
            path,
            head["census"]["root"],
        )
        must(there, f"{stream}: had not {len(hashes)} events when the census was taken")
    return len(shown["events"])


def main() -> int:
    """Verify the bundle that is named; 0 if it is proven, 1 if it is not."""
    if len(sys.argv) != 3:
        print("usage: python3 verify_bundle.py FILE KEYS")
        return 2
    try:
        keys = [
            key_of(line)
            for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
            if line.strip() and not line.startswith("#")
        ]
        print("\n".join(verify(Path(sys.argv[1]).read_bytes(), keys)))
    except ProofError as doubt:
        print(f"not verified: {doubt}")
        return 1
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        print(f"not verified: this is no bundle that can be read ({type(error).__name__})")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
