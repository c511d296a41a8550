"""The words that operators use for the states of a round and for the kinds of a transaction."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from retention.core.operator_tables.names import words

if TYPE_CHECKING:
    from collections.abc import Iterable


class Meaning(enum.Enum):
    """The meaning of a state."""

    OPEN = enum.auto()
    MAYBE_OPEN = enum.auto()
    CANCELLED = enum.auto()
    OVER = enum.auto()
    UNKNOWN = enum.auto()


_STATES = {
    Meaning.OPEN: "open opened active started running in_progress inprogress ongoing playing in_play inplay unfinished"
    " incomplete not_finished round_started is_open",
    Meaning.MAYBE_OPEN: "pending new created placed accepted bet bet_placed initiated init suspended paused unsettled"
    " processing waiting unresolved betting",
    Meaning.CANCELLED: "cancelled canceled cancel void voided rolled_back rollback annulled refunded aborted",
    Meaning.OVER: "closed close completed complete settled finished ended end done resolved won lost win lose loss over"
    " paid cashed_out cashout payout result expired round_ended finalized finalised success half_won half_lost push"
    " draw",
}
_MEANINGS = {word: meaning for meaning, listed in _STATES.items() for word in listed.split()}

_KINDS = (
    "bet bets stake wager debit place_bet bet_placed withdraw buy_in spin play",
    "win wins credit payout result refund rollback cancel cancelled settle settled settlement jackpot",
)
_BETS, _RESULTS = (frozenset(kinds.split()) for kinds in _KINDS)

_LABELLED = re.compile(r"(-?\d+)\s*(?:=>|->|[=:-])\s*[\"']?([A-Za-z][\w -]*?)[\"']?\s*(?=[,;/|.)\n]|\s+-?\d+\s*[=:]|$)")
_PREFIX = re.compile("^(?:game_round|round|status|state|game|bet)_")
_TEXTS = re.compile(r"'((?:[^']|'')*)'")
_NUMBERS = re.compile(r"(?<![\w.'])-?\d+(?![\w.'])")


def meaning_of(state: str) -> Meaning:
    """Return the meaning of a state by its word."""
    found = words(state)
    return _MEANINGS.get(found) or _MEANINGS.get(_PREFIX.sub("", found), Meaning.UNKNOWN)


def is_bet(kind: str) -> bool:
    """Whether a kind of transaction takes a stake."""
    return words(kind) in _BETS


def is_result(kind: str) -> bool:
    """Whether a kind of transaction gives money back, or ends a round."""
    return words(kind) in _RESULTS


def labels_in(comment: str) -> dict[str, str]:
    """Return the names of numbers that a comment gives, such as `0 = open, 1 = closed`."""
    return {number: label.strip() for number, label in _LABELLED.findall(comment)}


def values_in_checks(checks: Iterable[str], column: str) -> tuple[str, ...]:
    """Return the values that CHECKs of this column alone allow, as texts."""
    found: dict[str, None] = {}
    for check in checks:
        if "ARRAY[" not in check or not re.search(rf"(?<![\w]){re.escape(column)}(?![\w])", check):
            continue
        inside = check.partition("ARRAY[")[2].rpartition("]")[0]
        texts = [text.replace("''", "'") for text in _TEXTS.findall(inside)]
        found |= dict.fromkeys(texts or _NUMBERS.findall(inside))
    return tuple(found)
