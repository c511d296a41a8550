"""A replica that is really thirty seconds behind, and a view of a million rounds."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.bulk_rounds import Watched
from support.cluster import JOB
from support.invariants import violations
from support.read_pair import ReadPair, events

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import World

pytestmark = pytest.mark.long

GROWTH = 1.2
"""How many times as much memory the larger plan may take."""

BATCH = 20_000
"""Rounds after which the standby catches up: the WAL's disk is small."""


async def test_a_replica_thirty_seconds_behind_cancels_nothing_wrongly(
    paired: World, read_pair: ReadPair, replica: dict[str, str]
) -> None:
    """Each round that changes within the lag, or while the run sends, gets no cancel request; all others get one."""
    await paired.seed(200)
    await paired.seed(20, prefix="done", market="SE")
    await read_pair.caught_up()
    await read_pair.standby.sql("ALTER SYSTEM SET recovery_min_apply_delay = '30s'")
    await read_pair.standby.sql("SELECT pg_reload_conf()")
    try:
        await paired.sql("UPDATE public.rounds SET status = 1 WHERE round_id LIKE 'r%%0'")
        await paired.sql("DELETE FROM public.rounds WHERE round_id LIKE 'r%%1'")
        await paired.sql("UPDATE public.rounds SET last_activity_at = now() WHERE round_id LIKE 'r%%2'")
        await paired.sql("UPDATE public.rounds SET user_id = 'other' WHERE round_id LIKE 'r%%3'")
        await paired.sql("UPDATE public.rounds SET opened_at = opened_at + interval '1 s' WHERE round_id LIKE 'r%%4'")
        for last in ("15", "25"):
            hold = ("hold", "add", "--round", f"r{last}", "--reason", "complaint 7", "--by", "tess")
            assert 0 == (await paired.command(*hold)).code
        first = await paired.command("run", "--market", "SE", "--json")
        assert {"cancelled": 20} == first.json["states"], first.err
        await paired.seed(5, prefix="later")
        paired.partner["rate"] = 20
        run = await paired.start("run", "--json", environ=replica)
        await run.until(paired.vendor, lambda: len(paired.cancels) > 20)
        async with paired.locked("retention.cancellations"):
            await paired.sql("UPDATE public.rounds SET status = 1 WHERE round_id IN ('r199', 'r198')")
        done = await run.ended()
    finally:
        await read_pair.standby.sql("ALTER SYSTEM RESET recovery_min_apply_delay")
        await read_pair.standby.sql("SELECT pg_reload_conf()")
    assert 0 == done.code, done.err
    assert {"cancelled": 96, "no_longer_open": 102} == done.json["states"]
    assert {"held": 2, "in_ledger": 20} == done.json["left_out"]
    changed = {f"r{number}" for number in range(200) if number % 10 < 5} | {"r15", "r25", "r198", "r199"}
    called = {request.round_id for request in paired.cancels}
    assert {f"r{number}" for number in range(200)} - changed == {one for one in called if one.startswith("r")}
    assert not {one for one in called if one.startswith("later")}
    (planned,) = events(done, "run.planned")
    assert ("replica", True) == (planned["read_on"], planned["lag_s"] < 60)
    assert [] == await violations(paired)


async def test_a_large_lag_is_told(paired: World, read_pair: ReadPair, replica: dict[str, str]) -> None:
    """A lag of more than ten seconds is a warning of `check`, and a line of the log."""
    async with read_pair.paused():
        await paired.sql("SELECT pg_sleep(11)")
        await paired.seed(1)
        done = await paired.command("plan", "--json", environ=replica)
        check = await paired.command("check", "--json", environ=replica)
    (warned,) = events(done, "plan.replica_behind")
    assert warned["lag_s"] >= 10
    assert done.json["view"]["lag_seconds"] >= 10
    assert [True] == [one["warning"] for one in check.json["checks"] if one["name"] == "replica"]


async def test_memory_does_not_grow_with_the_view(
    paired: World, read_pair: ReadPair, pair_name: str, tmp_path: Path
) -> None:
    """A plan of a million rounds, streamed from the replica, takes the memory of one of ten thousand."""
    config = paired.configure()
    text = config.read_text("utf-8").replace(
        "[database]\n",
        f"[database]\nread_dsn = {json.dumps(make_conninfo(read_pair.standby.dsn(JOB), dbname=pair_name))}\n",
    )
    config.write_text(text, "utf-8")
    peaks, first = [], 0
    for count in (10_000, 1_000_000):
        while first < count:
            last = min(first + BATCH, count)
            await paired.sql(
                "INSERT INTO public.rounds (partner, market, game, user_id, round_id, opened_at, currency, stake, bet_tx)"
                " SELECT 'acme', 'MT', 'game', 'user-r' || n, 'r' || n, now() - interval '5 days', 'EUR', 1.50,"
                " 'bet-r' || n FROM generate_series(%(first)s, %(last)s - 1) AS n",
                first=first,
                last=last,
            )
            first = last
            await read_pair.caught_up()
        words = ("--config", str(config), "--log-format", "json", "plan", "--json")
        with Watched([sys.executable, "-m", "retention", *words], tmp_path) as plan:
            ended = plan.ended(within=1200)
        assert (0, count, "replica") == (ended.code, ended.json["rounds"], ended.json["view"]["read_on"])
        peaks.append(ended.peak_rss)
    assert peaks[1] <= GROWTH * peaks[0]
