"""The simulated vendor as a real HTTP server: it answers from its rounds, records each request, and has faults."""

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
from retention.simulator.fault import NO_FAULT, CannedReply, Fault, RequestKey, as_object
from retention.simulator.faults import FaultCounts, Faults, pick
from retention.simulator.listener import Listener
from retention.simulator.rounds import (
    AmountAs,
    Answer,
    Request,
    RequestFields,
    Round,
    RoundStatus,
    dump_json,
    read_fields,
    reply_fields,
    summarize,
    text_field,
    worst_second,
)
from retention.simulator.source import RoundSource, RoundsUnavailableError
from retention.simulator.vendor import Vendor

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Request", "Round", "RoundStatus", "Simulator", "worst_second"]

_PATHS = {
    "CancelRound": "/v4/CancelRound",
    "GetRoundStatus": "/history/GetRoundStatus",
    "GetGameRounds": "/history/GetGameRounds",
    "HealthCheck": "/v4/HealthCheck",
}
_ANSWERS: dict[str, Answer] = {"reply": "replied", "cut": "cut", "half": "cut", "hang": "hung"}


class Simulator(Vendor):
    """A vendor that listens: `async with Simulator(rounds) as vendor` gives `vendor.url`. Calls may have a path prefix.

    `rounds` to `names_round`: see Vendor. `latency`: seconds before each reply, and before the call's effect unless
    `effect_at_arrival`. `tls`: speak https. `accept_delay`: seconds until a new connection is read. `handshake_delay`:
    further seconds until its TLS handshake. `journal`: a file that gets each request as a line of JSON. It gets the
    line before the effect, again before the answer, and in between where the answer waits longer. It never contains a
    token. `source`: finds rounds that are not registered.
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
        source: RoundSource | None = None,
    ) -> None:
        super().__init__(
            rounds,
            secure_login=secure_login,
            token=token,
            unknown=unknown,
            amount_as=amount_as,
            idempotent=idempotent,
            reverses=reverses,
            names_round=names_round,
        )
        self.requests: list[Request] = []
        self.peak_in_flight = 0
        self.host, self.port = host, port
        self.latency, self.effect_at_arrival = latency, effect_at_arrival
        self.handshake_delay, self.accept_delay, self._tls = handshake_delay, accept_delay, tls
        self.faults = faults or Faults()
        self._journal, self._source = journal, source
        self._started_at: float | None = None
        self._listener: Listener | None = None
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._changed = asyncio.Event()
        if journal is not None:
            try:
                journal.touch()
            except OSError as error:
                raise UsageError(f"{journal}: cannot be written ({error.strerror}): name a file that can") from error

    @property
    def url(self) -> str:
        """The API URL for a partner's configuration."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def faults(self) -> Faults:
        """The faults. Setting them restarts their counts, and ends a stall for the replies from then on."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        if faults.handshake_delay and self._tls is None:
            raise UsageError("the faults' handshake_delay cannot be used: this vendor has no TLS: give accept_delay")
        self._faults, self._counts, self._stalled_until = faults, FaultCounts(), 0.0

    async def up(self) -> None:
        """Listen on the given port, else on a free one, and later always on that port. Raises OSError."""
        if self._listener is None:
            self._listener = Listener(web.Server(self._handle), self._tls, self._connection_delay)
            try:
                self.port = await self._listener.open(self.host, self.port)
            except OSError:
                self._listener = None
                raise
            self._started_at = self._started_at or time.monotonic()

    async def down(self) -> None:
        """Refuse and reset connections. The rounds stay, and requests in flight go on without their clients."""
        listener, self._listener = self._listener, None
        if listener is not None:
            await listener.close()

    async def stop(self) -> None:
        """Refuse and reset connections, and cancel the requests in flight."""
        await self.down()
        for task in self._in_flight:
            task.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` holds. It is evaluated when a request arrives, is answered, or ends."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    def asked(self, call: str) -> list[Request]:
        """Return the requests of one call, such as CancelRound."""
        return [request for request in self.requests if request.call == call]

    def worst_second(self, call: str = "CancelRound") -> int:
        """Return the largest number of requests of one call that arrived within any one second."""
        return worst_second(request.arrived_at for request in self.requests if request.call == call)

    def figures(self) -> dict[str, object]:
        """Count answers, rounds, wrong cancels and the peaks of requests."""
        return {**summarize(self.requests, self.rounds.values()), "peak_in_flight": self.peak_in_flight}

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        arrived_at, at = time.monotonic(), datetime.now(UTC)
        try:
            body = await http.content.read()
        except (OSError, web.RequestPayloadError):
            return web.Response()  # the client left before its request was complete
        if self._listener is None:  # the connection came while the vendor went down
            reset(http.transport)
            return web.Response()
        if ADMIN in http.path:
            return administer(self, http, body)
        fields = read_fields(body)
        request = Request(
            n=len(self.requests),
            at=at,
            arrived_at=arrived_at,
            call=next((call for call, path in _PATHS.items() if http.path.endswith(path)), "other"),
            secure_login=text_field(fields, "secureLogin"),
            round_id=text_field(fields, "roundId"),
            user_id=text_field(fields, "userId"),
            game_id=text_field(fields, "gameId"),
            uuid=text_field(fields, "uuid"),
        )
        task = asyncio.current_task()
        assert task is not None
        self._in_flight.add(task)
        self.peak_in_flight = max(self.peak_in_flight, len(self._in_flight))
        try:
            return await self._answer_http(http, fields, request)
        finally:
            self._in_flight.discard(task)

    async def _answer_http(self, http: web.BaseRequest, fields: RequestFields, request: Request) -> web.StreamResponse:
        """Carry out a request, apply its fault, and send the reply; each step is recorded before it shows outside."""
        self._record(request)
        number, fault = self._strike(fields, request)
        wait = self.latency + fault.delay
        early = self.effect_at_arrival or self._stalled_until > request.arrived_at
        if wait and not early:
            await asyncio.sleep(wait)
        status, reply = await self._carry_out_call(http.method, fields, request, fault)
        effect_at = datetime.now(UTC) if request.call == "CancelRound" and reply.get("error") == "0" else None
        if early:
            self._record(replace(request, fault=number, effect=effect_at is not None, effect_at=effect_at))
            await asyncio.sleep(wait)
        if self._stalled_until and (held := self._stalled_until - time.monotonic()) > 0:
            await asyncio.sleep(held)
        if edits := fault.edits:
            reply = {name: edit for name, own in reply.items() if (edit := edits.get(name, own)) is not None}
        sent = fault.reply or CannedReply(
            status, as_object(reply).encode(), code=reply.get("error", "").strip('"') or None
        )
        answered = replace(
            request,
            fault=number,
            effect=effect_at is not None,
            effect_at=effect_at,
            answer=_ANSWERS[fault.ending],
            http_status=sent.status if fault.ending == "reply" else None,
            code=sent.code if fault.ending == "reply" else None,
            finished_at=None if fault.ending == "hang" else time.monotonic(),
        )
        self._record(answered)
        if fault.ending == "hang":
            assert isinstance(http.protocol, Connection)
            await http.protocol.gone.wait()
            self._record(replace(answered, finished_at=time.monotonic()))
        return await send(http, sent, fault.ending)

    async def _carry_out_call(
        self, method: str, fields: RequestFields, request: Request, fault: Fault
    ) -> tuple[int, dict[str, str]]:
        """Answer a call, after its round was looked up in the source; with 503 while the source cannot be read."""
        if self._source is not None and request.round_id and request.call in {"CancelRound", "GetRoundStatus"}:
            key = request.secure_login, request.round_id
            if key not in self.rounds:
                try:
                    found = await self._source.find(*key)
                except RoundsUnavailableError:
                    return 503, reply_fields("503", "the source of the rounds cannot be read")
                if found is not None and key not in self.rounds:
                    self.register([found])
        return self.answer(method, fields, request, self._faults, fault)

    def _record(self, request: Request) -> None:
        """Replace the record of a request by a newer one, and write it to the journal."""
        self.requests[request.n : request.n + 1] = [request]
        if self._journal is not None:
            with self._journal.open("a", encoding="utf-8") as journal:
                journal.write(dump_json(asdict(request)) + "\n")
        self._changed.set()

    def _strike(self, fields: RequestFields, request: Request) -> tuple[int | None, Fault]:
        """Choose the fault of a request and count it; a stall begins here."""
        if not self._faults.faults:
            return None, NO_FAULT
        credentials = "right" if fields and self.accepts(fields) else "wrong"
        age = request.arrived_at - (self._started_at or 0.0)
        key = RequestKey(request.call, request.secure_login, request.round_id, credentials, age)
        number, fault = pick(self._faults, key, self._counts)
        self._counts.add(key, number)
        if fault.stall and self._stalled_until <= request.arrived_at:
            self._stalled_until = request.arrived_at + fault.stall
        return number, fault

    def _connection_delay(self) -> float:
        """Return the seconds before a new connection is read."""
        handshake = max(self.handshake_delay, self._faults.handshake_delay) if self._tls else 0.0
        return max(self.accept_delay, self._faults.accept_delay) + handshake
