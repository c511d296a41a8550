"""Plans as a terminal shows them: a summary, a breakdown, and the rounds one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.money import UNKNOWN, display_money
from retention.core.planning.rails import NO_USUAL_SIZE
from retention.core.text import counted
from retention.render.terminal_runs import left_out_lines, person_pause, vendor_pause
from retention.render.terminal_table import Column, moment, print_grid, print_lines, sums_below, sums_in_short

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from typing import TextIO

    from retention.core.planning.breakdown import By, Part
    from retention.core.planning.plan import ListedRound

GROUPS_SHOWN = 10
"""A plan shows at most so many groups, those with the most rounds."""

_GROUPS = (
    Column("partner", 2),
    Column("market", 1),
    Column("game", 1),
    Column("rounds", right=True),
    Column("stakes", right=True),
    Column("oldest", 3),
)


def print_plan(
    document: Mapping[str, Any], breakdowns: Sequence[tuple[By, Sequence[Part]]] = (), file: TextIO | None = None
) -> None:
    """Print a plan, the document of `plan`, with the largest of its groups, or with breakdowns instead."""
    print_lines([f"policy {document['policy']} ({document['mode']}), as of {moment(document['as_of'])}"], file)
    for by, parts in breakdowns:
        print_grid(_columns_by(by), ((one.name or UNKNOWN, *_figures(one)) for one in parts), file)
    groups = document["groups"] if not breakdowns else ()
    if groups:
        print_grid(_GROUPS, map(_group, _largest(groups)), file)
        if (more := len(groups) - GROUPS_SHOWN) > 0:
            print_lines([f"and {more} more: --by market, --by game or --by partner lists all"], file)
    print_lines(_plan_lines(document), file)


async def print_plan_rounds(
    document: Mapping[str, Any],
    rounds: AsyncIterator[ListedRound],
    breakdowns: Sequence[tuple[By, Sequence[Part]]] = (),
    file: TextIO | None = None,
) -> int:
    """Print a plan, then its rounds one by one: a plan may have too many rounds for memory. Return their number."""
    print_plan(document, breakdowns, file)
    count = 0
    async for item in rounds:
        stake = display_money(item.stake, item.currency) or "no stake"
        known = ", ".join(filter(None, (item.market, item.game_id, item.user_id, item.opened_at, stake)))
        print_lines([f"{item.standing}: {item.partner or UNKNOWN}/{item.round_id or UNKNOWN}, {known}"], file)
        count += 1
    return count


def _largest(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the groups that are shown, in the order of the plan."""
    if len(groups) <= GROUPS_SHOWN:
        return list(groups)
    shown = sorted(range(len(groups)), key=lambda nth: (-groups[nth]["rounds"], nth))[:GROUPS_SHOWN]
    return [groups[nth] for nth in sorted(shown)]


def _group(group: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        group["partner"],
        group["market"],
        group["game_id"],
        group["rounds"],
        display_money(group["stake"], group["currency"]) or UNKNOWN,
        moment(group["oldest"]),
    )


def _columns_by(by: By) -> tuple[Column, ...]:
    return (Column(by), Column("rounds", right=True), Column("stakes", right=True), Column("oldest", 1))


def _figures(part: Part) -> tuple[object, ...]:
    return part.rounds, display_money(part.stake, part.currency) or UNKNOWN, moment(part.oldest)


def _plan_lines(document: Mapping[str, Any]) -> Iterator[str]:
    span = _span(document["eta_seconds"])
    rounds = f"{counted(document['rounds'], 'round')} to cancel"
    if document["rounds"]:
        rounds += f", stakes {sums_in_short(document['stakes'])}"
    yield f"{rounds}; {span} at the rate"
    yield from sums_below(document["stakes"])
    if document["oldest"]:
        yield f"the oldest was opened at {moment(document['oldest'])}"
    yield from left_out_lines(document)
    if document["view"]:
        yield document["view"]["words"]
    if document["doubled"]:
        names = [f"{one['partner']}/{one['round_id']}" for one in document["doubled"]]
        yield f"  doubled: {', '.join(names)}"
    for pause in document["pauses"]:
        yield person_pause(pause["partner"], pause["paused_by"], pause["paused_at"], pause["reason"])
    for pause in document["vendor_pauses"]:
        yield vendor_pause(pause["partner"], pause["until"])
    for rail in document["rails"]:
        yield f"a run would halt: {rail['rail']}: {rail['words']}"
    if document["surge"] and document["surge"]["usual"] is None:
        yield NO_USUAL_SIZE
    if document["unlimited"]:
        yield f"max_amount has no limit for stakes in {', '.join(document['unlimited'])}"


def _span(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - seconds; above, minutes read better
        return counted(round(seconds), "second")
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"  # noqa: PLR2004
