"""The application: its global options and all commands."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from retention.cli.command import GlobalOptions
from retention.cli.help_text import WholeHelp

app = typer.Typer(
    name="retention",
    cls=WholeHelp,
    help="Cancels stale game rounds at the vendor, once each, with evidence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help, without the time to import rich
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class LogFormat(enum.StrEnum):
    """The format of log lines."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(enum.StrEnum):
    """The lowest level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("retention"))
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Configuration file; else $RETENTION_CONFIG, ./retention.toml, /etc/retention/retention.toml.",
            metavar="FILE",
        ),
    ] = None,
    log_format: Annotated[
        LogFormat,
        typer.Option(metavar="auto|json|console", help="auto: JSON unless stderr is a terminal.", case_sensitive=False),
    ] = LogFormat.AUTO,
    log_level: Annotated[
        LogLevel | None,
        typer.Option(
            metavar="debug|info|warning|error",
            help="Default: info; warning beside a progress display.",
            case_sensitive=False,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Keep the options that stand before the command."""
    del version
    context.obj = GlobalOptions(config, log_format.value, log_level.value if log_level else None)


# The modules of commands import nothing heavy before a command runs.
from retention.cli import (  # noqa: E402
    approvals,
    audit,
    cancel,
    check,
    completion,
    database,
    demo,
    find,
    help_command,
    holds,
    init,
    ledger,
    pauses,
    plan_run,
    reconcile,
    reports,
    review,
    runs,
    serve,
    simulate,
)

for module in (
    demo,
    simulate,
    init,
    database,
    check,
    plan_run,
    cancel,
    approvals,
    serve,
    reports,
    find,
    reconcile,
    runs,
    review,
    holds,
    pauses,
    audit,
    ledger,
    completion,
    help_command,
):
    module.register(app)
