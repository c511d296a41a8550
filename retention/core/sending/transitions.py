"""From an answer to what becomes of the round. Contract section 5, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Kind, NotConnected, Outcome, Reply, Settlement, State, Treatment, Unclear
from retention.core.sending import wire
from retention.core.sending.ask_first import after_first_question, unanswered, winnings_told
from retention.core.sending.backoff import full_jitter
from retention.core.sending.reply_rules import Step, pause_of
from retention.core.text import money_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from retention.core.model import Answer, Claim
    from retention.core.sending.reply_rules import ReplyRules

_RECORDED = range(100, 1000)  # what the ledger takes for an HTTP status
_REFUSALS = range(400, 500)

_PROBED = {
    "canceled": Outcome.CANCELLED,
    "cancelled": Outcome.CANCELLED,
    "cancelinprocess": Outcome.CANCELLED,
    "completed": Outcome.ALREADY_COMPLETED,
    "completeinprocess": Outcome.ALREADY_COMPLETED,
    "inprogress": Outcome.IN_PROGRESS,
}

_TREATED = {
    Treatment.CANCELLED: Outcome.CANCELLED,
    Treatment.ALREADY_CANCELLED: Outcome.ALREADY_CANCELLED,
    Treatment.ALREADY_COMPLETED: Outcome.ALREADY_COMPLETED,
    Treatment.RETRY: Outcome.RETRY,
    Treatment.REJECTED: Outcome.REJECTED,
    Treatment.UNAUTHORIZED: Outcome.UNAUTHORIZED,
}

_CERTAIN = {
    Outcome.CANCELLED: State.CANCELLED,
    Outcome.ALREADY_CANCELLED: State.ALREADY_CANCELLED,
    Outcome.ALREADY_COMPLETED: State.ALREADY_COMPLETED,
}
"""What the reply to a cancel request makes certain, and the state that it ends in."""


def is_known_status(round_status: str | None) -> bool:
    """Whether a roundStatus is one of the vendor's words, and no text of which anything may be in it."""
    return (round_status or "").lower() in _PROBED


def classify(kind: Kind, answer: Answer, codes: Mapping[str, Treatment]) -> Outcome:
    """What became of one attempt."""
    match answer:
        case NotConnected():
            return Outcome.NOT_CONNECTED
        case Unclear():
            return Outcome.IN_DOUBT
    return _by_status(answer) or _by_code(kind, answer, codes)


def _by_status(reply: Reply) -> Outcome | None:
    """What the HTTP status alone decides."""
    match reply.http_status:
        case 429:
            return Outcome.THROTTLED
        case 503 if reply.retry_after is not None:
            return Outcome.THROTTLED
        case 401 | 403:
            return Outcome.UNAUTHORIZED
        case wire.REQUEST_TIMEOUT if reply.over_idle:
            return Outcome.IN_DOUBT  # the server gave up waiting for a request: it refuses no round
        case status if status in _REFUSALS:
            return Outcome.REJECTED
    return None


def _by_code(kind: Kind, reply: Reply, codes: Mapping[str, Treatment]) -> Outcome:
    if reply.code is None:
        return Outcome.IN_DOUBT
    treatment = codes.get(reply.code, Treatment.REJECTED)
    if kind is Kind.CANCEL:
        return _TREATED[treatment]
    if treatment is Treatment.UNAUTHORIZED:
        return Outcome.UNAUTHORIZED
    if treatment is not Treatment.CANCELLED:  # the code of success; the question itself was refused
        return Outcome.IN_DOUBT
    # Not casefold(), which takes other letters for these.
    outcome = _PROBED.get((reply.round_status or "").lower(), Outcome.IN_DOUBT)
    return Outcome.IN_DOUBT if outcome is Outcome.IN_PROGRESS and reply.winnings_unclear else outcome


