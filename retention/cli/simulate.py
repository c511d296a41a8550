"""`simulate`: the simulated vendor as a server, for staging."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.parsing import require_host
from retention.simulator.faults_format import FORMAT

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("simulate", epilog=_unfilled(FORMAT))(simulate)


@command(check=lambda host: require_host("--host", host))
async def simulate(
    signals: ShutdownSignals,
    /,
    host: Annotated[str, typer.Option(metavar="HOST", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0: any free one; it is printed.")] = 8900,
    faults: Annotated[Path | None, typer.Option(metavar="FILE", help="The faults to make, in TOML; see below.")] = None,
    journal: Annotated[Path | None, typer.Option(metavar="FILE", help="Append each request as a JSON line.")] = None,
) -> int:
    """Run the simulated vendor as a server of its own, for staging. Any credentials are taken, any round is open.

    Each round has a bet of 1.00 EUR, so a round with another stake is listed for review once it is cancelled.
    The server forgets cancelled rounds when it ends: `reconcile` then finds them open.
    """
    from retention.simulator.serve import serve

    return await serve(
        signals, host, port, faults, journal, lambda url: print(f"simulated vendor on {url}", flush=True)
    )


def _unfilled(text: str) -> str:
    r"""Mark each paragraph with \b, so that click keeps its lines."""
    return "\n\n".join(f"\b\n{paragraph}" for paragraph in text.split("\n\n"))
