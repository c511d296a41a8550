"""An archive that is killed, refused or short of room leaves each row in the ledger or in its files."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.archiving import aged, archive
from support.bare_database import run as run_script
from support.bare_database import sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.world import World

POINTS = {
    "freezing": "LOCK TABLE retention.cancellations_2024_01 IN ROW EXCLUSIVE MODE",
    "recording": "LOCK TABLE retention.archives IN SHARE MODE",
    "detaching": "SELECT FROM retention.attempts",
    "dropping": "LOCK TABLE retention.runs IN ROW EXCLUSIVE MODE",
}
"""Where the archive waits while another session has begun this."""

WAITS = "SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND a.application_name = 'retention'"


ENDED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'retention' AND datname = current_database()"
)


@contextmanager
def holding(world: World, statement: str) -> Iterator[None]:
    """Hold what a statement locks."""
    with psycopg.connect(world.direct) as connection:
        connection.execute(statement.encode())
        yield
        connection.rollback()


async def killed_while_waiting(world: World, *words: str) -> None:
    """Kill a command while it waits for a lock, and its sessions, which would go on once they have the lock."""
    running = await world.start(*words)
    while not await world.sql(WAITS):
        assert not running.over, await running.ended()
        await asyncio.sleep(0.02)
    running.signal(signal.SIGKILL)
    await running.ended()
    while await world.sql(ENDED):
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("point", POINTS)
async def test_a_killed_archive_is_made_whole_by_the_next_one(world: World, point: str) -> None:
    """Killed at any step, it leaves every row in the ledger or in recorded files; the same command ends it."""
    folder = aged(world, "2024-01", refused=0)
    words = ("ledger", "archive", "--older-than", "300d", "--to", str(folder))
    with holding(world, POINTS[point]):
        await killed_while_waiting(world, *words)
    recorded = await world.sql("SELECT FROM retention.archives")
    assert bool(recorded) is (point in {"detaching", "dropping"})
    if not recorded:
        assert [(3,)] == await world.sql("SELECT count(*) FROM retention.cancellations")
    verified = await world.command("audit", "verify", "--json")
    assert 0 == verified.code, verified.out
    done = await archive(world, folder)
    assert 0 == done.code, done.err
    assert [] == await world.sql("SELECT FROM pg_class WHERE relname ~ '_2024_01$' AND relkind = 'r'")
    assert 4 == len([*folder.iterdir()]), [*folder.iterdir()]
    verified = await world.command("audit", "verify", "--archives", str(folder), "--json")
    assert (0, 4) == (verified.code, verified.json["archived"]["files_read"]), verified.out


async def test_what_is_left_to_drop_needs_its_files(world: World) -> None:
    """After an interruption the next archive drops nothing unless it is given the folder with the recorded files."""
    folder = aged(world, "2024-01")
    with holding(world, POINTS["detaching"]):
        await killed_while_waiting(world, "ledger", "archive", "--older-than", "300d", "--to", str(folder))
    other = world.folder / "other"
    other.mkdir()
    refused = await archive(world, other)
    assert (2, True) == (refused.code, "give its folder to --to" in refused.err), refused.err
    assert 3 == len(await world.sql("SELECT FROM pg_class WHERE relname ~ '_2024_01$' AND relkind = 'r'"))
    assert 0 == (await archive(world, folder)).code


async def test_two_archives_at_once(world: World) -> None:
    """The second one is refused while the first is at work."""
    folder = aged(world, "2024-01")
    with holding(world, POINTS["recording"]):
        running = await world.start("ledger", "archive", "--older-than", "300d", "--to", str(folder))
        while not await world.sql(WAITS):
            assert not running.over, await running.ended()
            await asyncio.sleep(0.02)
        refused = await archive(world, folder)
        assert (2, True) == (refused.code, "another `retention ledger archive`" in refused.err), refused.err
    assert 0 == (await running.ended()).code


async def test_a_file_of_that_name_is_left_alone(world: World) -> None:
    """A foreign file under an archive's name is named, stays as it is, and nothing is dropped."""
    folder = aged(world, "2024-01")
    foreign = folder / "ledger-2024-01-attempts.parquet"
    foreign.write_text("mine", "utf-8")
    refused = await archive(world, folder)
    assert (2, True, "mine") == (refused.code, f"{foreign}: another file" in refused.err, foreign.read_text("utf-8"))
    assert [(3,)] == await world.sql("SELECT count(*) FROM retention.cancellations")


