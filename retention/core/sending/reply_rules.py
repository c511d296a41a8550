"""How a partner's answers are to be treated, and the next step that one leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from retention.core.model import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retention.core.model import Answer, Review, State, Treatment

THROTTLE_PAUSE = 1.0
"""Seconds: the pause after a 429 that does not say how long."""


@dataclass(frozen=True, slots=True)
class ReplyRules:
    """How one partner's answers are to be treated.

    `ask_first`: the vendor is asked before a round's first cancel. `cancel_winnings`: a round with winnings is
    cancelled all the same. `refund_in_reply`: a success names currency, amount and transaction.
    """

    codes: Mapping[str, Treatment]
    max_attempts: int
    status_probe: bool
    ask_first: bool = False
    cancel_winnings: bool = False
    refund_in_reply: bool = True


class Step(NamedTuple):
    """Where a round stands after an answer; the fields are those of a Settlement."""

    state: State
    due_in: float | None = None
    doubtful: bool = False
    refused: bool = False
    uncounted: bool = False
    detail: str | None = None
    review: Review | None = None


def pause_of(answer: Answer) -> float:
    """Seconds for which the partner wants to be left alone."""
    if isinstance(answer, Reply) and answer.retry_after is not None:
        return answer.retry_after
    return THROTTLE_PAUSE
