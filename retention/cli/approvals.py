"""`approve` and `reject`: the decision of another person on the plan of a run that waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.lookups import known_run
from retention.cli.options import By, RunId
from retention.cli.parsing import requester
from retention.core.planning.approval import DIGEST_DIGITS, DIGEST_DIGITS_MIN, is_digest_beginning
from retention.errors import UsageError

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals
    from retention.wiring.services import Services

Digest = Annotated[
    str | None,
    typer.Option(
        metavar="D", help=f"The digest of the plan that you have seen, its first {DIGEST_DIGITS_MIN} digits at least."
    ),
]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("approve")(approve)
    app.command("reject")(reject)


def _given_digest(digest: str | None) -> str | None:
    """Return the digits of `--digest` in lower case. Raises UsageError for a text that cannot begin a digest."""
    if digest is None:
        return None
    digits = digest.strip().lower()
    if not is_digest_beginning(digits):
        raise UsageError(
            f"--digest {digest!r}: no digest; write {DIGEST_DIGITS_MIN} to {DIGEST_DIGITS} hexadecimal digits, as "
            "`retention runs show RUN_ID` shows them"
        )
    return digits


@command(ready_for="approve", check=_given_digest)
async def approve(
    services: Services,
    signals: ShutdownSignals,
    checked: str | None,
    /,
    run: RunId,
    by: By,
    digest: Digest = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="What you looked at; kept with the run.")] = None,
) -> None:
    """Approve the plan of a run that waits for it. Never the person who asked for the run.

    It only marks the run: `serve` then sends exactly these rounds, or `run --resume` does, each looked at once more.
    """
    from retention.render.terminal_approvals import print_approval

    run_id = await known_run(services, run)
    print_approval(await services.runs(signals).approve(run_id, requester(by), checked, note))


@command(ready_for="reject", check=_given_digest)
async def reject(
    services: Services,
    signals: ShutdownSignals,
    checked: str | None,
    /,
    run: RunId,
    by: By,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with the run and its rounds.")],
    digest: Digest = None,
) -> None:
    """Reject the plan of a run that waits for approval: the run is cancelled, and a later run plans its rounds."""
    from retention.render.terminal_approvals import print_rejection

    run_id = await known_run(services, run)
    print_rejection(await services.runs(signals).reject(run_id, requester(by), checked, note))
