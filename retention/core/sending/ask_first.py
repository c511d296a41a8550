"""What the answer to a question before a round's first cancel leads to. Contract section 5.1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Outcome, Reply, Review, State
from retention.core.sending.backoff import full_jitter
from retention.core.sending.reply_rules import Step, pause_of
from retention.core.sending.wire import NOT_JSON, NOT_UTF8
from retention.core.text import money_text

if TYPE_CHECKING:
    from retention.core.model import Answer, Claim
    from retention.core.sending.reply_rules import ReplyRules

_NOT_THERE = {404, 405, *range(300, 400)}


def after_first_question(
    claim: Claim,
    outcome: Outcome,
    answer: Answer,
    treating: ReplyRules,
    fraction: float,
    *,
    known: bool,
    wrong_address: bool,
) -> Step:
    """The round was never called: what is not plainly in progress is not called now either. Contract section 5.1."""
    match outcome:
        case Outcome.IN_PROGRESS if (won := winnings_told(answer)) and not treating.cancel_winnings:
            step = Step(State.HELD, detail=won, review=Review.WINNINGS)
        case Outcome.IN_PROGRESS:
            step = Step(State.PLANNED)
        case Outcome.CANCELLED:
            step = Step(State.ALREADY_CANCELLED)
        case Outcome.ALREADY_COMPLETED:
            step = Step(State.ALREADY_COMPLETED)
        case Outcome.THROTTLED:
            step = Step(State.RETRYING, pause_of(answer))
        case Outcome.UNAUTHORIZED:
            step = Step(State.PLANNED)
        case _ if wrong_address:
            step = Step(State.PLANNED, uncounted=True)  # the run is halted, and asks again once the address is mended
        case _ if claim.probes < treating.max_attempts and not known:
            step = Step(State.RETRYING, full_jitter(claim.probes, fraction))
        case _:
            step = Step(State.NOT_SENT, detail=f"not asked: {unanswered(answer)}", review=Review.NOT_ASKED)
    return step


def wrong_status_address(answer: Answer) -> str | None:
    """What shows that a status address is not the vendor's, if the answer to a question does."""
    if not isinstance(answer, Reply):
        return None
    if answer.http_status in _NOT_THERE:
        return f"HTTP {answer.http_status}"
    return answer.problem if answer.problem in {NOT_JSON, NOT_UTF8} else None


def winnings_told(answer: Answer) -> str | None:
    """What the vendor tells of winnings, in words; None where there are none."""
    if not isinstance(answer, Reply) or not answer.winnings:
        return None
    return f"winnings {money_text(answer.winnings, answer.currency)}"


def unanswered(answer: Answer) -> str:
    """Why a question has no answer that can be acted on, in words."""
    if not isinstance(answer, Reply):
        return answer.why
    if answer.problem:
        return answer.problem
    if answer.code != "0":
        return f"error {answer.code}" + (f", {answer.description}" if answer.description else "")
    if answer.winnings_unclear:
        return "winAmount makes no sense"
    return f"the vendor says {answer.round_status}" if answer.round_status else "no roundStatus"
