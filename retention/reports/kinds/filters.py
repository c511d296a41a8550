"""The filters that a kind of report refuses: they have no meaning for its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.errors import UsageError
from retention.reports.report import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFUSED: Mapping[Kind, Mapping[str, str]] = {
    Kind.PENDING: {
        "--run": "its rounds are those of a period, planned or not",
        "--all": "it has every outcome already",
    },
}
"""For each kind: the options that it refuses, each with the reason."""


def require_filters(kind: Kind, *, run: bool, all_outcomes: bool) -> None:
    """Refuse the filters of a report that its kind does not have. Raises UsageError.

    `run` and `all_outcomes`: whether the report is about one run, or about every outcome.
    """
    given = {"--run": run, "--all": all_outcomes}
    for option, reason in _REFUSED.get(kind, {}).items():
        if given[option]:
            raise UsageError(f"{option} is not for --kind {kind}: {reason}; leave it out")
