"""Reports that a daemon makes at their times: each period once, whole, and told."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from support.daemon_parts import daemon_of
from support.receiver import KEY, Receiver
from support.report_schedule import down_since, report, reports

from retention.daemon import report_maker
from retention.daemon.report_files import ReportFiles

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import World


async def test_a_first_start_makes_no_report(world: World) -> None:
    """A report without a row begins now: none of its times is caught up."""
    directory = report(world)
    async with daemon_of(world) as replica:
        await replica.work_once()
        assert [("report", "daily")] == await world.sql(
            "SELECT kind, name FROM retention.schedules WHERE name = 'daily'"
        )
    assert [] == [*directory.iterdir()]


async def test_each_period_is_made_once_by_two_replicas(world: World) -> None:
    """Of five missed times of one period the newest has the file, whole and with its digest; the others are missed."""
    directory = report(world, format="json")
    await down_since(world, 5)
    async with daemon_of(world) as one, daemon_of(world) as other:
        for _ in range(2):
            await asyncio.gather(one.work_once(), other.work_once())
    (made,) = await reports(world, "made")
    missed = await reports(world, "missed")
    assert 4 <= len(missed) <= 5
    assert all(row.problem == "missed: a newer time has the report instead" for row in missed)
    assert all(row.scheduled_for < made.scheduled_for for row in missed)
    (file,) = directory.iterdir()
    assert ("daily-2026-10.json", str(file)) == (file.name, made.file)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == made.file_sha256
    document = json.loads(file.read_text("utf-8"))
    assert (str(made.report_id), "2026-10") == (document["report_id"], document["period"])
    logged = [*one.logged("report.made"), *other.logged("report.made")]
    assert [("daily", made.file_sha256)] == [(line["report"], line["file_sha256"]) for line in logged]
    told = [*one.logged("schedule.missed"), *other.logged("schedule.missed")]
    assert {row.scheduled_for for row in missed} == {datetime.fromisoformat(line["scheduled_for"]) for line in told}


async def test_a_late_report_is_of_the_period_at_its_time(world: World) -> None:
    """Each of the missed days has its own report: the period is resolved at the scheduled time."""
    directory = report(world, schedule="30 2 * * *", period="yesterday", timezone="Europe/Malta")
    await world.sql(
        "INSERT INTO retention.schedules (kind, name, schedule, timezone, processed_until)"
        " VALUES ('report', 'daily', '30 2 * * *', 'Europe/Malta', now() - interval '3 days')"
    )
    async with daemon_of(world) as replica:
        for _ in range(2):
            await replica.work_once()
    made = await reports(world, "made")
    assert 3 == len(made) == len([*directory.iterdir()])
    for row in made:
        assert f"{row.scheduled_for.astimezone(UTC) - timedelta(days=1):%Y-%m-%d}" == row.period


async def test_a_policy_and_a_report_may_have_one_name(world: World) -> None:
    """Each has its own row, and processing the one leaves the other."""
    report(world)
    world.extra = world.extra.replace("daily", "nightly")
    world.policy |= {"schedule": "0 3 * * *", "timezone": "UTC"}
    async with daemon_of(world) as replica:
        await replica.work_once()
    rows = await world.sql("SELECT kind, name, schedule FROM retention.schedules ORDER BY kind")
    assert [("policy", "nightly", "0 3 * * *"), ("report", "nightly", "* * * * *")] == rows


async def test_a_report_that_fails_is_tried_again_and_then_given_up(world: World) -> None:
    """Without its directory a report waits and is tried again; after six tries it fails and people are told how."""
    async with Receiver() as receiver:
        directory = report(world)
        directory.rmdir()
        world.extra += f'[notify.ops]\nwebhook = "http://{receiver.address}/"\nsigning_key = "{KEY}"\n'
        await down_since(world, 1)
        async with daemon_of(world) as replica:
            for _ in range(8):
                await replica.work_once()
                await world.sql("UPDATE retention.reports SET due_at = now() WHERE status = 'planned'")
            for _ in range(2):
                await replica.work_once()
                await replica.notified()
            (failed, *_) = await reports(world, "failed")
            assert (6, True) == (failed.tries, "No such file or directory" in failed.problem)
            assert 5 <= len(replica.logged("report.deferred"))
        (told,) = [one.json for one in receiver.requests if one.json["event"] == "report.failed"][:1]
        assert "retention report --period 2026-10 --timezone UTC --format csv -o FILE" in told["text"]


async def test_a_report_that_hangs_is_ended_and_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that writes for too long is ended, and the report's problem says so; the next try makes it."""
    monkeypatch.setattr(report_maker, "HEARTBEAT_INTERVAL_S", 0.1)
    directory = report(world)
    await down_since(world, 1)
    async with daemon_of(world) as replica:
        with monkeypatch.context() as patched:
            patched.setattr(report_maker, "WRITING_LIMIT_S", 1.0)
            async with world.locked("retention.cancellations"):
                for _ in range(2):
                    await replica.work_once()
        (waiting,) = await reports(world, "planned")
        assert ("it was not written within 1 s", []) == (waiting.problem, [*directory.iterdir()])
        await world.sql("UPDATE retention.reports SET due_at = now() WHERE status = 'planned'")
        await replica.work_once()
    assert ["daily-2026-10.csv"] == [one.name for one in directory.iterdir()]


