"""`serve`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import globals_of, run_with_services
from retention.cli.lookups import require_host
from retention.cli.parsing import duration
from retention.errors import UsageError

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals
    from retention.wiring.services import Services

_PORT = re.compile("[0-9]{1,5}")

CONNECTIONS = 10
"""To the database, at the most: several runs at once, two of them being planned, and the look around."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("serve")(serve)


def serve(
    context: typer.Context,
    http: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /healthz, /readyz and /metrics are; port 0: any free one.")
    ] = "127.0.0.1:8901",
    drain_timeout: Annotated[
        str, typer.Option(metavar="D", help="How long a stop waits for what is in flight, such as 25s.")
    ] = "25s",
) -> None:
    """Run each policy at its scheduled times, until stopped. Any number of replicas share the work."""
    address, wait = _address(http), duration("--drain-timeout", drain_timeout)

    async def work(services: Services, signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready
        from retention.wiring.services import serve as run_daemon

        await require_ready(services.database)
        return await run_daemon(
            services,
            signals,
            globals_of(context).settings,
            address=address,
            drain_timeout=wait.total_seconds(),
            announce=lambda url: print(f"health and metrics on {url}", flush=True),
        )

    run_with_services(context, work, connections=CONNECTIONS, quiet=False)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    if not colon or not _PORT.fullmatch(port) or int(port) > 65535 or not bare or set("[] ") & {*bare}:  # noqa: PLR2004
        raise UsageError(f"--http {text!r}: no address; write HOST:PORT, such as 127.0.0.1:8901 or [::1]:8901")
    require_host("--http", bare)
    return bare, int(port)
