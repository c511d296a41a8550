"""`review`: rounds that need a person, and the decisions of persons on them."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.help_text import WholeHelp
from retention.cli.lookups import known_run, require_known
from retention.cli.options import HIGHEST_ID, AsJson, By, Markets, OnlyRun
from retention.cli.output import open_output, print_json, require_place
from retention.cli.parsing import requester
from retention.core.model import RESOLUTIONS, ReviewWhy
from retention.core.name_matching import NameKind, known_names_text
from retention.core.text import counted
from retention.errors import UsageError
from retention.exit_codes import ExitCode
from retention.render.formats import ListFormat

if TYPE_CHECKING:
    from uuid import UUID

    from retention.core.evidence.resolution_file import ResolutionFile
    from retention.ledger.review import Resolved
    from retention.wiring.services import Services

FILE_BYTES_MAX = 64 << 20
"""Bytes of a file of decisions, at most."""

STILL_LISTED_SHOWN = 20
"""The most rounds that a resolution names that it could not close."""


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    review = typer.Typer(cls=WholeHelp, help="Rounds that need a person.", no_args_is_help=True)
    review.command("list")(review_list)
    review.command("resolve")(review_resolve)
    review.command("reclose")(review_reclose)
    app.add_typer(review, name="review")


def _known_whys(why: list[str] | None, output: Path | None) -> list[ReviewWhy]:
    """Read the codes of `--why`. Raises UsageError, also for an output file that cannot be made."""
    strange = next((code for code in why or () if code not in [*ReviewWhy]), None)
    if strange is not None:
        raise UsageError(f"--why {strange}: unknown; {known_names_text(strange, [*ReviewWhy])}")
    if output is not None:
        require_place(output)
    return [ReviewWhy(code) for code in why or ()]


@command(ready_for="review list", check=_known_whys, prints=True)
async def review_list(
    services: Services,
    checked: list[ReviewWhy],
    /,
    market: Markets = None,
    policy: Annotated[str | None, typer.Option(metavar="P", help="Only runs of this policy.")] = None,
    why: Annotated[
        list[str] | None,
        typer.Option(metavar="W", help="Only this reason, such as conflict; may be given more than once."),
    ] = None,
    run: OnlyRun = None,
    format_: Annotated[
        ListFormat, typer.Option("--format", metavar="|".join(ListFormat), help="csv is a file for `review resolve`.")
    ] = ListFormat.TABLE,
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option("-o", metavar="FILE", help="Into a file instead of stdout.")] = None,
) -> None:
    """List the rounds that need a person, each with its reasons: doubts, conflicts, discrepancies, findings.

    The CSV has a row for each, with empty columns `as` and `note`: filled in, `review resolve --from-file` reads it.
    """
    from retention.ledger.review import ReviewFilter
    from retention.render.csv_file import write_reviews
    from retention.render.json_file import row_objects, to_json
    from retention.render.terminal_lists import print_reviews

    await require_known(services, "--market", NameKind.MARKET, market or ())
    await require_known(services, "--policy", NameKind.POLICY, [policy] if policy is not None else ())
    run_id = await known_run(services, run) if run is not None else None
    wanted = ReviewFilter(market, policy, checked, run_id)
    items = await services.review.list_review(services.settings.max_runs(), wanted)
    with open_output(output) as file:
        if as_json or format_ is ListFormat.JSON:
            print(to_json(row_objects(items)), file=file)
        elif format_ is ListFormat.CSV:
            write_reviews(items, file)
        else:
            print_reviews(items, file, filters=_filters(market, policy, why, run_id))


def _filters(market: list[str] | None, policy: str | None, why: list[str] | None, run_id: UUID | None) -> str:
    """Write the given filters as they stand on a command line."""
    given = {"--market": market, "--policy": [policy] if policy else None, "--why": why}
    words = [f"{option} {value}" for option, values in given.items() for value in values or ()]
    return " ".join([*words, *([f"--run {run_id}"] if run_id is not None else [])])


def _decisions(
    cancellation_ids: list[int] | None, as_state: str | None, note: str | None, from_file: Path | None, yes: bool
) -> ResolutionFile:
    """Read the decisions of the command line or the file. Raises UsageError, before anything is connected to."""
    from retention.cli.confirm import at_a_terminal
    from retention.core.evidence.resolution_file import ResolutionFile, read_resolutions
    from retention.core.evidence.resolutions import Resolution
    from retention.core.model import State
    from retention.ledger.review import require_no_refusal, require_resolution

    if from_file is None:
        if not cancellation_ids or as_state is None or note is None:
            raise UsageError("review resolve: name cancellations, --as and --note, or give --from-file FILE")
        require_resolution(as_state)
        return ResolutionFile([Resolution(one, State(as_state), note) for one in dict.fromkeys(cancellation_ids)], ())
    if cancellation_ids or as_state is not None or note is not None:
        raise UsageError("--from-file: the file has the IDs, `as` and `note`; leave them out here")
    if not yes and not at_a_terminal():
        raise UsageError("--from-file: nobody can be asked here; give --yes where the file is certain")
    found = read_resolutions(_text_of(from_file))
    require_no_refusal([f"{from_file}, {problem}" for problem in found.problems])
    return found


def _text_of(path: Path) -> str:
    """Read a file of decisions. Raises UsageError."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"--from-file {path}: {error.strerror}; name a file that can be read") from None
    if len(content) > FILE_BYTES_MAX:
        raise UsageError(f"--from-file {path}: more than {FILE_BYTES_MAX >> 20} MiB; split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"--from-file {path}: it is not UTF-8; save it as CSV in that encoding") from None


@command(ready_for="review resolve", check=_decisions)
async def review_resolve(
    services: Services,
    checked: ResolutionFile,
    /,
    by: By,
    cancellation_ids: Annotated[
        list[int] | None,
        typer.Argument(min=1, max=HIGHEST_ID, metavar="ID", help="Cancellations, from `review list`."),
    ] = None,
    as_state: Annotated[
        str | None, typer.Option("--as", metavar="STATE", help=f"The state of the round: {', '.join(RESOLUTIONS)}.")
    ] = None,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="The finding; kept with the cancellation.")] = None,
    from_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV with columns id, as and note, instead of IDs.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --from-file: do not ask.")] = False,
) -> ExitCode:
    """Close cancellations with the finding of a person. The vendor's reply stays on record.

    All are resolved, or none. Resolved as cancelled, a round is closed in the operator's table too. Where that fails it
    stays listed (exit code 4). Resolved as anything else, it is planned again while it is stale.
    """
    who = requester(by)
    if from_file is not None and not await _confirmed(services, checked, who, yes=yes):
        print("nothing is resolved")
        return ExitCode.DONE
    resolved = await services.review.resolve_cancellations(checked.resolutions, who)
    states = {one.id: one.as_state for one in checked.resolutions}
    if from_file is None:
        for one in resolved.ids:
            print(f"cancellation {one} is resolved as {as_state}")
        for one in resolved.done:
            print(f"cancellation {one} was resolved so before")
    else:
        from retention.core.evidence.resolutions import resolved_text

        print(f"resolved {resolved_text(Counter(states[one] for one in resolved.ids))}")
    return await _close(services, resolved, who, tells_count=from_file is not None)


