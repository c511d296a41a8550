"""Each command has examples that parse, and each topic of help is there and fits."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import typer.main
from support.reference import command_names
from typer.testing import CliRunner

from retention.cli.app import app
from retention.cli.examples import EXAMPLES
from retention.cli.help_command import TOPICS
from retention.exit_codes import ExitCode
from retention.settings.policy import Policy

LINES = [(name, line) for name, lines in EXAMPLES.items() for line in lines if line.startswith("retention ")]


def test_each_command_has_an_example() -> None:
    """Each command has at least one example, and no example is of a command that does not exist."""
    assert set(command_names()) == set(EXAMPLES)
    assert all(EXAMPLES.values())


@pytest.mark.parametrize(("name", "line"), LINES, ids=[line for _, line in LINES])
def test_an_example_parses(name: str, line: str) -> None:
    """An example is of its command, and has all that the command needs."""
    words = shlex.split(line)[1:]
    if words[0] == "--config":
        words = words[2:]
    command: Any = typer.main.get_command(app)
    for word in name.split():
        command = command.commands[word]
    assert name.split() == words[: len(name.split())]
    command.make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("name", command_names())
def test_the_help_of_a_command_ends_with_its_examples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Help shows the examples once, each on a line of its own, within 80 columns; `help` shows the same."""
    monkeypatch.setenv("COLUMNS", "80")
    text = CliRunner().invoke(app, [*name.split(), "--help"]).output
    end = text[text.rindex("  Examples:") :].splitlines()[1:]
    assert [f"    {line}" for line in EXAMPLES[name]] == end
    assert 1 == text.count("Examples:")
    assert [] == [line for line in text.splitlines() if len(line) > 80]
    assert text.strip() == CliRunner().invoke(app, ["help", *name.split()]).output.strip()


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_fits_the_page(topic: str) -> None:
    """A topic needs no configuration, and fits into 80 columns."""
    done = CliRunner().invoke(app, ["help", topic])
    assert 0 == done.exit_code
    assert len(done.output) > 100
    assert [] == [line for line in done.output.splitlines() if len(line) > 80]


def test_topics_are_made_from_the_code() -> None:
    """The topics of exit codes and policies have each code and each key."""
    codes, keys = (CliRunner().invoke(app, ["help", topic]).output for topic in ("exit-codes", "policies"))
    assert [] == [code for code in ExitCode if f"{int(code):>4}  {code.meaning}" not in codes]
    assert [] == [key for key in Policy.model_fields if key != "name" and f"\n{key} = " not in keys]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("exit",), "near it: exit-codes, explain"),
        (("reviw", "list"), "near it: review"),
        (("review", "lst"), "near it: list"),
        (("zzzzzz",), "`retention help` lists the topics"),
        (("review", "list", "more"), "`retention help` lists the topics"),
    ],
)
def test_an_unknown_topic_is_answered_with_near_names(words: tuple[str, ...], told: str) -> None:
    """A topic or command that does not exist is refused, with near names."""
    done = CliRunner().invoke(app, ["help", *words])
    assert told in str(done.exception)
