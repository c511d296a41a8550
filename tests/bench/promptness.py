"""How long after a pause, a hold, a closing, a player's return or SIGTERM a cancel request still leaves: a second at
most.

One run for each cell of the grid, over rate, concurrency, the vendor's latency, the time that its TLS handshakes take,
and doubts of an earlier run beside the fresh rounds. In the middle of each run one market is put on hold, the rounds of
another are closed, the players of a third come back; then everything is paused, or the process gets SIGTERM. The
measured time is from each COMMIT to the last cancel request for a round that it concerns; and how old the claim of a
request was when it left. Both ends are on one machine, so one clock tells both.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo
from support.postgres import new_database
from support.tls import localhost_tls
from support.world import SECURE_LOGIN, TOKEN, make_world

from bench.figures import place, surroundings, table
from retention.simulator.faults import Faults
from retention.simulator.server import Simulator

if TYPE_CHECKING:
    import argparse

    from support.world import Running, World

    from bench.figures import Place

PROMISED_S = 1.0
"""Seconds between a COMMIT and the last request that leaves in spite of it."""

MARKETS = {"hold": "DK", "closing": "SE", "return": "GB", "end": "MT"}
"""The rounds that each event concerns; the end concerns all of them."""

STATEMENTS = {
    "hold": "INSERT INTO retention.holds (market, reason, created_by) VALUES ('DK', 'an order', 'ann')",
    "closing": "UPDATE public.rounds SET status = 1 WHERE market = 'SE' AND status = 0",
    "return": "UPDATE public.rounds SET last_activity_at = now() WHERE market = 'GB'",
    "pause": "INSERT INTO retention.pauses (reason, paused_by) VALUES ('an incident', 'ann')",
}

DOUBTS = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """Requests per second, requests in flight, seconds of a reply and of a handshake, doubts beside the rest."""

    rate: float
    concurrency: int
    latency: float
    handshake: float
    doubts: bool
    ask_first: bool
    ends_by: str

    def __str__(self) -> str:
        beside = ", doubts" if self.doubts else ""
        asks = "" if self.ask_first else ", ask_first off"
        return (
            f"{self.rate:g}/s, {self.concurrency} in flight, replies {self.latency:g} s, handshakes"
            f" {self.handshake:g} s{beside}{asks}, {self.ends_by}"
        )

    @property
    def rounds(self) -> int:
        """Enough for all of the events, and no more than can be told apart."""
        served = self.concurrency / max(self.latency, 0.005) / (2 if self.ask_first else 1)
        return min(8000, 40 + int(min(self.rate, served) * 25))

    async def measured(self, world: World) -> dict[str, str]:
        """Carry a run out, and look at it."""
        if self.doubts:
            await leave_doubts(world)
        world.partner |= {"concurrency": self.concurrency, "rate": self.rate, "timeout": "15s", "max_attempts": 5}
        world.partner["ask_first"] = self.ask_first
        world.vendor.latency, world.vendor.effect_at_arrival = self.latency, True
        world.vendor.handshake_delay = self.handshake
        for market in MARKETS.values():
            await world.seed(self.rounds // 4, prefix=f"{market}-", market=market)
        before = len(world.cancels)
        environ = {"SSL_CERT_FILE": str(world.folder / "localhost.pem")} if self.handshake else {}
        process = await world.start("run", "nightly", "--json", environ=environ)
        await process.until(world.vendor, lambda: len(world.cancels) > before)
        await asyncio.sleep(1.0 + self.latency / 2)
        moments = {name: await commit(world, name) for name in ("hold", "closing", "return")}
        await asyncio.sleep(2.0 + self.latency / 2)
        moments["end"] = await self.end(world, process)
        called = len(world.cancels) - before
        await process.ended()
        return await self.row(world, moments, called)

    async def end(self, world: World, process: Running) -> datetime:
        """Stop it all."""
        if self.ends_by == "SIGTERM":
            process.signal(signal.SIGTERM)
            return datetime.now(UTC)
        return await commit(world, "pause")

    async def row(self, world: World, moments: dict[str, datetime], called: int) -> dict[str, str]:
        """The last request after each moment, in seconds; none is a dash."""
        row = {"cancels until the end": f"{called:,}"}
        for name, moment in moments.items():
            concerned = [one.at for one in world.cancels if name == "end" or one.round_id.startswith(MARKETS[name])]
            after = [(at - moment).total_seconds() for at in concerned if at > moment]
            row[f"last after {name}, s"] = f"{max(after):.2f}" if after else "-"
        (oldest,) = await world.sql(
            "SELECT coalesce(max(extract(epoch FROM sent_at - claimed_at)), 0)::float8 AS age,"
            " count(*) FILTER (WHERE starts_with(detail, 'the process that')) AS lost FROM retention.attempts"
            " WHERE kind = 'cancel'"
        )
        return row | {"oldest claim when sent, s": f"{oldest.age:.2f}", "lost": str(oldest.lost)}


async def commit(world: World, name: str) -> datetime:
    """Do it, and tell when it was done."""
    await world.sql(STATEMENTS[name])
    return datetime.now(UTC)


async def leave_doubts(world: World) -> None:
    """An earlier, unsettled run whose replies were all cut off."""
    world.partner |= {"max_attempts": 1, "ask_first": False, "rate": 200}
    await world.seed(DOUBTS, prefix="MT-doubt-")
    world.vendor.faults = Faults.of({"cut": "before"}, {"call": "GetRoundStatus", "status": 500})
    environ = {"SSL_CERT_FILE": str(world.folder / "localhost.pem")}
    await world.command("run", environ=environ)
    world.vendor.faults = Faults()


async def carried_out(cell: Cell, where: Place) -> dict[str, str]:
    """One cell, in a world of its own."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        dsn = make_conninfo(where.server, dbname=stack.enter_context(new_database(where.server, where.template)))
        world = await stack.enter_async_context(make_world(dsn, folder))
        if cell.handshake:
            context, _ = localhost_tls(folder)
            world.vendor = await stack.enter_async_context(
                Simulator(secure_login=SECURE_LOGIN, token=TOKEN, tls=context)
            )
        return await cell.measured(world)


