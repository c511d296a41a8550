"""The vendor without HTTP and faults: its rounds, its credentials, and its reply to each call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from retention.simulator.fault import NO_FAULT, Fault, as_json
from retention.simulator.rounds import Round, RoundStatus, list_rounds, reply_fields, reply_to_malformed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from retention.simulator.faults import Faults
    from retention.simulator.rounds import AmountAs, Request, RequestFields

Reply = tuple[int, dict[str, str]]
"""An HTTP status, and the fields of a reply as JSON texts."""


class Vendor:
    """Answers calls from its rounds.

    `secure_login` and `token`: None accepts any. `unknown`: an unregistered round is opened, or missing.
    `idempotent=False`: a second cancel is honoured again. `reverses`: a cancel of a completed round is honoured.
    `names_round`: the reply to a cancel has its roundId.
    """

    def __init__(
        self,
        rounds: Iterable[Round] = (),
        *,
        secure_login: str | None = None,
        token: str | None = None,
        unknown: Literal["open", "missing"] = "missing",
        amount_as: AmountAs = "number",
        idempotent: bool = True,
        reverses: bool = False,
        names_round: bool = False,
    ) -> None:
        self.rounds: dict[tuple[str, str], Round] = {}
        self.secure_login, self.token = secure_login, token
        self.unknown, self.amount_as = unknown, amount_as
        self.idempotent, self.reverses, self.names_round = idempotent, reverses, names_round
        self.register(rounds)

    def register(self, rounds: Iterable[Round]) -> None:
        """Add rounds, or replace those of the same partner and id."""
        self.rounds.update(((one.secure_login, one.round_id), one) for one in rounds)

    def accepts(self, fields: dict[str, object]) -> bool:
        """Whether the credentials of a request are right."""
        return self.secure_login in (None, fields.get("secureLogin")) and self.token in (None, fields.get("token"))

    def answer(
        self, method: str, fields: RequestFields, request: Request, faults: Faults, fault: Fault = NO_FAULT
    ) -> Reply:
        """Carry out a call as far as its fault allows, and return the reply. `faults`: the settings of all faults."""
        if fault.complete and (one := self._find(request)) and one.status is RoundStatus.IN_PROGRESS:
            one.status = RoundStatus.COMPLETE_IN_PROCESS
        status, reply = self._carry_out(method, fields, request, faults, fault) if fault.effect else (200, {})
        if fault.other_round and request.call in {"CancelRound", "GetRoundStatus"}:
            reply["roundId"] = as_json(f"{request.round_id}-other")
        return status, reply

    def _carry_out(self, method: str, fields: RequestFields, request: Request, faults: Faults, fault: Fault) -> Reply:
        if malformed := reply_to_malformed(request.call, method, fields):
            return malformed
        assert fields is not None
        if not self.accepts(fields):
            return 200, reply_fields("54", "wrong secureLogin or token")
        if request.call == "HealthCheck":
            return 200, reply_fields("0", "Success")
        if request.call == "GetGameRounds":
            own = (one for one in self.rounds.values() if one.secure_login == request.secure_login)
            return 200, list_rounds(own, fields, hide=fault.hide, shift=fault.shift)
        return 200, self._answer_about(request, faults, fault)

    def _answer_about(self, request: Request, faults: Faults, fault: Fault) -> dict[str, str]:
        """Answer a call about one round."""
        one = self._find(request)
        if one is None:
            return reply_fields("17", "no such round")
        if request.call == "GetRoundStatus":
            return one.describe()
        idempotent = self.idempotent and faults.idempotent and not fault.repeat
        reverses = self.reverses or faults.reverses or fault.reverse
        reply = one.cancel(request, self.amount_as, idempotent=idempotent, reverses=reverses)
        if (self.names_round or faults.names_round) and reply["error"] == "0":
            reply["roundId"] = as_json(request.round_id)
        return reply

    def _find(self, request: Request) -> Round | None:
        key = request.secure_login, request.round_id
        if key not in self.rounds and self.unknown == "open":
            self.rounds[key] = Round(*key, user_id=request.user_id, game_id=request.game_id)
        return self.rounds.get(key)
