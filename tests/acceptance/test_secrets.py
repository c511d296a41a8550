"""A scan for secrets: all output of the product, under every fault, and with every reply of a vendor."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import psutil
import pytest
from psycopg.conninfo import make_conninfo
from support.leaky_vendor import PASSWORD, arm, gossip, hunted, ledger_of, told
from support.receiver import Receiver
from support.replica import schedule, serve, until
from support.secret_scan import found
from support.world import TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.world import Done, World


class Hunt:
    """Keeps all output, and finds the secrets in it."""

    def __init__(self, world: World) -> None:
        self.written: dict[str, str] = {}
        self._world = world

    async def command(self, *words: str, under: Sequence[str] = ()) -> Done:
        """Run a command that tells all it can; `under` another one, its words are in the list of processes."""
        done = await (await self._world.start("--log-level", "debug", *words, under=under)).ended()
        name = " ".join(words)
        self.written |= {f"{name}: stdout": done.out, f"{name}: stderr": done.err}
        return done

    async def ledger(self) -> None:
        """Read every column of every table of ours."""
        self.written |= await ledger_of(self._world)

    def found(self) -> list[str]:
        """Name each secret that was written, and where."""
        return found(self.written, hunted(self._world))


@pytest.mark.parametrize(
    "asks_first", [False, pytest.param(True, marks=pytest.mark.long)], ids=["cancels", "asks first"]
)
async def test_no_secret_is_ever_written(world: World, asks_first: bool) -> None:
    """Token, secureLogin, addresses, keys and passwords are in no output, log, file, metric, message, table or list of
    processes.
    """
    async with Receiver(500) as receiver:
        world.extra = told(receiver.address)
        world.partner["ask_first"] = asks_first
        await hunt_for_secrets(world, receiver)


async def hunt_for_secrets(world: World, receiver: Receiver) -> None:
    """Do all that can be done, and look through all that was written."""
    hunt = Hunt(world)
    plain = world.dsn
    arm(world)
    await world.seed(10)
    world.vendor.latency = 0.4
    world.vendor.faults = gossip(world)
    running = asyncio.create_task(hunt.command("run", "--json", under=("env",)))
    await world.vendor.until(lambda: len(world.vendor.requests) > 0)
    processes = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    assert any("retention" in line for line in processes)
    hunt.written["processes"] = "\n".join(processes)
    done = await running
    assert 4 == done.code, done.err
    expected = {"not_sent"} if world.partner["ask_first"] else {"cancelled", "rejected", "in_doubt"}
    assert expected == set(done.json["states"])
    world.vendor.latency = 0
    await world.seed(10, prefix="s")
    await hunt.command("--log-format", "console", "run")
    turn = asyncio.Semaphore(2)

    async def ask(*words: str) -> None:
        async with turn:
            await hunt.command(*words)

    await asyncio.gather(
        ask("check"),
        ask("report", "--all", "--format", "csv", "-o", "report.csv"),
        ask("explain", "--partner", "acme", "--round", "r0"),
        ask("review", "list", "--json"),
        ask("runs", "show", done.json["run_id"]),
        ask("pause", "--partner", TOKEN, "--by", "tess", "--reason", "x"),
    )
    hunt.written["report.csv"] = (world.folder / "report.csv").read_text()
    assert "r0" in hunt.written["report.csv"]
    await schedule(world)
    replica = await serve(world)
    await until(lambda: world.sql("SELECT FROM retention.runs WHERE trigger = 'schedule' AND status = 'finished'"))
    for page in ("/metrics", "/healthz", "/readyz"):
        hunt.written[page] = (await replica.get(page))[1]
    stopped = await replica.stopped(signal.SIGTERM)
    hunt.written |= {"serve: stdout": stopped.out, "serve: stderr": stopped.err}
    await world.seed(3, prefix="down")
    await world.vendor.down()
    assert 5 == (await hunt.command("--log-format", "console", "run", "--json")).code
    armed, world.dsn = world.dsn, make_conninfo(plain, user="nobody-4711", password=PASSWORD)
    assert 5 == (await hunt.command("run", "--yes")).code
    world.dsn, world.partner["token"] = armed, TOKEN * 3
    assert 2 == (await hunt.command("run")).code
    await hunt.ledger()
    assert len(receiver.requests) > 1
    hunt.written["messages"] = "\n".join(request.body.decode() for request in receiver.requests)
    assert not hunt.found(), "\n".join(hunt.found())
    assert not any("user-r" in text for where, text in hunt.written.items() if where.endswith("stderr"))
