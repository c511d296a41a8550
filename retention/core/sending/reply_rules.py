"""A partner's terms for replies, and the meaning of the vendor's codes where the operator gives no other."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from retention.core.model import Treatment

if TYPE_CHECKING:
    from collections.abc import Mapping

# The vendor lists these codes for calls in both directions, so their meaning for CancelRound is likely, not certain.
# An unlisted code is rejected as well; the listed rejections were read about, and are rejected on purpose.
DEFAULT_CODES: Mapping[str, Treatment] = MappingProxyType(
    {
        "0": Treatment.CANCELLED,
        "61": Treatment.ALREADY_CANCELLED,
        "998": Treatment.RETRY,
        **dict.fromkeys(("54", "401"), Treatment.UNAUTHORIZED),
        **dict.fromkeys(("1", "999"), Treatment.REJECTED),
        **dict.fromkeys(
            ("12", "16", "17", "18", "20", "21", "22", "57", "62", "64", "99", "404"),
            Treatment.REJECTED,
        ),
    }
)
"""The vendor's codes and their treatment, for a partner without codes of its own."""


@dataclass(frozen=True, slots=True)
class ReplyRules:
    """One partner's terms for replies.

    `codes` maps a code to its treatment. `max_attempts` limits cancel requests per round and run, and probes likewise.
    `status_probe` allows probes. `ask_first` sends a probe before a round's first cancel request. `cancel_winnings`
    cancels a round in spite of winnings. `refund_in_reply`: a success must name currency, amount and transaction.
    """

    codes: Mapping[str, Treatment]
    max_attempts: int
    status_probe: bool
    ask_first: bool = False
    cancel_winnings: bool = False
    refund_in_reply: bool = True
