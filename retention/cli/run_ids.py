"""RUN_ID, wherever a command asks for one: its first digits are enough where they tell it from all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention.core.runs.run_ids import GivenRunId, read_run_id
from retention.core.text import time_text
from retention.core.typed_text import is_blank
from retention.errors import UsageError

if TYPE_CHECKING:
    from uuid import UUID

    from retention.wiring.services import Services


def typed_run_id(text: str | GivenRunId) -> GivenRunId:
    """Read a RUN_ID from the command line; what is none is refused there and then."""
    if isinstance(text, GivenRunId):
        return text
    if is_blank(text):
        raise typer.BadParameter("must not be blank: write a run id, as `retention runs list` shows them")
    try:
        return read_run_id(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


RunId = Annotated[GivenRunId, typer.Argument(metavar="RUN_ID", parser=typed_run_id, help="Its first 8 digits do.")]
ResumedRun = Annotated[
    GivenRunId | None, typer.Option(metavar="RUN_ID", parser=typed_run_id, help="Go on with a run, or help with it.")
]
OnlyRun = Annotated[GivenRunId | None, typer.Option(metavar="ID", parser=typed_run_id, help="Only this run.")]


async def known_run(services: Services, given: GivenRunId) -> UUID:
    """Find the one run that is meant. Raises UsageError where there is none, or more than one."""
    rows = await services.run_ledger.find_runs_by_prefix(given)
    if not rows:
        raise UsageError(f"there is no run {given}; `retention runs list` shows the newest")
    if len(rows) > 1:
        told = "".join(f"\n  {row.run_id}  {row.policy}, as of {time_text(row.as_of)}" for row in rows)
        raise UsageError(f"run {given} is not told from others; write more of its digits:{told}")
    run_id: UUID = rows[0].run_id
    return run_id
