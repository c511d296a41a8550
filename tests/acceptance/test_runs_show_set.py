"""`runs show --set`: the frozen set, and what became of each round."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.world import World


async def test_the_set_is_shown_in_each_format(world: World) -> None:
    """The set has each round with its state, as table, CSV and JSON, on stdout and in a file."""
    await world.seed(3)
    run = (await world.command("run", "--json")).json["run_id"]
    shown = await world.command("runs", "show", run[:8], "--set")
    assert (0, 3) == (shown.code, shown.out.count("cancelled"))
    rows = list(csv.DictReader(io.StringIO((await world.command("runs", "show", run, "--set", "--format", "csv")).out)))
    assert [("r0", "cancelled", "1.5"), ("r1", "cancelled", "1.5"), ("r2", "cancelled", "1.5")] == [
        (row["round_id"], row["state"], row["stake"]) for row in rows
    ]
    document = (await world.command("runs", "show", run, "--set", "--json")).json
    assert (run, ["r0", "r1", "r2"]) == (document["run_id"], [one["round_id"] for one in document["rounds"]])
    path = world.folder / "set.csv"
    done = await world.command("runs", "show", run, "--set", "--format", "csv", "-o", str(path))
    assert (0, "") == (done.code, done.out)
    assert 4 == len(path.read_bytes().splitlines())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--format", "csv"], "--format goes with --set"),
        (["-o", "set.csv"], "-o goes with --set"),
        (["--set", "--json", "--format", "csv"], "--json and --format csv exclude each other"),
        (["--set", "--format", "xml"], "'xml' is not one of"),
        (["--set", "-o", "/nowhere/at/all"], "no place for a file"),
    ],
)
async def test_words_that_do_not_fit_are_refused(world: World, words: list[str], problem: str) -> None:
    """Wrong options end the command with 2 before it connects."""
    nowhere = {"RETENTION_DATABASE__DSN": "postgresql://127.0.0.1:1/nothing"}
    done = await world.command("runs", "show", "12345678", *words, environ=nowhere)
    assert (2, True) == (done.code, problem in done.err), done.err
