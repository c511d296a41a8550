"""A simulated vendor: a real HTTP server with a truth of its own, a list of all it was asked, and faults."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, defaultdict
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal, Self

from aiohttp import web

from retention.errors import UsageError
from retention.vendor.faults import NO_FAULT, Asked, Fault, Faults, Said, Tally, as_object, parse, pick
from retention.vendor.line import Connection, reset, send
from retention.vendor.truth import (
    AmountAs,
    Answer,
    Given,
    Request,
    Round,
    RoundStatus,
    bad_parameter,
    dump,
    read,
    says,
    text,
    worst_second,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Request", "Round", "RoundStatus", "Simulator", "worst_second"]

_ADMIN = "/_simulator/"
_PATHS = {
    "CancelRound": "/v4/CancelRound",
    "GetRoundStatus": "/history/GetRoundStatus",
    "HealthCheck": "/v4/HealthCheck",
}
_ANSWERS: dict[str, Answer] = {"reply": "replied", "cut": "cut", "half": "cut", "hang": "hung"}


class Simulator:
    """The vendor. `async with Simulator(rounds) as vendor` listens on `vendor.url`; any path may go before the calls'.

    `secure_login` and `token`: None accepts any. `unknown`: a round nobody registered is made on the spot, or missing.
    `idempotent=False`: a second cancel is honoured again. `latency`: seconds before each reply. `journal`: a file that
    gets each request as a line of JSON before it has an effect, and again before its answer leaves; never a token.
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
        latency: float = 0.0,
        faults: Faults | None = None,
        journal: Path | None = None,
    ) -> None:
        self.rounds: dict[tuple[str, str], Round] = {}
        self.requests: list[Request] = []
        self.peak_in_flight = 0
        self.host, self.port = host, port
        self.secure_login, self.token = secure_login, token
        self.unknown, self.amount_as, self.idempotent, self.latency = unknown, amount_as, idempotent, latency
        self.faults = faults or Faults()
        self._journal = journal
        self._started_at: float | None = None
        self._listener: asyncio.Server | None = None
        self._server: web.Server | None = None
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
        return f"http://{self.host}:{self.port}"

    @property
    def faults(self) -> Faults:
        """What goes wrong. Setting it starts its counts anew."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults, self._tally = faults, Tally()

    def register(self, rounds: Iterable[Round]) -> None:
        """Add rounds, or replace those of the same partner and id."""
        self.rounds.update(((one.secure_login, one.round_id), one) for one in rounds)

    async def up(self) -> None:
        """Listen: on a port of its own choice if none was given, and on the same one ever after."""
        if self._listener is None:
            server = self._server = web.Server(self._handle)
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(lambda: Connection(server), self.host, self.port, backlog=1024)
            self.port = self._listener.sockets[0].getsockname()[1]
            self._started_at = self._started_at or time.monotonic()

    async def down(self) -> None:
        """Refuse and reset connections; the rounds stay, and what was being worked on goes on without its client."""
        listener, self._listener = self._listener, None
        if listener is not None and self._server is not None:
            listener.close()
            connections = [one for one in self._server.connections if isinstance(one, Connection)]
            for one in connections:
                reset(one.transport)
            await asyncio.gather(listener.wait_closed(), *(one.gone.wait() for one in connections))

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

    def worst_second(self, call: str = "CancelRound") -> int:
        """Count the most requests of this kind that arrived within any one second."""
        return worst_second(request.arrived_at for request in self.requests if request.call == call)

    def figures(self) -> dict[str, object]:
        """Sum up what was asked and answered, and what became of the rounds."""
        answers: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for request in self.requests:
            answers[request.call][request.outcome] += 1
        return {
            "answers": answers,
            "rounds": Counter(one.status for one in self.rounds.values()),
            "cancelled_more_than_once": sum(one.cancelled_times > 1 for one in self.rounds.values()),
            "worst_second": {call: self.worst_second(call) for call in _PATHS},
            "peak_in_flight": self.peak_in_flight,
        }

    async def _handle(self, http: web.BaseRequest) -> web.StreamResponse:
        arrived_at, at = time.monotonic(), datetime.now(UTC)
        try:
            body = await http.content.read()
        except (OSError, web.RequestPayloadError):
            return web.Response()  # the client went before it had asked anything
        if self._listener is None:  # the connection was on its way in when the vendor went down
            reset(http.transport)
            return web.Response()
        if _ADMIN in http.path:
            return self._administer(http, body)
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

    async def _answer(self, http: web.BaseRequest, given: Given, asked: Request) -> web.StreamResponse:
        self._note(asked)
        number, fault = self._strike(given, asked)
        if wait := self.latency + fault.delay:
            await asyncio.sleep(wait)
        if fault.complete and (one := self._find(asked)) and one.status is RoundStatus.IN_PROGRESS:
            one.status = RoundStatus.COMPLETE_IN_PROCESS
        status, fields = self._truth(http.method, given, asked) if fault.effect else (200, {})
        edited = {name: edit for name, true in fields.items() if (edit := fault.edits.get(name, true)) is not None}
        said = fault.said or Said(status, as_object(edited).encode(), code=edited.get("error", "").strip('"') or None)
        answered = replace(
            asked,
            fault=number,
            effect=asked.call == "CancelRound" and fields.get("error") == "0",
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

    def _strike(self, given: Given, asked: Request) -> tuple[int | None, Fault]:
        if not self._faults.faults:
            return None, NO_FAULT
        credentials = "right" if given and self._trusts(given) else "wrong"
        age = asked.arrived_at - (self._started_at or 0.0)
        request = Asked(asked.call, asked.secure_login, asked.round_id, credentials, age)
        number, fault = pick(self._faults, request, self._tally)
        self._tally.add(request, number)
        return number, fault

    def _truth(self, method: str, given: Given, asked: Request) -> tuple[int, dict[str, str]]:
        """Answer as a vendor in good health does: an HTTP status and the fields of the reply as JSON."""
        if asked.call == "other" or method != "POST" or given is None:
            status = 404 if asked.call == "other" else 405 if method != "POST" else 400
            return status, says(str(status), HTTPStatus(status).phrase)
        if name := bad_parameter(asked.call, given):
            return 200, says("20", f"{name} is missing or bad")
        if not self._trusts(given):
            return 200, says("54", "wrong secureLogin or token")
        if asked.call == "HealthCheck":
            return 200, says("0", "Success")
        one = self._find(asked)
        if one is None:
            return 200, says("17", "no such round")
        status_asked = asked.call == "GetRoundStatus"
        return 200, one.describe() if status_asked else one.cancel(asked, self.amount_as, idempotent=self.idempotent)

    def _trusts(self, given: dict[str, object]) -> bool:
        return self.secure_login in (None, given.get("secureLogin")) and self.token in (None, given.get("token"))

    def _find(self, asked: Request) -> Round | None:
        key = asked.secure_login, asked.round_id
        if key not in self.rounds and self.unknown == "open":
            self.rounds[key] = Round(*key, user_id=asked.user_id, game_id=asked.game_id)
        return self.rounds.get(key)

    def _administer(self, http: web.BaseRequest, body: bytes) -> web.Response:
        """Let tests in other processes look, register rounds and set faults; nobody but on this machine."""
        if http.remote is None or not ip_address(http.remote).is_loopback:
            return web.Response(status=403)
        try:
            match http.method, http.path.rpartition(_ADMIN)[2]:
                case "GET", "requests":
                    found: object = [asdict(request) for request in self.requests]
                case "GET", "rounds":
                    found = [asdict(one) for one in self.rounds.values()]
                case "GET", "figures":
                    found = self.figures()
                case "POST", "rounds":
                    self.register([Round(**row) for row in json.loads(body, parse_float=Decimal)])
                    found = {"rounds": len(self.rounds)}
                case "POST", "faults":
                    self.faults = parse(json.loads(body, parse_float=Decimal), "the request")
                    found = {"faults": len(self.faults.faults)}
                case _:
                    return web.Response(status=404)
        except (UsageError, ArithmeticError, TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.Response(text=dump(found), content_type="application/json")
