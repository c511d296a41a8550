"""Makes commands from asynchronous functions: reads the configuration, opens the services, checks the schema.

A function lists its needs before `/`, by name: `settings`, `services`, `signals` and so on (`NEEDS`). Its other
parameters are the options of the command, which typer reads from its signature.

    @command(ready_for="hold release")
    async def hold_release(services: Services, /, hold_id: HoldId, by: By) -> None: ...

Nothing heavy is imported before a command runs, so `--help` stays quick.

The work decides the exit code. A command that changes something continues when it cannot print, and says so once on the
stream that works. A command that only prints (`prints`) ends with 2, and silently when its reader closed the pipe. The
default is the safe side: a new command that forgets the flag loses no work.
"""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, get_type_hints

import typer

from retention.cli.parsing import refuse_unreadable_texts
from retention.errors import RetentionError
from retention.process import this_process

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from structlog.typing import FilteringBoundLogger

    from retention.log import LogForm
    from retention.process.shutdown import ShutdownSignals
    from retention.redaction import Redactor
    from retention.settings.model import Settings
    from retention.wiring.services import Services

    Work = Callable[..., Awaitable[int | None]]

NEEDS = frozenset({"global_options", "settings", "log", "services", "signals", "checked", "measured"})
"""The names that a command may list before `/`: `checked` and `measured` are the values of the hooks."""

RUN = "run"
"""The name for `ready_for` of commands that need all that runs need."""


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """The options that stand before the command."""

    config: Path | None
    log_format: str
    log_level: str | None

    def settings(self) -> Settings:
        """Read the configuration. Raises ConfigurationError."""
        from retention.settings.load import load_settings

        try:
            here = Path.cwd()
        except OSError:  # the working directory is deleted or hidden: absolute paths still work
            here = Path()
        return load_settings(self.config, os.environ, here)

    def log_form(self, *, quiet: bool = True) -> LogForm:
        """Return the form of the log. With `quiet`, a terminal gets warnings only: the output shows the rest."""
        from retention.log import log_form

        quiet = quiet and sys.stderr.isatty() and self.log_format == "auto"
        return log_form(self.log_format, self.log_level or ("warning" if quiet else "info"))

    def log(self, redactor: Redactor, *, quiet: bool = True) -> FilteringBoundLogger:
        """Open the log in that form."""
        from retention.log import configure

        form = self.log_form(quiet=quiet)
        return configure(form.format, form.level, redactor)


def global_options(context: typer.Context) -> GlobalOptions:
    """Return the options that stood before this command."""
    found = context.find_object(GlobalOptions)
    assert found is not None
    return found


def command(
    *,
    ready_for: str | None = None,
    before: Callable[..., object] | None = None,
    measure: Callable[..., AbstractContextManager[object]] | None = None,
    check: Callable[..., object] | None = None,
    connections: int | None = None,
    quiet: bool = True,
    prints: bool = False,
) -> Callable[[Work], Callable[..., None]]:
    """Make a command of an asynchronous function, which returns the exit code (None: 0).

    The hooks take options of the command, and other values, by the names of their parameters. Their UsageErrors end the
    command before it connects to anything. In this order:

    - `before` checks the options alone. Its value is `checked`.
    - `measure` is a context manager around the rest, which sees errors and exit code as exceptions. Its value is
      `measured`.
    - `check` checks the options against the `settings`. Its value is `checked`. Secrets are masked in its errors.

    `ready_for`: the name by which ledger/checks/needs.py knows the schema and privileges that the command needs.
    `connections`: to the database, at most. `quiet`: see `GlobalOptions.log`. `prints`: the output is all that the
    command is for.
    """

    def decorate(work: Work) -> Callable[..., None]:
        needs, signature = _split(work)
        made = _Command(work, needs, ready_for, before, measure, check, connections, quiet, prints)

        @wraps(work)
        def invoke(context: typer.Context, **options: Any) -> None:
            made.invoke(context, options)

        invoke.__signature__ = signature  # type: ignore[attr-defined]
        invoke.__annotations__ = {name: option.annotation for name, option in signature.parameters.items()}
        return invoke

    return decorate