async def test_a_folder_that_does_not_do_is_refused_before_any_connection(world: World) -> None:
    """A folder that is absent, a file, or not writable is exit 2."""
    nowhere = {"RETENTION_DATABASE__DSN": "postgresql://127.0.0.1:1/nothing"}
    file = world.folder / "file"
    file.write_text("", "utf-8")
    for place in (world.folder / "absent", file, "/proc"):
        done = await world.command("ledger", "archive", "--older-than", "300d", "--to", str(place), environ=nowhere)
        assert (2, True) == (done.code, f"--to {place}" in done.err), done.err
    for words in (("ledger", "archive", "--older-than", "300d", "--to", ""), ("audit", "verify", "--archives", " ")):
        blank = await world.command(*words, environ=nowhere)
        assert (2, True) == (blank.code, "must not be blank" in blank.err), blank.err


async def test_a_file_that_cannot_be_written_drops_nothing(world: World) -> None:
    """Where the disk takes no more, the month stays whole and can be changed, no file is left, and the error says so."""
    folder = aged(world, "2024-01")
    words = ("ledger", "archive", "--older-than", "300d", "--to", str(folder))
    refused = await world.command(*words, under=("prlimit", "--fsize=2000"))
    assert (2, True) == (refused.code, f"{folder}: File too large" in refused.err), refused.err
    assert "2024-01 is still in the ledger, whole" in refused.err
    assert [] == [*folder.iterdir()]
    assert [(3,)] == await world.sql("SELECT count(*) FROM retention.cancellations")
    erased = await world.command("ledger", "pseudonymise", "--user", "U-1", "--by", "ann")
    assert 0 == erased.code, erased.err
    assert 0 == (await archive(world, folder)).code
    assert 0 == (await world.command("audit", "verify")).code


async def test_a_month_that_leaves_cannot_be_changed(world: World) -> None:
    """While its files are written, a row that leaves refuses changes, and says why; the archive is right afterwards."""
    folder = aged(world, "2024-01")
    with holding(world, POINTS["recording"]):
        running = await world.start("ledger", "archive", "--older-than", "300d", "--to", str(folder))
        while not await world.sql(WAITS):
            assert not running.over, await running.ended()
            await asyncio.sleep(0.02)
        erased = await world.command("ledger", "pseudonymise", "--user", "U-1", "--by", "ann")
        assert (5, True) == (erased.code, "archiving 2024-01" in erased.err), erased.err
    assert 0 == (await running.ended()).code
    verified = await world.command("audit", "verify", "--archives", str(folder))
    assert 0 == verified.code, verified.out


async def test_a_login_that_does_not_own_the_ledger_is_refused(world: World) -> None:
    """Without the owner's login nothing is frozen or written, and the error names the options."""
    folder = aged(world, "2024-01")
    run_script(world.direct, sample("roles"))
    world.dsn = make_conninfo(world.dsn, options="-c role=retention_job")
    refused = await archive(world, folder)
    assert (2, True, []) == (refused.code, "owner_dsn" in refused.err, [*folder.iterdir()]), refused.err
    told = await archive(world, folder, "--dry-run")
    assert 0 == told.code, told.err


async def test_a_killed_archive_leaves_rounds_that_stay_where_they_were(world: World) -> None:
    """Killed while it waits to part the rounds that stay from the others, it has recorded and moved none of them."""
    folder = aged(world, "2024-01", refused=1)
    with holding(world, POINTS["detaching"]):
        await killed_while_waiting(world, "ledger", "archive", "--older-than", "300d", "--to", str(folder))
    assert ([(4,)], []) == (
        await world.sql("SELECT count(*) FROM retention.cancellations"),
        await world.sql("SELECT FROM retention.archives"),
    )
    assert 0 == (await archive(world, folder)).code
    assert [("2024-01-x1",)] == await world.sql("SELECT round_id FROM retention.cancellations")
    verified = await world.command("audit", "verify", "--archives", str(folder), "--json")
    assert 0 == verified.code, verified.out
