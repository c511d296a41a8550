"""The filters that a kind of report refuses: they have no meaning for its rows."""

from __future__ import annotations

from retention.errors import UsageError
from retention.reports.report import Kind


def require_filters(kind: Kind, *, run: bool, all_outcomes: bool) -> None:
    """Refuse the filters of a report that its kind does not have. Raises UsageError.

    `run` and `all_outcomes`: whether the report is about one run, or about every outcome.
    """
    if all_outcomes and kind is not Kind.CANCELLED:
        raise UsageError(f"--all goes with --kind {Kind.CANCELLED}, not with --kind {kind}; leave one of them out")
    if run and kind is Kind.PENDING:
        raise UsageError(
            f"--run does not go with --kind {kind}, which has the rounds of a period, planned or not; leave it out, or"
            " choose rounds by --market and --policy"
        )
