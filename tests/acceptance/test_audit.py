"""`audit` proves the evidence of real runs, from the checkpoints that they printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import run as run_script
from support.bare_database import sample

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import Done, World

BY = ("--by", "ann")


async def settled(world: World) -> list[Done]:
    """Let runs and people leave evidence of every kind that commands make; returns what they printed."""
    world.partner["max_attempts"] = 1
    await world.seed(6)
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "code": "99"}, {"round_ids": ["r2"], "status": 500})
    done = [
        await world.command("hold", "add", "--round", "r3", "--reason", "a complaint", *BY),
        await world.command("pause", "--reason", "incident", *BY),
        await world.command("resume", *BY),
        await world.command("run", "--json", *BY),
        await world.command("hold", "release", "1", *BY),
    ]
    listed = (await world.command("review", "list", "--json")).json
    ids = [str(row["id"]) for row in listed if row["round_id"] == "r2"]
    done.append(await world.command("review", "resolve", *ids, "--as", "rejected", "--note", "asked", *BY))
    await world.seed(2, prefix="late")
    done.append(await world.command("run", "--dry-run", "--json", *BY))
    assert [0, 0, 0, 4, 0, 0, 0] == [one.code for one in done], [one.err for one in done]
    return done


def logged(world: World, done: list[Done]) -> Path:
    """Keep the log of these commands in a file."""
    path = world.folder / "retention.log"
    path.write_text("".join(one.err for one in done), "utf-8")
    return path


async def test_the_evidence_of_runs_and_people_verifies(world: World) -> None:
    """After runs and decisions all fits, beside every checkpoint that they logged."""
    log = logged(world, await settled(world))
    done = await world.command("audit", "verify", "--json", "--anchors", str(log))
    assert (0, True, []) == (done.code, done.json["ok"], done.json["findings"]), done.out
    assert len([line for line in log.read_text("utf-8").splitlines() if '"audit.checkpoint"' in line]) > 3
    assert done.json["anchors"]["checked"] == done.json["checkpoints"]["count"] > 3
    assert done.json["entries"]["unplaced"] == 0


async def test_what_differs_is_named_to_a_person_and_to_a_program(world: World) -> None:
    """A rewritten refund is exit 4, and told with its table, id, run, entry and place, within 80 columns."""
    await settled(world)
    await world.sql("UPDATE retention.cancellations SET amount = 150 WHERE round_id = 'r0'")
    ((number, run_id),) = await world.sql("SELECT id, run_id FROM retention.cancellations WHERE round_id = 'r0'")
    told = await world.command("audit", "verify", "--json")
    assert 4 == told.code
    (finding,) = told.json["findings"]
    assert ("row_changed", "cancellations", str(number), str(run_id)) == tuple(
        finding[name] for name in ("kind", "table", "id", "run_id")
    )
    shown = await world.command("audit", "verify")
    assert 4 == shown.code
    assert "NOT OK: 1 finding" in shown.out
    assert f"row_changed: cancellations {number}\n    run {run_id}, entry " in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    elsewhere = await world.command("audit", "verify", "--to", "2020-01-01")
    assert (0, "rows: none") == (elsewhere.code, next(line for line in elsewhere.out.splitlines() if "rows" in line))


async def test_a_run_that_is_gone_can_be_asked_about(world: World) -> None:
    """A run that only the evidence knows is verified by its id, and its lost rows are told."""
    done = await settled(world)
    run_id = done[3].json["run_id"]
    await world.sql("DELETE FROM retention.attempts WHERE run_id = %(run)s", run=run_id)
    found = await world.command("audit", "verify", "--run", run_id[:8], "--json")
    assert 4 == found.code
    assert {("row_missing", "attempts", run_id)} == {
        (one["kind"], one["table"], one["run_id"]) for one in found.json["findings"]
    }
    await world.sql("TRUNCATE retention.runs CASCADE")
    found = await world.command("audit", "verify", "--run", run_id, "--json")
    assert (4, {"attempts", "cancellations", "runs"}) == (found.code, {one["table"] for one in found.json["findings"]})


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("absent.log", None, "No such file"),
        ("empty.log", "", "no checkpoint is in it"),
        ("other.log", '{"event": "run.started"}\n', "no checkpoint is in it"),
    ],
)
async def test_a_file_without_a_checkpoint_is_refused(
    world: World, name: str, content: str | None, expected: str
) -> None:
    """An anchor that cannot be read, or has nothing to compare, is exit 2 and named, before any connection."""
    path = world.folder / name
    if content is not None:
        path.write_text(content, "utf-8")
    nowhere = {"RETENTION_DATABASE__DSN": "postgresql://127.0.0.1:1/nothing"}
    done = await world.command("audit", "verify", "--anchors", str(path), environ=nowhere)
    assert (2, "") == (done.code, done.out)
    assert f"--anchors {path}: {expected}" in done.err


async def test_several_anchors_are_given_at_once(world: World) -> None:
    """Files after --anchors, and after another --anchors, are all read; a file without the option is refused."""
    done = await settled(world)
    log = logged(world, done)
    result = world.folder / "result.json"
    result.write_text(done[3].out, "utf-8")
    forked = world.folder / "forked.json"
    forked.write_text(json.dumps({"checkpoint": {"size": 2, "root": "A" * 43 + "="}}), "utf-8")
    words = ("audit", "verify", "--json", "--anchors", str(log), str(forked), "--anchors", str(log))
    found = await world.command(*words)
    assert (4, {"anchor_differs"}) == (found.code, {one["kind"] for one in found.json["findings"]})
    assert str(forked) == found.json["findings"][0]["detail"]
    refused = await world.command("audit", "verify", str(log))
    assert 2 == refused.code
    assert "--anchors" in refused.err


async def test_the_reporting_login_verifies(world: World) -> None:
    """The role that only reads may verify."""
    await settled(world)
    run_script(world.direct, sample("roles"))
    world.dsn = make_conninfo(world.dsn, options="-c role=retention_report")
    done = await world.command("audit", "verify", "--json")
    assert (0, True) == (done.code, done.json["ok"]), done.err
