"""The `detail` of an attempt: the words that tell a person why an answer led where it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.model import Kind, Reply
from retention.core.text import money_text

if TYPE_CHECKING:
    from retention.core.model import Answer, Claim

OTHER_ROUND = "the reply is about another round"


def answer_detail(claim: Claim, answer: Answer) -> str | None:
    """Explain an answer beyond its code and description; None where it needs no explanation."""
    if not isinstance(answer, Reply):
        return answer.why
    if answer.problem or claim.kind is Kind.CANCEL:
        return answer.problem
    if not answer.round_status or answer.winnings_unclear:
        return _no_usable_status(answer)
    parts = [f"the vendor says {answer.round_status}"]
    if answer.bet_amount is not None:
        parts.append(f"betAmount {answer.bet_amount:f} {answer.currency or ''}".rstrip())
    if answer.winnings:
        parts.append(f"winAmount {money_text(answer.winnings, answer.currency)}")
    return ", ".join(parts)


def winnings_detail(answer: Answer) -> str | None:
    """Name the winnings that the vendor tells; None where it tells none, or 0."""
    if not isinstance(answer, Reply) or not answer.winnings:
        return None
    return f"winnings {money_text(answer.winnings, answer.currency)}"


def not_asked_detail(answer: Answer) -> str:
    """Say why the first probe of a round has no usable answer."""
    return f"not asked: {_no_usable_status(answer)}"


def _no_usable_status(answer: Answer) -> str:
    if not isinstance(answer, Reply):
        return answer.why
    if answer.problem:
        return answer.problem
    if answer.code != "0":
        return f"error {answer.code}" + (f", {answer.description}" if answer.description else "")
    if answer.winnings_unclear:
        return "winAmount makes no sense"
    return f"the vendor says {answer.round_status}" if answer.round_status else "no roundStatus"
