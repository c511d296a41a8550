"""A small world with a round for each outcome, and every command that prints JSON, run on it once."""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from retention.simulator.faults import Faults
from support.world import OTHER_LOGIN, TOKEN

if TYPE_CHECKING:
    from support.world import Done, Running, World

_POLICIES: dict[str, dict[str, object]] = {
    "railed": {"markets": ["FR"], "max_rounds": 1},
    "refused": {"markets": ["SE"]},
    "throttled": {"markets": ["GB"]},
    "all": {"markets": ["MT", "SE", "GB"], "max_rounds": 1, "partners": ["acme", "beta"]},
}

_STUCK = """
CREATE FUNCTION public.keep_open() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep_open BEFORE UPDATE ON public.rounds FOR EACH ROW WHEN (OLD.round_id = 'stuck0')
    EXECUTE FUNCTION public.keep_open()
"""
"""Keeps one round open, so that its cancellation becomes a conflict."""

_DOUBLED = """
CREATE OR REPLACE VIEW retention.open_rounds AS
SELECT partner, market, game AS game_id, user_id, round_id, opened_at, last_activity_at, currency, stake,
       bet_tx AS bet_transaction_id
FROM public.rounds, generate_series(0, (round_id = 'twice0')::int)
WHERE status = 0
"""
"""Shows one round twice in the view."""


@dataclass(slots=True)
class SmallRun:
    """The JSON documents by command, the log lines, the exit codes by command line, and the metrics file."""

    documents: dict[str, list[Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    codes: dict[str, int] = field(default_factory=dict)
    metrics: str = ""

    def add(self, name: str, line: str, done: Done) -> None:
        """Take in the document, the log and the exit code of a command."""
        assert done.out, done.err
        self.documents.setdefault(name, []).append(done.json)
        self.events += done.events
        self.codes[line] = done.code


async def small_run(world: World) -> SmallRun:
    """Run the commands that write the ledger, then the reading ones while one run still waits."""
    world.partner |= {"max_attempts": 1}
    world.policy |= {"markets": ["MT"], "schedule": "0 3 * * *", "timezone": "UTC", "max_amount": {"EUR": "1000"}}
    world.policy |= {"partners": ["acme"]}
    world.policies |= _POLICIES
    account = {"secure_login": OTHER_LOGIN, "api_url": world.vendor.url, "token": TOKEN, "rate": 2000}
    world.extra = "[partners.beta]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in account.items())
    found = SmallRun()
    await _prepare(world)
    await _cancel(world, found)
    waiting = await _start_throttled(world)
    await _read(world, found)
    waiting.signal(signal.SIGTERM)
    found.add("run", "run throttled, ended by SIGTERM", await waiting.ended())
    found.codes["plan unknown"] = (await world.command("plan", "unknown")).code
    nowhere = {"RETENTION_DATABASE__DSN": "postgresql://127.0.0.1:1/nothing"}
    found.codes["plan nightly, no database"] = (await world.command("plan", "nightly", environ=nowhere)).code
    return found


async def _prepare(world: World) -> None:
    for name in ("fine", "less", "rejected", "doubt", "completed", "held", "stuck"):
        await world.seed(1, prefix=name)
    await world.seed(2, prefix="many", market="FR")
    await world.seed(1, prefix="refused", market="SE")
    await world.seed(1, prefix="throttled", market="GB")
    await world.sql(_STUCK)
    await _do(world, "hold", "add", "--round", "held0", "--reason", "a complaint", "--by", "ann")
    await _do(world, "pause", "--partner", "beta", "--reason", "incident 12", "--by", "ann")


async def _cancel(world: World, found: SmallRun) -> None:
    """Run a policy with every outcome, one that a rail halts, one whose vendor refuses the login, and named rounds."""
    world.vendor.faults = Faults.of(
        {"round_ids": ["less0"], "amount": "1.49"},
        {"round_ids": ["rejected0"], "code": "99", "description": "bet not found"},
        {"round_ids": ["doubt0"], "status": 500},
        {"round_ids": ["completed0"], "call": "GetRoundStatus", "complete": True},
        {"round_ids": ["refused0"], "status": 401},
        {"round_ids": ["throttled0"], "status": 429, "headers": {"Retry-After": "600"}},
    )
    await _run(world, found, "run nightly", "--metrics-file", "metrics.prom")
    found.metrics = (world.folder / "metrics.prom").read_text("utf-8")
    await _run(world, found, "run railed")
    halted = found.documents["run"][-1]["run_id"]
    await _run(world, found, "run --resume", halted, "--override", "two are right")
    await _run(world, found, "run refused")
    await world.seed(1, prefix="named", age=timedelta(minutes=5))
    named = ("--partner", "acme", "--round", "named0", "--round", "unknown0", "--evidence", "ticket 7", "--by", "ann")
    found.add("cancel", "cancel", await world.command("cancel", *named, "--json"))
    found.add("reconcile", "reconcile", await world.command("reconcile", "--json"))


async def _run(world: World, found: SmallRun, line: str, *more: str) -> None:
    found.add("run", line, await world.command(*line.split(), *more, "--by", "ann", "--reason", "order 17", "--json"))


async def _start_throttled(world: World) -> Running:
    """Start a run that waits for the end of its vendor's pause."""
    running = await world.start("run", "throttled", "--by", "ann", "--json")
    while not await world.sql("SELECT FROM retention.attempts WHERE outcome = 'throttled'"):
        assert not running.over, await running.ended()
        await asyncio.sleep(0.02)
    return running


async def _read(world: World, found: SmallRun) -> None:
    """Run the commands that read, all at once."""
    await world.seed(2, prefix="again")
    await world.seed(1, prefix="twice")
    await world.sql(_DOUBLED)
    lines = (
        *("check --json", "db status --json", "plan all --json", "plan all --rounds --json", "runs list --json"),
        *(f"runs show {document['run_id']} --json" for document in found.documents["run"]),
        f"runs show {found.documents['run'][0]['run_id']} --set --json",
        *("report --json", "report --all --format json", "review list --json", "hold list --json"),
        *(f"explain --partner acme --round {name} --json" for name in ("less0", "held0", "LESS0")),
        *(f"find {given} --json" for given in ("less0", found.documents["run"][0]["run_id"])),
        "ledger status --json",
        "ledger archive --older-than 36500d --to . --dry-run --json",
        "review reclose --by ann --json",
        "audit verify --json",
    )
    for line, done in zip(lines, await asyncio.gather(*(world.command(*line.split()) for line in lines)), strict=True):
        found.add(_name(line), _name(line), done)


def _name(line: str) -> str:
    """The command with its flags, without the values of this world."""
    words = line.split(" --json", maxsplit=1)[0].split()
    group = words[0] in {"db", "runs", "review", "hold", "audit", "ledger"}
    return " ".join(
        [*words[: 1 + group], *(word for word in words[1 + group :] if word in {"--rounds", "--all", "--set"})]
    )


async def _do(world: World, *words: str) -> None:
    done = await world.command(*words)
    assert done.code == 0, done.err
