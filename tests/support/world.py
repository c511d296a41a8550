"""An operator's database, a vendor, and the command line between them: real ones, each by itself."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, LiteralString

import psutil
import psycopg
import psycopg.sql
import pytest
from psycopg.rows import namedtuple_row

from retention.simulator.server import Round, Simulator
from support.forked import forker, start_command

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from retention.simulator.rounds import Request
    from support.forked import Forked

SECURE_LOGIN = "login-5f0c2a"
TOKEN = "token-9d41c7b2e6"
OTHER_LOGIN = "login-81b7d0"
"""Of any partner but acme; a vendor that is to know it has no `secure_login` of its own."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command's exit and output."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its result, read as JSON."""
        assert self.out, self.err
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Its words on stderr, without the lines of its log."""
        return "".join(line for line in self.err.splitlines(keepends=True) if not line.startswith("{"))

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


class Running:
    """A command that runs. Its output is read all the while: a full pipe would stop it."""

    def __init__(self, process: asyncio.subprocess.Process | Forked) -> None:
        self._process = process
        self._output = asyncio.create_task(process.communicate())

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._process.returncode is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    async def until(self, vendor: Simulator, condition: Callable[[], bool]) -> None:
        """Wait until something holds at the vendor's; a command that ends before that has failed."""
        waiting = asyncio.create_task(vendor.until(condition))
        await asyncio.wait([waiting, self._output], return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            pytest.fail(f"the command ended too early: {await self.ended()}")

    async def gone(self) -> None:
        """See to it that it has ended: a test that fails leaves nothing running."""
        if self._process.returncode is None:
            with suppress(psutil.NoSuchProcess):  # it may have ended just now
                for child in psutil.Process(self.pid).children(recursive=True):
                    child.kill()
            self._process.kill()
        await self._output

    async def ended(self) -> Done:
        """Wait for its end; a cancelled wait does not end it."""
        out, err = await asyncio.shield(self._output)
        assert self._process.returncode is not None
        return Done(self._process.returncode, out.decode(), err.decode())


@dataclass(slots=True)
class World:
    """Everything that a run touches. Times go from now into the past."""

    dsn: str
    """By which the commands reach the database."""
    vendor: Simulator
    folder: Path
    direct: str
    """The test's own way to the database: past a proxy or pooler between the commands and the server."""
    partner: dict[str, object] = field(default_factory=dict)
    policy: dict[str, object] = field(default_factory=dict)
    policies: dict[str, dict[str, object]] = field(default_factory=dict)
    """Policies other than `nightly`; keys that they omit are its own."""
    extra: str = ""
    """More of the configuration, as TOML."""
    started: list[Running] = field(default_factory=list)

    async def seed(
        self,
        count: int,
        *,
        prefix: str = "r",
        market: str = "MT",
        partner: str = "acme",
        age: timedelta = timedelta(days=5),
        stake: str = "1.50",
        currency: str = "EUR",
        at_vendor: bool = True,
    ) -> list[str]:
        """Open rounds, at the operator's and at the vendor's; returns their ids."""
        ids = [f"{prefix}{number}" for number in range(count)]
        if at_vendor:
            self.register(ids, stake, currency, SECURE_LOGIN if partner == "acme" else OTHER_LOGIN)
        await self.sql(
            "INSERT INTO public.rounds"
            " (partner, market, game, user_id, round_id, opened_at, currency, stake, bet_tx)"
            " SELECT %(partner)s, %(market)s, 'game', 'user-' || id, id, now() - %(age)s, %(currency)s, %(stake)s, 'bet-' || id"
            " FROM unnest(%(ids)s::text[]) AS id",
            partner=partner,
            market=market,
            age=age,
            currency=currency,
            stake=Decimal(stake),
            ids=ids,
        )
        return ids

    def register(
        self, ids: Iterable[str], stake: str = "1.50", currency: str = "EUR", login: str = SECURE_LOGIN
    ) -> None:
        """Open rounds at the vendor's alone."""
        self.vendor.register(
            Round(
                login,
                name,
                f"user-{name}",
                "game",
                currency=currency,
                amount=Decimal(stake),
                transaction_id=f"bet-{name}",
            )
            for name in ids
        )

    @property
    def cancels(self) -> list[Request]:
        """The cancel requests that the vendor got; questions are no cancels."""
        return self.vendor.asked("CancelRound")

    async def sql(self, statement: LiteralString, **values: object) -> list[Any]:
        """Run a statement as the owner of the database."""
        async with await psycopg.AsyncConnection.connect(
            self.direct, autocommit=True, row_factory=namedtuple_row
        ) as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall() if cursor.description is not None else []

    @asynccontextmanager
    async def locked(self, table: LiteralString, mode: LiteralString = "ACCESS EXCLUSIVE") -> AsyncIterator[None]:
        """Lock a table against all others, or in the given mode."""
        async with await psycopg.AsyncConnection.connect(self.direct) as connection:
            await connection.execute(
                psycopg.sql.SQL("LOCK TABLE {} IN {} MODE").format(psycopg.sql.SQL(table), psycopg.sql.SQL(mode))
            )
            yield

    async def until_waiting(self, connections: int = 1) -> None:
        """Wait until so many connections at least wait for a lock."""
        while not await self.sql(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            " HAVING count(*) >= %(connections)s",
            connections=connections,
        ):
            await asyncio.sleep(0.01)

    async def until_settled(self, rounds: int) -> None:
        """Wait until the ledger has so many rounds cancelled."""
        while not await self.sql(
            "SELECT FROM retention.cancellations WHERE state = 'cancelled' HAVING count(*) >= %(rounds)s", rounds=rounds
        ):
            await asyncio.sleep(0.05)

    async def states(self) -> dict[str, str]:
        """The newest state of each round in the ledger."""
        rows = await self.sql(
            "SELECT DISTINCT ON (round_id) round_id, state FROM retention.cancellations ORDER BY round_id, id DESC"
        )
        return {row.round_id: row.state for row in rows}

    def configure(self) -> Path:
        """Write the configuration."""
        partner: dict[str, object] = {
            "secure_login": SECURE_LOGIN,
            "api_url": f"{self.vendor.url}/secret-path",
            "token": TOKEN,
            "rate": 2000,
            "timeout": "10s",  # no reply is late on a busy machine
            **self.partner,
        }
        partner = {key: value for key, value in partner.items() if f"{key}_file" not in partner}
        nightly: dict[str, object] = {"open_longer_than": "72h", "mode": "enforce", "max_rounds": 100000, **self.policy}
        policies = {"nightly": nightly} | {name: nightly | other for name, other in self.policies.items()}
        path = self.folder / "retention.toml"
        text = (
            f"[database]\ndsn = {json.dumps(self.dsn)}\n"
            f"[partners.acme]\n{_toml(partner)}\n"
            + "".join(f"[policies.{name}]\n{_toml(policy)}\n" for name, policy in policies.items())
            + self.extra
        )
        if not path.exists() or path.read_text("utf-8") != text:  # another command may be reading it
            path.write_text(text, "utf-8")
        return path

    async def start(
        self,
        *words: str,
        environ: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
        instead: Mapping[int, str] | None = None,
    ) -> Running:
        """Start a command, `under` another one that takes it as its last words; `instead` as `Forker.start` has it."""
        running = Running(
            await start_command(
                *("--config", str(self.configure()), *words),
                folder=self.folder,
                environ={**os.environ, **(environ or {})},
                under=under,
                instead=instead,
            )
        )
        self.started.append(running)
        return running

    async def command(
        self,
        *words: str,
        environ: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
        instead: Mapping[int, str] | None = None,
    ) -> Done:
        """Run a command to its end."""
        return await (await self.start(*words, environ=environ, under=under, instead=instead)).ended()


@asynccontextmanager
async def make_world(dsn: str, folder: Path, direct: str | None = None) -> AsyncIterator[World]:
    """Yield a world whose vendor is up. `direct` is the way of the test's own statements, if it is another."""
    await asyncio.to_thread(forker)  # to start it takes a while
    async with Simulator(secure_login=SECURE_LOGIN, token=TOKEN) as vendor:
        world = World(dsn, vendor, folder, direct or dsn)
        try:
            yield world
        finally:
            for running in world.started:
                await running.gone()


def _toml(table: Mapping[str, object]) -> str:
    return "\n".join(f"{key} = {_value(value)}" for key, value in table.items())


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(item)}" for key, item in value.items()) + " }"
    return json.dumps(value)
