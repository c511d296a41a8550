"""`demo`: the whole job on one machine, against a simulated vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import GlobalOptions, command
from retention.errors import UsageError

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("demo")(demo)


def _require_temporary_folder() -> None:
    """Raise UsageError where no folder takes temporary files."""
    import tempfile

    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        raise UsageError("no folder takes temporary files; set TMPDIR to one that can be written to") from None


@command(before=_require_temporary_folder)
async def demo(
    global_options: GlobalOptions,
    signals: ShutdownSignals,
    /,
    rounds: Annotated[
        int, typer.Option(min=20, max=1_000_000, metavar="N", help="Rounds in the operator's table.")
    ] = 3000,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the database's files, and say how to look into them.")
    ] = False,
) -> int:
    """See the whole job: an embedded PostgreSQL, a simulated vendor, plan, run, report. Needs no set-up."""
    from retention.demo import demonstrate

    return await demonstrate(global_options.log, signals, rounds=rounds, keep=keep)
