"""`help`: the help of a command, or a topic that concerns several commands.

Most topics are made from the texts that the code has anyway: exit codes, configuration keys, faults.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retention.errors import UsageError
from retention.process.this_process import work_comes_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FIRST_DAY = """\
From nothing to the first dry run:

  retention init                  asks, and writes retention.toml
  retention db migrate            makes our schema, as the owner
  retention db sample --table SCHEMA.TABLE -o proposal
                                  proposes view, function, indexes and roles
                                  for the table of rounds
  (answer the lines that begin with -- ? in proposal/)
  psql -v ON_ERROR_STOP=1 -d DATABASE -f proposal/all.sql
  retention check                 names what is still wrong, with its mend
  retention plan                  shows the plan, and calls no vendor
  retention run                   runs it, dry

`retention simulate --from-view` is a vendor to try with. After a week of dry
runs, `retention plan --compare RUN_ID` says which rounds came back meanwhile."""

SECRETS = """\
The DSNs, the addresses, secureLogin and token are secrets. None is a value of
an option, because everyone can read the process list. Each one comes from

  the file             token = "..."          (mode 0600, as `init` writes it)
  a file of its own    token_file = "path"    (read again when it changes)
  the environment      RETENTION_PARTNERS__ACME__TOKEN, or ..._TOKEN_FILE

The environment beats the file. No log, error or report shows a secret."""

DATES = """\
--from and --to take 2026-01-31, 2026-01-31T22:00 or 2026-01-31T22:00+01:00;
without an offset, times are UTC. --from is included, --to is not.

--period takes today, yesterday, this-week, last-week, this-month, last-month,
2026, 2026-10, 2026-W40 or 2026-10-05, in the calendar of --timezone.

Durations are 90s, 15m, 72h or 3d. The database's clock decides what is stale."""

IDS = """\
A RUN_ID may be shortened to its first 8 digits or more, where no other run
begins so. ID in `review` is a cancellation's, HOLD_ID a hold's. `find` takes
any of them, and ids of rounds, users, transactions and requests."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("help")(show_help)


def show_help(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC | COMMAND]", help="Without it: all topics.")
    ] = None,
) -> None:
    """Explain a topic or a command; without one, list the topics."""
    work_comes_first(machine=False)
    if not words:
        print("Topics: " + ", ".join(TOPICS))
        print("`retention help TOPIC` explains one, `retention help COMMAND` a command.")
    elif len(words) == 1 and words[0] in TOPICS:
        print(TOPICS[words[0]]())
    else:
        print(_help_of(context.find_root(), words))


def _help_of(root: Any, words: list[str]) -> str:
    """Return the help of a command. Raises UsageError for an unknown one, with near names."""
    command, context = root.command, root
    for number, word in enumerate(words):
        found = command.get_command(context, word) if hasattr(command, "commands") else None
        if found is None:
            known = [*TOPICS, *root.command.commands] if number == 0 else [*getattr(command, "commands", ())]
            near = get_close_matches(word, known, n=3, cutoff=0.5)
            hint = f"near it: {', '.join(near)}" if near else "`retention help` lists the topics"
            raise UsageError(f"there is no such topic or command; {hint}")
        command, context = found, type(context)(found, info_name=word, parent=context)
    return str(command.get_help(context))


def _exit_codes() -> str:
    from retention.exit_codes import ExitCode

    return "\n".join(f"{int(code):>4}  {code.meaning}" for code in ExitCode)


def _faults() -> str:
    from retention.simulator.faults_format import FORMAT

    return FORMAT


def _keys(model: Any, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[str]:
    """Write each key of a table with its meaning."""
    import textwrap

    from retention.settings.fields import Says

    for key, field in model.model_fields.items():
        says = next((one for one in field.metadata if isinstance(one, Says)), None)
        if says is not None and field.examples and wanted(key):
            yield f"{key} = {field.examples[0]}"
            yield from textwrap.wrap(says.meaning, 80, initial_indent="  ", subsequent_indent="  ")


def _table(kind: str) -> Callable[[], str]:
    def text() -> str:
        from retention.settings.schema import table_at

        named = kind not in {"database", "evidence"}
        header = f"[{kind}.NAME]" if named else f"[{kind}]"
        return "\n".join([header, *_keys(table_at((kind, "NAME") if named else (kind,)))])

    return text


def _rails() -> str:
    from retention.settings.policy import Policy

    keys = _keys(Policy, lambda key: key.startswith("max_") and key != "max_clock_difference")
    end = "A person passes one: `retention run --resume RUN_ID --override TEXT --by WHO`."
    return "\n".join(["The rails of [policies.NAME] halt a run:", "", *keys, "", end])


TOPICS: Mapping[str, Callable[[], str]] = {
    "first-day": lambda: FIRST_DAY,
    "exit-codes": _exit_codes,
    "rails": _rails,
    "dates": lambda: DATES,
    "ids": lambda: IDS,
    "secrets": lambda: SECRETS,
    "faults": _faults,
    **{kind: _table(kind) for kind in ("database", "partners", "policies", "reports", "notify", "evidence")},
}
"""The topics: a table of the configuration has the name that it has there."""