@dataclass(frozen=True, slots=True)
class _Command:
    """A command: its function, the names that the function needs, and the arguments of `command`."""

    work: Work
    needs: Sequence[str]
    ready_for: str | None
    before: Callable[..., object] | None
    measure: Callable[..., AbstractContextManager[object]] | None
    check: Callable[..., object] | None
    connections: int | None
    quiet: bool
    prints: bool

    def invoke(self, context: typer.Context, options: Mapping[str, Any]) -> None:
        """Run the command with its options. Raises typer.Exit with its exit code."""
        values = {**options, "global_options": global_options(context)}
        if self.before is not None:
            values["checked"] = _call(self.before, values)
        with nullcontext() if self.measure is None else _call(self.measure, values) as values["measured"]:
            refuse_unreadable_texts(context)
            raise typer.Exit(self._run(options, values))

    def _run(self, options: Mapping[str, Any], values: dict[str, Any]) -> int:
        from retention.cli.runner import fail, run

        redactor = self._configure(values)
        try:
            if self.check is not None:
                values["checked"] = _call(self.check, values)
        except RetentionError as error:  # it repeats options, and one of them may be a secret
            return fail(redactor.text(str(error)), error.exit_code)
        log = values["global_options"].log(redactor, quiet=self.quiet)
        if "services" in self.needs and options.get("processes", 1) > 1:  # each line of the one log names its process
            log = log.bind(process=1)
        values["log"] = log

        async def work(signals: ShutdownSignals) -> int | None:
            values["signals"] = signals
            if "services" not in self.needs:
                return await self._work(options, values)
            from retention.wiring.services import CONNECTIONS, open_services

            async with open_services(values["settings"], log, redactor, self.connections or CONNECTIONS) as services:
                values["services"] = services
                await self._require_ready(services)
                code = await self._work(options, values)
                await self._checkpoint(services)
                return code

        return run(work, redactor, log, prints=self.prints, machine=bool(options.get("as_json")))

    def _configure(self, values: dict[str, Any]) -> Redactor:
        """Read the configuration for a command that needs it; returns the redactor of its secrets."""
        if not {"settings", "services"} & {*self.needs}:
            from retention.redaction import Redactor

            return Redactor(list, set)
        from retention.wiring.secrets import redactor_of

        if "services" in self.needs:
            this_process.require_files()
        values["settings"] = values["global_options"].settings()
        return redactor_of(values["settings"])

    async def _require_ready(self, services: Services) -> None:
        if self.ready_for is not None:
            from retention.ledger.checks.readiness import require_ready

            await require_ready(services.database, None if self.ready_for == RUN else self.ready_for)

    async def _checkpoint(self, services: Services) -> None:
        """Make a checkpoint after a person's decision. Runs make their own."""
        from retention.ledger.checks.required_privileges import decides

        if self.ready_for is not None and self.ready_for != RUN and decides(self.ready_for):
            await services.checkpoints.make()

    async def _work(self, options: Mapping[str, Any], values: Mapping[str, Any]) -> int | None:
        return await self.work(*(values[name] for name in self.needs), **options)


def _split(work: Work) -> tuple[Sequence[str], inspect.Signature]:
    """Return the names that a function needs, and the signature of its options as typer reads it."""
    parameters = inspect.signature(work).parameters.values()
    needs = [one.name for one in parameters if one.kind is one.POSITIONAL_ONLY]
    options = [one for one in parameters if one.kind is not one.POSITIONAL_ONLY]
    assert NEEDS.issuperset(needs), needs
    assert NEEDS.isdisjoint(option.name for option in options), work
    # Only options are resolved: the types of needs are imported for the type checker alone.
    texts = SimpleNamespace(__annotations__={option.name: option.annotation for option in options})
    hints = get_type_hints(texts, work.__globals__, include_extras=True)
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    return needs, inspect.Signature([context, *(option.replace(annotation=hints[option.name]) for option in options)])


def _call(hook: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    """Call a hook with the values that its parameters name; a parameter without a value keeps its default."""
    return hook(**{name: values[name] for name in inspect.signature(hook).parameters if name in values})
