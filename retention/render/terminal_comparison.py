"""Earlier runs beside the plan of now, as a terminal shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retention.core.money import UNKNOWN, display_money
from retention.core.planning.plan_comparison import CAME_BACK, Word
from retention.core.text import counted
from retention.render.json_file import to_line
from retention.render.terminal_runs import LEFT_OUT
from retention.render.terminal_table import (
    INLINE_SUMS,
    Column,
    moment,
    print_grid,
    print_lines,
    sums_below,
    sums_in_short,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from typing import TextIO

    from retention.core.planning.breakdown import By
    from retention.core.planning.plan_comparison import ComparedRound

SHOWN = 10
"""The most runs and markets that a comparison shows one by one."""

_MEANINGS = {
    Word.COMPLETED: "the vendor told a run of ours that it is completed",
    Word.ACTIVE: "still open, and its last_activity_at is later than the run",
    Word.ANOTHER_ROUND: "its id is another round now",
    Word.GONE: "not in the view any more, and no run of ours cancelled it",
    Word.STILL_STALE: "a run would cancel it now",
    Word.CHANGED_STAKE: "the same, with another stake",
    Word.HELD: "on hold now",
    Word.LEFT_OUT: "still open, and not planned now",
    Word.CANCELLED: "cancelled since, by a run of ours or before it",
    Word.NEW: "planned now, and not then",
}

_WHY = LEFT_OUT | {
    "not_selected": "that the policy does not look at any more",
    "opened_again": "with another opened_at",
    "another_user": "with another user_id",
    "another_market": "in another market",
}

_PROOF = (
    "completed, active and another_round prove it: to cancel would have been a mistake.",
    "gone proves less: the view does not tell why a round left it. Its player may have",
    "come back, or another job or a person closed it; your own tables tell which.",
    "A view without last_activity_at shows no player who came back to an open round.",
)

_AGAIN = "came back and would be cancelled now: `idle_longer_than` or a longer `open_longer_than` spares them"

_WORDS = (
    Column("word"),
    Column("rounds", right=True),
    Column("planned now", right=True),
    Column("stakes", right=True),
    Column("meaning", prose=True),
)


def print_comparison(
    plan: Mapping[str, Any], compared: Mapping[str, Any], by: Sequence[By], file: TextIO | None = None
) -> None:
    """Print the comparison of a plan's document with earlier runs; `by` breaks it down, else by market in short."""
    print_lines(_runs(plan, compared), file)
    print_lines(["", _came_back(compared), *sums_below(compared["came_back_stakes"])], file)
    print_grid(_WORDS, (_word(one) for one in compared["words"] if one["rounds"]), file)
    print_lines(_reasons(compared), file)
    for kind in by or ("market",):
        parts = compared["by"][kind]
        shown = parts if by else parts[:SHOWN]
        print_lines([""], file)
        print_grid(_columns(kind), ((one["name"] or UNKNOWN, *list(one.values())[1:]) for one in shown), file)
        if len(parts) > len(shown):
            print_lines([f"and {len(parts) - len(shown)} more: --by {kind} lists all"], file)
    print_lines(_ending(compared), file)


async def print_compared_rounds(
    plan: Mapping[str, Any],
    compared: Mapping[str, Any],
    by: Sequence[By],
    rounds: AsyncIterator[ComparedRound],
    file: TextIO | None = None,
) -> int:
    """Print the comparison, then its rounds one by one, each with its word; return their number."""
    print_comparison(plan, compared, by, file)
    count = 0
    async for item in rounds:
        known = ", ".join(filter(None, (item.market, item.game_id, item.user_id, moment(item.opened_at), _stake(item))))
        why = f" ({item.why})" if item.why else ""
        active = f", active at {moment(item.last_activity_at)}" if item.last_activity_at else ""
        print_lines([f"{item.word}{why}: {item.partner}/{item.round_id}, {known}{active}"], file)
        count += 1
    return count


def _stake(item: ComparedRound) -> str:
    stake = display_money(item.stake, item.currency) or "no stake"
    if item.word != Word.CHANGED_STAKE:
        return stake
    return f"{stake}, now {display_money(item.stake_now, item.currency_now) or 'no stake'}"


def _runs(plan: Mapping[str, Any], compared: Mapping[str, Any]) -> Iterator[str]:
    runs = compared["runs"]
    yield f"policy {plan['policy']} ({plan['mode']}), as of {moment(plan['as_of'])}, compared with"
    for run in runs[:SHOWN]:
        mode = "dry run" if run["mode"] == "dry_run" else "enforcing run"
        yield f"  {mode} {run['run_id']} of policy {run['policy']}, as of {moment(run['as_of'])}"
    if (more := len(runs) - SHOWN) > 0:
        yield f"  and {more} more, the newest as of {moment(runs[-1]['as_of'])}"
    for other in sorted({run["policy"] for run in runs} - {plan["policy"]}):
        yield f"policy {other} is another one: {plan['policy']} may not look at all of its rounds"


def _came_back(compared: Mapping[str, Any]) -> str:
    then, back = compared["rounds_then"], compared["came_back"]
    if not then:
        return "no round was planned then"
    stakes = f", stakes {sums_in_short(compared['came_back_stakes'])}" if back else ""
    share = f" ({100 * compared['came_back_share']:.1f} %)" if back else ""
    return f"of {counted(then, 'round')} then, {back} came back{share}{stakes}"


def _word(one: Mapping[str, Any]) -> tuple[object, ...]:
    return one["word"], one["rounds"], one["planned_now"], sums_in_short(one["stakes"]), _MEANINGS[Word(one["word"])]


def _reasons(compared: Mapping[str, Any]) -> Iterator[str]:
    for one in compared["words"]:
        for why, count in one["why"].items():
            yield f"{one['word']}: {count} {_WHY[why]}"
        if len(one["stakes"]) > INLINE_SUMS:
            yield f"{one['word']}: stakes of"
            yield from sums_below(one["stakes"])
    if compared["stakes_changed_to"]:
        yield f"changed stakes are now {sums_in_short(compared['stakes_changed_to'])}"


def _columns(kind: str) -> tuple[Column, ...]:
    return Column(kind), *(Column(name, right=True) for name in ("then", "came back", "planned now"))


def _ending(compared: Mapping[str, Any]) -> Iterator[str]:
    for one in compared["settings"]:
        yield f"setting {one['key']}: {to_line(one['before'])} then, {to_line(one['now'])} now"
    if again := sum(one["planned_now"] for one in compared["words"] if one["word"] in CAME_BACK):
        yield f"{counted(again, 'round')} {_AGAIN}"
    if compared["came_back"]:
        yield ""
        yield from _PROOF
