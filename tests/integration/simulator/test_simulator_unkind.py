"""A simulated vendor that breaks promises: wrong cancels, replies about other rounds, and late replies."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from support.vendor import CANCEL, HEALTH, KEY, STATUS, ask, open_round

from retention.simulator.fault_keys import DOCUMENT, KEYS
from retention.simulator.faults import Faults
from retention.simulator.server import RoundStatus, Simulator

if TYPE_CHECKING:
    from pathlib import Path

    import aiohttp

STALL = 1.5
"""Seconds that a stall lasts here."""


@pytest.mark.parametrize(
    "options", [{"idempotent": False}, {"faults": Faults.of({"repeat": True})}, {"faults": Faults.of(idempotent=False)}]
)
async def test_a_second_cancel_is_honoured(client: aiohttp.ClientSession, options: dict[str, Any]) -> None:
    """The vendor, its file or a fault honours each cancel of a round; a completed round stays refused."""
    rounds = [open_round(), open_round(round_id="R-2", status="Completed")]
    async with Simulator(rounds, **options) as vendor:
        codes = [(await ask(client, vendor.url + CANCEL, roundId=name))["error"] for name in ("R-1", "R-1", "R-2")]

    assert [0, 0, "1"] == codes
    assert 2 == vendor.rounds[KEY].cancelled_times
    assert (1, 0) == (vendor.figures()["cancelled_more_than_once"], vendor.figures()["reversed_completed"])


@pytest.mark.parametrize("status", [RoundStatus.COMPLETED, RoundStatus.COMPLETE_IN_PROCESS])
@pytest.mark.parametrize(
    "options", [{"reverses": True}, {"faults": Faults.of({"reverse": True})}, {"faults": Faults.of(reverses=True)}]
)
async def test_a_completed_round_is_reversed(
    client: aiohttp.ClientSession, options: dict[str, Any], status: RoundStatus
) -> None:
    """The vendor, its file or a fault cancels a completed round once, and its figures show it."""
    async with Simulator([open_round(status=status)], **options) as vendor:
        codes = [(await ask(client, vendor.url + CANCEL))["error"] for _ in range(2)]

    one = vendor.rounds[KEY]
    assert [0, "61"] == codes
    assert (RoundStatus.CANCELED, 1, 1) == (one.status, one.cancelled_times, one.reversed_times)
    assert 1 == vendor.figures()["reversed_completed"]


async def test_a_round_that_was_just_finished_is_reversed(client: aiohttp.ClientSession) -> None:
    """A round completed just before its cancel is cancelled at a vendor that reverses."""
    async with Simulator([open_round()], reverses=True, faults=Faults.of({"complete": True})) as vendor:
        assert 0 == (await ask(client, vendor.url + CANCEL))["error"]

    assert 1 == vendor.rounds[KEY].reversed_times


@pytest.mark.parametrize(("winnings", "told", "lost"), [("0", "0", 0), ("12.50", "12.50", 1), ("1E+3", "1000", 1)])
async def test_winnings_are_reported_and_lost(
    client: aiohttp.ClientSession, winnings: str, told: str, lost: int
) -> None:
    """GetRoundStatus returns the winnings, and a cancel of a round with winnings is counted."""
    async with Simulator([open_round(winnings=Decimal(winnings))]) as vendor:
        status = await ask(client, vendor.url + STATUS)
        for _ in range(2):
            await ask(client, vendor.url + CANCEL)

    assert told == status["winAmount"]
    assert (lost, lost) == (vendor.rounds[KEY].winnings_lost_times, vendor.figures()["cancelled_with_winnings"])


@pytest.mark.parametrize("winnings", ["NaN", "Infinity"])
def test_winnings_that_are_no_number_are_refused(winnings: str) -> None:
    """A round needs winnings that are a number; only a fault writes others."""
    with pytest.raises(ValueError, match=f"winnings = {winnings} cannot be used: give a number"):
        open_round(winnings=winnings)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"winnings": "12.5"}, "12.5"),
        ({"winnings": "NaN"}, "NaN"),
        ({"winnings": "-1"}, "-1"),
        ({"winnings": 'x"'}, 'x"'),
        ({"winnings": Decimal("12.50")}, Decimal("12.50")),
        ({"winnings": "1", "call": "any", "round_ids": ["R-1"]}, "1"),
        ({"omit": ["winAmount"], "call": "GetRoundStatus"}, None),
    ],
)
async def test_winnings_are_written_as_a_fault_says(
    client: aiohttp.ClientSession, fault: dict[str, Any], told: object
) -> None:
    """A fault writes any winnings into a status reply; the round and its cancel stay as they are."""
    async with Simulator([open_round()], faults=Faults.of(fault)) as vendor:
        status = await ask(client, vendor.url + STATUS)
        cancelled = await ask(client, vendor.url + CANCEL)

    assert (told, "12.50") == (status.get("winAmount"), status["betAmount"])
    assert "winAmount" not in cancelled
    assert (0, 0) == (cancelled["error"], vendor.rounds[KEY].winnings_lost_times)


@pytest.mark.parametrize("options", [{"names_round": True}, {"faults": Faults.of(names_round=True)}])
async def test_a_cancel_names_its_round(client: aiohttp.ClientSession, options: dict[str, Any]) -> None:
    """A success may name the cancelled round, as since 2025; a refusal does not."""
    async with Simulator([open_round()], **options) as vendor:
        first, second = [await ask(client, vendor.url + CANCEL) for _ in range(2)]

    assert (0, "R-1") == (first["error"], first["roundId"])
    assert ("61", False) == (second["error"], "roundId" in second)


async def test_a_reply_is_about_another_round(client: aiohttp.ClientSession) -> None:
    """Both calls take effect and name another round; a HealthCheck names no round."""
    faults = Faults.of({"other_round": True, "call": "any"})
    async with Simulator([open_round()], names_round=True, faults=faults) as vendor:
        status = await ask(client, vendor.url + STATUS)
        cancelled = await ask(client, vendor.url + CANCEL)
        health = await ask(client, vendor.url + HEALTH)

    assert ("InProgress", "R-1-other") == (status["roundStatus"], status["roundId"])
    assert (0, "R-1-other") == (cancelled["error"], cancelled["roundId"])
    assert {"error": 0, "description": "Success"} == health
    assert 1 == vendor.rounds[KEY].cancelled_times


async def test_code_54_for_one_round_spares_the_others(client: aiohttp.ClientSession) -> None:
    """Code 54 answers each call for the chosen rounds; other rounds and the HealthCheck succeed."""
    faults = Faults.of({"code": "54", "description": "invalid parameters", "call": "any", "round_ids": ["bad-*"]})
    rounds = [open_round(), open_round(round_id="bad-1")]
    async with Simulator(rounds, secure_login="acme", token="s3cret", faults=faults) as vendor:
        bad = [await ask(client, vendor.url + call, roundId="bad-1") for call in (CANCEL, STATUS)]
        good = [(await ask(client, vendor.url + call))["error"] for call in (STATUS, CANCEL)]
        health = await ask(client, vendor.url + HEALTH, roundId=None)

    assert [{"error": "54", "description": "invalid parameters"}] * 2 == bad
    assert [0, 0, 0] == [*good, health["error"]]
    assert (0, 0) == (vendor.rounds["acme", "bad-1"].cancel_calls, vendor.rounds["acme", "bad-1"].cancelled_times)


@pytest.mark.parametrize("early", [False, True])
async def test_an_effect_comes_at_arrival_or_with_the_reply(
    client: aiohttp.ClientSession, tmp_path: Path, *, early: bool
) -> None:
    """The time of the effect is recorded, also in the journal; an early effect precedes its delayed reply."""
    journal = tmp_path / "journal"
    async with Simulator([open_round()], latency=0.5, effect_at_arrival=early, journal=journal) as vendor:
        asking = asyncio.create_task(ask(client, vendor.url + CANCEL))
        await vendor.until(lambda: bool(vendor.rounds[KEY].cancelled_times) or vendor.requests[-1:] != [])
        meanwhile = vendor.rounds[KEY].cancelled_times, [one.effect for one in vendor.requests]
        await asking
        await ask(client, vendor.url + CANCEL)

    first, second = vendor.requests
    assert (int(early), [early]) == meanwhile
    assert first.effect_at is not None
    assert early == (first.effect_at - first.at < timedelta(seconds=0.4))
    assert UTC is first.effect_at.tzinfo
    assert (False, None) == (second.effect, second.effect_at)
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert {None, first.effect_at} == {
        line["effect_at"] and datetime.fromisoformat(line["effect_at"]) for line in lines if line["n"] == 0
    }


async def test_a_stall_holds_every_reply_and_ends_in_a_burst(client: aiohttp.ClientSession) -> None:
    """A stall holds back all replies from the struck request on, while each call takes effect at its arrival."""
    rounds = [open_round(round_id=f"R-{n}") for n in range(4)]
    faults = Faults.of({"stall": f"{STALL * 1000:.0f}ms", "round_ids": ["R-1"], "first": 1})
    replied: list[float] = []

    async def asked(call: str, name: str) -> None:
        await ask(client, vendor.url + call, roundId=name)
        replied.append(time.monotonic())

    async def arrived(count: int) -> None:
        await vendor.until(lambda: len(vendor.requests) == count)

    async with Simulator(rounds, latency=STALL / 2, faults=faults) as vendor:
        asking = [asyncio.create_task(asked(CANCEL, "R-0"))]
        for n, (call, name) in enumerate([(CANCEL, "R-1"), (CANCEL, "R-2"), (STATUS, "R-3"), (HEALTH, "")], 1):
            await arrived(n)
            asking.append(asyncio.create_task(asked(call, name or "x")))
        await arrived(5)
        done = [vendor.rounds["acme", f"R-{n}"].cancelled_times for n in range(4)]
        await asyncio.gather(*asking)
        start = vendor.requests[1].arrived_at
        before = time.monotonic()
        await ask(client, vendor.url + CANCEL, roundId="R-1")
        after = time.monotonic() - before

    assert [0, 1, 1, 0] == done, "the first came before the stall: its effect has the latency"
    assert STALL <= min(replied) - start
    assert STALL / 2 <= after
    assert [None, 1, None, None, None, None] == [request.fault for request in vendor.requests]
    assert all(one.effect_at is not None for one in vendor.requests[:3])


async def test_a_stall_ends_with_its_faults(client: aiohttp.ClientSession) -> None:
    """New faults end a stall; without a `first` one stall follows the other, within its window."""
    async with Simulator([open_round()], faults=Faults.of({"stall": "1h", "call": "any"})) as vendor:
        asking = asyncio.create_task(ask(client, vendor.url + CANCEL))
        await vendor.until(lambda: len(vendor.requests) == 1)
        vendor.faults = Faults.of({"stall": "200ms", "call": "any"})
        for _ in range(2):
            before = time.monotonic()
            await ask(client, vendor.url + HEALTH)
            assert 0.2 <= time.monotonic() - before < 600
        vendor.faults = Faults.of({"stall": "1h", "call": "any", "after_seconds": "1h"})
        assert 0 == (await ask(client, vendor.url + HEALTH))["error"]
        asking.cancel()


async def test_simulate_applies_its_faults_file(client: aiohttp.ClientSession, tmp_path: Path) -> None:
    """`retention simulate --faults` applies the file, and its help documents each key."""

    async def start(*words: str) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "retention", "simulate", *words)
        return await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=tmp_path)

    (tmp_path / "faults.toml").write_text("names_round = true\n[[fault]]\nrepeat = true\n")
    helping = await start("--help")
    process = await start("--port", "0", "--faults", "faults.toml")
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().split()[-1]
        replies = [await ask(client, url + CANCEL) for _ in range(2)]
    finally:
        process.terminate()
        await process.communicate()
    told = (await helping.communicate())[0].decode()

    assert [(0, "R-1")] * 2 == [(reply["error"], reply["roundId"]) for reply in replies]
    assert {*DOCUMENT, *KEYS} <= set(re.findall(r"\w+", told))