def settle(
    claim: Claim,
    answer: Answer,
    treating: ReplyRules,
    *,
    sent_at: datetime | None,
    replied_at: datetime | None,
    fraction: float,
    known: bool = False,
    wrong_address: bool = False,
) -> Settlement:
    """What an answer changes in the ledger; `fraction` is a random number from 0 to 1, for the back-off.

    `known`: the vendor has just said, by a HealthCheck, that it knows us, so a code that refuses our credentials is
    about this round alone. `wrong_address`: the answer shows that the status address is not the vendor's.
    """
    answer = _about(claim, answer)
    outcome = classify(claim.kind, answer, treating.codes)
    if known and outcome is Outcome.UNAUTHORIZED:
        outcome = Outcome.REJECTED
    if claim.kind is Kind.CANCEL:
        step = _after_cancel(claim, outcome, answer, treating, fraction)
    elif claim.asks_first:
        step = after_first_question(
            claim, outcome, answer, treating, fraction, known=known, wrong_address=wrong_address
        )
    else:
        step = _after_probe(claim, outcome, answer, treating, fraction)
    reply = answer if isinstance(answer, Reply) else Reply(0)
    took_effect = claim.kind is Kind.CANCEL and outcome in {Outcome.CANCELLED, Outcome.ALREADY_CANCELLED}
    return Settlement(
        claim,
        outcome,
        step.state,
        sent_at=sent_at,
        replied_at=replied_at,
        http_status=reply.http_status if reply.http_status in _RECORDED else None,
        error_code=reply.code,
        description=reply.description,
        currency=reply.currency if took_effect else None,
        amount=reply.amount if took_effect else None,
        transaction_id=reply.transaction_id if took_effect else None,
        detail=step.detail or _detail(claim, answer),
        due_in=step.due_in,
        doubtful=step.doubtful,
        refused=step.refused,
        failed=_failed(claim, outcome, step.state),
        uncounted=step.uncounted or outcome in {Outcome.THROTTLED, Outcome.UNAUTHORIZED},
        incomplete=step.state is State.CANCELLED and treating.refund_in_reply and not (took_effect and _whole(reply)),
        review=step.review,
    )


def _about(claim: Claim, answer: Answer) -> Answer:
    """A reply that names another round says nothing about ours."""
    if isinstance(answer, Reply) and answer.round_id is not None and answer.round_id != claim.round_id:
        return Reply(answer.http_status, problem="the reply is about another round")
    return answer


def _whole(reply: Reply) -> bool:
    """Whether a success tells the whole refund."""
    return None not in {reply.amount, reply.currency, reply.transaction_id}


def _after_cancel(claim: Claim, outcome: Outcome, answer: Answer, treating: ReplyRules, fraction: float) -> Step:
    if (certain := _CERTAIN.get(outcome)) is not None:
        return Step(certain, doubtful=claim.doubtful)
    wait = full_jitter(claim.tries, fraction)
    exhausted = claim.tries >= treating.max_attempts
    match outcome:
        case Outcome.REJECTED if _askable(claim, treating):
            step = Step(State.IN_DOUBT, 0.0, doubtful=claim.doubtful, refused=True)
        case Outcome.REJECTED if claim.doubtful:
            # An earlier request may have done it, and that may be the very reason of this refusal.
            step = Step(State.IN_DOUBT, None, doubtful=True)
        case Outcome.REJECTED:
            step = Step(State.REJECTED)
        case Outcome.THROTTLED | Outcome.UNAUTHORIZED | Outcome.NOT_CONNECTED:
            step = _after_nothing(claim, outcome, pause_of(answer) if outcome is Outcome.THROTTLED else wait, treating)
        case Outcome.RETRY if not exhausted:
            step = Step(State.RETRYING, wait, doubtful=True)
        case _:  # in doubt, or told to retry and no attempt left
            # A question has attempts of its own. Where none is allowed, a resend is left, while attempts are.
            due = _askable(claim, treating) if treating.status_probe else not exhausted
            step = Step(State.IN_DOUBT, wait if due else None, doubtful=True)
    return step


def _after_nothing(claim: Claim, outcome: Outcome, pause: float, treating: ReplyRules) -> Step:
    """The request certainly did nothing, so a doubt from before it is neither more nor less than it was."""
    exhausted = outcome is Outcome.NOT_CONNECTED and claim.tries >= treating.max_attempts
    if not claim.doubtful:
        if outcome is Outcome.UNAUTHORIZED:
            return Step(State.PLANNED)
        return Step(State.NOT_SENT) if exhausted else Step(State.RETRYING, pause)
    askable = _askable(claim, treating)
    if exhausted and not askable:
        return Step(State.IN_DOUBT, None, doubtful=True)
    # With its questions used up, the last answer to one allowed this resend, and still does.
    return Step(State.IN_DOUBT if askable or not treating.status_probe else State.RETRYING, pause, doubtful=True)


