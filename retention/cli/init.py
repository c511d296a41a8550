"""`init`: writes a commented configuration file, with the values of its options and of a person at a terminal.

No option takes a secret, because the process list shows options. A secret comes from a file, from the environment, or
from the terminal.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import global_options
from retention.cli.parsing import refuse_unreadable_texts
from retention.errors import UsageError
from retention.process.streams import NO_SPACE
from retention.process.this_process import work_comes_first

if TYPE_CHECKING:
    from retention.settings.questions import Question

PathOption = Annotated[Path | None, typer.Option(metavar="PATH", help="A file of its own for this secret.")]


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("init")(init)


def init(
    context: typer.Context,
    partner: Annotated[
        str | None, typer.Option(metavar="P", help="The account at the vendor, as the view names it.")
    ] = None,
    market: Annotated[
        list[str] | None, typer.Option(metavar="M", help="Only this market; may be given more than once.")
    ] = None,
    older_than: Annotated[str | None, typer.Option(metavar="D", help="When a round is stale, such as 72h.")] = None,
    timezone: Annotated[str | None, typer.Option(metavar="Z", help="Of the schedule, such as Europe/Malta.")] = None,
    schedule: Annotated[str | None, typer.Option(metavar="S", help="Five cron fields, such as '0 3 * * *'.")] = None,
    dsn: Annotated[str | None, typer.Option(metavar="DSN", help="The database as the job; without a password.")] = None,
    owner_dsn: Annotated[
        str | None, typer.Option(metavar="DSN", help="The same as its owner, for db migrate; without a password.")
    ] = None,
    dsn_file: PathOption = None,
    owner_dsn_file: PathOption = None,
    api_url_file: PathOption = None,
    token_file: PathOption = None,
) -> None:
    """Write a commented retention.toml, a dry run as it stands; on a terminal, ask for the other values.

    No option takes a secret: the process list shows options. Give its file, or a variable such as
    RETENTION_PARTNERS__ACME__TOKEN, or answer on a terminal. A value that is left out stays an example.
    """
    from retention.cli.confirm import at_a_terminal
    from retention.settings import questions
    from retention.settings.files import render_template
    from retention.settings.new_file import fill, placeholders

    refuse_unreadable_texts(context)
    path = global_options(context).config or Path("retention.toml")
    if os.path.lexists(path):
        raise UsageError(f"{path} is there already; it is left as it is")
    given = {
        "--partner": partner,
        "--market": ",".join(market) if market else None,
        "--older-than": older_than,
        "--timezone": timezone,
        "--schedule": schedule,
        "--dsn": dsn,
        "--owner-dsn": owner_dsn,
        "--dsn-file": _text(dsn_file),
        "--owner-dsn-file": _text(owner_dsn_file),
        "--api-url-file": _text(api_url_file),
        "--token-file": _text(token_file),
    }
    answers = questions.answers_of(given)
    if at_a_terminal():
        _ask(answers)
    name, values = questions.values_of(answers, os.environ)
    text = fill(render_template(), name, values)
    _write(path, text)
    work_comes_first(machine=False)
    print(f"{path} is written: a dry run, which cancels nothing")
    left = placeholders(text, frozenset(values))
    if left:
        print("still an example: " + ", ".join(f"{key} (line {line})" for key, line in left.items()))
    print("next: `retention db migrate`, `retention db sample --table SCHEMA.TABLE -o DIR`, `retention check`")


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _ask(answers: dict[str, str]) -> None:
    """Ask for each value that is not given, until its answer is right; an empty one leaves the value out."""
    from retention.settings.questions import QUESTIONS, is_answered

    print("An empty answer leaves a value for later. Ctrl-C writes nothing.", file=sys.stderr)
    for question in QUESTIONS:
        while not is_answered(question, answers, os.environ):
            answer = _answer(question)
            if not answer:
                break
            try:
                question.check(answer)
            except ValueError as error:
                print(f"{question.name} {error}", file=sys.stderr)
                continue
            answers[question.option] = answer


def _answer(question: Question) -> str:
    """Read one line from the terminal; a secret is not shown. Raises UsageError at the end of the input."""
    prompt = f"{question.words}: "
    try:
        if question.hidden:
            from getpass import getpass

            return getpass(prompt, sys.stderr).strip()
        print(prompt, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
    except EOFError:
        line = ""
    except UnicodeDecodeError:
        raise UsageError("the answer is not UTF-8; nothing is written") from None
    if not line:
        print(file=sys.stderr)
        raise UsageError("the input ended; nothing is written")
    return line.strip()


def _write(path: Path, text: str) -> None:
    """Write the file for its owner alone: secrets are going to stand in it. Raises UsageError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is there already; it is left as it is") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name another file with --config") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        if error.errno in NO_SPACE:
            with suppress(OSError):
                path.unlink()  # the next command would find half a file, and refuse it
        raise UsageError(f"{path}: {error.strerror}; name another file with --config") from None
