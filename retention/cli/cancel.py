"""`cancel`: named rounds, whatever their age, as a targeted run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from retention.cli.command import RUN, command
from retention.cli.lookups import require_partner
from retention.cli.options import AsJson, Reason, Yes
from retention.cli.output import print_json
from retention.cli.parsing import requester
from retention.core.text import counted
from retention.errors import UsageError

if TYPE_CHECKING:
    from retention.core.planning.named_rounds import NamedRound
    from retention.process.shutdown import ShutdownSignals
    from retention.runs.targeted import Demand
    from retention.settings.model import Settings
    from retention.wiring.services import Services

LARGEST_BYTES = 256 * 1024 * 1024
"""The largest list that is read: a million of the longest ids are smaller."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("cancel")(cancel)


def _demand(
    settings: Settings,
    partner: str | None,
    round_: list[str] | None,
    from_file: str | None,
    evidence: str,
    by: str,
    reason: str | None,
    despite_winnings: bool,
) -> Demand:
    """Return the rounds that the words and the list name. Raises UsageError."""
    from retention.core.planning.named_rounds import NamedRound, split_repeated
    from retention.runs.targeted import Demand

    require_partner(settings, partner)
    if round_ and partner is None:
        raise UsageError("--round needs --partner: a round id alone may be any partner's")
    named = [NamedRound(partner, one) for one in round_ or () if partner is not None]
    if from_file is not None:
        named += _listed(from_file, partner)
    if not named:
        raise UsageError("no round is named; write --partner P --round R, or --from-file FILE with a list of rounds")
    _require_allowed(settings, named)
    once, twice = split_repeated(named)
    return Demand(once, requester(by), evidence, reason, twice, despite_winnings)


def _listed(from_file: str, partner: str | None) -> list[NamedRound]:
    """Read a list of rounds; "-" is stdin. Raises UsageError."""
    from retention.core.planning.round_list import read_round_list

    option = f"--from-file {from_file}"
    try:
        if from_file == "-":
            content = sys.stdin.buffer.read(LARGEST_BYTES + 1)
        else:
            with open(from_file, "rb") as file:  # noqa: PTH123 - a Path would drop a slash at its end
                content = file.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a NUL, for instance
        problem = getattr(error, "strerror", None) or error
        raise UsageError(f"{option}: {problem}; name a file with a list of rounds, or - for stdin") from None
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"{option}: larger than {LARGEST_BYTES // 1024**2} MiB; name the rounds in several lists")
    try:
        return read_round_list(content, partner)
    except ValueError as error:
        raise UsageError(f"{option}, {error}") from None


def _require_allowed(settings: Settings, named: list[NamedRound]) -> None:
    """Raise UsageError for a partner that is not configured, or that [policies.targeted] does not allow."""
    from retention.core.name_matching import known_names_text
    from retention.core.planning.named_rounds import TARGETED

    policy = settings.policies.get(TARGETED)
    allowed = settings.partners_of(policy) if policy is not None else tuple(settings.partners)
    for one in named:
        if one.partner not in settings.partners:
            known = known_names_text(one.partner, settings.partners)
            raise UsageError(f"round {one.round_id}: partner {one.partner} is not in the configuration; {known}")
        if one.partner not in allowed:
            raise UsageError(
                f"round {one.round_id}: partner {one.partner} is none of [policies.{TARGETED}]'s: {', '.join(allowed)}"
            )


@command(ready_for=RUN, check=_demand)
async def cancel(
    services: Services,
    signals: ShutdownSignals,
    checked: Demand,
    /,
    evidence: Annotated[
        str, typer.Option(metavar="REF", help="Why a person may name them: a ticket, a letter; kept with the run.")
    ],
    by: Annotated[str, typer.Option(metavar="WHO", help="Who answers for it.")],
    partner: Annotated[str | None, typer.Option(metavar="P", help="The partner of the rounds.")] = None,
    round_: Annotated[
        list[str] | None, typer.Option("--round", metavar="R", help="A round id; may be given more than once.")
    ] = None,
    from_file: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="A list: CSV with the header partner,round_id, or one round id a line."),
    ] = None,
    reason: Reason = None,
    despite_winnings: Annotated[
        bool, typer.Option("--despite-winnings", help="Cancel rounds too for which the vendor tells winnings.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Cancel named rounds, whatever their age: still open, and not on hold.

    A round that is unknown, not open, on hold, cancelled, in doubt or named twice is refused with the reason, and is
    not called: exit code 4, or 2 where all are refused, which writes nothing.
    """
    del evidence, by, partner, round_, from_file, reason, despite_winnings
    from retention.cli.confirm import ask, at_a_terminal
    from retention.cli.plan_run import import_the_end
    from retention.render import terminal_runs
    from retention.reports.run_view import refused_document, result_document

    import_the_end()
    runs = services.runs(signals, show=True, stalled=services.send_notifications)
    planned = await runs.plan_named(checked)
    if not planned.plan.rounds:
        document = refused_document(planned.plan)
        print_json(document) if as_json else terminal_runs.print_refused(document)
        raise UsageError(f"nothing is cancelled: {_all_of(len(planned.plan.refused))} refused")
    result = await runs.execute(planned, ask if at_a_terminal() and not yes else None)
    document = result_document(result)
    print_json(document) if as_json else terminal_runs.print_result(document)
    if signals.code is None:
        await services.send_notifications()
    return result.exit


def _all_of(number: int) -> str:
    return "the named round is" if number == 1 else f"all {counted(number, 'named round')} are"
