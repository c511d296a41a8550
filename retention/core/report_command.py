"""The command that makes a report by hand, for messages and pages."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from retention.core.text import time_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID


def report_command(
    *,
    kind: str,
    form: str,
    period: str | None,
    timezone: str,
    start: datetime | None = None,
    end: datetime | None = None,
    markets: Sequence[str] | None = None,
    policies: Sequence[str] | None = None,
    run_id: UUID | None = None,
    all_outcomes: bool = False,
    pseudonymise: bool = False,
) -> str:
    """Return the command; its reader puts a name for FILE. A report without a period has `start` and `end`."""
    words = ["retention", "report"]
    if period is not None:
        words += ["--period", period, "--timezone", timezone]
    else:
        for option, moment in (("--from", start), ("--to", end)):
            words += [] if moment is None else [option, time_text(moment)]
    words += [] if kind == "cancelled" else ["--kind", kind]
    for option, names in (("--market", markets), ("--policy", policies)):
        for name in names or ():
            words += [option, name]
    words += [] if run_id is None else ["--run", str(run_id)]
    words += ["--all"] if all_outcomes else []
    words += ["--pseudonymise"] if pseudonymise else []
    return shlex.join([*words, "--format", form, "-o", "FILE"])
