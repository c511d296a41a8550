"""`plan --compare`: what became of the rounds that earlier runs planned."""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from support.world import SECURE_LOGIN

from retention.simulator.rounds import Round, RoundStatus

if TYPE_CHECKING:
    from support.world import World

FATES = {
    "r0": ("gone", ""),
    "r1": ("active", ""),
    "r2": ("another_round", "opened_again"),
    "r3": ("held", ""),
    "r4": ("changed_stake", ""),
    "r5": ("cancelled", ""),
    "r6": ("left_out", "not_selected"),
    "r7": ("left_out", "no_market"),
    "r8": ("another_round", "another_user"),
    "r9": ("still_stale", ""),
    "vendor0": ("completed", ""),
    "later0": ("new", ""),
}
"""What becomes of each round after the dry run, and why."""


async def dry_run(world: World) -> str:
    """Make a dry run; returns its id."""
    done = await world.command("run", "nightly", "--dry-run", "--json")
    assert 0 == done.code, done.err
    run_id: str = done.json["run_id"]
    return run_id


async def meanwhile(world: World) -> None:
    """Let a day pass at the operator's."""
    await world.sql(
        "ALTER TABLE public.rounds ALTER market DROP NOT NULL;"
        "UPDATE public.rounds SET status = 1 WHERE round_id = 'r0';"
        "UPDATE public.rounds SET last_activity_at = now() WHERE round_id = 'r1';"
        "UPDATE public.rounds SET opened_at = opened_at + interval '1 hour' WHERE round_id = 'r2';"
        "UPDATE public.rounds SET stake = 7 WHERE round_id = 'r4';"
        "UPDATE public.rounds SET game = 'excluded' WHERE round_id = 'r6';"
        "UPDATE public.rounds SET market = NULL WHERE round_id = 'r7';"
        "UPDATE public.rounds SET user_id = 'user-other' WHERE round_id = 'r8'"
    )
    await world.command("hold", "add", "--round", "r3", "--reason", "x", "--by", "tess")
    await world.seed(1, prefix="later", currency="SEK", stake="20")
    world.vendor.register([Round(SECURE_LOGIN, "vendor0", "user-vendor0", "game", status=RoundStatus.COMPLETED)])
    named = ("--round", "r5", "--round", "vendor0")
    await world.command("cancel", "--partner", "acme", *named, "--evidence", "x", "--by", "tess", "--yes")
    world.policy["exclude_games"] = ["excluded"]


async def test_each_round_has_one_word(world: World) -> None:
    """A comparison names each round of the dry run and of the plan of now exactly once, and its counts add up."""
    await world.seed(10, stake="1.50")
    await world.seed(1, prefix="vendor", stake="1.50")
    run = await dry_run(world)
    await meanwhile(world)
    done = await world.command("plan", "--compare", run[:8], "--rounds", "--format", "csv")
    assert 0 == done.code, done.err
    rows = list(csv.DictReader(done.out.splitlines()))
    assert len(FATES) == len(rows)
    assert {one["round_id"]: (one["word"], one["why"]) for one in rows} == FATES
    told = (await world.command("plan", "--compare", run, "--json")).json
    compared = told["compared"]
    assert Counter(word for word, _ in FATES.values()) == Counter(
        {one["word"]: one["rounds"] for one in compared["words"] if one["rounds"]}
    )
    assert (11, 5, 7) == (compared["rounds_then"], compared["came_back"], told["rounds"])
    assert 7 == compared["rounds_now"]
    planned = {one["round_id"] for one in rows if one["planned_now"] == "True"}
    assert {"r1", "r2", "r4", "r8", "r9", "vendor0", "later0"} == planned
    assert {"EUR": "16.5"} == compared["stakes_then"]
    assert {"EUR": "7.5"} == compared["came_back_stakes"]
    assert {"EUR": "7"} == compared["stakes_changed_to"]
    assert [("MT", 11, 5, 7)] == [tuple(one.values()) for one in compared["by"]["market"]]
    assert ["exclude_games", "mode"] == [one["key"] for one in compared["settings"]]


async def test_a_comparison_tells_what_it_proves(world: World) -> None:
    """A terminal gets the counts, stakes and settings that differ, and the limits of what `gone` proves."""
    await world.seed(10)
    await world.seed(1, prefix="vendor", stake="1.50")
    run = await dry_run(world)
    await meanwhile(world)
    out = (await world.command("plan", "--compare", run, "--rounds")).out
    assert f"  dry run {run} of policy nightly, as of " in out
    assert "of 11 rounds then, 5 came back (45.5 %), stakes 7.50 EUR" in out
    assert 'setting mode: "dry_run" then, "enforce" now' in out
    assert "gone proves less: the view does not tell why a round left it." in out
    assert "changed_stake: acme/r4, MT, game, user-r4, " in out
    assert "1.50 EUR, now 7.00 EUR\n" in out
    assert len(FATES) == sum(": acme/" in line for line in out.splitlines())
    done = await world.command("plan", "--compare", run, "--rounds", "-o", "back.json")
    assert "back.json: 12 rounds" in done.said


