"""The options of `plan` for its output: how much of a plan, in which form, and in which place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.output import is_stdout, open_output, print_json, require_place
from retention.cli.parsing import moment, typed_run_id
from retention.core.planning.breakdown import By
from retention.core.runs.run_ids import GivenRunId
from retention.errors import UsageError
from retention.render.formats import ListFormat

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from retention.core.planning.breakdown import Part
    from retention.core.planning.plan import ListedRound
    from retention.wiring.services import Services

Rounds = Annotated[bool, typer.Option("--rounds", help="List the rounds too, left out ones with their reason.")]
Bys = Annotated[
    list[By] | None,
    typer.Option("--by", metavar="|".join(By), help="Break the whole plan down by it; may be given more than once."),
]
RoundsFormat = Annotated[
    ListFormat | None,
    typer.Option(
        "--format", metavar="|".join(ListFormat), help="How --rounds are written; default: table, or as FILE ends."
    ),
]
RoundsFile = Annotated[
    Path | None, typer.Option("-o", metavar="FILE", help="The rounds into a file, such as plan.csv or plan.json.")
]

Compare = Annotated[
    list[GivenRunId] | None,
    typer.Option(
        metavar="RUN_ID", parser=typed_run_id, help="The fate of this run's rounds; may be given more than once."
    ),
]
CompareFrom = Annotated[
    str | None, typer.Option(metavar="T", help="The same for all dry runs of the policy since then; ISO 8601.")
]

_BY_SUFFIX = {".csv": ListFormat.CSV, ".json": ListFormat.JSON}


@dataclass(frozen=True, slots=True)
class Shown:
    """The output of `plan`: a summary or breakdowns, with the rounds or without, their form and their place.

    `compare`: the runs to compare with; `since`: all dry runs of the policy since then.
    """

    by: Sequence[By]
    rounds: bool
    form: ListFormat
    output: Path | None
    compare: Sequence[GivenRunId] = ()
    since: datetime | None = None

    @property
    def compares(self) -> bool:
        """Whether the plan is compared with earlier runs."""
        return bool(self.compare) or self.since is not None


def shown(
    by: list[By] | None,
    rounds: bool,
    format_: ListFormat | None,
    as_json: bool,
    output: Path | None,
    limit: int | None,
    compare: list[GivenRunId] | None,
    compare_from: str | None,
) -> Shown:
    """Check these options together. Raises UsageError."""
    if not rounds and (format_ is not None or output is not None):
        raise UsageError(f"{'-o' if format_ is None else '--format'} goes with --rounds")
    if as_json and format_ not in {None, ListFormat.JSON}:
        raise UsageError(f"--json and --format {format_} exclude each other")
    by_name = None if output is None else _BY_SUFFIX.get(output.suffix.lower())
    if output is not None:
        if not as_json and format_ is None and by_name is None:
            raise UsageError(f"-o {output}: its ending names no format; end it with .csv or .json, or add --format")
        require_place(output)
    form = ListFormat.JSON if as_json else format_ or by_name or ListFormat.TABLE
    if form is ListFormat.CSV and by:
        raise UsageError("--by does not go with rounds as CSV, which has no place for it; leave --by out")
    if compare and compare_from is not None:
        raise UsageError("--compare and --compare-from exclude each other; keep one")
    if limit is not None and (compare or compare_from is not None):
        raise UsageError("--limit does not go with a comparison: rounds beyond it would be missing; leave it out")
    since = None if compare_from is None else moment("--compare-from", compare_from)
    return Shown(tuple(dict.fromkeys(by or ())), rounds, form, output, tuple(compare or ()), since)


def print_summary(view: Shown, document: Mapping[str, Any], parts: Sequence[tuple[By, Sequence[Part]]]) -> None:
    """Print a plan without its rounds."""
    from retention.render.terminal_plan import print_plan

    print_json(document) if view.form is ListFormat.JSON else print_plan(document, parts)


async def write_rounds(
    view: Shown,
    document: Mapping[str, Any],
    parts: Sequence[tuple[By, Sequence[Part]]],
    rounds: AsyncIterator[ListedRound],
) -> int:
    """Write a plan with its rounds; return their number. Raises UsageError for the place."""
    from retention.core.planning.plan import ListedRound
    from retention.render.csv_file import write_rows
    from retention.render.json_file import write_with_list
    from retention.render.terminal_plan import print_plan_rounds

    with open_output(view.output) as file:
        match view.form:
            case ListFormat.CSV:
                return await write_rows(ListedRound._fields, rounds, file)
            case ListFormat.JSON:
                return await write_with_list(document, "listed", rounds, file)
        return await print_plan_rounds(document, rounds, parts, file)


def tell_written(services: Services, view: Shown, count: int) -> None:
    """Say on stderr how many rounds a file has."""
    from retention.core.text import counted, printable_lines
    from retention.process.this_process import report

    if not is_stdout(view.output):
        report(printable_lines(services.redactor.text(f"{view.output}: {counted(count, 'round')}")))
