"""How is it proven that an event is in a shard, and that the shard only grew?

From what the shard keeps of its tree.
"""

from itertools import islice

from streams.journal import Shard
from streams.journal.merkle import BLOCK, consistency, half, inclusion, node_hash


class Proofs:
    """Proofs over a shard as large as it was when they were begun."""

    def __init__(self, shard: Shard) -> None:
        self.size = shard.size()
        self._roots = shard.blocks()
        self._shard = shard
        self._leaves: dict[int, list[bytes]] = {}
        self._known: dict[tuple[int, int], bytes] = {}

    def root(self, size: int) -> bytes:
        """The root of the first so many leaves, at least one."""
        return self._over(0, size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The audit path of a leaf in the tree of so many."""
        return inclusion(self._over, index, 0, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """That the tree of `old` leaves is the beginning of that of `new`."""
        return consistency(self._over, old, new)

    def _over(self, begin: int, end: int) -> bytes:
        if (begin, end) not in self._known:
            self._known[begin, end] = self._subtree(begin, end)
        return self._known[begin, end]

    def _subtree(self, begin: int, end: int) -> bytes:
        number, within = divmod(begin, BLOCK)
        if end - begin == BLOCK and not within:
            return self._roots[number]
        if end - begin == 1:
            return self._block(number)[within]
        middle = begin + half(end - begin)
        return node_hash(self._over(begin, middle), self._over(middle, end))

    def _block(self, number: int) -> list[bytes]:
        if number not in self._leaves:
            self._leaves[number] = [
                leaf.hash for leaf in islice(self._shard.leaves(number * BLOCK), BLOCK)
            ]
        return self._leaves[number]
