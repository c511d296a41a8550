"""The findings of `audit verify`, each kind with its meaning, and the result as a whole."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

KEPT = 1000
"""Findings that are kept to be shown; more of them are counted alone."""

LATER_KINDS = ("conflict", "released", "restored", "resolved", "reclosed", "pseudonymised")
"""Kinds of entries that may change a cancellation that is settled already."""


class FindingKind(enum.StrEnum):
    """The kind of a finding; `meaning` says it in words."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        """Make a member whose value is the name alone."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    KEY_MISSING = "key_missing", "the ledger's key is gone: no row can be compared"
    TREE = "tree", "places of the tree are gone"
    ENTRY_MISSING = "entry_missing", "the entry is gone, and its place in the tree is still there"
    ENTRY_CHANGED = "entry_changed", "the entry is not the one that was placed here"
    ENTRY_COLUMNS = "entry_columns", "the entry's columns do not repeat its text"
    ENTRY_UNREADABLE = "entry_unreadable", "the entry's text is not what a statement writes"
    ENTRY_UNPLACED = "entry_unplaced", "a much later checkpoint does not contain this entry"
    ROOT = "root", "the tree has another root at this size: an entry since the last good checkpoint was replaced"
    CHECKPOINT_CHANGED = "checkpoint_changed", "the checkpoint is not one that the program has made"
    CHECKPOINT_MISSING = "checkpoint_missing", "a checkpoint of this size was made, and is gone"
    SIGNATURE = "signature", "no known key has signed the checkpoint as it is"
    KEY_FOREIGN = "key_foreign", "the given key is another ledger's"
    ROW_CHANGED = "row_changed", "the row is not as it was recorded"
    ROW_MISSING = "row_missing", "the row was recorded, and is gone"
    ROW_UNRECORDED = "row_unrecorded", "the row was written past the program: nothing was recorded of it"
    SETTLED_TWICE = "settled_twice", "the cancellation was settled, and later settled otherwise"
    ATTEMPT_UNCLAIMED = "attempt_unclaimed", "the attempt has no outcome, and no claim knows it"
    ARCHIVE_MISSING = "archive_missing", "the file of an archived month is not in the folder"
    ARCHIVE_CHANGED = "archive_changed", "the file is not as the month was archived"
    ANCHOR_MISSING = "anchor_missing", "the anchor knows a larger tree: evidence was removed"
    ANCHOR_DIFFERS = "anchor_differs", "the anchor knows another root at this size: evidence was replaced"
    ANCHOR_FOREIGN = "anchor_foreign", "the file has checkpoints of other ledgers alone"


@dataclass(frozen=True, slots=True)
class Finding:
    """One place that does not fit. Fields that do not apply are None.

    `leaf` is the place in the tree, `size` the size of a checkpoint.
    """

    kind: FindingKind
    table: str | None = None
    id: str | None = None
    run_id: UUID | None = None
    entry_id: int | None = None
    leaf: int | None = None
    size: int | None = None
    detail: str | None = None


@dataclass(slots=True)
class Findings:
    """The findings in the order in which they were found; after `KEPT` of them, each is counted alone."""

    kept: list[Finding] = field(default_factory=list)
    total: int = 0

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        self.total += 1
        if len(self.kept) < KEPT:
            self.kept.append(finding)


@dataclass(slots=True)
class AuditResult:
    """The counts of all that was checked, and the findings.

    `rows` and `exempt` count rows by table; exempt ones are older than `kept_since`. `anchors` counts the checkpoints
    that were found outside, `foreign` those of other ledgers by name.

    `archived` counts the entries, and the rows by table, that have left for `archives`. `archive_files` counts the
    files that were read.
    """

    origin: str | None = None
    kept_since: datetime | None = None
    leaves: int = 0
    unplaced: int = 0
    checkpoints: int = 0
    signatures: int = 0
    newest_size: int | None = None
    newest_root: str | None = None
    rows: dict[str, int] = field(default_factory=dict)
    exempt: dict[str, int] = field(default_factory=dict)
    anchors: int = 0
    foreign: dict[str, int] = field(default_factory=dict)
    archives: list[str] = field(default_factory=list)
    archived: dict[str, int] = field(default_factory=dict)
    archive_files: int = 0
    findings: Findings = field(default_factory=Findings)

    @property
    def ok(self) -> bool:
        """Whether everything fits."""
        return self.findings.total == 0