async def test_an_enforcing_run_is_compared_too(world: World) -> None:
    """Of an enforcing run the cancelled rounds are said to be cancelled, and nothing came back."""
    await world.seed(3)
    run = (await world.command("run", "--json")).json["run_id"]
    compared = (await world.command("plan", "--compare", run, "--json")).json["compared"]
    assert [("cancelled", 3)] == [(one["word"], one["rounds"]) for one in compared["words"] if one["rounds"]]
    assert 0 == compared["came_back"]
    assert "enforcing run" in (await world.command("plan", "--compare", run)).out


async def test_a_run_of_another_policy_is_named(world: World) -> None:
    """A run of another policy is compared, and the output says that it is another one's."""
    await world.seed(1)
    world.policies["weekly"] = {"open_longer_than": "96h"}
    run = await dry_run(world)
    done = await world.command("plan", "weekly", "--compare", run)
    assert "policy nightly is another one: weekly may not look at all of its rounds" in done.out
    assert "setting open_longer_than: " in done.out


async def test_a_week_of_dry_runs_is_one_comparison(world: World) -> None:
    """Over several dry runs each round counts once, as the first of them planned it; repeated or by their begin."""
    await world.seed(4)
    first = await dry_run(world)
    await world.sql("UPDATE public.rounds SET last_activity_at = now() WHERE round_id = 'r0'")
    await world.seed(2, prefix="later")
    second = await dry_run(world)
    await world.sql("UPDATE public.rounds SET status = 1 WHERE round_id IN ('r1', 'later1')")
    expected = {"active": 1, "gone": 2, "still_stale": 3}
    for words in (("--compare", first, "--compare", second), ("--compare-from", "2020-01-01")):
        compared = (await world.command("plan", *words, "--json")).json["compared"]
        assert expected == {one["word"]: one["rounds"] for one in compared["words"] if one["rounds"]}
        assert [first, second] == [one["run_id"] for one in compared["runs"]]
        assert (6, 3) == (compared["rounds_then"], compared["came_back"])
    compared = (await world.command("plan", "--compare", second, "--json")).json["compared"]
    assert {"gone": 2, "still_stale": 4} == {one["word"]: one["rounds"] for one in compared["words"] if one["rounds"]}


async def test_a_pseudonym_is_no_other_user(world: World) -> None:
    """A round whose user the ledger has replaced by a pseudonym is still the same round."""
    await world.seed(1)
    run = await dry_run(world)
    assert 0 == (await world.command("ledger", "pseudonymise", "--user", "user-r0", "--by", "tess")).code
    compared = (await world.command("plan", "--compare", run, "--json")).json["compared"]
    assert [("still_stale", 1)] == [(one["word"], one["rounds"]) for one in compared["words"] if one["rounds"]]


async def test_a_run_that_cannot_be_compared_is_refused(world: World) -> None:
    """An unknown run, a halted run without rounds, and a policy without dry runs are named."""
    await world.seed(3)
    done = await world.command("plan", "--compare", "12345678")
    assert (2, True) == (done.code, "there is no run 12345678" in done.err)
    done = await world.command("plan", "--compare-from", "2020-01-01")
    assert (2, True) == (done.code, "policy nightly has no dry run as of 2020-01-01" in done.err)
    world.policy["max_rounds"] = 1
    run = (await world.command("run", "--json")).json["run_id"]
    done = await world.command("plan", "--compare", run)
    assert (2, True) == (done.code, f"a rail halted run {run} before its 3 rounds were written" in done.err)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("--compare", "xyz"), "xyz"),
        (("--compare", "12345678", "--compare-from", "2026-01-01"), "exclude each other"),
        (("--compare-from", "yesterday"), "--compare-from 'yesterday': not a time"),
        (("--compare", "12345678", "--limit", "5"), "--limit does not go with a comparison"),
        (("--compare", "12345678", "--rounds", "-o", "x.txt"), "its ending names no format"),
    ],
)
async def test_words_are_refused_before_connecting(world: World, words: tuple[str, ...], refusal: str) -> None:
    """What a comparison refuses for its own words it refuses before it connects to anything."""
    world.dsn = "host=127.0.0.1 port=1"
    done = await world.command("plan", *words)
    assert (2, True) == (done.code, refusal in done.err), done.err
