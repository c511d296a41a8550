"""The result of `audit verify`, as a terminal shows it and as JSON."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from retention.core.text import counted
from retention.render.terminal_table import moment, print_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

    from retention.core.evidence.audit_findings import AuditResult, Finding

SHOWN = 50
"""Findings that a terminal shows; JSON has more."""

_PLACE = {"run_id": "run", "entry_id": "entry", "leaf": "leaf", "size": "size"}


def print_audit(result: AuditResult, file: TextIO | None = None) -> None:
    """Print the counts of the check, and then that all fits, or the findings."""
    print_lines(_checked(result), file)
    print_lines(_verdict(result), file)


def audit_document(result: AuditResult) -> dict[str, Any]:
    """Make the JSON document of a result; it has at most the findings that were kept."""
    newest = {"size": result.newest_size, "root": result.newest_root} if result.newest_root is not None else None
    return {
        "ok": result.ok,
        "origin": result.origin,
        "kept_since": result.kept_since,
        "entries": {"placed": result.leaves, "unplaced": result.unplaced},
        "checkpoints": {"count": result.checkpoints, "signatures": result.signatures, "newest": newest},
        "rows": result.rows,
        "rows_before_evidence": result.exempt,
        "archived": {"archives": result.archives, "files_read": result.archive_files, **result.archived},
        "anchors": {"checked": result.anchors, "of_other_ledgers": result.foreign},
        "findings_total": result.findings.total,
        "findings": [_finding(finding) for finding in result.findings.kept],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    values = {field.name: getattr(finding, field.name) for field in fields(finding)}
    return {**values, "run_id": finding.run_id and str(finding.run_id), "meaning": finding.kind.meaning}


def _checked(result: AuditResult) -> Iterator[str]:
    if result.origin is not None:
        yield f"ledger {result.origin}"
    yield f"tree: {counted(result.leaves, 'entry', 'entries')}, {counted(result.checkpoints, 'checkpoint')}"
    if result.newest_root is not None:
        yield f"newest checkpoint: size {result.newest_size}, root {result.newest_root}"
    if result.signatures:
        yield f"signatures: {result.signatures}"
    if result.unplaced:
        yield f"{counted(result.unplaced, 'entry', 'entries')} not in a checkpoint yet"
    yield f"rows: {_counts(result.rows) or 'none'}"
    if result.exempt:
        since = moment(result.kept_since)
        yield f"of them without evidence, since they are older than it ({since}): {_counts(result.exempt)}"
    if result.archives:
        yield f"archived: {_counts(result.archived) or 'nothing yet'}, in {counted(len(result.archives), 'archive')}"
        read = counted(result.archive_files, "file")
        yield f"files of archives: {read} compared" if result.archive_files else "their files: see --archives DIR"
    if result.anchors:
        yield f"anchors: {counted(result.anchors, 'checkpoint')}"
    for origin, count in result.foreign.items():
        yield f"not compared: {counted(count, 'checkpoint')} of another ledger, {origin}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {table}" for table, count in sorted(counts.items()))


def _verdict(result: AuditResult) -> Iterator[str]:
    if result.ok:
        known = "the database and the key" if result.signatures else "the database alone"
        yield "OK: the evidence is unaltered" + ("" if result.anchors else f", as far as {known} can tell")
        return
    yield f"NOT OK: {counted(result.findings.total, 'finding')}"
    for finding in result.findings.kept[:SHOWN]:
        yield f"{finding.kind}: {finding.table or ''} {finding.id or ''}".rstrip()
        if place := _place(finding):
            yield f"    {place}"
        yield f"    {finding.kind.meaning}"
        if finding.detail:
            yield f"    {finding.detail}"
    if result.findings.total > SHOWN:
        yield f"and {result.findings.total - SHOWN} more; --json lists the first {len(result.findings.kept)}"


def _place(finding: Finding) -> str:
    told = {word: getattr(finding, name) for name, word in _PLACE.items()}
    return ", ".join(f"{word} {value}" for word, value in told.items() if value is not None)
