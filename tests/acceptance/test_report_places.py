"""The places of a report: files, pipes and devices, the progress on a terminal, and the files after a stop."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from support.terminal import on_terminal

if TYPE_CHECKING:
    from support.world import World

CSV = ("report", "--format", "csv")


@pytest.fixture
async def settled(world: World) -> World:
    """A world with two cancelled rounds."""
    await world.seed(2)
    assert 0 == (await world.command("run", "--json")).code
    return world


def files(world: World) -> set[str]:
    """Return the names of the files beside the configuration."""
    return {one.name for one in world.folder.iterdir()} - {"retention.toml"}


async def test_a_terminal_shows_the_rows_written(settled: World) -> None:
    """On a terminal a report that goes elsewhere shows its rows and time left, and the report has none of it."""
    terminal = await on_terminal(settled, *CSV)
    code, out = await terminal.ended()
    assert (0, 3) == (code, out.count("\r\n")), terminal.screen
    assert re.search(r"writing .*\d/2 .*left", terminal.screen), terminal.screen
    to_file = await on_terminal(settled, *CSV, "-o", "report.csv")
    code, out = await to_file.ended()
    assert (0, "") == (code, out)
    assert re.search(r"report\.csv: 2 rows, report [0-9a-f-]{36}", to_file.screen), to_file.screen


async def test_without_a_terminal_one_line_names_file_and_report(settled: World) -> None:
    """After a file is written one line names it, its rows and its id; a report without rows says so."""
    some, none, printed, empty = await asyncio.gather(
        settled.command(*CSV, "-o", "some.csv"),
        settled.command(*CSV, "-o", "none.csv", "--period", "2020"),
        settled.command(*CSV),
        settled.command(*CSV, "--period", "2020"),
    )
    assert re.fullmatch(r"some\.csv: 2 rows, report [0-9a-f-]{36}\n", some.err)
    assert re.fullmatch(r"none\.csv: no activity, report [0-9a-f-]{36}\n", none.err)
    assert ("", "no activity\n") == (printed.err, empty.err)
    assert 1 == empty.out.count("\r\n") == (settled.folder / "none.csv").read_text("utf-8").count("\n")
    assert some.err.split()[-1] in (settled.folder / "some.csv").read_text("utf-8")


async def test_a_pipe_gets_the_report(settled: World) -> None:
    """A report goes through a named pipe, and to stdout by its name without replacing the file behind it."""
    pipe, kept = settled.folder / "pipe", settled.folder / "kept.csv"
    os.mkfifo(pipe)
    kept.write_text("the first line\n", "utf-8")
    reading = asyncio.create_task(asyncio.to_thread(pipe.read_bytes))
    done = await settled.command(*CSV, "-o", "pipe")
    assert (0, 3) == (done.code, (await reading).count(b"\r\n")), done.err
    shell = ("bash", "-c", 'exec "$0" "$@" >> kept.csv')
    added = await settled.command(*CSV, "-o", "/dev/stdout", under=shell)
    assert (0, "") == (added.code, added.said)
    assert ("the first line\n", 3) == (kept.read_text("utf-8")[:15], kept.read_bytes().count(b"\r\n"))
    assert {"pipe", "kept.csv"} == files(settled)


REFUSED = {
    "a folder": (".", "-o .: no place for a file; name a file in a folder that can be written to"),
    "a missing folder": ("nowhere/report.csv", "-o nowhere/report.csv: no place for a file"),
    "too long a name": ("n" * 256, "no place for a file; name a file"),
    "a full disk": ("/dev/full", "/dev/full: No space left on device; free some space there, or name another file"),
    "a pipe without a reader": ("pipe", "pipe: no program reads it; start its reader first, or name a file"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_place_that_takes_nothing_is_an_error(settled: World, case: str) -> None:
    """A place that cannot be written to ends the command with 2 and one line, and no file is left."""
    name, problem = REFUSED[case]
    if name == "pipe":
        os.mkfifo(settled.folder / name)
    done = await settled.command(*CSV, "-o", name)
    assert (2, "", 1) == (done.code, done.out, len(done.err.splitlines())), done.err
    assert problem in done.err
    assert set() == files(settled) - {"pipe"}


async def test_a_long_name_is_written(settled: World) -> None:
    """A name as long as the file system takes is written, although the unfinished file has more in its own."""
    for name in ("n" * 251 + ".csv", "é" * 125 + ".csv"):
        done = await settled.command(*CSV, "-o", name)
        assert (0, {name}) == (done.code, files(settled)), done.err
        (settled.folder / name).unlink()


async def test_a_stopped_report_leaves_nothing(settled: World) -> None:
    """SIGTERM leaves no file; after SIGKILL the unfinished one is known by its name."""
    for number, left in ((signal.SIGTERM, 0), (signal.SIGKILL, 1)):
        async with settled.locked("retention.cancellations"):
            process = await settled.start(*CSV, "-o", "report.csv")
            await settled.until_waiting()
            (name,) = files(settled)
            assert re.fullmatch(r"\.report\.csv\.\w{8}\.unfinished", name)
            process.signal(number)
            await process.ended()
        assert left == len(files(settled))