def _askable(claim: Claim, treating: ReplyRules) -> bool:
    """Whether the vendor may be asked once more what the round is."""
    return treating.status_probe and claim.probes < treating.max_attempts


def _after_probe(claim: Claim, outcome: Outcome, answer: Answer, treating: ReplyRules, fraction: float) -> Step:
    wait = full_jitter(claim.probes, fraction)
    askable = claim.probes < treating.max_attempts
    only_refused = claim.refused and not claim.doubtful
    match outcome:
        case Outcome.CANCELLED:
            # Our own doing only where a request of ours may have done it; a clean refusal did nothing.
            step = Step(State.CANCELLED if claim.doubtful else State.ALREADY_CANCELLED, doubtful=claim.doubtful)
        case Outcome.ALREADY_COMPLETED:
            step = Step(State.ALREADY_COMPLETED, doubtful=claim.doubtful)
        case Outcome.THROTTLED:
            step = Step(State.IN_DOUBT, pause_of(answer), doubtful=claim.doubtful, refused=claim.refused)
        case Outcome.UNAUTHORIZED:
            step = Step(State.IN_DOUBT, 0.0, doubtful=claim.doubtful, refused=claim.refused)
        case Outcome.IN_PROGRESS:
            step = _still_in_progress(claim, answer, treating, fraction)
        case _ if askable and (outcome is Outcome.NOT_CONNECTED or not only_refused):
            step = Step(State.IN_DOUBT, wait, doubtful=claim.doubtful, refused=claim.refused)
        case _ if only_refused:
            step = Step(State.REJECTED)  # it was asked about once; the refusal stands
        case _:
            step = Step(State.IN_DOUBT, None, doubtful=True)
    return step


def _still_in_progress(claim: Claim, answer: Answer, treating: ReplyRules, fraction: float) -> Step:
    """What an earlier request wanted has not been done: it is sent again, as long as attempts are left."""
    if claim.refused:
        return Step(State.REJECTED, doubtful=claim.doubtful)
    if (won := winnings_told(answer)) and not treating.cancel_winnings:
        return Step(State.IN_DOUBT, None, doubtful=True, detail=won)
    if claim.tries >= treating.max_attempts:
        return Step(State.IN_DOUBT, None, doubtful=True)
    # Asked first, a round is called while that answer is fresh: it waited before it was asked about.
    again = 0.0 if treating.ask_first else full_jitter(max(claim.tries, 1), fraction)
    return Step(State.RETRYING, again, doubtful=claim.doubtful)


def pause_for(settlement: Settlement, answer: Answer) -> float | None:
    """Seconds for which every replica leaves the partner alone, None where the answer asks for nothing of the kind."""
    return pause_of(answer) if settlement.outcome is Outcome.THROTTLED else None


def _detail(claim: Claim, answer: Answer) -> str | None:
    if not isinstance(answer, Reply):
        return answer.why
    if answer.problem or claim.kind is Kind.CANCEL:
        return answer.problem
    if not answer.round_status or answer.winnings_unclear:
        return unanswered(answer)
    told = [f"the vendor says {answer.round_status}"]
    if answer.bet_amount is not None:
        told.append(f"betAmount {answer.bet_amount:f} {answer.currency or ''}".rstrip())
    if answer.winnings:
        told.append(f"winAmount {money_text(answer.winnings, answer.currency)}")
    return ", ".join(told)


def _failed(claim: Claim, outcome: Outcome, state: State) -> bool | None:
    """What the failure-ratio rail counts: replies to cancel requests; as failures, those refused and those in doubt."""
    if claim.kind is Kind.STATUS or outcome in {Outcome.THROTTLED, Outcome.NOT_CONNECTED, Outcome.UNAUTHORIZED}:
        return None
    return state in {State.REJECTED, State.IN_DOUBT}
