"""A blank is no name, no reason and no market: each command refuses it, before it connects to any server."""

from __future__ import annotations

import asyncio
import os
import re
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from psycopg.conninfo import make_conninfo

from retention.cli.app import app
from retention.core.runs.run_ids import GivenRunId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.world import World

BLANKS = ("", "   ", "\u00a0", "\u200b", "\t", "\u2060\ufeff", "\x07", "\u3164")

SAMPLES = {str: "x", int: "1", Path: ".", GivenRunId: "00000000-0000-4000-8000-000000000000"}


def text_options() -> Iterator[tuple[str, ...]]:
    """Every command with a blank in one of its words of text, and something in the others that it needs."""
    blanks = cycle(BLANKS)
    for words, command in commands((), typer.main.get_command(app)):
        for param in command.params:
            if param.type_descriptor.annotation in {str, list[str]}:
                needed = [other for other in command.params if other.required and other is not param]
                given = [word for other in needed for word in said(other, SAMPLES[other.type_descriptor.annotation])]
                yield (*words, *given, *said(param, next(blanks)))


def commands(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command, with the words that call it."""
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, below in command.commands.items():
        yield from commands((*words, name), below)


def said(param: Any, value: str) -> list[str]:
    """A parameter as it is written."""
    name = max(param.opts, key=len)
    return [name, value] if name.startswith("-") else [value]


@pytest.mark.parametrize("share", [4, pytest.param(1, marks=pytest.mark.long)], ids=["some", "all"])
async def test_no_command_takes_a_blank(world: World, share: int) -> None:
    """For every option and every blank: exit 2, and the option is named, with the database away."""
    world.dsn = make_conninfo(world.dsn, host="127.0.0.1", port=1)
    cases = list(text_options())
    assert {("run", "--by"), ("hold", "--user"), ("report", "--market")} <= {(words[0], words[-2]) for words in cases}
    cases = cases[::share]
    turn = asyncio.Semaphore(4)

    async def ask(words: tuple[str, ...]) -> tuple[int, bool]:
        async with turn:
            done = await world.command(*words)
        return done.code, words[-2] in done.err or bool(re.search("error: [A-Z]+ must not be blank", done.err))

    found = await asyncio.gather(*map(ask, cases))
    assert [] == [(words, one) for words, one in zip(cases, found, strict=True) if one != (2, True)]


async def test_a_blank_market_beside_a_good_one_is_refused(world: World) -> None:
    """One blank market beside a good one is refused, and so is text that is not UTF-8."""
    done = await world.command("plan", "--market", "MT", "--market", " ")
    assert (2, True) == (done.code, "--market must not be blank" in done.err)
    done = await world.command("run", "--by", "\udcff")
    assert (2, "error: --by is not UTF-8; write it in that encoding\n") == (done.code, done.err)
    assert [] == await world.sql("SELECT FROM retention.runs")


async def test_the_requester_is_recorded_without_outer_blanks(world: World) -> None:
    """Outer blanks of a name are no part of it; those inside are."""
    done = await world.command("run", "--dry-run", "--by", "\u200b ann  of ops ", "--json")
    assert 0 == done.code, done.err
    assert [("ann  of ops",)] == await world.sql("SELECT requested_by FROM retention.runs")


async def test_a_blank_login_falls_back_to_the_user_number(world: World) -> None:
    """Without --by the environment says who it is; where that is blank, the user's number stands for the name."""
    done = await world.command(
        "run", "--dry-run", environ=dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "  ")
    )
    assert 0 == done.code, done.err
    assert [(f"uid {os.getuid()}",)] == await world.sql("SELECT requested_by FROM retention.runs")
