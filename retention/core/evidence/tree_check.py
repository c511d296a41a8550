"""Checks the tree of evidence leaf by leaf, and its checkpoints and anchors against the roots on the way."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from retention.core.evidence.audit_findings import Finding, FindingKind, Findings
from retention.core.evidence.merkle import Frontier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from retention.core.evidence.anchors import Anchor
    from retention.core.evidence.signatures import SignatureCheck


BATCH = 1000
"""Leaves that are added to the tree at once."""


class Leaf(NamedTuple):
    """A leaf beside its entry. `found`: the entry is there. `fits`: its body has the leaf's hash.

    `archived`: the entry has left for an archive.
    """

    leaf: int
    entry_id: int
    hash: bytes
    found: bool
    fits: bool
    archived: bool = False


class StoredCheckpoint(NamedTuple):
    """A checkpoint as the ledger has it. `frontier`: the SHA-256 of its hashes as one text."""

    checkpoint_id: int
    size: int
    root: str
    signature: str | None
    frontier: bytes


class Passed(NamedTuple):
    """The tree at one size: its root in base64, and the SHA-256 of its frontier's hashes as one text."""

    root: str
    frontier: bytes


@dataclass(slots=True)
class TreeCheck:
    """Adds leaves to a tree, and remembers it at the wanted sizes.

    After a gap the tree is unknown: `broken` is the first place that is gone, and no later size is remembered.
    """

    wanted: frozenset[int]
    findings: Findings
    tree: Frontier = field(default_factory=Frontier)
    broken: int | None = None
    next_leaf: int = 0
    archived: int = 0
    passed: dict[int, Passed] = field(default_factory=dict)
    pending: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Remember the tree without leaves."""
        self._remember()

    def add(self, leaf: Leaf) -> None:
        """Add the next leaf."""
        if leaf.leaf != self.next_leaf:
            self._tell_gap(leaf)
        self.next_leaf = leaf.leaf + 1
        if leaf.archived:
            self.archived += 1
        elif not leaf.found:
            self._tell(FindingKind.ENTRY_MISSING, leaf)
        elif not leaf.fits:
            self._tell(FindingKind.ENTRY_CHANGED, leaf)
        if self.broken is None:
            self.pending.append(leaf.hash)
            if self.next_leaf in self.wanted or len(self.pending) == BATCH:
                self._remember()

    def end(self) -> int:
        """Remember the whole tree; returns its size."""
        if self.broken is None:
            self._remember()
        return self.next_leaf

    def _remember(self) -> None:
        self.tree = self.tree.extended(self.pending)
        self.pending.clear()
        if self.tree.size in self.wanted:
            self.passed[self.tree.size] = passed(self.tree)

    def _tell_gap(self, leaf: Leaf) -> None:
        if self.broken is None:
            self._remember()
            self.broken = self.next_leaf
        gone = leaf.leaf - self.next_leaf
        self.findings.add(
            Finding(
                FindingKind.TREE, "evidence_leaves", leaf=self.next_leaf, detail=f"{gone} gone, up to {leaf.leaf - 1}"
            )
        )

    def _tell(self, kind: FindingKind, leaf: Leaf) -> None:
        self.findings.add(Finding(kind, "evidence", str(leaf.entry_id), None, leaf.entry_id, leaf.leaf))


def passed(tree: Frontier) -> Passed:
    """Return the root and the frontier of a tree, as they are remembered."""
    frontier = ",".join(rf"\\x{one.hex()}" for one in tree.hashes)  # as the database writes an array of bytes
    return Passed(b64encode(tree.root()).decode(), sha256(f"{{{frontier}}}".encode()).digest())


def check_checkpoints(
    tree: TreeCheck,
    checkpoints: Sequence[StoredCheckpoint],
    signatures: SignatureCheck,
    findings: Findings,
) -> int:
    """Check each checkpoint against the tree; returns the number of signatures that were checked."""
    size, last, last_good = tree.next_leaf, 0, 0
    for one in checkpoints:
        kind, detail = _judge(tree, one, last, last_good)
        if kind is FindingKind.TREE:
            findings.add(Finding(kind, "evidence_leaves", leaf=size, size=one.size, detail=detail))
        elif kind is not None:
            findings.add(Finding(kind, "checkpoints", str(one.checkpoint_id), size=one.size, detail=detail))
        else:
            last_good = one.size
        signatures.add(one.checkpoint_id, one.size, one.root, one.signature)
        last = max(last, one.size)
    if last < size:
        # Places are given in the transaction that makes their checkpoint.
        where = f"{size - last} places are beyond the newest checkpoint"
        findings.add(Finding(FindingKind.CHECKPOINT_MISSING, "checkpoints", leaf=last, size=size, detail=where))
    return signatures.end()


def _judge(tree: TreeCheck, one: StoredCheckpoint, last: int, last_good: int) -> tuple[FindingKind | None, str | None]:
    """Judge a checkpoint by the tree. `last` is the largest size before it, `last_good` the last one that fits."""
    known = tree.passed.get(one.size)
    if one.size < last:
        return FindingKind.CHECKPOINT_CHANGED, f"an earlier checkpoint has size {last}"
    if known is None:
        if tree.broken is not None:  # told already
            return None, None
        return FindingKind.TREE, f"{one.size - tree.next_leaf} gone, up to {one.size - 1}"
    if known.root != one.root:
        return FindingKind.ROOT, f"leaves {last_good} to {one.size - 1}, or the checkpoint's own root"
    if known.frontier != one.frontier:
        return FindingKind.CHECKPOINT_CHANGED, "its frontier is not the tree's"
    return None, None


def check_anchors(
    tree: TreeCheck,
    stored: Iterable[StoredCheckpoint],
    files: Mapping[str, Iterable[Anchor]],
    origin: str | None,
    findings: Findings,
) -> tuple[int, dict[str, int]]:
    """Check the anchors of each file; returns how many there were, and the number of foreign ones by their origin.

    Where the ledger's own name is unknown, each anchor counts as its own.
    """
    size, known = tree.next_leaf, {(one.size, one.root) for one in stored}
    checked, foreign = set(), dict[str, int]()
    for file, anchors in files.items():
        own = 0
        for anchor in sorted(anchors, key=lambda one: (one.size, one.root)):
            if origin is not None and anchor.origin not in {None, origin}:
                foreign[str(anchor.origin)] = foreign.get(str(anchor.origin), 0) + 1
                continue
            own += 1
            root = b64encode(anchor.root).decode()
            if (anchor.size, root) in checked:
                continue
            checked.add((anchor.size, root))
            passed_there = tree.passed.get(anchor.size)
            if passed_there is not None and passed_there.root != root:
                findings.add(Finding(FindingKind.ANCHOR_DIFFERS, "anchor", root, size=anchor.size, detail=file))
            elif passed_there is None and anchor.size > size:
                findings.add(Finding(FindingKind.ANCHOR_MISSING, "anchor", root, size=anchor.size, detail=file))
            elif (anchor.size, root) not in known:
                findings.add(
                    Finding(FindingKind.CHECKPOINT_MISSING, "checkpoints", root, size=anchor.size, detail=file)
                )
        if not own:
            findings.add(Finding(FindingKind.ANCHOR_FOREIGN, "anchor", detail=file))
    return len(checked), foreign


def wanted_sizes(checkpoints: Iterable[StoredCheckpoint], files: Mapping[str, Iterable[Anchor]]) -> frozenset[int]:
    """The sizes at which the tree has to be remembered."""
    sizes = {one.size for one in checkpoints}
    return frozenset(sizes.union(*({one.size for one in anchors} for anchors in files.values())))
