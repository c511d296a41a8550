"""The facts of a report as a whole, in the order in which each format writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.reports.report import DRY_RUN, NO_ACTIVITY

if TYPE_CHECKING:
    from retention.reports.report import Report


def report_facts(report: Report) -> dict[str, Any]:
    """Return the head of a report as one object, by the contract's names."""
    head = report.head
    selection = head.selection
    return {
        "report_id": head.report_id,
        "kind": selection.kind,
        "period": selection.period,
        "timezone": selection.timezone,
        "from": selection.start,
        "to": selection.end,
        "markets": selection.markets,
        "policies": selection.policies,
        "run_id": selection.run_id,
        "dry_run": DRY_RUN if selection.dry_run else None,
        "all_outcomes": selection.all_outcomes,
        "pseudonymised": selection.pseudonymise,
        "generated_at": head.generated_at,
        "generated_by": head.generated_by,
        "software": head.software,
        "checkpoint": head.checkpoint and head.checkpoint.document(),
        "archived": head.archived,
        "no_activity": NO_ACTIVITY if report.count == 0 else None,
        "count": report.count,
    }


def row_facts(report: Report) -> dict[str, Any]:
    """Return the facts that stand at the end of each row where a file has rows alone."""
    head, selection = report.head, report.head.selection
    return {
        "report_id": head.report_id,
        "kind": str(selection.kind),
        "period": selection.period,
        "timezone": selection.timezone,
        "checkpoint_size": head.checkpoint and head.checkpoint.size,
        "checkpoint_root": head.checkpoint and head.checkpoint.root,
        "software": head.software,
    }
