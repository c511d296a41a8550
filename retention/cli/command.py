"""What commands have in common: configuration, an event loop, and errors told in one line."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from retention.core.typed_text import is_blank, stripped
from retention.errors import RetentionError, UnprintedError
from retention.exit_codes import ExitCode
from retention.process import surroundings

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    from retention.process.shutdown import ShutdownSignals
    from retention.redaction import Redactor
    from retention.settings import Settings
    from retention.wiring.services import Services

    Work = Callable[[Services, ShutdownSignals], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Globals:
    """The options that stand before the command."""

    config: Path | None
    log_format: str
    log_level: str | None

    def settings(self) -> Settings:
        """Read the configuration. Raises ConfigurationError."""
        from retention.settings import load_settings

        try:
            here = Path.cwd()
        except OSError:  # it was deleted, or may not be seen: names that begin at the root do all the same
            here = Path()
        return load_settings(self.config, os.environ, here)

    def log(self, redactor: Redactor, *, quiet: bool = True) -> FilteringBoundLogger:
        """Open the log. With `quiet`, only warnings on a terminal: what a command shows there tells the rest."""
        from retention.log import configure

        quiet = quiet and sys.stderr.isatty() and self.log_format == "auto"
        level = self.log_level or ("warning" if quiet else "info")
        return configure(self.log_format, level, redactor)


def globals_of(context: typer.Context) -> Globals:
    """The options that stood before this command."""
    found = context.find_object(Globals)
    assert found is not None
    return found


def run_with_services(
    context: typer.Context,
    work: Work,
    *,
    asked: Callable[[Settings], object] | None = None,
    connections: int | None = None,
    quiet: bool = True,
    prints: bool = False,
) -> None:
    """Run a command that works on the database, and leave with the exit code that it returns.

    `asked` raises UsageError for words of the command that the configuration alone decides, before there is any
    connection. `connections`: how many to the database at the most, where the usual number does not do. `quiet`: as
    the log has it. `prints`: what it prints is all that it does.
    """
    from retention.cli.lookups import refuse_blanks
    from retention.wiring.services import CONNECTIONS, open_services, redactor_of

    refuse_blanks(context)
    surroundings.require_files()
    options = globals_of(context)
    settings = options.settings()
    redactor = redactor_of(settings)
    if asked is not None:
        try:
            asked(settings)
        except RetentionError as error:  # it repeats words of the command line, and one of them may be a secret
            raise typer.Exit(_fail(redactor.text(str(error)), error.exit_code)) from None
    log = options.log(redactor, quiet=quiet)

    async def opened(signals: ShutdownSignals) -> int:
        async with open_services(settings, log, redactor, connections or CONNECTIONS) as services:
            return await work(services, signals)

    run(context, opened, redactor, log, prints=prints)


def run(
    context: typer.Context,
    work: Callable[[ShutdownSignals], Awaitable[int]],
    redactor: Redactor,
    log: FilteringBoundLogger,
    *,
    prints: bool = False,
) -> None:
    """Run an asynchronous command and leave with its exit code; what goes wrong is told without a secret.

    `prints`: what it prints is all that it does. Any other command goes on with its work where it cannot print.
    """
    import asyncio
    import gc

    import psycopg

    from retention.ledger.database_errors import UNAVAILABLE, describe_unavailable
    from retention.process.shutdown import ShutdownSignals

    # What is imported stays, and requests leave next to no cycles: looking for them as often as Python does by itself
    # takes a tenth of a busy process's time.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    signals = ShutdownSignals()
    if not prints:
        surroundings.work_comes_first(machine=bool(context.params.get("as_json")))

    async def handled() -> int:
        with signals:
            return await work(signals)

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            code = runner.run(handled())
    except asyncio.CancelledError:
        code = signals.code or ExitCode.BUG
    except UnprintedError:
        raise
    except RetentionError as error:
        code = _fail(redactor.own_words(str(error)), error.exit_code)
    except UNAVAILABLE as error:
        code = _fail(redactor.text(describe_unavailable(error)), ExitCode.UNREACHABLE)
    except (
        psycopg.errors.InsufficientPrivilege
    ) as error:  # of a view's or a function's owner: ours are looked at before
        code = _fail(
            f"{redactor.text(_first_line(error))}; grant it to the role that needs it: `retention check` looks",
            ExitCode.USAGE,
        )
    except psycopg.Error as error:
        code = _fail(f"the database refused a statement: {redactor.text(_first_line(error))}", ExitCode.USAGE)
    except Exception:
        log.exception("bug")
        code = ExitCode.BUG
    raise typer.Exit(code)


def default_requester(name: str | None) -> str:
    """Who answers for it: the name given, without what is around it, else the one that the operating system knows."""
    if name is not None:
        return stripped(name)
    try:
        found = stripped(getpass.getuser())
    except (KeyError, OSError):  # a container's user without a name
        found = ""
    return f"uid {os.getuid()}" if is_blank(found) else found


def emit_json(document: Any) -> None:
    """Print a document: amounts as decimal strings, times as ISO 8601 in UTC."""
    from retention.render.json_file import to_json

    print(to_json(document))


def _fail(message: str, code: ExitCode) -> ExitCode:
    from retention.core.text import printable_lines

    surroundings.tell(f"error: {printable_lines(message)}")
    return code


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    import asyncio

    try:
        import uvloop
    except ImportError:  # not on this platform; the standard loop does as well, only slower
        return asyncio.new_event_loop
    return uvloop.new_event_loop
