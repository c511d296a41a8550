"""RUN_ID may be shortened in any command, and a bad one is refused before a connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo

if TYPE_CHECKING:
    from support.ledger import Book
    from support.world import World

ALONE = "0a11e1f0-0000-4000-8000-00000000000a"
TWINS = ("c0ffee00-1000-4000-8000-000000000001", "c0ffee00-2000-4000-8000-000000000002")
COMMANDS = {
    "run --resume": ("run", "--resume"),
    "runs show": ("runs", "show"),
    "report --run": ("report", "--run"),
    "runs close": ("runs", "close", "--by", "tess", "--note", "x"),
}
"""Each with the run id as its last word."""


@pytest.fixture
async def runs(book: Book) -> None:
    """Record one run with digits of its own, and two that share their first digits."""
    settings = '{"name": "nightly", "open_longer_than": "3d", "max_rounds": 5, "mode": "enforce"}'
    for number, run_id in enumerate((ALONE, *TWINS)):
        await book.run(run_id=run_id, policy=f"policy-{number}", settings=settings)


@pytest.mark.usefixtures("runs")
async def test_a_run_id_may_be_shortened(world: World) -> None:
    """The first eight digits suffice, with or without dashes and in any case; shared digits list both runs."""
    for name, words in COMMANDS.items():
        shortened = "0A11E1F00000" if name == "runs show" else ALONE[:8]
        found, ambiguous, longer, unknown = await asyncio.gather(
            world.command(*words, shortened),
            world.command(*words, TWINS[0][:8]),
            world.command(*words, TWINS[0][:10]),
            world.command(*words, "00000000"),
        )
        if name == "runs close":
            assert (2, f"error: run {ALONE} is finished already: there is nothing to call off\n") == (
                found.code,
                found.err,
            )
        else:
            assert 0 == found.code, (name, found)
        assert 2 == ambiguous.code, (name, ambiguous)
        assert "error: run c0ffee00 fits more than one run; write more of its digits:" in ambiguous.err
        for run_id, policy in zip(TWINS, ("policy-1", "policy-2"), strict=True):
            assert f"  {run_id}  {policy}, as of 2025-03-05T11:00:00Z" in ambiguous.err
        assert (2 if name == "runs close" else 0) == longer.code, (name, longer)
        assert (2, "error: there is no run 00000000; `retention runs list` shows the newest\n") == (
            unknown.code,
            unknown.err,
        )
    listed = await world.command("runs", "list")
    shown = {line.split()[0] for line in listed.out.splitlines() if line.split()[0][:2] in {"0a", "c0"}}
    assert {"0a11e1f0", "c0ffee00-1", "c0ffee00-2"} == shown


NONE = ("3f2a9c1", "no-uuid", "latest", "", "3f2a9c1e-5504-457d-bdf7-cf0c0811b44600")


async def test_a_malformed_run_id_is_refused_before_connecting(world: World) -> None:
    """Too few digits, or other signs, are refused at once in our own words, even without the database."""
    world.dsn = make_conninfo(world.dsn, host="127.0.0.1", port=1)
    asked = [(*words, text) for words in COMMANDS.values() for text in NONE]
    for words, done in zip(asked, await asyncio.gather(*(world.command(*words) for words in asked)), strict=True):
        assert 2 == done.code, words
        blank = "must not be blank: write a run id, as `retention runs list` shows them"
        assert (blank if words[-1] == "" else f"{words[-1]!r} is no run id; write its first 8 digits") in done.err
        assert 1 == len(done.err.splitlines())


WRONG_NUMBERS = {
    ("runs", "list", "--limit", "abc"): "'--limit': 'abc' is no whole number; write one, in digits",
    ("runs", "list", "--limit", "0"): "'--limit': 0 is too small; write 1 or more",
    ("plan", "--limit", "1.5"): "'--limit': '1.5' is no whole number",
    ("hold", "release", "x", "--by", "tess"): "'HOLD_ID': 'x' is no whole number",
    ("review", "reclose", "7", "x", "--by", "tess"): "'ID': 'x' is no whole number",
    ("simulate", "--port", "65536"): "'--port': 65536 is too large; write 65535 or less",
    ("demo", "--rounds", "3"): "'--rounds': 3 is too small; write 20 or more",
    ("report", "--format", "xml"): "'--format': 'xml' is not one of 'table', 'csv', 'json'",
    ("--log-level", "loud", "check"): "'--log-level': 'loud' is not one of",
}


async def test_the_command_line_is_refused_in_our_own_words(world: World) -> None:
    """A bad number or an unknown word gives one line with the mend."""
    asked = list(WRONG_NUMBERS)
    for words, done in zip(asked, await asyncio.gather(*(world.command(*words) for words in asked)), strict=True):
        assert (2, 1) == (done.code, len(done.err.splitlines())), done
        assert f"error: Invalid value for {WRONG_NUMBERS[words]}" in done.err
        assert not any(strange in done.err for strange in ("Input should", "Value error", "parse string"))
