"""The commands that lead on after a run, by the way it ended, and the effect of each."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from retention.core.model import State
from retention.core.planning.approval import DIGEST_DIGITS_MIN
from retention.core.planning.named_rounds import TARGETED
from retention.core.runs.halt_cause import PLAN_RAILS, HaltCause, cause_of
from retention.core.text import second_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retention.core.runs.summary import Summary


class NextStep(NamedTuple):
    """A command and its effect."""

    command: str
    does: str


def next_steps(summary: Summary) -> list[NextStep]:
    """List the commands that lead on, in their order; empty where nothing is left to do."""
    if summary.mode == "dry_run":
        return [*_after_dry_run(summary)]
    match summary.status:
        case "halted":
            return [*_after_halt(summary), *_reviews(summary)]
        case "failed":
            return _after_failure(summary)
        case "awaiting_approval":
            return [*_before_start(summary)]
        case "planned" | "running":
            return [_resume(summary, "goes on with it"), *_reviews(summary)]
    return [*_reviews(summary), *_report(summary)]


def while_stalled(summary: Summary) -> list[NextStep]:
    """List the commands for a running run without progress."""
    return [
        NextStep(f"retention runs show {summary.run_id}", "tells what it has come to"),
        NextStep("retention check", "tells whether vendor and database are well"),
        _close(summary),
    ]


def resume_command(partner: str | None) -> str:
    """The command that ends the pause of one partner, or (None) of all partners."""
    return f"retention resume {f'--partner {shlex.quote(partner)} ' if partner is not None else ''}--by WHO"


def pause_text(by: str, reason: str, partner: str | None) -> str:
    """Write a pause: its author, reason and partner, and the command that ends it."""
    of = f" ({partner})" if partner is not None else ""
    return f"paused by {by}: {reason}{of}; `{resume_command(partner)}` ends it"


def _after_dry_run(summary: Summary) -> Iterator[NextStep]:
    """The commands that read the result of a dry run, where it has one."""
    if summary.status != "finished" or not summary.rounds:
        return
    run_id = summary.run_id
    yield NextStep(f"retention report --all --run {run_id}", "lists what it would have cancelled, with totals")
    compare = f"retention plan {shlex.quote(summary.policy)} --compare {run_id}"
    yield NextStep(compare, "later: what came back meanwhile")
    yield NextStep(f"retention runs show {run_id} --set", "each round as it was planned")


def _after_failure(summary: Summary) -> list[NextStep]:
    match cause_of(summary.halt_reason):
        case HaltCause.VIEW:
            return [
                NextStep("retention check", "until the view can be read"),
                NextStep(f"retention run {summary.policy}", "plans anew"),
            ]
        case HaltCause.INTERRUPTED:
            again = [] if _is_targeted(summary) else [_run(summary, "plans its rounds again")]
            return [_resume(summary, "goes on with it"), *again, *_reviews(summary)]
    effect = f"once the vendor answers: what was not sent {_again(summary)}"
    return [_run(summary, effect), *_reviews(summary)]


def _before_start(summary: Summary) -> Iterator[NextStep]:
    if summary.approved_by is not None:
        yield _resume(summary, "starts it, where no `serve` is up, which starts it by itself")
        return
    digest = (summary.plan_digest or "")[:DIGEST_DIGITS_MIN]
    until = f", until {second_text(summary.approval_expires_at)}" if summary.approval_expires_at else ""
    approve = f"retention approve {summary.run_id} --by WHO --digest {digest}"
    yield NextStep(approve, f"lets it start{until}; another person than the one who asked")
    yield NextStep(f"retention reject {summary.run_id} --by WHO --note TEXT", "calls it off")


def _after_halt(summary: Summary) -> Iterator[NextStep]:
    cause = cause_of(summary.halt_reason)
    if summary.paused:
        yield from (NextStep(resume_command(partner), "ends the pause") for partner in summary.pauses)
        by_itself = "where no `serve` is up, which goes on by itself"
        scheduled = summary.trigger == "schedule" or summary.approved_by is not None
        yield _resume(summary, by_itself if scheduled else "then goes on with it")
    elif cause is HaltCause.STRICTER:
        yield _resume(summary, "goes on as planned")
        yield _close(summary)
    elif cause in PLAN_RAILS:
        yield NextStep(f"{_resume(summary, '').command} --override TEXT --by WHO", "passes the rail")
        yield _close(summary)
    elif cause is HaltCause.MAX_FAILURE_RATIO:
        yield _resume(summary, "goes on, and counts replies anew; --override TEXT --by WHO: without this rail")
    elif cause is HaltCause.MAX_CONFLICTS:
        yield NextStep("retention review reclose --by WHO", "closes the rounds, once the database takes it")
        yield _resume(summary, "goes on, and counts anew; --override TEXT --by WHO: without this rail")
    elif cause is HaltCause.UNAUTHORIZED:
        yield NextStep("retention check", "until the vendor knows us: correct secure_login or token")
        yield _resume(summary, "then goes on with it")
    elif cause in {HaltCause.CLOSE_ROUNDS, HaltCause.DATABASE}:
        yield NextStep("retention check", "until the database is as it has to be")
        yield _resume(summary, "then goes on with it")
    else:
        yield _resume(summary, "goes on, once that is mended")
        yield _close(summary)


def _is_targeted(summary: Summary) -> bool:
    """Whether a person named the run's rounds: no policy plans them again."""
    return summary.trigger == TARGETED


def _again(summary: Summary) -> str:
    return "has to be named again" if _is_targeted(summary) else "is planned again"


def _run(summary: Summary, does: str) -> NextStep:
    """The command that plans a new run; for a targeted run, rounds have to be named again."""
    if _is_targeted(summary):
        return NextStep("retention cancel --from-file FILE --evidence REF --by WHO", does)
    return NextStep(f"retention run {summary.policy}", does)


def _resume(summary: Summary, does: str) -> NextStep:
    return NextStep(f"retention run --resume {summary.run_id}", does)


def _close(summary: Summary) -> NextStep:
    return NextStep(f"retention runs close {summary.run_id} --by WHO --note TEXT", "calls it off")


def _reviews(summary: Summary) -> list[NextStep]:
    """The review of the run's rounds. A round that was only not sent needs no decision, so it is not listed."""
    return [NextStep("retention review list", "shows what needs a person")] if summary.is_listed else []


def _report(summary: Summary) -> list[NextStep]:
    if not summary.needs_review:
        return []
    unsent = sum(counts.get(State.NOT_SENT, 0) for counts in (summary.states, summary.taken_up))
    by = "" if _is_targeted(summary) else " by the next run"
    unsent_rounds = f"; what was not sent {_again(summary)}{by}" if unsent > summary.to_review else ""
    return [NextStep(f"retention report --all --run {summary.run_id}", f"lists its rounds{unsent_rounds}")]
