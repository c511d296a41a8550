"""The registry of the kinds of report: a new one is a member of `Kind` and an entry here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.reports.kinds.cancelled import CancelledRounds
from retention.reports.kinds.decisions import Decisions
from retention.reports.kinds.pending import PendingRounds
from retention.reports.kinds.refunds import Refunds
from retention.reports.report import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retention.reports.kinds.kind import ReportKind

KINDS: Mapping[Kind, ReportKind] = {
    Kind.CANCELLED: CancelledRounds(),
    Kind.PENDING: PendingRounds(),
    Kind.DECISIONS: Decisions(),
    Kind.REFUNDS: Refunds(),
}
"""For each kind: its reader."""

WALLET_KINDS = frozenset({Kind.CANCELLED, Kind.REFUNDS})
"""The kinds that read the operator's view `wallet_refunds`, where there is one."""
