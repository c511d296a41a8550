"""The decision after an answer: a row of the transitions' table, with the pauses and texts that the row asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Kind, Outcome, Reply, Settlement, State
from retention.core.sending.backoff import full_jitter
from retention.core.sending.outcomes import classify
from retention.core.sending.reply_details import OTHER_ROUND, answer_detail, not_asked_detail, winnings_detail
from retention.core.sending.transitions import TABLE, UNUSABLE, Detail, Due, Probes, Request, Special

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from retention.core.model import Answer, Claim
    from retention.core.sending.reply_rules import ReplyRules
    from retention.core.sending.transitions import Event

THROTTLE_PAUSE_S = 1.0
"""The pause after a 429 without a Retry-After, in seconds. A 503 throttles only with one."""

_HTTP_STATUSES = range(100, 1000)  # the ledger has a place for these
_NO_REPLY = Reply(0)


def decide(
    claim: Claim,
    answer: Answer,
    rules: ReplyRules,
    *,
    sent_at: datetime | None,
    replied_at: datetime | None,
    jitter: float,
    credentials_accepted: bool = False,
    wrong_status_address: bool = False,
) -> Settlement:
    """Decide an answer's changes to the ledger. `jitter` is a random number from 0 to 1, for the back-off.

    `credentials_accepted`: a HealthCheck has just accepted them, so a refusal of the credentials is about this round
    alone. `wrong_status_address`: the answer shows that the status address is not the vendor's.
    """
    if isinstance(answer, Reply) and answer.round_id is not None and answer.round_id != claim.round_id:
        answer = Reply(answer.http_status, problem=OTHER_ROUND)
    outcome = classify(claim.kind, answer, rules.codes)
    if credentials_accepted and outcome is Outcome.UNAUTHORIZED:
        outcome = Outcome.REJECTED
    event: Event = outcome
    probes = Probes.LEFT if claim.probes < rules.max_attempts else Probes.USED_UP
    if claim.kind is Kind.CANCEL:
        request = Request.CANCEL
        if not rules.status_probe:
            probes = Probes.FORBIDDEN
    else:
        request = Request.FIRST_PROBE if claim.is_first_probe else Request.PROBE
        if outcome is Outcome.IN_PROGRESS:
            if not rules.cancel_winnings and winnings_detail(answer):
                event = Special.WINNINGS
        elif request is Request.FIRST_PROBE and outcome in UNUSABLE:
            if wrong_status_address:
                event = Special.WRONG_ADDRESS
            elif credentials_accepted:
                event = Special.ROUND_REFUSED
    to = TABLE[
        request,
        event,
        probes,
        claim.attempts < rules.max_attempts,
        claim.may_have_taken_effect,
        claim.refusal_pending_probe,
    ]
    reply = answer if isinstance(answer, Reply) else _NO_REPLY
    refund = reply if to.tells_refund else _NO_REPLY
    return Settlement(
        claim,
        outcome,
        to.state,
        sent_at=sent_at,
        replied_at=replied_at,
        http_status=reply.http_status if reply.http_status in _HTTP_STATUSES else None,
        error_code=reply.code,
        description=reply.description,
        currency=refund.currency,
        amount=refund.amount,
        transaction_id=refund.transaction_id,
        detail=_detail(to.detail, claim, answer),
        due_in=None if to.due is Due.NEVER else _due_in(to.due, claim, answer, rules, jitter),
        may_have_taken_effect=to.may_have_taken_effect,
        refusal_pending_probe=to.refusal_pending_probe,
        failed=to.failed,
        uncounted=to.uncounted,
        incomplete=to.state is State.CANCELLED and rules.refund_in_reply and not _is_whole(refund),
        review=to.review,
        winnings=_told_winnings(claim, reply),
    )


def throttle_pause_s(settlement: Settlement, answer: Answer) -> float | None:
    """Tell for how many seconds every replica pauses the partner; None where the answer asks for no pause."""
    return pause_of(answer) if settlement.outcome is Outcome.THROTTLED else None


def _due_in(due: Due, claim: Claim, answer: Answer, rules: ReplyRules, jitter: float) -> float:
    if due is Due.BACKOFF:
        return full_jitter(claim.attempts if claim.kind is Kind.CANCEL else claim.probes, jitter)
    if due is Due.PAUSE:
        return pause_of(answer)
    if due is Due.NOW or rules.ask_first:
        return 0.0
    return full_jitter(max(claim.attempts, 1), jitter)  # Due.RESEND


def pause_of(answer: Answer) -> float:
    """The pause that an answer asks for, in seconds, where it asks for one."""
    if isinstance(answer, Reply) and answer.retry_after is not None:
        return answer.retry_after
    return THROTTLE_PAUSE_S


def _detail(detail: Detail, claim: Claim, answer: Answer) -> str | None:
    if detail is Detail.ANSWER:
        return answer_detail(claim, answer)
    return winnings_detail(answer) if detail is Detail.WINNINGS else not_asked_detail(answer)


def _told_winnings(claim: Claim, reply: Reply) -> Decimal | None:
    """The winnings that an answer tells: only a successful answer to a question speaks of them."""
    return reply.winnings if claim.kind is Kind.STATUS and reply.code == "0" else None


def _is_whole(refund: Reply) -> bool:
    return None not in {refund.amount, refund.currency, refund.transaction_id}