def options(parser: argparse.ArgumentParser) -> None:
    """The command-line options."""
    parser.add_argument("--rates", type=float, nargs="+", default=[20, 200, 2000], metavar="PER_SECOND")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[5, 50])
    parser.add_argument("--latency", type=float, nargs="+", default=[0, 1, 4, 8], metavar="S")
    parser.add_argument("--handshake", type=float, nargs="+", default=[0, 5], metavar="S")
    parser.add_argument("--doubts", choices=["with", "without", "both"], default="both")
    parser.add_argument("--ask-first", choices=["on", "off", "both"], default="on")


def measure(asked: argparse.Namespace) -> str:
    """One table; raises SystemExit where a second was not enough."""
    yes_no = {"with": [True], "without": [False], "on": [True], "off": [False], "both": [False, True]}
    grid = itertools.product(
        asked.rates, asked.in_flight, asked.latency, asked.handshake, yes_no[asked.doubts], yes_no[asked.ask_first]
    )
    ends = itertools.cycle(("pause", "SIGTERM"))
    rows: dict[str, dict[str, str]] = {}
    with place() as where:
        head = surroundings(where.server)
        for values in grid:
            cell = Cell(*values, next(ends))
            rows[str(cell)] = asyncio.run(carried_out(cell, where))
            print(cell, rows[str(cell)], flush=True)
    late = [name for name, row in rows.items() if any(_over(value) for key, value in row.items() if "last" in key)]
    text = "\n".join([head, table(rows), f"more than {PROMISED_S:g} s: {'; '.join(late) or 'none'}", ""])
    if late:
        raise SystemExit(text)
    return text


def _over(value: str) -> bool:
    return value != "-" and float(value) > PROMISED_S
