"""The outcome of one attempt, from the vendor's answer to it: the left half of the contract's section 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Kind, NotConnected, Outcome, Reply, Treatment, Unclear
from retention.core.sending import wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retention.core.model import Answer

_REFUSALS = range(400, 500)
_NOT_AN_API = frozenset({404, 405, *range(300, 400)})
_NOT_A_REPLY = frozenset({wire.NOT_JSON, wire.NOT_UTF8})

_OUTCOME_OF_STATUS = {
    "canceled": Outcome.CANCELLED,
    "cancelled": Outcome.CANCELLED,
    "cancelinprocess": Outcome.CANCELLED,
    "completed": Outcome.ALREADY_COMPLETED,
    "completeinprocess": Outcome.ALREADY_COMPLETED,
    "inprogress": Outcome.IN_PROGRESS,
}
"""The vendor's round statuses, in lower case."""

_OUTCOME_OF_TREATMENT = {treatment: Outcome(treatment.value) for treatment in Treatment}


def is_known_status(round_status: str | None) -> bool:
    """Tell whether a roundStatus is one of the vendor's own words, and not arbitrary text."""
    return (round_status or "").lower() in _OUTCOME_OF_STATUS


def outcome_of_status(round_status: str) -> Outcome:
    """The outcome that one of the vendor's own words stands for: cancelled, already_completed or in_progress."""
    return _OUTCOME_OF_STATUS[round_status.lower()]


def classify(kind: Kind, answer: Answer, codes: Mapping[str, Treatment]) -> Outcome:
    """Classify an answer. The HTTP status decides before the vendor's code; `codes` maps codes to treatments."""
    match answer:
        case NotConnected():
            return Outcome.NOT_CONNECTED
        case Unclear():
            return Outcome.IN_DOUBT
    return _by_http_status(answer) or _by_code(kind, answer, codes)


def wrong_status_address(answer: Answer) -> str | None:
    """Say why a status address cannot be the vendor's, where an answer from it shows that; else None."""
    if not isinstance(answer, Reply):
        return None
    if answer.http_status in _NOT_AN_API:
        return f"HTTP {answer.http_status}"
    return answer.problem if answer.problem in _NOT_A_REPLY else None


def _by_http_status(reply: Reply) -> Outcome | None:
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
        return _OUTCOME_OF_TREATMENT[treatment]
    if treatment is Treatment.UNAUTHORIZED:
        return Outcome.UNAUTHORIZED
    if treatment is not Treatment.CANCELLED:  # the code of success; any other one refuses the probe itself
        return Outcome.IN_DOUBT
    # lower(), because casefold() turns letters of other alphabets into these.
    outcome = _OUTCOME_OF_STATUS.get((reply.round_status or "").lower(), Outcome.IN_DOUBT)
    return Outcome.IN_DOUBT if outcome is Outcome.IN_PROGRESS and reply.winnings_unclear else outcome
