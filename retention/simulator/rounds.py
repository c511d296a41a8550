"""Rounds and requests at the simulated vendor, and the replies to them: no server, no clock.

The vendor's page lists its error codes without their exact meaning. The simulator uses this reading of the list:
0 success, 1 round is completed, 16 user does not match the round, 17 no such round, 18 game does not match the round,
20 parameter missing or bad, 54 wrong secureLogin or token, 61 already cancelled.
"""

from __future__ import annotations

import enum
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

AmountAs = Literal["number", "string", "exponent"]
Answer = Literal["", "replied", "cut", "hung"]
RequestFields = dict[str, object] | None

_REQUIRED = {
    "CancelRound": ("secureLogin", "userId", "roundId", "token", "uuid"),
    "GetRoundStatus": ("secureLogin", "roundId", "token", "uuid"),
    "GetGameRounds": ("secureLogin", "token", "uuid", "dateStart", "dateEnd", "timeZone"),
    "HealthCheck": ("secureLogin", "token", "uuid"),
}
_PAGE_ROUNDS = 1000
_FORM = "%Y-%m-%d %H:%M:%S"
_LENGTHS = {"secureLogin": 32, "gameId": 32, "userId": 32, "roundId": 36, "token": 36, "uuid": 36}
_FORMS: dict[AmountAs, str] = {"number": "{:f}", "string": '"{:f}"', "exponent": "{:E}"}


class RoundStatus(enum.StrEnum):
    """The status of a round, in the vendor's words. The last two have a queued message to the operator."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    CANCELED = "Canceled"
    COMPLETE_IN_PROCESS = "CompleteInProcess"
    CANCEL_IN_PROCESS = "CancelInProcess"


@dataclass(slots=True)
class Round:
    """One round of the vendor. `amount` is the bet and `winnings` the win, in currency units, exact.

    An empty `user_id` or `game_id` matches every user or game. `opened_at` is kept in UTC, without a zone; a round
    without it is listed in every period. `amount_as` overrides the simulator's. `cancel_calls`
    counts the requested cancels, `cancelled_times` the honoured ones. Of these, `reversed_times` cancelled a completed
    round, and `winnings_lost_times` a round with winnings.
    """

    secure_login: str
    round_id: str
    user_id: str = ""
    game_id: str = ""
    status: RoundStatus = RoundStatus.IN_PROGRESS
    currency: str = "EUR"
    amount: Decimal = Decimal("1.00")
    winnings: Decimal = Decimal(0)
    transaction_id: str = ""
    opened_at: datetime | None = None
    amount_as: AmountAs | None = None
    cancel_calls: int = 0
    cancelled_times: int = 0
    reversed_times: int = 0
    winnings_lost_times: int = 0

    def __post_init__(self) -> None:
        self.status, self.amount, self.winnings = RoundStatus(self.status), Decimal(self.amount), Decimal(self.winnings)
        if self.opened_at is not None and self.opened_at.tzinfo is not None:
            self.opened_at = self.opened_at.astimezone(UTC).replace(tzinfo=None)
        if not self.winnings.is_finite():
            raise ValueError(f"winnings = {self.winnings} cannot be used: give a number")
        self.transaction_id = self.transaction_id or f"bet-{self.round_id}"[:36]
        if self.amount_as is not None and self.amount_as not in _FORMS:
            raise ValueError(f"amount_as = {self.amount_as!r} cannot be used: give one of {', '.join(_FORMS)}")

    def cancel(self, request: Request, amount_as: AmountAs, *, idempotent: bool, reverses: bool) -> dict[str, str]:
        """Answer a CancelRound: the first one cancels the round, unless it is completed.

        A vendor that is not `idempotent` honours a second cancel too. A vendor that `reverses` honours the cancel of a
        completed round.
        """
        self.cancel_calls += 1
        if self.user_id not in {"", request.user_id}:
            return reply_fields("16", "user does not match the round")
        if self.game_id and request.game_id not in {"", self.game_id}:
            return reply_fields("18", "game does not match the round")
        completed = self.status in {RoundStatus.COMPLETED, RoundStatus.COMPLETE_IN_PROCESS}
        if completed and not reverses:
            return reply_fields("1", "round is completed")
        if not completed and self.status is not RoundStatus.IN_PROGRESS and idempotent:
            return reply_fields("61", "round is already cancelled")
        self.status = RoundStatus.CANCELED
        self.cancelled_times += 1
        self.reversed_times += completed
        self.winnings_lost_times += self.winnings > 0
        return reply_fields("0", "Success") | {
            "currency": json.dumps(self.currency),
            "amount": _FORMS[self.amount_as or amount_as].format(self.amount),
            "transactionId": json.dumps(self.transaction_id),
        }

    def describe(self) -> dict[str, str]:
        """Answer a GetRoundStatus."""
        known = {
            "roundId": self.round_id,
            "currency": self.currency,
            "betAmount": f"{self.amount:f}",
            "winAmount": f"{self.winnings:f}",
            "roundStatus": self.status,
        }
        return reply_fields("0", "Success") | {name: json.dumps(value) for name, value in known.items()}

    def listing(self) -> dict[str, object]:
        """Describe the round as GetGameRounds does: a number where the id is one, and `Cancelled` with two l."""
        number = self.round_id.isascii() and self.round_id.isdigit() and not self.round_id.startswith("0")
        return {
            "dateTime": self.opened_at.strftime(_FORM) if self.opened_at else "",
            "gameId": self.game_id,
            "roundId": int(self.round_id) if number else self.round_id,
            "userId": self.user_id,
            "currency": self.currency,
            "betAmount": f"{self.amount:f}",
            "winAmount": f"{self.winnings:f}",
            "roundStatus": "Cancelled" if self.status is RoundStatus.CANCELED else self.status,
        }


def list_rounds(
    rounds: Iterable[Round], fields: Mapping[str, object], *, hide: Collection[str] = (), shift: int = 0
) -> dict[str, str]:
    """Answer a GetGameRounds: one page of the rounds that began in the period, oldest first.

    `hide`: patterns of ids that are left out. `shift`: so many rounds slip by from page to page.
    """
    try:
        start, end = (datetime.strptime(str(fields[name]), _FORM) for name in ("dateStart", "dateEnd"))  # noqa: DTZ007
        page, limit = int(str(fields.get("page", 1))), int(str(fields.get("limit", _PAGE_ROUNDS)))
    except (KeyError, ValueError):
        return reply_fields("20", "dateStart, dateEnd, page or limit is missing or bad")
    if fields.get("timeZone") != "UTC" or page < 1 or not 1 <= limit <= _PAGE_ROUNDS:
        return reply_fields("20", "timeZone, page or limit is bad")
    found = [
        one
        for one in rounds
        if (one.opened_at is None or start <= one.opened_at <= end)
        and not any(fnmatchcase(one.round_id, pattern) for pattern in hide)
    ]
    found.sort(key=lambda one: one.opened_at or start)
    begin = (page - 1) * (limit + shift)
    return reply_fields("0", "Success") | {
        "totalRounds": json.dumps(len(found)),
        "rounds": json.dumps([one.listing() for one in found[begin : begin + limit]]),
    }


@dataclass(frozen=True, slots=True)
class Request:
    """One request and its answer. `at` is in UTC, the other times are seconds of the monotonic clock.

    A request arrives with its headers, and is finished once its reply is ready to send. `answer` is empty before.
    `fault`: the number of the fault that struck it. `effect`: the request cancelled a round, at `effect_at` (UTC).
    """

    n: int
    at: datetime
    arrived_at: float
    call: str
    secure_login: str
    round_id: str
    user_id: str
    game_id: str
    uuid: str
    answer: Answer = ""
    http_status: int | None = None
    code: str | None = None
    fault: int | None = None
    effect: bool = False
    effect_at: datetime | None = None
    finished_at: float | None = None

    @property
    def outcome(self) -> str:
        """The error code of the answer, else the HTTP status, else how the request ended."""
        return self.code or (f"HTTP {self.http_status}" if self.http_status else self.answer or "in hand")


def worst_second(times: Iterable[float]) -> int:
    """Return the largest number of `times` (in seconds) within any one second, its end excluded."""
    ordered = sorted(times)
    worst = first = 0
    for last, moment in enumerate(ordered):
        while ordered[first] <= moment - 1:
            first += 1
        worst = max(worst, last - first + 1)
    return worst


def summarize(requests: Iterable[Request], rounds: Collection[Round]) -> dict[str, object]:
    """Count answers by call, rounds by status, wrong cancels, and the worst second of each call."""
    answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
    times: dict[str, list[float]] = {call: [] for call in _REQUIRED}
    for request in requests:
        answers[request.call][request.outcome] += 1
        times.setdefault(request.call, []).append(request.arrived_at)
    return {
        "answers": answers,
        "rounds": Counter(one.status for one in rounds),
        "cancelled_more_than_once": sum(one.cancelled_times > 1 for one in rounds),
        "reversed_completed": sum(one.reversed_times > 0 for one in rounds),
        "cancelled_with_winnings": sum(one.winnings_lost_times > 0 for one in rounds),
        "worst_second": {call: worst_second(times[call]) for call in _REQUIRED},
    }


def read_fields(body: bytes) -> RequestFields:
    """Read the fields of a body; None unless it is a JSON object."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


