"""The tree is RFC 6962's.

Held to the vectors that Certificate Transparency publishes, and to its own definition.
"""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.journal.merkle import (
    BLOCK,
    BLOCK_LEVEL,
    EMPTY,
    Tree,
    consistency,
    half,
    inclusion,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    root_over,
)

LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {  # (index, size): audit path
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
PROOFS = {  # (old, new): consistency proof
    (1, 1): [],
    (1, 8): PATHS[0, 8],
    (6, 8): ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a", *PATHS[5, 8][1:]],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def defined(leaves: Sequence[bytes]) -> bytes:
    """The root as section 2.1 of RFC 6962 defines it, word for word."""
    if len(leaves) < 2:
        return leaf_hash(leaves[0]) if leaves else EMPTY
    middle = half(len(leaves))
    return node_hash(defined(leaves[:middle]), defined(leaves[middle:]))


def numbered(size: int) -> list[bytes]:
    """So many leaves, no two alike."""
    return [b"%d" % number for number in range(size)]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size: int) -> None:
    """Of all trees over the first eight leaves."""
    assert root_over(map(leaf_hash, LEAVES[:size])).hex() == ROOTS[size]


@pytest.mark.parametrize(("place", "path"), PATHS.items())
def test_audit_paths_are_the_published_ones(place: tuple[int, int], path: list[str]) -> None:
    """And lead to the published root."""
    index, size = place
    found = inclusion(lambda begin, end: defined(LEAVES[begin:end]), index, 0, size)

    assert [step.hex() for step in found] == path
    assert is_included(leaf_hash(LEAVES[index]), index, size, found, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("sizes", "proof"), PROOFS.items())
def test_consistency_proofs_are_the_published_ones(
    sizes: tuple[int, int], proof: list[str]
) -> None:
    """And join the published roots."""
    old, new = sizes
    found = consistency(lambda begin, end: defined(LEAVES[begin:end]), old, new)

    assert [step.hex() for step in found] == proof
    assert is_consistent(old, bytes.fromhex(ROOTS[old]), new, bytes.fromhex(ROOTS[new]), found)


@given(st.integers(0, 300))
def test_a_growing_tree_has_the_root_that_is_defined(size: int) -> None:
    """Whatever its size."""
    leaves = numbered(size)

    assert root_over(map(leaf_hash, leaves)) == defined(leaves)


def test_every_leaf_of_every_small_tree_is_proven_and_no_other_is() -> None:
    """A path proves one leaf at one index in one tree.

    A neighbour's, a shorter and a longer one, and another size prove nothing.
    """
    for size in range(1, 34):
        leaves, root = numbered(size), defined(numbered(size))
        for index in range(size):
            path, leaf = (
                inclusion(lambda begin, end, of=leaves: defined(of[begin:end]), index, 0, size),
                leaf_hash(leaves[index]),
            )
            assert is_included(leaf, index, size, path, root)
            assert not is_included(leaf, index, size, [*path, root], root)
            assert not is_included(leaf_hash(b"other"), index, size, path, root)
            assert not path or not is_included(leaf, index, size, path[:-1], root)
            assert size == 1 or not is_included(leaf, (index + 1) % size, size, path, root)
            assert not is_included(leaf, index, index, path, root)


def test_every_pair_of_small_trees_is_proven_and_no_other_pair_is() -> None:
    """A tree that lost or changed a leaf is not the beginning of the newer one."""
    for new in range(1, 24):
        leaves = numbered(new)
        for old in range(new + 1):
            proof = consistency(lambda begin, end, of=leaves: defined(of[begin:end]), old, new)
            old_root, root = defined(leaves[:old]), defined(leaves)
            assert is_consistent(old, old_root, new, root, proof)
            if old:
                changed = defined([b"changed", *leaves[1:old]])
                assert not is_consistent(old, changed, new, root, proof)
                assert not is_consistent(
                    old, old_root, new, defined([*leaves[:-1], b"changed"]), proof
                )
            assert not is_consistent(old, old_root, new, root, [*proof, root])


@given(st.integers(0, 2 * BLOCK + 3))
def test_a_tree_goes_on_from_the_roots_of_its_blocks(more: int) -> None:
    """Blocks and the leaves behind them are all that has to be kept."""
    whole, size = Tree(), BLOCK + more
    blocks = [block for leaf in numbered(size) if (block := whole.append(leaf_hash(leaf)))]
    again = Tree()
    for block in blocks:
        again.append(block, BLOCK_LEVEL)
    for leaf in numbered(size)[len(blocks) * BLOCK :]:
        again.append(leaf_hash(leaf))

    assert (again.size, again.root) == (size, whole.root)
    assert len(blocks) == size // BLOCK