async def _confirmed(services: Services, decisions: ResolutionFile, by: str, *, yes: bool) -> bool:
    """Check the decisions, show their sums, and ask unless `yes`. Raises UsageError where one is refused."""
    from retention.cli.confirm import confirm
    from retention.ledger.review import require_no_refusal
    from retention.render.confirmation import resolutions_text

    found = await services.review.check_resolutions(decisions.resolutions, by)
    require_no_refusal(found.refused)
    text = resolutions_text(found, by, decisions.undecided)
    if yes or not found.to_do:
        print(text)
        return True
    return await confirm(text, "Resolve them?")


async def _close(services: Services, resolved: Resolved, by: str, *, tells_count: bool) -> ExitCode:
    """Close the rounds of what is resolved as cancelled, and tell which ones stay listed."""
    if not resolved.unclosed:
        return ExitCode.DONE
    sys.stdout.flush()  # what is resolved stands, whatever happens from here
    results = await services.review.close_resolved(resolved, by)
    if tells_count and (closed := sum(one.closed for one in results)):
        print(f"closed {counted(closed, 'round')} at the operator's")
    listed = [one for one in results if one.why is not None]
    for one in listed[:STILL_LISTED_SHOWN]:
        print(f"  cancellation {one.id}: its round may still be open at the operator's, so it stays listed: {one.why}")
    if len(listed) > STILL_LISTED_SHOWN:
        print(f"  and {len(listed) - STILL_LISTED_SHOWN} more: `retention review list --why conflict`")
    if listed:
        print("  `retention review reclose` tries again")
    return ExitCode.REVIEW if listed else ExitCode.DONE


@command(ready_for="review reclose")
async def review_reclose(
    services: Services,
    /,
    by: Annotated[str, typer.Option(metavar="WHO", help="Who answers for it; kept with the cancellation.")],
    cancellation_ids: Annotated[
        list[int] | None,
        typer.Argument(min=1, max=HIGHEST_ID, metavar="ID", help="Cancellations, from `review list`; without: all."),
    ] = None,
    as_json: AsJson = False,
) -> ExitCode:
    """Close cancelled rounds in the operator's table, where that failed before.

    Calls close_rounds for them. A round that it does not close stays listed, with the reason: exit code 4.
    """
    from retention.render.json_file import row_objects
    from retention.render.terminal_lists import print_reclosed

    reclosed = await services.review.reclose_rounds(cancellation_ids or None, requester(by))
    print_json(row_objects(reclosed)) if as_json else print_reclosed(reclosed)
    return ExitCode.REVIEW if any(one.why for one in reclosed) else ExitCode.DONE
