"""`serve`: the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import GlobalOptions, command
from retention.cli.options import Processes
from retention.cli.parsing import duration, http_address

if TYPE_CHECKING:
    from datetime import timedelta

    from retention.process.shutdown import ShutdownSignals
    from retention.wiring.services import Services

CONNECTIONS = 10
"""Database connections at most: for several runs at once, two of them planning, and the heartbeat and polls."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("serve")(serve)


def _address_and_timeout(http: str, drain_timeout: str) -> tuple[tuple[str, int], timedelta]:
    """Read both options. Raises UsageError."""
    return http_address("--http", http), duration("--drain-timeout", drain_timeout)


@command(ready_for="serve", before=_address_and_timeout, connections=CONNECTIONS, quiet=False)
async def serve(
    services: Services,
    signals: ShutdownSignals,
    global_options: GlobalOptions,
    checked: tuple[tuple[str, int], timedelta],
    /,
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /healthz, /readyz and /metrics are; port 0: any free one.")
    ] = "127.0.0.1:8901",
    drain_timeout: Annotated[
        str, typer.Option(metavar="D", help="How long a stop waits for requests in flight, such as 25s.")
    ] = "25s",
    processes: Processes = 1,
) -> int:
    """Run each policy at its scheduled times, until stopped. Any number of replicas share the work."""
    from retention.wiring.daemon import serve as run_daemon
    from retention.wiring.fleet import with_helpers

    address, timeout = checked
    return await run_daemon(
        with_helpers(services, processes, global_options.log_form(quiet=False), CONNECTIONS),
        signals,
        global_options.settings,
        address=address,
        drain_timeout_s=timeout.total_seconds(),
        announce=lambda url: print(f"health and metrics on {url}", flush=True),
    )
