"""A simulated vendor: a real HTTP server with a truth of its own, a list of all it was asked, and faults."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from aiohttp import web

from retention.errors import UsageError
from retention.simulator.admin import ADMIN, administer
from retention.simulator.connection import Connection, reset, send
from retention.simulator.fault import NO_FAULT, CannedReply, Fault, RequestKey, as_json, as_object
from retention.simulator.faults import FaultCounts, Faults, pick
from retention.simulator.listener import Listener
from retention.simulator.rounds import (
    AmountAs,
    Answer,
    Request,
    RequestFields,
    Round,
    RoundStatus,
    dump,
    read,
    refusal,
    says,
    summary,
    text,
    worst_second,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Request", "Round", "RoundStatus", "Simulator", "worst_second"]

_PATHS = {
    "CancelRound": "/v4/CancelRound",
    "GetRoundStatus": "/history/GetRoundStatus",
    "HealthCheck": "/v4/HealthCheck",
}
_ANSWERS: dict[str, Answer] = {"reply": "replied", "cut": "cut", "half": "cut", "hang": "hung"}


class Simulator:
    """The vendor. `async with Simulator(rounds) as vendor` listens on `vendor.url`; any path may go before the calls'.

    `secure_login` and `token`: None accepts any. `unknown`: a round nobody registered is made on the spot, or missing.
    `idempotent=False`: a second cancel is honoured again. `reverses`: that of a completed round is honoured.
    `names_round`: a cancel's reply has its roundId. `latency`: seconds before each reply, and before its effect unless
    `effect_at_arrival`. `tls`: speaks https. `accept_delay`: seconds until a new connection is read, `handshake_delay`:
    that many more until its TLS handshake. `journal`: a file that gets each request as a line of JSON before it has an
    effect, and again before its answer leaves, and in between where the reply waits for longer; never a token.
    """

    def __init__(
        self,
        rounds: Iterable[Round] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        secure_login: str | None = None,
        token: str | None = None,
        unknown: Literal["open", "missing"] = "missing",
        amount_as: AmountAs = "number",
        idempotent: bool = True,
        reverses: bool = False,
        names_round: bool = False,
        latency: float = 0.0,
        effect_at_arrival: bool = False,
        tls: ssl.SSLContext | None = None,
        handshake_delay: float = 0.0,
        accept_delay: float = 0.0,
        faults: Faults | None = None,
        journal: Path | None = None,
    ) -> None:
        self.rounds: dict[tuple[str, str], Round] = {}
        self.requests: list[Request] = []
        self.peak_in_flight = 0
        self.host, self.port = host, port
        self.secure_login, self.token = secure_login, token
        self.unknown, self.amount_as = unknown, amount_as
        self.idempotent, self.reverses, self.names_round = idempotent, reverses, names_round
        self.latency, self.effect_at_arrival = latency, effect_at_arrival
        self.handshake_delay, self.accept_delay, self._tls = handshake_delay, accept_delay, tls
        self.faults = faults or Faults()
        self._journal = journal
        self._started_at: float | None = None
        self._listener: Listener | None = None
        self._in_hand: set[asyncio.Task[Any]] = set()
        self._news = asyncio.Event()
        self.register(rounds)
        if journal is not None:
            try:
                journal.touch()
            except OSError as error:
                raise UsageError(f"{journal}: cannot be written ({error.strerror}): name a file that can") from error

    @property
    def url(self) -> str:
        """The API URL of a partner."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def faults(self) -> Faults:
        """What goes wrong. Setting it starts its counts anew, and ends a stall for what is answered from then on."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        if faults.handshake_delay and self._tls is None:
            raise UsageError("the faults' handshake_delay cannot be used: this vendor has no TLS: give accept_delay")
        self._faults, self._tally, self._stalled_until = faults, FaultCounts(), 0.0

    def register(self, rounds: Iterable[Round]) -> None:
        """Add rounds, or replace those of the same partner and id."""
        self.rounds.update(((one.secure_login, one.round_id), one) for one in rounds)

    async def up(self) -> None:
        """Listen: on a port of its own choice if none was given, and on the same one ever after."""
        if self._listener is None:
            self._listener = Listener(web.Server(self._handle), self._tls, self._wait_of_a_connection)
            try:
                self.port = await self._listener.open(self.host, self.port)
            except OSError:
                self._listener = None
                raise
            self._started_at = self._started_at or time.monotonic()

    async def down(self) -> None:
        """Refuse and reset connections; the rounds stay, and what was being worked on goes on without its client."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()

    async def stop(self) -> None:
        """Go down, and give up what was being worked on."""
        await self.down()
        for task in self._in_hand:
            task.cancel()
        await asyncio.gather(*self._in_hand, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds; it is looked at whenever a request arrives, is answered, or ends."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def asked(self, call: str) -> list[Request]:
        """The requests of one kind, such as CancelRound."""
        return [request for request in self.requests if request.call == call]

    def worst_second(self, call: str = "CancelRound") -> int:
        """Count the most requests of this kind that arrived within any one second."""
        return worst_second(request.arrived_at for request in self.requests if request.call == call)

    def figures(self) -> dict[str, object]:
        """Sum up what was asked and answered, and what became of the rounds."""
        return {**summary(self.requests, self.rounds.values()), "peak_in_flight": self.peak_in_flight}

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        arrived_at, at = time.monotonic(), datetime.now(UTC)
        try:
            body = await http.content.read()
        except (OSError, web.RequestPayloadError):
            return web.Response()  # the client went before it had asked anything
        if self._listener is None:  # the connection was on its way in when the vendor went down
            reset(http.transport)
            return web.Response()
        if ADMIN in http.path:
            return administer(self, http, body)
        given = read(body)
        asked = Request(
            n=len(self.requests),
            at=at,
            arrived_at=arrived_at,
            call=next((call for call, path in _PATHS.items() if http.path.endswith(path)), "other"),
            secure_login=text(given, "secureLogin"),
            round_id=text(given, "roundId"),
            user_id=text(given, "userId"),
            game_id=text(given, "gameId"),
            uuid=text(given, "uuid"),
        )
        task = asyncio.current_task()
        assert task is not None
        self._in_hand.add(task)
        self.peak_in_flight = max(self.peak_in_flight, len(self._in_hand))
        try:
            return await self._answer(http, given, asked)
        finally:
            self._in_hand.discard(task)

    async def _answer(self, http: web.BaseRequest, given: RequestFields, asked: Request) -> web.StreamResponse:
        self._note(asked)
        number, fault = self._strike(given, asked)
        wait = self.latency + fault.delay
        early = self.effect_at_arrival or self._stalled_until > asked.arrived_at
        if wait and not early:
            await asyncio.sleep(wait)
        status, fields = self._carry_out(http.method, given, asked, fault)
        effect_at = datetime.now(UTC) if asked.call == "CancelRound" and fields.get("error") == "0" else None
        if early:
            self._note(replace(asked, fault=number, effect=effect_at is not None, effect_at=effect_at))
            await asyncio.sleep(wait)
        if self._stalled_until and (held := self._stalled_until - time.monotonic()) > 0:
            await asyncio.sleep(held)
        if edits := fault.edits:
            fields = {name: edit for name, true in fields.items() if (edit := edits.get(name, true)) is not None}
        said = fault.said or CannedReply(
            status, as_object(fields).encode(), code=fields.get("error", "").strip('"') or None
        )
        answered = replace(
            asked,
            fault=number,
            effect=effect_at is not None,
            effect_at=effect_at,
            answer=_ANSWERS[fault.ending],
            http_status=said.status if fault.ending == "reply" else None,
            code=said.code if fault.ending == "reply" else None,
            finished_at=None if fault.ending == "hang" else time.monotonic(),
        )
        self._note(answered)
        if fault.ending == "hang":
            assert isinstance(http.protocol, Connection)
            await http.protocol.gone.wait()
            self._note(replace(answered, finished_at=time.monotonic()))
        return await send(http, said, fault.ending)

    def _note(self, request: Request) -> None:
        """Keep what is known of a request by now, in place of what was known before."""
        self.requests[request.n : request.n + 1] = [request]
        if self._journal is not None:
            with self._journal.open("a", encoding="utf-8") as journal:
                journal.write(dump(asdict(request)) + "\n")
        self._news.set()

    def _strike(self, given: RequestFields, asked: Request) -> tuple[int | None, Fault]:
        if not self._faults.faults:
            return None, NO_FAULT
        credentials = "right" if given and self._trusts(given) else "wrong"
        age = asked.arrived_at - (self._started_at or 0.0)
        request = RequestKey(asked.call, asked.secure_login, asked.round_id, credentials, age)
        number, fault = pick(self._faults, request, self._tally)
        self._tally.add(request, number)
        if fault.stall and self._stalled_until <= asked.arrived_at:
            self._stalled_until = asked.arrived_at + fault.stall
        return number, fault

    def _carry_out(self, method: str, given: RequestFields, asked: Request, fault: Fault) -> tuple[int, dict[str, str]]:
        """Do what was asked, as far as the fault lets it be done."""
        if fault.complete and (one := self._find(asked)) and one.status is RoundStatus.IN_PROGRESS:
            one.status = RoundStatus.COMPLETE_IN_PROCESS
        status, fields = self._truth(method, given, asked, fault) if fault.effect else (200, {})
        if fault.other_round and asked.call in {"CancelRound", "GetRoundStatus"}:
            fields["roundId"] = as_json(f"{asked.round_id}-other")
        return status, fields

    def _truth(self, method: str, given: RequestFields, asked: Request, fault: Fault) -> tuple[int, dict[str, str]]:
        """Answer as a vendor in good health does: an HTTP status and the fields of the reply as JSON."""
        if refused := refusal(asked.call, method, given):
            return refused
        assert given is not None
        if not self._trusts(given):
            return 200, says("54", "wrong secureLogin or token")
        if asked.call == "HealthCheck":
            return 200, says("0", "Success")
        one = self._find(asked)
        if one is None:
            return 200, says("17", "no such round")
        if asked.call == "GetRoundStatus":
            return 200, one.describe()
        idempotent = self.idempotent and self._faults.idempotent and not fault.repeat
        reverses = self.reverses or self._faults.reverses or fault.reverse
        fields = one.cancel(asked, self.amount_as, idempotent=idempotent, reverses=reverses)
        if (self.names_round or self._faults.names_round) and fields["error"] == "0":
            fields["roundId"] = as_json(asked.round_id)
        return 200, fields

    def _trusts(self, given: dict[str, object]) -> bool:
        return self.secure_login in (None, given.get("secureLogin")) and self.token in (None, given.get("token"))

    def _find(self, asked: Request) -> Round | None:
        key = asked.secure_login, asked.round_id
        if key not in self.rounds and self.unknown == "open":
            self.rounds[key] = Round(*key, user_id=asked.user_id, game_id=asked.game_id)
        return self.rounds.get(key)

    def _wait_of_a_connection(self) -> float:
        handshake = max(self.handshake_delay, self._faults.handshake_delay) if self._tls else 0.0
        return max(self.accept_delay, self._faults.accept_delay) + handshake
