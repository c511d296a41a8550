"""What is seen of a run while it is on: a display on a terminal, one JSON line for each transition anywhere else."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import struct
import sys
import termios
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from retention.vendor.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.world import World


class Terminal:
    """A command on a terminal of 80 columns; `screen` is all that it ever showed there, without colours."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.screen = ""
        self._process, self._master = process, master
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)
        self._out = asyncio.create_task(process.communicate())

    def _read(self) -> None:
        data = b""
        with contextlib.suppress(OSError):  # there is nobody on the other side any more
            data = os.read(self._master, 65536)
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
        self.screen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode(errors="replace"))
        self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the screen shows something."""
        while not condition():
            assert not self._out.done(), self.screen
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), 0.2)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    async def ended(self) -> tuple[int, str]:
        """Wait for the end: exit code and stdout."""
        out, _ = await self._out
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        assert self._process.returncode is not None
        return self._process.returncode, out.decode()


async def on_terminal(world: World, *words: str) -> Terminal:
    """Start a command whose stdin and stderr are a terminal."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "retention", "--config", str(world.configure()), *words),
        cwd=world.folder,
        env={
            **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}},
            "TERM": "xterm",
        },
        stdin=slave,
        stdout=asyncio.subprocess.PIPE,
        stderr=slave,
        preexec_fn=_take_terminal,
    )
    os.close(slave)
    return Terminal(process, master)


def _take_terminal() -> None:
    """Make stdin the terminal that this process is on, so that its keys interrupt it."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


async def test_a_terminal_shows_progress(world: World) -> None:
    """On a terminal a run shows how many rounds are done, at which rate, how long it takes and what came of them."""
    await world.seed(160)
    world.partner["rate"] = 40
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "code": "61"})
    terminal = await on_terminal(world, "run", "--yes")
    code, out = await terminal.ended()
    assert 0 == code, terminal.screen
    shown = terminal.screen
    counts = {int(count) for count in re.findall(r"(\d+)/160", shown)}
    assert len(counts) > 3, shown
    assert re.search(r"\b\d\d/s", shown), shown
    assert re.search(r"left 0:00:0\d", shown), shown
    assert re.search(r"cancelled \d+,\s+already_cancelled 1", shown), shown
    assert "{" not in shown, shown
    assert "159 cancelled" in out
    assert "cancelling" not in out


async def test_a_resumed_run_begins_with_what_is_done(world: World) -> None:
    """The display of a run that goes on counts from what was done before, and not from nothing."""
    await world.seed(60)
    world.partner["rate"] = 40
    process = await world.start("run")
    await world.until_settled(20)
    process.signal(signal.SIGINT)
    assert 130 == (await process.ended()).code
    (row,) = await world.sql(
        "SELECT run_id, count(*) FILTER (WHERE state = 'cancelled') AS done"
        " FROM retention.cancellations GROUP BY run_id"
    )
    terminal = await on_terminal(world, "run", "--resume", str(row.run_id)[:8])
    assert 0 == (await terminal.ended())[0], terminal.screen
    counts = [int(count) for count in re.findall(r"(\d+)/60", terminal.screen)]
    assert (row.done, 60) == (counts[0], counts[-1]), terminal.screen


ANSWERS: dict[str, tuple[str, int, str | None]] = {
    # what is typed; exit code; why the run is halted
    "no": ("n\n", 3, "not confirmed"),
    "end of input": ("\x04", 3, "not confirmed"),
    "interrupt": ("\x03", 130, "interrupted before it was confirmed"),
    "yes": ("y\n", 0, None),
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_person_is_asked(world: World, answer: str) -> None:
    """At a terminal the plan's figures are shown and asked about; nobody is called before the answer is yes."""
    keys, code, halted = ANSWERS[answer]
    await world.seed(3)
    terminal = await on_terminal(world, "run")
    await terminal.until(lambda: "[y/N]" in terminal.screen)
    assert "Cancel 3 rounds, stakes 4.5 EUR? [y/N]" in terminal.screen
    assert [] == world.vendor.requests
    terminal.type(keys)
    assert code == (await terminal.ended())[0], terminal.screen
    assert "Traceback" not in terminal.screen
    assert (3 if code == 0 else 0) == len(world.cancels)
    (run,) = await world.sql("SELECT halt_reason FROM retention.runs")
    assert halted == run.halt_reason


RUN = {"run_id", "policy"}
ROUND = RUN | {"partner", "market", "round_id", "outcome"}
REPLIED = ROUND | {"uuid", "error_code", "latency_ms"}
KEYS = {
    "run.planned": RUN | {"mode", "rounds"},
    "run.started": RUN,
    "run.finished": RUN | {"status", "exit_code"},
    "run.halted": RUN | {"halt_reason"},
    "round.cancelled": REPLIED,
    "round.settled": REPLIED,
    "round.rejected": REPLIED,
    "round.in_doubt": ROUND | {"uuid", "latency_ms"},
    "partner.throttled": RUN | {"partner"},
    "partner.unauthorized": RUN | {"partner"},
}


async def test_elsewhere_each_transition_is_a_line_of_json(world: World) -> None:
    """Where stderr is no terminal nothing but JSON goes there, one event for each transition, with its keys."""
    await world.seed(6)
    world.vendor.faults = Faults.of(
        {"round_ids": ["r1"], "code": "61"},
        {"round_ids": ["r2"], "cut": "before", "first": 1},
        {"round_ids": ["r3"], "code": "99"},
        {"round_ids": ["r4"], "status": 429, "headers": {"Retry-After": "1"}, "first": 1},
    )
    dry = await world.command("run", "--dry-run")
    assert ["run.planned", "run.finished"] == [event["event"] for event in dry.events]
    before = datetime.now(UTC)
    first = await world.command("run")
    world.vendor.faults = Faults.of({"status": 401})
    await world.seed(1, prefix="late")
    second = await world.command("run")
    assert (4, 3) == (first.code, second.code)
    heard: dict[str, list[dict[str, Any]]] = {}
    for done in (dry, first, second):
        assert len(done.events) == len(done.err.splitlines()), done.err
        for event in done.events:
            heard.setdefault(event["event"], []).append(event)
    for name, keys in KEYS.items():
        assert name in heard
        for event in heard[name]:
            assert set() == (keys | {"timestamp", "level"}) - set(event), event
            assert "user_id" not in event
    for event in first.events:
        assert before <= datetime.fromisoformat(event["timestamp"]) <= datetime.now(UTC) + timedelta(seconds=1)
        assert event["timestamp"].endswith("Z")
    assert {"r0", "r2", "r4", "r5"} == {event["round_id"] for event in heard["round.cancelled"]}
    assert [("r1", "already_cancelled", "61")] == [
        (event["round_id"], event["outcome"], event["error_code"]) for event in heard["round.settled"]
    ]
    assert ["r3"] == [event["round_id"] for event in heard["round.rejected"]]
    assert "unauthorized: acme refused our credentials" == heard["run.halted"][0]["halt_reason"]
    assert ["info", "info"] == [event["level"] for event in heard["run.finished"]]
