"""Help: no text in it is cut, and each line fits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from typer.testing import CliRunner

from retention.cli.app import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def groups(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each group of commands, with the words that lead to it."""
    if hasattr(command, "commands"):
        yield words, command
        for name, below in command.commands.items():
            yield from groups((*words, name), below)


GROUPS = dict(groups((), typer.main.get_command(app)))


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_help_of_a_group_is_whole_at_80_columns(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns the help of a group shows each command's whole first paragraph, and no line is wider."""
    monkeypatch.setenv("COLUMNS", "80")
    text = CliRunner().invoke(app, [*words, "--help"]).output
    assert [] == [line for line in text.splitlines() if len(line) > 80]
    shown = " ".join(text.split())
    for name, command in GROUPS[words].commands.items():
        assert f"{name} {' '.join(command.help.split(chr(10) * 2)[0].split())}" in shown


COMMANDS = [
    (*words, name) for words, group in GROUPS.items() for name in group.commands if (*words, name) not in GROUPS
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_argument_is_shown_by_its_name_alone(words: tuple[str, ...]) -> None:
    """The help of a command names no type of Python."""
    text = CliRunner().invoke(app, [*words, "--help"]).output
    assert "Usage: " in text
    assert re.findall(r"^  [A-Z_.]+ <.*", text, re.MULTILINE) == []
