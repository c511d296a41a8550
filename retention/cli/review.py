"""`review`: rounds that need a person, and the decisions of persons on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import command
from retention.cli.help_text import WholeHelp
from retention.cli.options import HIGHEST_ID, AsJson, By
from retention.cli.output import print_json
from retention.cli.parsing import requester
from retention.core.model import RESOLUTIONS
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from retention.wiring.services import Services


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    review = typer.Typer(cls=WholeHelp, help="Rounds that need a person.", no_args_is_help=True)
    review.command("list")(review_list)
    review.command("resolve")(review_resolve)
    review.command("reclose")(review_reclose)
    app.add_typer(review, name="review")


@command(ready_for="review list", prints=True)
async def review_list(services: Services, /, as_json: AsJson = False) -> None:
    """List the rounds that need a person: doubts, conflicts, discrepancies, incomplete replies, refusals."""
    from retention.render.json_file import row_objects
    from retention.render.terminal_lists import print_reviews

    items = await services.review.list_review(services.settings.max_runs())
    print_json(row_objects(items)) if as_json else print_reviews(items)


def _require_resolution(as_state: str) -> None:
    """Raise UsageError for a state that no round can be resolved as."""
    from retention.ledger.review import require_resolution

    require_resolution(as_state)


@command(ready_for="review resolve", check=_require_resolution)
async def review_resolve(
    services: Services,
    /,
    cancellation_id: Annotated[
        int, typer.Argument(min=1, max=HIGHEST_ID, metavar="ID", help="The cancellation's, from `review list`.")
    ],
    as_state: Annotated[
        str, typer.Option("--as", metavar="STATE", help=f"The state of the round: {', '.join(RESOLUTIONS)}.")
    ],
    by: By,
    note: Annotated[str, typer.Option(metavar="TEXT", help="The finding; kept with the cancellation.")],
) -> ExitCode:
    """Close a cancellation with the finding of a person. The vendor's reply stays on record.

    Resolved as cancelled, its round is closed in the operator's table too. Where that fails it stays listed (exit code
    4). Resolved as anything else, the round is planned again while it is stale.
    """
    closed = await services.review.resolve_cancellation(cancellation_id, as_state, requester(by), note)
    print(f"cancellation {cancellation_id} is resolved as {as_state}")
    if closed is None or closed.why is None:
        return ExitCode.DONE
    print(
        f"  its round may still be open at the operator's, so it stays listed: {closed.why};"
        " `retention review reclose` tries again"
    )
    return ExitCode.REVIEW


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
