"""Malicious words and places: the commands' output for people, and the files that they write."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.world import World


async def test_an_error_that_quotes_a_player_drives_no_terminal(world: World) -> None:
    """An id inside a database error is printed with its control characters escaped."""
    await world.sql(
        "INSERT INTO public.rounds (partner, market, user_id, round_id, opened_at)"
        " VALUES ('acme', 'MT', E'\\x1b[2J\\x07', 'r1', now() - interval '9 days');"
        " CREATE OR REPLACE VIEW retention.open_rounds AS SELECT partner, market, game AS game_id, user_id, round_id,"
        " opened_at, last_activity_at, currency, user_id::numeric AS stake, bet_tx AS bet_transaction_id FROM public.rounds"
    )
    done = await world.command("plan")
    assert 2 == done.code
    assert "\\x1b[2J\\x07" in done.err
    assert "\x1b" not in done.err


async def test_a_report_file_is_private_to_its_owner(world: World) -> None:
    """A report names players: its file is its owner's alone, unless one that is there says otherwise."""
    path = world.folder / "report.csv"
    assert 0 == (await world.command("report", "--format", "csv", "-o", "report.csv")).code
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    path.chmod(0o640)
    assert 0 == (await world.command("report", "--format", "csv", "-o", "report.csv")).code
    assert 0o640 == stat.S_IMODE(path.stat().st_mode)


async def test_a_report_goes_where_no_trap_leads_it(world: World) -> None:
    """An attacker's link at the guessed place of the unfinished file is neither followed nor lost."""
    precious, trap = world.folder / "precious", world.folder / ".report.csv.partial"
    precious.write_text("mine")
    trap.symlink_to(precious)
    assert 0 == (await world.command("report", "--format", "csv", "-o", "report.csv")).code
    assert ("mine", True) == (precious.read_text(), trap.is_symlink())
    assert "round_id" in (world.folder / "report.csv").read_text()


@pytest.mark.parametrize("linked", [False, True])
async def test_a_report_takes_the_place_of_no_device(world: World, linked: bool) -> None:
    """A special file, such as /dev/null or /dev/stdout, is written to, and stays a special file."""
    pipe = target = world.folder / "pipe"
    os.mkfifo(pipe)
    if linked:
        target = world.folder / "link"
        target.symlink_to(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert 0 == (await world.command("report", "--format", "csv", "-o", str(target))).code
        assert b"round_id" in os.read(reader, 65536)
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert linked == target.is_symlink()
