"""`review`: what needs a person, and a person's word on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import default_requester, emit_json, run_with_services
from retention.cli.help_text import WholeHelp
from retention.cli.lookups import HIGHEST
from retention.core.model import RESOLUTIONS
from retention.exit_codes import ExitCode

if TYPE_CHECKING:
    from retention.process.shutdown import ShutdownSignals
    from retention.settings import Settings
    from retention.wiring.services import Services

_STATES = ", ".join(RESOLUTIONS)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    review = typer.Typer(cls=WholeHelp, help="What needs a person.", no_args_is_help=True)
    review.command("list")(review_list)
    review.command("resolve")(review_resolve)
    review.command("reclose")(review_reclose)
    app.add_typer(review, name="review")


def review_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List what needs a person: doubts, conflicts, discrepancies, incomplete replies, refusals."""

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready
        from retention.render import terminal_lists as table
        from retention.render.json_file import row_objects

        await require_ready(services.database, "review list")
        items = await services.review.list_review(
            {name: partner.max_runs for name, partner in services.settings.partners.items()}
        )
        emit_json(row_objects(items)) if as_json else table.print_reviews(items)
        return 0

    run_with_services(context, work, prints=True)


def review_resolve(
    context: typer.Context,
    cancellation_id: Annotated[
        int, typer.Argument(min=1, max=HIGHEST, metavar="ID", help="The cancellation's, from `review list`.")
    ],
    as_state: Annotated[
        str, typer.Option("--as", metavar="STATE", help=f"What the round turned out to be: {', '.join(RESOLUTIONS)}.")
    ],
    by: Annotated[str, typer.Option(metavar="WHO", help="Who answers for it.")],
    note: Annotated[str, typer.Option(metavar="TEXT", help="What was found out; kept with the cancellation.")],
) -> None:
    """Close a cancellation with what a person found out. What the vendor said stays on record.

    Resolved as cancelled, its round is closed in the operator's table too. Where that fails it stays listed (exit code
    4). Resolved as anything else, the round is planned again while it is stale.
    """

    def asked(_settings: Settings) -> None:
        from retention.ledger.review import require_resolution

        require_resolution(as_state)

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready

        await require_ready(services.database, "review resolve")
        closed = await services.review.resolve_cancellation(cancellation_id, as_state, default_requester(by), note)
        print(f"cancellation {cancellation_id} is resolved as {as_state}")
        if closed is None or closed.why is None:
            return 0
        print(
            f"  its round may still be open at the operator's, so it stays listed: {closed.why};"
            " `retention review reclose` tries again"
        )
        return ExitCode.REVIEW

    run_with_services(context, work, asked=asked)


def review_reclose(
    context: typer.Context,
    by: Annotated[str, typer.Option(metavar="WHO", help="Who answers for it; kept with the cancellation.")],
    cancellation_ids: Annotated[
        list[int] | None,
        typer.Argument(min=1, max=HIGHEST, metavar="ID", help="Cancellations, from `review list`; without: all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Close again, in the operator's table, what was cancelled and could not be closed.

    Calls close_rounds for them. What it does not close stays listed, with the reason: exit code 4.
    """

    async def work(services: Services, _signals: ShutdownSignals) -> int:
        from retention.ledger.checks.readiness import require_ready
        from retention.render import terminal_lists as table
        from retention.render.json_file import row_objects

        await require_ready(services.database, "review reclose")
        done = await services.review.reclose_rounds(cancellation_ids or None, default_requester(by))
        emit_json(row_objects(done)) if as_json else table.print_reclosed(done)
        return ExitCode.REVIEW if any(one.why for one in done) else ExitCode.DONE

    run_with_services(context, work)
