"""From an answer to what becomes of the round. Contract section 5, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from retention.core.backoff import full_jitter
from retention.core.model import Kind, NotConnected, Outcome, Reply, Settlement, State, Treatment, Unclear

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from retention.core.model import Answer, Claim

THROTTLE_PAUSE = 1.0
"""Seconds: the pause after a 429 that does not say how long."""

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


@dataclass(frozen=True, slots=True)
class Treating:
    """How one partner's answers are to be treated."""

    codes: Mapping[str, Treatment]
    max_attempts: int
    status_probe: bool


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
    return _PROBED.get((reply.round_status or "").lower(), Outcome.IN_DOUBT)


def settle(
    claim: Claim,
    answer: Answer,
    treating: Treating,
    *,
    sent_at: datetime | None,
    replied_at: datetime | None,
    fraction: float,
) -> Settlement:
    """What an answer changes in the ledger; `fraction` is a random number from 0 to 1, for the back-off."""
    answer = _about(claim, answer)
    outcome = classify(claim.kind, answer, treating.codes)
    next_step = _after_cancel if claim.kind is Kind.CANCEL else _after_probe
    step = next_step(claim, outcome, answer, treating, fraction)
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
        detail=_detail(claim, answer),
        due_in=step.due_in,
        doubtful=step.doubtful,
        refused=step.refused,
        failed=_failed(claim, outcome, step.state),
    )


def _about(claim: Claim, answer: Answer) -> Answer:
    """A reply to a question names its round: one that names another round says nothing about ours."""
    if (
        claim.kind is Kind.STATUS
        and isinstance(answer, Reply)
        and answer.round_id is not None
        and answer.round_id != claim.round_id
    ):
        return Reply(answer.http_status, problem="the reply is about another round")
    return answer


class _Step(NamedTuple):
    state: State
    due_in: float | None = None
    doubtful: bool = False
    refused: bool = False


def _after_cancel(claim: Claim, outcome: Outcome, answer: Answer, treating: Treating, fraction: float) -> _Step:
    if (certain := _CERTAIN.get(outcome)) is not None:
        return _Step(certain, doubtful=claim.doubtful)
    wait = full_jitter(claim.tries, fraction)
    exhausted = claim.tries >= treating.max_attempts
    match outcome:
        case Outcome.REJECTED if _askable(claim, treating):
            step = _Step(State.IN_DOUBT, 0.0, doubtful=claim.doubtful, refused=True)
        case Outcome.REJECTED if claim.doubtful:
            # An earlier request may have done it, and that may be the very reason of this refusal.
            step = _Step(State.IN_DOUBT, None, doubtful=True)
        case Outcome.REJECTED:
            step = _Step(State.REJECTED)
        case Outcome.THROTTLED | Outcome.UNAUTHORIZED | Outcome.NOT_CONNECTED:
            step = _after_nothing(claim, outcome, _pause(answer) if outcome is Outcome.THROTTLED else wait, treating)
        case Outcome.RETRY if not exhausted:
            step = _Step(State.RETRYING, wait, doubtful=True)
        case _:  # in doubt, or told to retry and no attempt left
            # A question has attempts of its own. Where none is allowed, a resend is left, while attempts are.
            due = _askable(claim, treating) if treating.status_probe else not exhausted
            step = _Step(State.IN_DOUBT, wait if due else None, doubtful=True)
    return step


def _after_nothing(claim: Claim, outcome: Outcome, pause: float, treating: Treating) -> _Step:
    """The request certainly did nothing, so a doubt from before it is neither more nor less than it was."""
    exhausted = outcome is Outcome.NOT_CONNECTED and claim.tries >= treating.max_attempts
    if not claim.doubtful:
        if outcome is Outcome.UNAUTHORIZED:
            return _Step(State.PLANNED)
        return _Step(State.NOT_SENT) if exhausted else _Step(State.RETRYING, pause)
    askable = _askable(claim, treating)
    if exhausted and not askable:
        return _Step(State.IN_DOUBT, None, doubtful=True)
    # With its questions used up, the last answer to one allowed this resend, and still does.
    return _Step(State.IN_DOUBT if askable or not treating.status_probe else State.RETRYING, pause, doubtful=True)


def _askable(claim: Claim, treating: Treating) -> bool:
    """Whether the vendor may be asked once more what the round is."""
    return treating.status_probe and claim.probes < treating.max_attempts


def _after_probe(claim: Claim, outcome: Outcome, answer: Answer, treating: Treating, fraction: float) -> _Step:
    wait = full_jitter(claim.probes, fraction)
    askable = claim.probes < treating.max_attempts
    only_refused = claim.refused and not claim.doubtful
    match outcome:
        case Outcome.CANCELLED:
            # Our own doing only where a request of ours may have done it; a clean refusal did nothing.
            step = _Step(State.CANCELLED if claim.doubtful else State.ALREADY_CANCELLED, doubtful=claim.doubtful)
        case Outcome.ALREADY_COMPLETED:
            step = _Step(State.ALREADY_COMPLETED, doubtful=claim.doubtful)
        case Outcome.THROTTLED:
            step = _Step(State.IN_DOUBT, _pause(answer), doubtful=claim.doubtful, refused=claim.refused)
        case Outcome.UNAUTHORIZED:
            step = _Step(State.IN_DOUBT, 0.0, doubtful=claim.doubtful, refused=claim.refused)
        case Outcome.IN_PROGRESS if claim.refused:
            step = _Step(State.REJECTED, doubtful=claim.doubtful)
        case Outcome.IN_PROGRESS if claim.tries < treating.max_attempts:
            step = _Step(State.RETRYING, full_jitter(max(claim.tries, 1), fraction), doubtful=claim.doubtful)
        case Outcome.IN_PROGRESS:
            step = _Step(State.IN_DOUBT, None, doubtful=True)
        case _ if askable and (outcome is Outcome.NOT_CONNECTED or not only_refused):
            step = _Step(State.IN_DOUBT, wait, doubtful=claim.doubtful, refused=claim.refused)
        case _ if only_refused:
            step = _Step(State.REJECTED)  # it was asked about once; the refusal stands
        case _:
            step = _Step(State.IN_DOUBT, None, doubtful=True)
    return step


def _pause(answer: Answer) -> float:
    """Seconds for which the partner wants to be left alone."""
    if isinstance(answer, Reply) and answer.retry_after is not None:
        return answer.retry_after
    return THROTTLE_PAUSE


def pause_for(settlement: Settlement, answer: Answer) -> float | None:
    """Seconds for which every replica leaves the partner alone, None where the answer asks for nothing of the kind."""
    return _pause(answer) if settlement.outcome is Outcome.THROTTLED else None


def _detail(claim: Claim, answer: Answer) -> str | None:
    if not isinstance(answer, Reply):
        return answer.why
    if answer.problem or claim.kind is Kind.CANCEL:
        return answer.problem
    if not answer.round_status:
        return f"no roundStatus: {answer.description}" if answer.description else "no roundStatus"
    bet = f", betAmount {answer.bet_amount:f} {answer.currency or ''}" if answer.bet_amount is not None else ""
    return f"the vendor says {answer.round_status}{bet}".rstrip()


def _failed(claim: Claim, outcome: Outcome, state: State) -> bool | None:
    """What the failure-ratio rail counts: replies to cancel requests; as failures, those refused and those in doubt."""
    if claim.kind is Kind.STATUS or outcome in {Outcome.THROTTLED, Outcome.NOT_CONNECTED, Outcome.UNAUTHORIZED}:
        return None
    return state in {State.REJECTED, State.IN_DOUBT}
