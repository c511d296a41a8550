"""Decisions on the plan of a run as a terminal shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.text import counted
from retention.render.terminal_table import moment, print_lines, sums_below, sums_in_short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retention.runs.approvals import Decision


def print_approval(decision: Decision) -> None:
    """Print an approval: the approved plan, the latest start of its run, and the command that starts it."""
    record = decision.record
    lines = [f"run {record.run_id} of policy {record.policy} is approved by {record.approved_by}:", *_plan(decision)]
    if record.approval_expires_at is not None:
        lines.append(f"  it has to start before {moment(record.approval_expires_at)}")
    lines.append(f"  `serve` starts it, or `retention run --resume {record.run_id}`")
    print_lines(lines, None)


def print_rejection(decision: Decision) -> None:
    """Print a rejection, with the rejected plan."""
    record = decision.record
    print_lines(
        [
            f"run {record.run_id} of policy {record.policy} is rejected by {record.rejected_by}, and cancelled:",
            *_plan(decision),
            f"  {decision.not_sent} not sent; a later run plans what is stale then",
        ],
        None,
    )


def _plan(decision: Decision) -> Iterator[str]:
    """Describe the plan that a person decided on: rounds, stakes, time and digest."""
    record, totals = decision.record, decision.totals
    yield f"  {counted(totals.rounds, 'round')}, stakes {sums_in_short(dict(sorted(totals.stakes.items())))}"
    yield from sums_below(dict(sorted(totals.stakes.items())))
    yield f"  planned as of {moment(record.as_of)}, requested by {record.requested_by}"
    yield f"  digest {record.plan_digest}"
