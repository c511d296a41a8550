"""The README's tables of reference, made from the code. `python tests/support/reference.py` writes them anew."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main

from retention.cli.app import app
from retention.exit_codes import ExitCode
from retention.metrics import METRICS
from retention.settings.model import Database, Policy, Settings, Target
from retention.settings.partner import Partner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pydantic import BaseModel

README = Path(__file__).parents[2] / "README.md"


def exit_codes() -> str:
    """The exit codes."""
    return _table(("code", "meaning"), ((str(int(code)), code.meaning) for code in ExitCode))


def commands() -> str:
    """Each command with its options."""
    rows = ((f"`{name}{_options(command)}`", (command.help or "").split("\n")[0]) for name, command in _commands())
    return _table(("command", "does"), rows)


def configuration() -> str:
    """Each key with an example, and whether it may be left out."""
    tables: list[tuple[str, type[BaseModel]]] = [
        ("", Settings),
        ("database.", Database),
        ("partners.NAME.", Partner),
        ("policies.NAME.", Policy),
        ("notify.NAME.", Target),
    ]
    rows = [
        (f"`{prefix}{key}`", f"`{field.examples[0]}`", "required" if field.is_required() else "")
        for prefix, model in tables
        for key, field in model.model_fields.items()
        if field.examples
    ]
    return _table(("key", "example", ""), rows)


def metrics() -> str:
    """Each metric with its labels, as Prometheus knows it."""
    rows = ((f"`{metric.name}{{{','.join(metric.labels)}}}`", metric.documentation) for metric in METRICS)
    return _table(("metric", "what it says"), rows)


def filled(text: str) -> str:
    """The README with its tables as they have to be."""
    tables = {
        "exit codes": exit_codes(),
        "commands": commands(),
        "configuration": configuration(),
        "metrics": metrics(),
    }
    for name, table in tables.items():
        before, rest = text.split(f"<!-- {name} -->\n")
        text = f"{before}<!-- {name} -->\n{table}{rest[rest.index('<!-- end -->') :]}"
    return text


def command_names() -> list[str]:
    """Each command, such as `hold add`."""
    return [name for name, _ in _commands()]


def _commands() -> Iterator[tuple[str, Any]]:
    def walk(prefix: str, group: Any) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(f"{prefix}{name} ", command)
            else:
                yield f"{prefix}{name}", command

    yield from walk("", typer.main.get_command(app))


def _options(command: Any) -> str:
    words = []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            words.append(parameter.metavar if parameter.required else f"[{parameter.metavar}]")
        elif parameter.name != "help":
            value = "" if parameter.is_flag else f" {_value(parameter)}"
            word = f"{parameter.opts[0]}{value}{' ...' if parameter.multiple else ''}"
            words.append(word if parameter.required else f"[{word}]")
    return "".join(f" {word}" for word in words)


def _value(option: Any) -> str:
    assert option.metavar, f"{option.name} needs a metavar"
    return str(option.metavar).replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    README.write_text(filled(README.read_text("utf-8")), "utf-8")
