"""The proof of an archived month: a document by which its files are verified without the ledger.

It has the hash of each file, and of each leaf of the tree from the month's first entry to the checkpoint that covers
its last one. With the frontier of the tree before them, these lead to the checkpoint's root.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

from retention.core.evidence.checkpoint import root_text
from retention.core.evidence.merkle import Frontier

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retention.core.evidence.archives import ArchivedFile, LedgerMonth
    from retention.core.evidence.checkpoint import Checkpoint

FORMAT = "retention archive 1"
"""The name of the document's form; another form gets another number."""


def archive_proof(
    origin: str,
    month: LedgerMonth,
    part: int,
    files: Sequence[ArchivedFile],
    tree: tuple[Checkpoint, Frontier, Sequence[bytes]] | None,
    public_key: str | None,
) -> dict[str, Any]:
    """Make the proof of a month's files.

    `tree`: the checkpoint, the frontier before the month's first leaf, and the leaves from there to the checkpoint;
    None where no entry leaves. `public_key` is a line of signed-note.

    Raises ValueError where the leaves do not lead to the checkpoint's root.
    """
    proof: dict[str, Any] = {
        "format": FORMAT,
        "origin": origin,
        "archive": month.archive_name(part),
        "month": month.month,
        "part": part,
        "first_id": month.first_id,
        "last_id": month.last_id,
        "files": [one.document() for one in files],
        "public_key": public_key,
        "checkpoint": None,
        "before": None,
        "leaves": [],
    }
    if tree is None:
        return proof
    checkpoint, before, leaves = tree
    if root_text(before.extended(leaves).root()) != checkpoint.root:
        raise ValueError(f"the leaves do not lead to the root of checkpoint {checkpoint.checkpoint_id}")
    return {
        **proof,
        "checkpoint": {
            "checkpoint_id": checkpoint.checkpoint_id,
            **checkpoint.document(),
            "note": checkpoint.note,
            "signature": checkpoint.signature,
        },
        "before": {"size": before.size, "frontier": [b64encode(one).decode() for one in before.hashes]},
        "leaves": [b64encode(one).decode() for one in leaves],
    }


def proved_leaves(proof: Mapping[str, Any]) -> dict[int, bytes]:
    """Return the leaves of a proof by their places. Raises ValueError, LookupError and TypeError where it is none."""
    if proof["format"] != FORMAT:
        raise ValueError("its format is another one")
    if proof["checkpoint"] is None:
        return {}
    before = Frontier(proof["before"]["size"], tuple(b64decode(one) for one in proof["before"]["frontier"]))
    leaves = [b64decode(one) for one in proof["leaves"]]
    tree = before.extended(leaves)
    if (tree.size, root_text(tree.root())) != (proof["checkpoint"]["size"], proof["checkpoint"]["root"]):
        raise ValueError("its leaves do not lead to its checkpoint's root")
    return dict(enumerate(leaves, before.size))
