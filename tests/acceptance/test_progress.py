"""The output of a run in progress: a display on a terminal, JSON lines anywhere else."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.terminal import on_terminal

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World


async def test_a_terminal_shows_progress(world: World) -> None:
    """On a terminal a run shows its rounds done, rate, time left and outcomes."""
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


async def test_the_progress_of_a_resumed_run_begins_with_the_rounds_done(world: World) -> None:
    """The display of a resumed run counts from the rounds done before."""
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
    assert row.done == counts[0] < counts[-1], terminal.screen


ANSWERS: dict[str, tuple[str | None, int]] = {
    # the typed text, None: the terminal hangs up; exit code
    "no": ("n\n", 0),
    "end of input": ("\x04", 0),
    "interrupt": ("\x03", 130),
    "hangup": (None, 0),
}

NOTIFY = """
[notify.ops]
webhook = "{url}/ops"
signing_key = "{key}"
"""


@pytest.mark.parametrize(
    "answer",
    [pytest.param(one, marks=() if one in {"no", "hangup"} else pytest.mark.long) for one in ANSWERS],
)
async def test_any_answer_but_yes_closes_the_plan(world: World, answer: str) -> None:
    """Any answer but yes closes the run with one line.

    It is not halted, no person is notified, and the next run has its rounds.
    """
    keys, code = ANSWERS[answer]
    await world.seed(3)
    world.extra = NOTIFY.format(url=world.vendor.url, key="x" * 32)
    terminal = await on_terminal(world, "run")
    await terminal.until(lambda: "[y/N]" in terminal.screen)
    assert [] == world.vendor.requests
    terminal.hang_up() if keys is None else terminal.type(keys)
    ended, out = await terminal.ended()
    assert code == ended, terminal.screen
    (run,) = await world.sql("SELECT run_id, status, halt_reason, finished_at FROM retention.runs")
    assert ("cancelled", "not confirmed") == (run.status, run.halt_reason)
    assert run.finished_at is not None
    line = f"nothing was cancelled: run {run.run_id} is not confirmed, and the next run has its rounds\n"
    # Without the terminal, its output is reported here.
    assert out == line if keys is not None else out.startswith(line)
    assert "Traceback" not in terminal.screen
    assert [] == await world.sql("SELECT FROM retention.notifications")
    assert {"not_sent"} == set((await world.states()).values())
    world.extra = ""
    done = await world.command("run", "--json")
    assert (0, {"cancelled": 3}) == (done.code, done.json["states"]), done.err


async def test_the_confirmation_names_the_rounds_to_cancel(world: World) -> None:
    """The question names policy, partners, markets, count, sums and age in 80 columns; no call precedes a yes."""
    await world.seed(2)
    await world.seed(1, prefix="s", market="SE", stake="12.5", currency="SEK")
    await world.seed(1, prefix="unknown", market="GB")
    await world.sql("UPDATE public.rounds SET stake = NULL WHERE market = 'GB'")
    (oldest,) = await world.sql("SELECT min(opened_at) AS at FROM public.rounds")
    terminal = await on_terminal(world, "run")
    await terminal.until(lambda: "[y/N]" in terminal.screen)
    shown = terminal.screen.splitlines()
    assert 80 >= max(map(len, shown))
    assert shown[0] == "policy nightly, partner acme, markets GB, MT, SE"
    assert shown[1] == f"4 rounds to cancel, the oldest opened at {oldest.at:%Y-%m-%d %H:%M:%S}Z"
    assert re.fullmatch(r"stakes 3(\.00)? EUR, 12\.50? SEK; 1 round without a usable stake", shown[2])
    assert shown[3] == "Cancel them? [y/N]: "
    assert [] == world.vendor.requests
    terminal.type("y\n")
    assert 0 == (await terminal.ended())[0], terminal.screen
    assert 4 == len(world.cancels)


async def test_named_rounds_are_cancelled_after_a_yes(world: World) -> None:
    """`cancel` asks likewise, with the number of refused rounds; a no calls nobody, and a yes the good rounds."""
    await world.seed(2)
    named = [word for one in ("r0", "r1", "r9") for word in ("--round", one)]
    words = ("cancel", "--partner", "acme", *named, "--evidence", "ticket 7", "--by", "ann")
    for keys, calls in (("n\n", 0), ("y\n", 2)):
        terminal = await on_terminal(world, *words)
        await terminal.until(lambda terminal=terminal: "[y/N]" in terminal.screen)  # type: ignore[misc]
        shown = terminal.screen.splitlines()
        assert shown[0] == "policy targeted, partner acme, market MT"
        assert shown[1].startswith("2 rounds to cancel, the oldest opened at ")
        assert shown[3] == "1 named round refused: 1 unknown"
        assert [] == world.cancels
        terminal.type(keys)
        code, out = await terminal.ended()
        assert ((4, 2) if calls else (0, 0)) == (code, len(world.cancels)), terminal.screen
        assert ("refused: acme/r9, unknown" if calls else "nothing was cancelled: run") in out


async def test_a_run_without_rounds_asks_no_confirmation(world: World) -> None:
    """A run without stale rounds ends without a question."""
    terminal = await on_terminal(world, "run")
    code, out = await terminal.ended()
    assert 0 == code
    assert "[y/N]" not in terminal.screen
    assert "no stale rounds" in out


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


async def test_without_a_terminal_each_transition_is_a_line_of_json(world: World) -> None:
    """Without a terminal stderr gets JSON alone, one event with its keys per transition."""
    await world.seed(6)
    world.vendor.faults = Faults.of(
        {"round_ids": ["r1"], "code": "61"},
        {"round_ids": ["r2"], "cut": "before", "first": 1},
        {"round_ids": ["r3"], "code": "99"},
        {"round_ids": ["r4"], "status": 429, "headers": {"Retry-After": "1"}, "first": 1},
    )
    dry = await world.command("run", "--dry-run")
    assert ["run.planned", "audit.checkpoint", "run.finished"] == [event["event"] for event in dry.events]
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
    # A plain refusal is asked about once, and no doubt meanwhile.
    assert {"r2"} == {event["round_id"] for event in heard["round.in_doubt"]}
    assert [("r3", "99")] == [(event["round_id"], event["error_code"]) for event in heard["round.refused"]]
    assert "unauthorized: acme refused our credentials" == heard["run.halted"][0]["halt_reason"]
    assert ["info", "info"] == [event["level"] for event in heard["run.finished"]]


async def test_a_stopped_terminal_stops_no_run(world: World) -> None:
    """While ^S stops the terminal, rounds are cancelled, and the run ends with its own exit code."""
    world.partner["rate"] = 60
    await world.seed(90)
    terminal = await on_terminal(world, "run", "--yes")
    await terminal.until(lambda: "cancelling" in terminal.screen)
    terminal.type("\x13")
    await world.vendor.until(lambda: len(world.cancels) == 90)
    code, out = await terminal.ended()
    assert (0, True) == (code, "cancelled" in out)
