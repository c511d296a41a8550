"""The Merkle tree of RFC 6962: its root, and proofs that one leaf is in it. All hashes are SHA-256, 32 bytes.

A tree of any size is a row of whole subtrees, the largest first, one for each binary digit of its size. Their hashes
are the tree's frontier: it is all that a later, larger tree needs of an earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def leaf_hash(entry: bytes) -> bytes:
    """The hash of an entry as a leaf."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The hashes of a tree's largest whole subtrees, left to right, and its size in leaves."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError unless there is one hash of 32 bytes for each binary digit of the size."""
        if self.size < 0 or len(self.hashes) != self.size.bit_count() or any(len(one) != 32 for one in self.hashes):  # noqa: PLR2004 - of SHA-256
            raise ValueError(f"a tree of size {self.size} does not have such a frontier")

    def extended(self, leaves: Iterable[bytes]) -> Frontier:
        """Return the frontier of the tree with these leaf hashes after its own."""
        size, hashes = self.size, [*self.hashes]
        for leaf in leaves:
            joined, whole = leaf, size
            while whole & 1:  # a subtree of equal size stands before it
                joined, whole = node_hash(hashes.pop(), joined), whole >> 1
            hashes.append(joined)
            size += 1
        return Frontier(size, tuple(hashes))

    def root(self) -> bytes:
        """Return the tree's root; a tree without leaves has the hash of nothing."""
        if not self.hashes:
            return sha256(b"").digest()
        *before, root = self.hashes
        for left in reversed(before):
            root = node_hash(left, root)
        return root


def inclusion_proofs(leaves: Sequence[bytes], wanted: Iterable[int]) -> dict[int, tuple[bytes, ...]]:
    """Make the proof of each wanted leaf, by its index, in the tree of all these leaf hashes.

    A proof has the hashes beside the way from the leaf to the root, lowest first. One pass serves all of them.
    Raises IndexError if there is no such leaf.
    """
    proofs: dict[int, list[bytes]] = {index: [] for index in wanted}
    if any(not 0 <= index < len(leaves) for index in proofs):
        raise IndexError(f"a tree of size {len(leaves)} has no such leaf")
    level, height = leaves, 0
    while len(level) > 1:
        for index, proof in proofs.items():
            beside = (index >> height) ^ 1
            if beside < len(level):
                proof.append(level[beside])
        # A node without a right one beside it stays as it is on the next level.
        level = [
            node_hash(level[at], level[at + 1]) if at + 1 < len(level) else level[at] for at in range(0, len(level), 2)
        ]
        height += 1
    return {index: tuple(proof) for index, proof in proofs.items()}


def proved_root(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Compute the root that a proof leads to from a leaf hash; None where it cannot be a proof of that place."""
    if not 0 <= index < size:
        return None
    at, last, root = index, size - 1, leaf
    for beside in proof:
        if last == 0:
            return None
        while at == last and not at & 1:  # nothing stands to its right: the node is the one above, too
            at, last = at >> 1, last >> 1
        root = node_hash(beside, root) if at & 1 else node_hash(root, beside)
        at, last = at >> 1, last >> 1
    return root if last == 0 else None


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Check that a leaf hash stands at that index of the tree with this size and root."""
    return proved_root(leaf, index, size, proof) == root
