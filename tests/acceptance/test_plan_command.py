"""`plan`: a summary, breakdowns, and the rounds on a terminal or in a file."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.world import World


async def of_games(world: World, games: int) -> None:
    """Open two rounds of each of some games, and more of the last one."""
    await world.seed(2 * games + 3, stake="1.25")
    await world.sql(
        "UPDATE public.rounds SET game = 'g' || least(substr(round_id, 2)::int / 2, %(last)s)", last=games - 1
    )


async def test_a_plan_of_many_games_is_a_summary(world: World) -> None:
    """A plan shows its ten largest groups and how many more there are, and `--by` lists the whole of one kind."""
    await of_games(world, 60)
    await world.seed(1, prefix="se", market="SE", currency="SEK", stake="9")
    done = await world.command("plan")
    assert 0 == done.code, done.err
    lines = done.out.splitlines()
    assert 10 == sum(line.lstrip().startswith("acme") for line in lines)
    assert any("g59" in line and "5" in line.split() for line in lines)
    assert "and 51 more: --by market, --by game or --by partner lists all" in lines
    assert "124 rounds to cancel, stakes 153.75 EUR, 9.00 SEK" in done.out
    done = await world.command("plan", "--by", "market", "--by", "game")
    assert [["MT", "123", "153.75", "EUR"], ["SE", "1", "9.00", "SEK"]] == [
        line.split()[:4] for line in done.out.splitlines() if line.startswith(("MT", "SE"))
    ]
    assert 60 == sum(line.startswith("g") and line.split()[1] in {"2", "5"} for line in done.out.splitlines())
    told = (await world.command("plan", "--by", "partner", "--json")).json
    assert 61 == len(told["groups"])
    assert [("acme", "EUR", 123), ("acme", "SEK", 1)] == [
        (one["name"], one["currency"], one["rounds"]) for one in told["by"]["partner"]
    ]


async def test_the_rounds_of_a_plan_go_into_a_file(world: World) -> None:
    """`-o` writes the rounds that the terminal lists, left out ones with their reason, as CSV or JSON by its ending."""
    await world.seed(3, stake="1.25")
    await world.command("hold", "add", "--round", "r1", "--reason", "x", "--by", "tess")
    done = await world.command("plan", "--rounds", "-o", "plan.csv")
    assert (0, "", "plan.csv: 3 rounds\n") == (done.code, done.out, done.said)
    with (world.folder / "plan.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [("r0", "eligible"), ("r2", "eligible"), ("r1", "held")] == [
        (one["round_id"], one["standing"]) for one in rows
    ]
    assert {("acme", "1.25", "EUR", "MT")} == {
        (one["partner"], one["stake"], one["currency"], one["market"]) for one in rows
    }
    assert 0 == (await world.command("plan", "--rounds", "-o", "plan.json")).code
    told = json.loads((world.folder / "plan.json").read_text("utf-8"))
    assert (2, {"held": 1}) == (told["rounds"], told["left_out"])
    assert [one["round_id"] for one in rows] == [one["round_id"] for one in told["listed"]]
    out = (await world.command("plan", "--rounds")).out
    assert ["eligible", "eligible", "held"] == [
        line.partition(":")[0] for line in out.splitlines() if ": acme/r" in line
    ]
    assert rows == list(csv.DictReader((await world.command("plan", "--rounds", "--format", "csv")).out.splitlines()))


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("--rounds", "-o", "plan.txt"), "-o plan.txt: its ending names no format; end it with .csv or .json"),
        (("-o", "plan.csv"), "-o goes with --rounds"),
        (("--format", "csv"), "--format goes with --rounds"),
        (("--rounds", "--json", "--format", "csv"), "--json and --format csv exclude each other"),
        (("--rounds", "-o", "nowhere/plan.csv"), "-o nowhere/plan.csv: no place for a file"),
        (("--rounds", "--format", "csv", "--by", "game"), "--by does not go with rounds as CSV"),
    ],
)
async def test_words_that_do_not_go_together_are_refused(world: World, words: tuple[str, ...], refusal: str) -> None:
    """What `plan` refuses for its own words it refuses before it connects to anything."""
    world.dsn = "host=127.0.0.1 port=1"
    done = await world.command("plan", *words)
    assert 2 == done.code
    assert refusal in done.err
