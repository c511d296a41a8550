"""A hunt for secrets: wherever the product writes, whatever goes wrong, and whatever a vendor sends back."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.receiver import Receiver
from support.replica import schedule, serve, until
from support.world import SECURE_LOGIN, TOKEN

from retention.vendor.faults import Faults

if TYPE_CHECKING:
    from support.world import Done, World

PASSWORD = "opensesame-4d1f"
HUNTED = {
    "the token": TOKEN[:12],  # the beginning of it is too much already
    "the secureLogin": SECURE_LOGIN,
    "the API URL's path": "secret-path",
    "the status URL's path": "hidden-place",
    "the DSN's password": PASSWORD,
    "the webhook's path": "hook-5d2e",
    "the webhook's query": "hookkey-77aa",
    "the signing key": "sign-3f9c1b",
    "apprise's password": "apprise-9e11",
}


class Hunt:
    """Keeps all that was written, and finds what should not be in it."""

    def __init__(self, world: World) -> None:
        self.written: dict[str, str] = {}
        self._world = world
        self._address = world.vendor.url.removeprefix("http://")

    async def command(self, *words: str) -> Done:
        """Run a command that tells all it can."""
        done = await self._world.command("--log-level", "debug", *words)
        name = " ".join(words)
        self.written |= {f"{name}: stdout": done.out, f"{name}: stderr": done.err}
        return done

    async def ledger(self) -> None:
        """Read every column of every table of ours."""
        tables = await self._world.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'retention'")
        assert len(tables) >= 6
        for table in tables:
            statement = sql.SQL("SELECT t::text AS text FROM {} t").format(sql.Identifier("retention", table.tablename))
            rows = await self._world.sql(statement.as_string())
            self.written[table.tablename] = "\n".join(row.text for row in rows)

    def found(self) -> list[str]:
        """Name each secret that was written, and where."""
        return [
            f"{what} in {where}: {text[max(0, text.index(secret) - 60) : text.index(secret) + 60]}"
            for where, text in self.written.items()
            for what, secret in {**HUNTED, "the vendor's address": self._address}.items()
            if secret in text
        ]


def arm(world: World) -> None:
    """Put a password into the DSN, which is a URL from now on, and give the questions an address of their own."""
    parts = conninfo_to_dict(world.dsn)
    user, name, host = (quote(str(parts.pop(key)), safe="") for key in ("user", "dbname", "host"))
    rest = "".join(f"&{key}={value}" for key, value in parts.items() if key != "password")
    world.dsn = f"postgresql://{user}:{PASSWORD}@/{name}?host={host}{rest}"
    world.partner |= {"status_url": f"{world.vendor.url}/hidden-place/history/GetRoundStatus", "max_attempts": 2}


def gossip(world: World) -> Faults:
    """A vendor that repeats whatever it was told, in whichever field it finds."""
    url = f"{world.vendor.url}/secret-path/v4/CancelRound"
    said = f"{TOKEN} of {SECURE_LOGIN} at {url}, POST /secret-path/v4/CancelRound"
    asked = f"{world.vendor.url}/hidden-place/history/GetRoundStatus, {TOKEN}, {quote(url, safe='')}"
    return Faults.of(
        {"round_ids": ["*0"], "reply": {"error": 0, "transactionId": TOKEN, "currency": "EUR", "description": said}},
        {"round_ids": ["*1"], "code": TOKEN, "description": said},
        {"round_ids": ["*2"], "code": SECURE_LOGIN, "description": "x" * 240 + TOKEN},
        {"round_ids": ["*3"], "code": "x" * 50 + TOKEN, "description": "x" * 235 + url},
        {"round_ids": ["*4"], "status": 500, "body": said, "headers": {"X-Why": TOKEN}},
        {"round_ids": ["*5"], "redirect": f"{url}?token={TOKEN}"},
        {"round_ids": ["*6"], "body": said},
        {"round_ids": ["*7"], "cut": "middle"},
        {"call": "GetRoundStatus", "reply": {"error": 0, "description": asked, "roundStatus": asked}},
        {"call": "HealthCheck", "reply": {"error": "54", "description": said}},
    )


def told(address: str) -> str:
    """Somebody who is told by webhook, and somebody who cannot be reached through apprise."""
    return (
        f'[notify.ops]\nwebhook = "http://{address}/hook-5d2e?key=hookkey-77aa"\nsigning_key = "sign-3f9c1b-{"x" * 24}"\n'
        '[notify.chat]\napprise = "json://user:apprise-9e11@127.0.0.1:1/"\n'
    )


async def test_no_secret_is_ever_written(world: World) -> None:
    """Token, secureLogin, addresses, keys and passwords are in no output, log, file, metric, message, table or list of
    processes.
    """
    async with Receiver(500) as receiver:
        world.extra = told(receiver.address)
        await hunt_for_secrets(world, receiver)


async def hunt_for_secrets(world: World, receiver: Receiver) -> None:
    """Do all that can be done, and look through all that was written."""
    hunt = Hunt(world)
    plain = world.dsn
    arm(world)
    await world.seed(10)
    world.vendor.latency = 0.4
    world.vendor.faults = gossip(world)
    running = asyncio.create_task(hunt.command("run", "--json"))
    await world.vendor.until(lambda: len(world.vendor.requests) > 0)
    processes = [" ".join(process.cmdline()) for process in psutil.Process().children(recursive=True)]
    assert any("retention" in line for line in processes)
    hunt.written["processes"] = "\n".join(processes)
    done = await running
    assert 4 == done.code, done.err
    assert {"cancelled", "rejected", "in_doubt"} == set(done.json["states"])
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
    hunt.written["metrics"] = (await replica.get("/metrics"))[1]
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