def text_field(given: RequestFields, name: str) -> str:
    """Return a field's text; empty where the field is missing or no text."""
    value = given.get(name) if given else None
    return value if isinstance(value, str) else ""


def reply_to_malformed(call: str, method: str, given: RequestFields) -> tuple[int, dict[str, str]] | None:
    """Answer an unknown or malformed call with an HTTP status and the reply's fields; None for a well-formed one."""
    if call == "other" or method != "POST" or given is None:
        status = 404 if call == "other" else 405 if method != "POST" else 400
        return status, reply_fields(str(status), HTTPStatus(status).phrase)
    name = bad_parameter(call, given)
    return (200, reply_fields("20", f"{name} is missing or bad")) if name else None


def bad_parameter(call: str, given: dict[str, object]) -> str | None:
    """Return the name of the first field that is missing, empty, too long, or no text."""
    for name, longest in _LENGTHS.items():
        value = given.get(name)
        if value is None and name not in _REQUIRED[call]:
            continue
        if not isinstance(value, str) or not 0 < len(value) <= longest:
            return name
    return None


def reply_fields(code: str, description: str) -> dict[str, str]:
    """Return the first fields of a reply: the vendor writes success as a number, and other codes as texts."""
    return {"error": "0" if code == "0" else json.dumps(code), "description": json.dumps(description)}


def dump_json(value: object) -> str:
    """Write a value as JSON: times are ISO 8601, amounts decimal texts."""
    return json.dumps(value, default=lambda one: one.isoformat() if isinstance(one, datetime) else str(one))
