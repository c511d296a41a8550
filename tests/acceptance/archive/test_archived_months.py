"""Who asks for what is archived is told so, with the files that have it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support.aged_ledger import run_of
from support.archiving import aged, archive, offline

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import World

ROUNDS = "ledger-2024-01-cancellations.parquet"
JANUARY = ("--from", "2024-01-01", "--to", "2024-02-01")


async def archived(world: World, **facts: Any) -> Path:
    """Archive January of 2024; the month after it is not that old."""
    folder = aged(world, "2024-01", "2026-10", **facts)
    done = await archive(world, folder)
    assert 0 == done.code, done.err
    return folder


@pytest.mark.parametrize("kind", ["cancelled", "pending", "refunds", "decisions"])
async def test_a_report_of_an_archived_month_is_not_whole(world: World, kind: str) -> None:
    """A period that touches an archived month says so on stderr, in its table and in its JSON; another one does not."""
    await archived(world)
    told = await world.command("report", "--kind", kind, *JANUARY, "--json")
    assert (0, ["2024-01"]) == (told.code, [one["month"] for one in told.json["archived"]]), told.err
    assert ROUNDS in told.json["archived"][0]["files"]
    assert ROUNDS in told.said
    shown = await world.command("report", "--kind", kind, *JANUARY)
    assert "not whole: 2024-01 is archived" in shown.out
    other = await world.command("report", "--kind", kind, "--from", "2026-10-01", "--to", "2026-11-01", "--json")
    assert ([], False) == (other.json["archived"], "archived" in other.said)


async def test_a_round_of_an_archived_month_is_explained(world: World) -> None:
    """A round that was cancelled in an archived month names it and its files, and no policy would plan it again."""
    await archived(world)
    await world.seed(1, prefix="2024-01-", at_vendor=False)
    await world.sql("UPDATE public.rounds SET round_id = '2024-01-1' WHERE round_id = '2024-01-0'")
    words = ("explain", "--partner", "acme", "--round", "2024-01-1")
    told = await world.command(*words, "--json")
    assert (0, "2024-01") == (told.code, told.json["cancelled_in"]["month"]), told.err
    assert "cancelled in 2024-01, which is archived" in told.json["policies"][0]["why_not"][0]
    shown = await world.command(*words)
    assert ("cancelled in 2024-01, which is archived" in shown.out, ROUNDS in shown.out) == (True, True)
    unknown = await world.command("explain", "--partner", "acme", "--round", "2026-10-1", "--json")
    assert (None, ["2024-01"]) == (
        unknown.json["cancelled_in"],
        [one["month"] for one in unknown.json["archived"]],
    )


async def test_ids_of_an_archived_month_are_found_as_such(world: World) -> None:
    """`find` names the month of an archived round and run, and says what it did not search."""
    await archived(world)
    by_round = (await world.command("find", "2024-01-1", "--json")).json
    assert ["2024-01"] == [one["month"] for one in by_round["archived"]]
    by_run = (await world.command("find", str(run_of("2024-01")), "--json")).json
    assert ["2024-01"] == [one["month"] for one in by_run["archived"]]
    shown = await world.command("find", "U-77")
    assert "not searched: 1 archive" in shown.out


async def test_a_run_of_an_archived_month_says_so(world: World) -> None:
    """`runs show --set` and `audit export` name the files that have the rest; what the export has still verifies."""
    folder = await archived(world, refused=1, late=True)
    run = str(run_of("2024-01"))
    shown = await world.command("runs", "show", run, "--set", "--json")
    assert (1, ["2024-01"]) == (len(shown.json["rounds"]), [one["month"] for one in shown.json["archived"]])
    assert ROUNDS in shown.said
    file = folder / "run.json"
    exported = await world.command("audit", "export", "--run", run, "-o", str(file))
    assert (0, True) == (exported.code, ROUNDS in exported.said), exported.err
    assert ["2024-01"] == [one["month"] for one in json.loads(file.read_text("utf-8"))["archived"]]
    code, out = offline(file)
    assert 0 == code, out


async def test_what_acts_on_archived_rounds_says_so(world: World) -> None:
    """`reconcile`, `review resolve`, `review reclose` and `ledger pseudonymise` tell of the archive; status lists it."""
    await archived(world)
    compared = await world.command("reconcile", *JANUARY, "--json")
    assert ["2024-01"] == [one["month"] for one in compared.json["archived"]], compared.err
    number = str(202401 * 10**10 + 2)
    for words in (
        ("review", "resolve", number, "--as", "rejected", "--by", "ann", "--note", "x"),
        ("review", "reclose", number, "--by", "ann"),
    ):
        refused = await world.command(*words)
        assert (2, True) == (refused.code, f"cancellation {number} is of 2024-01" in refused.err), refused.err
    erased = await world.command("ledger", "pseudonymise", "--user", "U-1", "--by", "ann")
    assert "the files of 1 archive are not changed" in erased.said, erased.err
    unknown = await world.command("ledger", "pseudonymise", "--user", "U-77", "--by", "ann")
    assert (2, True) == (unknown.code, "1 archive may have it" in unknown.err), unknown.err
    status = (await world.command("ledger", "status", "--json")).json
    assert [("2024-01", 3, 0)] == [(one["month"], one["rounds"], one["kept"]) for one in status["archives"]]
    assert "archived month" in (await world.command("ledger", "status")).out


async def test_a_named_round_of_an_archived_month_is_refused_as_cancelled(world: World) -> None:
    """`cancel` says of a round that an archived month has cancelled that it is so, whether it is open again or not."""
    await archived(world)
    await world.seed(1, prefix="2024-01-1", at_vendor=False)
    await world.sql("UPDATE public.rounds SET round_id = '2024-01-1'")
    words = ("--round", "2024-01-1", "--round", "2024-01-2", "--evidence", "ticket 7", "--by", "ann", "--json")
    refused = await world.command("cancel", "--partner", "acme", *words)
    assert 2 == refused.code, refused.err
    assert 2 == refused.out.count("cancelled already, in a month that is archived"), refused.out
    assert [] == world.cancels
