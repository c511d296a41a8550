"""The Merkle tree of the evidence: known roots, and agreement with the definition of RFC 6962."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.evidence.merkle import (
    Frontier,
    inclusion_proofs,
    leaf_hash,
    node_hash,
    proved_root,
    verify_inclusion,
)

ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
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
"""The leaves that the tests of Certificate Transparency's implementations share."""

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
"""Their roots, for the first 0 to 8 of them."""

PROOFS = [
    (0, 1, []),
    (0, 8, [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]),
    (5, 8, [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (1, 5, [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]),
]  # fmt: skip
"""Leaf, size, and the proof's hashes, from the same tests."""

hashes = st.lists(st.binary(max_size=3).map(leaf_hash), max_size=70)


def naive_root(leaves: list[bytes]) -> bytes:
    """The definition of section 2.1 of RFC 6962: split at the largest power of two below the size."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(naive_root(leaves[:half]), naive_root(leaves[half:]))


def naive_proof(leaves: list[bytes], index: int) -> tuple[bytes, ...]:
    """The definition of section 2.1.1 of RFC 6962."""
    if len(leaves) == 1:
        return ()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return (*naive_proof(leaves[:half], index), naive_root(leaves[half:]))
    return (*naive_proof(leaves[half:], index - half), naive_root(leaves[:half]))


@pytest.mark.parametrize("size", range(9))
def test_known_roots(size: int) -> None:
    """The roots are those of other programs for the same entries."""
    assert ROOTS[size] == Frontier().extended(map(leaf_hash, ENTRIES[:size])).root().hex()


@pytest.mark.parametrize(("index", "size", "proof"), PROOFS)
def test_known_proofs(index: int, size: int, proof: list[str]) -> None:
    """The proofs are those of other programs for the same entries, and lead to their roots."""
    leaves = [*map(leaf_hash, ENTRIES[:size])]
    assert proof == [one.hex() for one in inclusion_proofs(leaves, [index])[index]]
    assert verify_inclusion(leaves[index], index, size, [*map(bytes.fromhex, proof)], bytes.fromhex(ROOTS[size]))


@given(hashes, st.data())
def test_a_tree_that_grows_in_steps_is_the_tree_of_all(leaves: list[bytes], data: st.DataObject) -> None:
    """However a tree has grown, its root is that of the definition, and its frontier is that of one step."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(leaves)), max_size=4)))
    grown = Frontier()
    for begin, end in zip([0, *cuts], [*cuts, len(leaves)], strict=True):
        grown = grown.extended(leaves[begin:end])
    assert naive_root(leaves) == grown.root()
    assert Frontier().extended(leaves) == grown
    assert len(leaves) == grown.size


@given(hashes.filter(bool))
def test_each_leaf_has_its_proof(leaves: list[bytes]) -> None:
    """Each leaf's proof is that of the definition, and leads to the root."""
    proofs = inclusion_proofs(leaves, range(len(leaves)))
    assert {index: naive_proof(leaves, index) for index in range(len(leaves))} == proofs
    root = naive_root(leaves)
    for index, proof in proofs.items():
        assert verify_inclusion(leaves[index], index, len(leaves), proof, root)


@given(hashes.filter(bool), st.data())
def test_nothing_else_is_proven(leaves: list[bytes], data: st.DataObject) -> None:
    """A proof holds for no other place, size, hash or length of proof."""
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, root, size = inclusion_proofs(leaves, [index])[index], naive_root(leaves), len(leaves)
    leaf = leaves[index]
    other = data.draw(st.integers(-1, size).filter(lambda one: one != index))
    if not 0 <= other < size or leaves[other] != leaf:
        assert not verify_inclusion(leaf, other, size, proof, root)
    assert not verify_inclusion(leaf_hash(b"another entry"), index, size, proof, root)
    assert not verify_inclusion(leaf, index, size, (*proof, leaf), root)
    assert not verify_inclusion(leaf, index, size, proof[:-1], root) or not proof
    assert proved_root(leaf, index, index, proof) is None
    for at in range(len(proof)):
        changed = [*proof]
        changed[at] = leaf_hash(changed[at])
        assert not verify_inclusion(leaf, index, size, changed, root)


def test_no_proof_of_a_leaf_that_is_not_there() -> None:
    """A leaf outside the tree has no proof."""
    with pytest.raises(IndexError, match="a tree of size 2 has no such leaf"):
        inclusion_proofs([leaf_hash(b"a"), leaf_hash(b"b")], [2])


@pytest.mark.parametrize(("size", "count", "length"), [(-1, 0, 32), (3, 1, 32), (4, 1, 31), (1, 0, 32)])
def test_a_frontier_fits_its_size(size: int, count: int, length: int) -> None:
    """A frontier that does not belong to its size is refused: a tree must not go on from it."""
    with pytest.raises(ValueError, match=f"a tree of size {size} does not have such a frontier"):
        Frontier(size, (b"x" * length,) * count)
