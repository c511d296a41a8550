"""The decorator of commands: hooks, needs, options and exit codes."""

from __future__ import annotations

import inspect
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import pytest
import typer
from typer.testing import CliRunner

from retention.cli.command import GlobalOptions, command
from retention.errors import UsageError
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from retention.process.shutdown import ShutdownSignals

Name = Annotated[str, typer.Option(metavar="NAME", help="A name.")]


def invoke(made: Callable[..., None], *words: str) -> int:
    """Run one command without a configuration; returns its exit code."""
    app = typer.Typer()

    @app.callback()
    def options(context: typer.Context) -> None:
        context.obj = GlobalOptions(None, "json", None)

    app.command("it")(made)
    return CliRunner().invoke(app, ["it", *words]).exit_code


def test_a_command_shows_its_options_and_no_needs() -> None:
    """Typer reads the context and the options; the names before `/` are no options."""

    @command()
    async def greet(signals: ShutdownSignals, /, name: Name = "ann") -> None:
        """Greet."""

    options = inspect.signature(greet).parameters
    assert {"context": typer.Context, "name": Name} == {name: one.annotation for name, one in options.items()}
    assert ("ann", "Greet.") == (options["name"].default, greet.__doc__)


def test_an_unknown_need_is_refused() -> None:
    """A misspelt name before `/` fails when the module is imported, not when the command runs."""
    with pytest.raises(AssertionError, match="service"):

        @command()
        async def greet(service: object, /) -> None: ...


def test_hooks_come_in_order_before_the_command() -> None:
    """`before`, `measure` and `check` run in this order, take options by name, and give the command their values."""
    steps: list[str] = []

    @contextmanager
    def measure(name: str) -> Iterator[str]:
        steps.append(f"measure {name}")
        with pytest.raises(typer.Exit):
            yield f"measured {name}"
        steps.append("measured")
        raise typer.Exit(ExitCode.REVIEW)

    def check(name: str, mode: str = "default") -> str:
        steps.append(f"check {name}, {mode}")
        return f"checked {name}"

    @command(before=lambda name: steps.append(f"before {name}"), measure=measure, check=check)
    async def greet(checked: str, measured: str, signals: ShutdownSignals, /, name: Name) -> None:
        steps.append(f"{name}, {checked}, {measured}, {signals.code}")

    assert ExitCode.REVIEW == invoke(greet, "--name", "ann")
    assert steps == [
        *("before ann", "measure ann", "check ann, default", "ann, checked ann, measured ann, None", "measured")
    ]


@pytest.mark.parametrize("code", [None, ExitCode.REVIEW])
def test_the_value_of_a_command_is_its_exit_code(code: ExitCode | None) -> None:
    """A command ends with the exit code that it returns; None is 0."""

    @command()
    async def end() -> ExitCode | None:
        return code

    assert (code or ExitCode.DONE) == invoke(end)


def test_a_refused_option_ends_a_command_before_it_begins() -> None:
    """A UsageError of `check` ends the command with its exit code."""

    def check(name: str) -> None:
        raise UsageError(f"--name {name}: no")

    @command(check=check)
    async def greet(name: Name) -> None:
        raise AssertionError(name)

    assert ExitCode.USAGE == invoke(greet, "--name", "ann")


def test_help_imports_no_heavy_library() -> None:
    """The modules of all commands import neither the database's nor the vendor's nor the configuration's libraries."""
    heavy = {"aiohttp", "apscheduler", "asyncio", "prometheus_client", "psycopg", "pydantic", "structlog"}
    program = f"import sys, retention.cli.app; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "[]\n" == done.stdout