async def test_a_report_whose_statement_is_cancelled_counts_its_try(world: World) -> None:
    """A statement that the server ends, as a time limit does, is a failed try: a report cannot wait for ever unseen."""
    report(world)
    await down_since(world, 1)
    async with daemon_of(world) as replica:
        await replica.work_once()  # plans it
        async with world.locked("retention.cancellations"):
            working = asyncio.create_task(replica.work_once())
            await world.until_waiting()
            await world.sql(
                "SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                " WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            await working
        (waiting,) = await reports(world, "planned")
        assert (1, True) == (waiting.tries, "cancel" in waiting.problem), waiting.problem
        assert ["daily"] == [line["report"] for line in replica.logged("report.deferred")]


async def test_a_report_with_settings_of_another_version_is_given_up(world: World) -> None:
    """A row whose settings cannot be read fails at once and is told, instead of crashing at each try."""
    directory = report(world)
    await down_since(world, 1)
    async with daemon_of(world) as replica:
        await replica.work_once()  # plans it
        await world.sql("""UPDATE retention.reports SET settings = settings || '{"format": "tape"}'""")
        await replica.work_once()
    (failed,) = await reports(world, "failed")
    assert failed.problem.startswith("its settings in the ledger cannot be read: ")
    assert [] == [*directory.iterdir()]


async def test_a_report_whose_makers_all_died_leaves_no_file(world: World) -> None:
    """The report is given up before a further try, and the hidden file of the last dead maker is removed all the
    same.
    """
    directory = report(world)
    await down_since(world, 1)
    async with daemon_of(world) as replica:
        await replica.daemon.run_once()
        await replica.daemon.drain()
        (row,) = (await reports(world, "planned"))[:1]
        (directory / f".daily-2026-10.csv.{row.report_id}.6").write_text("half")
        await world.sql(
            "UPDATE retention.reports SET status = 'writing', replica = 'dead', tries = 6,"
            " due_at = now() WHERE report_id = %(id)s",
            id=row.report_id,
        )
        await replica.work_once()
    assert [row.report_id] == [one.report_id for one in await reports(world, "failed")]
    assert [] == [path.name for path in directory.iterdir() if path.name.startswith(".")]


async def test_the_dead_maker_s_report_is_made_again(world: World) -> None:
    """A maker that died leaves a lease, a hidden file and a folder: all end, and the report is made under the same
    id.
    """
    directory = report(world)
    await down_since(world, 1)
    async with daemon_of(world) as replica:
        await replica.daemon.run_once()
        await replica.daemon.drain()
        await world.sql("UPDATE retention.reports SET status = 'made', due_at = NULL, made_at = now(), tries = 9")
        (row,) = (await world.sql("SELECT report_id FROM retention.reports ORDER BY scheduled_for"))[:1]
        for path in directory.iterdir():
            path.unlink()
        (directory / f".daily-2026-10.csv.{row.report_id}.1").write_text("half")
        parts = directory / f".parts.{row.report_id}.1"
        parts.mkdir()
        (parts / "sheet").write_text("half")
        await world.sql(
            "UPDATE retention.reports SET status = 'writing', replica = 'dead', tries = 1, made_at = NULL,"
            " due_at = now() WHERE report_id = %(id)s",
            id=row.report_id,
        )
        await replica.work_once()
    (made,) = [one for one in await reports(world, "made") if one.report_id == row.report_id]
    assert 2 == made.tries
    assert ["daily-2026-10.csv"] == [path.name for path in directory.iterdir()]


def test_a_directory_with_a_report_s_name_is_named_and_nothing_appears(tmp_path: Path) -> None:
    """The error has the path that a person has to clear, and the second file does not appear without its report."""
    files = ReportFiles(tmp_path, "daily-2026-10.html", uuid4(), 1)
    taken = tmp_path / "daily-2026-10.html"
    taken.mkdir()
    with files.writing() as place:
        assert place.beside is not None
        place.beside("-rows.csv")
    with pytest.raises(IsADirectoryError) as refusal:
        files.publish()
    files.remove()
    assert str(taken) == refusal.value.filename
    assert [taken] == [*tmp_path.iterdir()]


def test_a_workbook_s_temporary_files_stand_where_a_later_try_finds_them(tmp_path: Path) -> None:
    """A format keeps its temporary files in a hidden folder of the try: a process that is killed leaves nothing that
    the next try does not remove.
    """
    files = ReportFiles(tmp_path, "daily-2026-10.xlsx", uuid4(), 1)
    with files.writing() as place:
        assert place.folder is not None
        assert tmp_path == place.folder.parent
        (place.folder / "sheet").write_text("half")
        left = {path.name for path in tmp_path.iterdir()}
        replace(files, tries=2, targets=[]).remove(earlier=True)
        assert 2 == len(left)
        assert [] == [*tmp_path.iterdir()]


async def test_a_finished_report_is_told_once_to_its_targets(world: World) -> None:
    """The report's own target is notified, whatever its events; the body has file, digest and checkpoint."""
    async with Receiver() as receiver:
        report(world, notify=["ops"])
        world.extra += (
            f'[notify.ops]\nwebhook = "http://{receiver.address}/"\nsigning_key = "{KEY}"\nevents = ["run.failed"]\n'
        )
        await down_since(world, 1)
        async with daemon_of(world) as one, daemon_of(world) as other:
            for _ in range(3):
                await asyncio.gather(one.work_once(), other.work_once())
                await asyncio.gather(one.notified(), other.notified())
        made = {str(row.report_id): row for row in await reports(world, "made")}
        bodies = [request.json for request in receiver.requests]
        assert sorted(made) == sorted(body["report"]["report_id"] for body in bodies)
        assert {"report.made"} == {body["event"] for body in bodies}
        for body in bodies:
            row = made[body["report"]["report_id"]]
            assert (row.file, row.file_sha256) == (body["report"]["file"], body["report"]["file_sha256"])
            assert row.file in body["text"]


async def test_a_report_without_directory_is_a_notification(world: World) -> None:
    """No file is made, and the notification has the totals."""
    directory = report(world, directory=None, notify=["ops"])
    world.extra += f'[notify.ops]\nwebhook = "https://127.0.0.1:9/"\nsigning_key = "{KEY}"\n'
    await down_since(world, 1)
    async with daemon_of(world) as replica:
        for _ in range(2):
            await replica.work_once()
    made = await reports(world, "made")
    assert {(None, None, 0)} == {(row.file, row.file_sha256, row.rows) for row in made}
    assert [] == [*directory.iterdir()]
