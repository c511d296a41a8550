"""Upgrades from 0.1.0: its ledger, and its processes that are still at work, meet this version."""

from __future__ import annotations

import signal
from collections import Counter
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.archiving import archive
from support.earlier_version import LIVE, RUNNING, make_ledger, start, unpack
from support.postgres import new_database
from support.world import World, make_world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def old_world(postgres: str, tmp_path: Path) -> AsyncIterator[World]:
    """Yield a world whose ledger is of 0.1.0, with rows in every state; the vendor knows its live rounds."""
    with new_database(postgres, "template0") as name:
        dsn = make_conninfo(postgres, dbname=name)
        make_ledger(dsn)
        async with make_world(dsn, tmp_path) as world:
            world.register([f"old-{state}" for state in LIVE])
            yield world


async def test_a_ledger_of_0_1_0_is_read_and_resumed(old_world: World) -> None:
    """After `db migrate`, a ledger with rows in every state of 0.1.0 is current, each command reads it, its old rows are
    exempt from the audit and counted, and the run that was left is finished.
    """
    old_world.policy["max_failure_ratio"] = 1.0
    pending = await old_world.command("db", "status")
    assert 2 == pending.code, pending
    migrated = await old_world.command("db", "migrate")
    assert 0 == migrated.code, migrated.err
    for words in (
        ("db", "status"),
        ("runs", "list"),
        ("runs", "show", RUNNING),
        ("report", "--all", "--run", "0a000000-0000-4000-8000-000000000001"),
        ("review", "list"),
        ("explain", "--partner", "acme", "--round", "old-in_doubt"),
        ("hold", "list", "--all"),
        ("ledger", "status"),
    ):
        done = await old_world.command(*words)
        assert 0 == done.code, (words, done.err)
    before = await old_world.command("audit", "verify", "--json")
    assert 0 == before.code, before.out
    assert 8 == before.json["rows_before_evidence"]["cancellations"]
    resumed = await old_world.command("run", "--resume", RUNNING, "--json")
    assert resumed.code in {0, 4}, resumed.err
    assert {f"old-{state}": "cancelled" for state in LIVE} == {
        name: state for name, state in (await old_world.states()).items() if name.removeprefix("old-") in LIVE
    }
    assert {1} == {*Counter(request.round_id for request in old_world.cancels).values()}
    verified = await old_world.command("audit", "verify")
    assert 0 == verified.code, verified.out


async def test_the_rows_of_0_1_0_are_archived(old_world: World) -> None:
    """Rows of 0.1.0 stay while one is younger than `--older-than`; once they leave, the audit still fits, and a round
    that they cancelled is planned by no run.
    """
    old_world.policy["max_failure_ratio"] = 1.0
    folder = old_world.folder / "archive"
    folder.mkdir()
    for words in (
        ("db", "migrate"),
        ("run", "--resume", RUNNING),
        ("review", "resolve", "8", "--as", "rejected", "--by", "ann", "--note", "asked"),
        ("runs", "close", "0a000000-0000-4000-8000-000000000002", "--by", "ann", "--note", "old"),
    ):
        done = await old_world.command(*words)
        assert 0 == done.code, (words, done.err)
    young = await archive(old_world, folder)
    assert (4, True) == (young.code, "before stays: it has rows of" in young.out)
    while (left := await archive(old_world, folder, older_than="1s")).code == 4:
        assert "before stays: it has rows of" in left.out, left.err
    assert (0, [(0,)]) == (left.code, await old_world.sql("SELECT count(*) FROM retention.cancellations")), left.err
    verified = await old_world.command("audit", "verify", "--archives", str(folder))
    assert 0 == verified.code, verified.out
    assert 0 == (await archive(old_world, folder)).code
    await old_world.sql("UPDATE public.rounds SET status = 0 WHERE round_id = 'old-planned'")
    again = await old_world.command("run", "--json")
    assert ({}, {"in_ledger": 1}) == (again.json["states"], again.json["left_out"]), again.err


async def test_a_migration_waits_for_locks_briefly_and_changes_nothing_if_it_fails(old_world: World) -> None:
    """A migration that meets a table in use lets claims pass between its tries, and is applied once the table is free."""
    async with old_world.locked("retention.cancellations", "ROW EXCLUSIVE"):
        process = await old_world.start("db", "migrate")
        await old_world.until_waiting()
        async with await psycopg.AsyncConnection.connect(old_world.direct) as other:
            # A claim gets its lock although the migration has not ended.
            await other.execute("LOCK TABLE retention.runs IN ROW EXCLUSIVE MODE")
        assert not process.over
        assert [(1,)] == await old_world.sql("SELECT number FROM retention.schema_migrations")
    done = await process.ended()
    assert 0 == done.code, done.err


@pytest.mark.long
async def test_processes_of_0_1_0_at_work_send_no_more_and_this_version_goes_on(
    old_world: World, tmp_path: Path
) -> None:
    """While a run and a daemon of 0.1.0 are at work, `db migrate` stops both from sending; this version asks about what was
    in flight and finishes the runs, no round is cancelled twice, and the audit finds nothing altered.
    """
    program = unpack(tmp_path / "program")
    old_world.policy["max_failure_ratio"] = 1.0
    old_world.partner |= {"rate": 60}
    old_world.vendor.latency = 0.2
    await old_world.seed(600)
    daemon = await start(old_world, program, "serve", "--http", "127.0.0.1:0", "--drain-timeout", "20s")
    run = await start(old_world, program, "run", "nightly", "--by", "ann")
    await run.until(old_world.vendor, lambda: len(old_world.cancels) > 60)
    migrated = await old_world.command("db", "migrate")
    assert 0 == migrated.code, migrated.err
    ended = await run.ended()
    assert "deadline_at" in ended.err
    sent = len(old_world.cancels)
    assert sent < 500
    again = await start(old_world, program, "run", "nightly")
    refused = await again.ended()
    assert (2, True) == (refused.code, "which this version does not know" in refused.err)
    unfinished = await old_world.sql("SELECT run_id FROM retention.runs WHERE status = 'running'")
    assert unfinished
    for row in unfinished:
        done = await old_world.command("run", "--resume", str(row.run_id))
        assert done.code in {0, 4}, done.err[-3000:]
    daemon.signal(signal.SIGTERM)
    assert 143 == (await daemon.ended()).code
    ours = {f"old-{state}" for state in LIVE} | {f"r{number}" for number in range(600)}
    states = {name: state for name, state in (await old_world.states()).items() if name in ours}
    assert (ours, set()) == ({*states}, {*states.values()} - {"cancelled", "already_cancelled"})
    assert {1} == {*Counter(request.round_id for request in old_world.cancels).values()}
    verified = await old_world.command("audit", "verify", "--json")
    assert 0 == verified.code, verified.out
    assert verified.json["rows_before_evidence"]["attempts"] > 60
