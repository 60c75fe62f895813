"""How is it proven that a list only ever grew?

A Merkle tree over it: RFC 6962, section 2.1 (RFC 9162, section 2.1).

The root says what is in the list; a path of log2(n) hashes says that one leaf is in it, and another
that an older list is the beginning of a newer one. Indices count from 0, sizes are numbers of
leaves, hashes are 32 bytes of SHA-256.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""
BLOCK_LEVEL = 8
BLOCK = 1 << BLOCK_LEVEL
"""Leaves of a subtree whose root is kept, so that a proof needs few of the others."""

Subtree = Callable[[int, int], bytes]
"""The root over the leaves from an index up to, and without, another."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return sha256(b"\1" + left + right).digest()


class Tree:
    """A tree that leaves are appended to.

    All that is kept are the roots of its whole subtrees, the largest first.

    >>> tree = Tree()
    >>> tree.append(leaf_hash(b"one"))
    >>> tree.root == leaf_hash(b"one")
    True
    """

    def __init__(self) -> None:
        self.size = 0
        self._whole: list[bytes] = []

    @property
    def root(self) -> bytes:
        """The root over all leaves."""
        if not self._whole:
            return EMPTY
        root, *left = reversed(self._whole)
        for subtree in left:
            root = node_hash(subtree, root)
        return root

    def append(self, root: bytes, level: int = 0) -> bytes | None:
        """Append a leaf's hash, or the root over 2**level leaves.

        Gives the root of the block that this makes whole, if it does.
        """
        block, at, whole = None, self.size >> level, self._whole
        self.size += 1 << level
        while at & 1:
            root = sha256(b"\1" + whole.pop() + root).digest()
            at, level = at >> 1, level + 1
            if level == BLOCK_LEVEL:
                block = root
        whole.append(root)
        return block


def root_over(leaves: Iterable[bytes]) -> bytes:
    """The root over the hashes of leaves."""
    tree = Tree()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root


def half(size: int) -> int:
    """The largest power of two that is smaller than a size of at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion(over: Subtree, index: int, begin: int, end: int) -> list[bytes]:
    """The audit path of a leaf in the tree over the leaves from `begin` up to `end` (RFC
    6962, 2.1.1).
    """
    if end - begin == 1:
        return []
    middle = begin + half(end - begin)
    if index < middle:
        return [*inclusion(over, index, begin, middle), over(middle, end)]
    return [*inclusion(over, index, middle, end), over(begin, middle)]


def consistency(over: Subtree, old: int, new: int) -> list[bytes]:
    """That the tree of `old` leaves is the beginning of that of `new` (RFC 6962, 2.1.2).

    Nothing where there is nothing to prove.
    """
    return _subproof(over, old, 0, new, whole=True) if 0 < old < new else []


def _subproof(over: Subtree, old: int, begin: int, end: int, *, whole: bool) -> list[bytes]:
    if old == end:
        return [] if whole else [over(begin, end)]
    middle = begin + half(end - begin)
    if old <= middle:
        return [*_subproof(over, old, begin, middle, whole=whole), over(middle, end)]
    return [*_subproof(over, old, middle, end, whole=False), over(begin, middle)]


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path leads from a leaf's hash to the root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, reached = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            reached = node_hash(step, reached)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            reached = node_hash(reached, step)
        at, last = at >> 1, last >> 1
    return last == 0 and reached == root


def is_consistent(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a path shows that the older tree is the beginning of the newer one (RFC
    9162, 2.1.4.2).
    """
    if old in (0, new):
        return (
            old <= new and not path and (old_root == new_root if old == new else old_root == EMPTY)
        )
    if not 0 < old < new or not path:
        return False
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_reached = new_reached = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_reached, new_reached = node_hash(step, old_reached), node_hash(step, new_reached)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_reached = node_hash(new_reached, step)
        at, last = at >> 1, last >> 1
    return last == 0 and old_reached == old_root and new_reached == new_root
