"""`demo` and `simulate`: with a vendor of our own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import globals_of, run
from retention.errors import UsageError
from retention.simulator.faults_format import FORMAT

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("demo")(demo)
    app.command("simulate", epilog=_as_it_stands(FORMAT))(simulate)


def demo(
    context: typer.Context,
    rounds: Annotated[
        int, typer.Option(min=20, max=1_000_000, metavar="N", help="Rounds in the operator's table.")
    ] = 3000,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the database's files, and say how to look into them.")
    ] = False,
) -> None:
    """See the whole job: an embedded PostgreSQL, a simulated vendor, plan, run, report. Needs no set-up."""
    import tempfile

    from retention.demo import demonstrate
    from retention.redaction import Redactor

    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        raise UsageError("no folder takes temporary files; set TMPDIR to one that can be written to") from None
    redactor = Redactor(list, set)
    options = globals_of(context)
    log = options.log(redactor)

    async def work(signals: ShutdownSignals) -> int:
        return await demonstrate(options.log, signals, rounds=rounds, keep=keep)

    run(context, work, redactor, log)


def simulate(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="HOST", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0: any free one; it is printed.")] = 8900,
    faults: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What is to go wrong, in TOML; see below.")
    ] = None,
    journal: Annotated[Path | None, typer.Option(metavar="FILE", help="Append each request as a JSON line.")] = None,
) -> None:
    """Run the simulated vendor as a server of its own, for staging. Any credentials are taken, any round is open."""
    from retention.cli.lookups import refuse_blanks, require_host
    from retention.redaction import Redactor
    from retention.simulator.serve import serve

    refuse_blanks(context)
    require_host("--host", host)
    redactor = Redactor(list, set)
    log = globals_of(context).log(redactor)

    async def work(signals: ShutdownSignals) -> int:
        return await serve(
            signals, host, port, faults, journal, lambda url: print(f"simulated vendor on {url}", flush=True)
        )

    run(context, work, redactor, log)


def _as_it_stands(text: str) -> str:
    """Mark each paragraph as one whose lines are not to be filled."""
    return "\n\n".join(f"\b\n{paragraph}" for paragraph in text.split("\n\n"))
