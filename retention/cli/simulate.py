"""`simulate`: the simulated vendor as a server, for staging."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.parsing import require_host
from retention.errors import UsageError
from retention.simulator.faults_format import FORMAT

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals
    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("simulate", epilog=_unfilled(FORMAT))(simulate)


def simulate(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="HOST", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0: any free one; it is printed.")] = 8900,
    faults: Annotated[Path | None, typer.Option(metavar="FILE", help="The faults to make, in TOML; see below.")] = None,
    journal: Annotated[Path | None, typer.Option(metavar="FILE", help="Append each request as a JSON line.")] = None,
    stakes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Stakes in CSV: round_id,currency,stake; - is stdin.")
    ] = None,
    from_view: Annotated[
        bool, typer.Option("--from-view", help="Take stakes from the operator's view, which is only read.")
    ] = False,
) -> None:
    """Run the simulated vendor as a server of its own, for staging. Any credentials are taken, any round is open.

    It refunds the stake of --stakes or --from-view, so that a clean staging run ends with 0. A round that neither has
    has a bet of 1.00 EUR, and is listed for review if its stake is another one.
    The server forgets cancelled rounds when it ends: `reconcile` then finds them open.
    """
    if stakes is not None and from_view:
        raise UsageError("--stakes and --from-view exclude each other; name one source of the stakes")
    options = {"host": host, "port": port, "faults": faults, "journal": journal}
    if from_view:
        _simulate_view(context, **options)
    else:
        _simulate(context, **options, stakes=stakes)


def _announce(url: str) -> None:
    print(f"simulated vendor on {url}", flush=True)


@command(check=lambda host: require_host("--host", host))
async def _simulate(
    signals: ShutdownSignals,
    /,
    host: str,
    port: int,
    faults: Path | None = None,
    journal: Path | None = None,
    stakes: Path | None = None,
) -> int:
    """Serve, with the stakes of a file where there is one."""
    from retention.simulator.serve import serve
    from retention.simulator.stakes import read_stakes

    source = None if stakes is None else read_stakes(stakes)
    return await serve(signals, host, port, faults, journal, _announce, source)


@command(check=lambda host: require_host("--host", host))
async def _simulate_view(
    services: Services, signals: ShutdownSignals, /, host: str, port: int, faults: Path | None, journal: Path | None
) -> int:
    """Serve, with the stakes of the operator's view."""
    from retention.simulator.serve import serve
    from retention.simulator.view_rounds import ViewRounds

    partners = {partner.secure_login.reveal(): name for name, partner in services.settings.partners.items()}
    source = ViewRounds(services.database, partners, services.log)
    return await serve(signals, host, port, faults, journal, _announce, source)


def _unfilled(text: str) -> str:
    r"""Mark each paragraph with \b, so that click keeps its lines."""
    return "\n\n".join(f"\b\n{paragraph}" for paragraph in text.split("\n\n"))
