"""`find`: which rounds and runs have an id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World


async def test_an_id_leads_to_its_rounds_and_runs(world: World) -> None:
    """The ids of a cancelled round lead to it, those of its run to the run, as table and as JSON, with exit code 0."""
    await world.seed(2)
    run = (await world.command("run", "--json")).json["run_id"]
    (row,) = await world.sql(
        "SELECT uuid FROM retention.attempts JOIN retention.cancellations c"
        " ON c.attempt_uuid = uuid WHERE round_id = 'r1'"
    )
    for given, kinds in {
        "r1": ["round"],
        "user-r1": ["user"],
        str(row.uuid): ["request"],
        "bet-r1": ["bet_transaction", "transaction"],
    }.items():
        done = await world.command("find", given, "--json")
        found = done.json
        assert (0, given, False) == (done.code, found["id"], found["more"])
        assert [("r1", kinds, run)] == [(one["round_id"], one["kinds"], one["run_id"]) for one in found["rounds"]]
        assert [(run, "nightly", "finished")] == [
            (one["run_id"], one["policy"], one["status"]) for one in found["runs"]
        ]
    found = (await world.command("find", run, "--json")).json
    assert ([], [run]) == (found["rounds"], [one["run_id"] for one in found["runs"]])
    shortened = await world.command("find", run[:8].upper(), "--json")
    assert (0, [run]) == (shortened.code, [one["run_id"] for one in shortened.json["runs"]])
    shown = await world.command("find", "user-r1")
    assert (0, True, True) == (shown.code, "r1" in shown.out, run in shown.out)


async def test_a_refund_under_another_transaction_is_found(world: World) -> None:
    """A refund's transaction that is not the one of the bet leads to the round all the same."""
    await world.seed(2)
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "replace": {"transactionId": "other-7"}})
    assert 4 == (await world.command("run")).code
    found = (await world.command("find", "other-7", "--json")).json
    assert [("r1", ["transaction"])] == [(one["round_id"], one["kinds"]) for one in found["rounds"]]
    assert [("other-7",)] == await world.sql("SELECT transaction_id FROM retention.other_transactions")


async def test_an_unknown_id_is_an_empty_result(world: World) -> None:
    """Nothing found is exit code 0, as for `explain`: a list without entries, or a sentence that says what to try."""
    done = await world.command("find", "--json", "--", "-R'1")
    assert (0, {"id": "-R'1", "rounds": [], "runs": [], "more": False, "archived": [], "not_searched": []}) == (
        done.code,
        done.json,
    )
    shown = await world.command("find", "R-1")
    assert (0, "nothing in the ledger has R-1") == (shown.code, shown.out.splitlines()[0])
    blank = await world.command("find", " ")
    assert (2, True) == (blank.code, blank.err.startswith("error: ID must not be blank")), blank.err
