"""`report --kind decisions`: each decision that the commands record is in it exactly once, with person, login and words."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import pytest
from support.closing import replace
from support.job_login import OTHER_LOGIN, as_job

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import Done, World

HOSTILE = '=1+1\n<script>alert("x")</script>\r\n-- ; before: cancelled by fay at 2026'

RAISE = "IF 'less0' = ANY (p_round_id) THEN RAISE EXCEPTION 'no'; END IF;"


async def did(world: World, *words: str, code: int = 0) -> Done:
    """Run a command that is to end with this code."""
    done = await world.command(*words)
    assert code == done.code, (words, done.out, done.err)
    return done


async def decisions(world: World, *words: str) -> list[dict[str, Any]]:
    """The decisions of a report."""
    document = (await did(world, "report", "--kind", "decisions", "--json", *words)).json
    assert len(document["rounds"]) == document["count"] == sum(total["count"] for total in document["totals"])
    found: list[dict[str, Any]] = document["rounds"]
    return found


async def run_id_of(world: World, policy: str, *words: str, code: int) -> str:
    """Run a policy; return the run's id."""
    run_id: str = (await did(world, "run", policy, "--json", *words, code=code)).json["run_id"]
    return run_id


@pytest.fixture
async def guarded(world: World) -> World:
    """Return a world whose commands log in as the job, with a policy that requires approval and a narrow one."""
    as_job(world)
    world.policy |= {"markets": ["MT"], "requires_approval": True}
    world.policies["narrow"] = {"markets": ["SE"], "requires_approval": False, "max_rounds": 1}
    return world


async def test_each_decision_is_listed_once(guarded: World) -> None:
    """Each command of a person leaves one decision with its words and login; none is of a run by itself."""
    world = guarded
    await world.seed(3)
    await world.seed(3, prefix="se", market="SE")
    await did(world, "hold", "add", "--user", "user-r2", "--by", "hal", "--reason", HOSTILE, "--until", "2099-01-01")
    await did(world, "hold", "release", "1", "--by", "hew")
    first = await run_id_of(world, "nightly", "--by", "ann", "--reason", "order 17", code=6)
    await did(world, "approve", first, "--by", "bob", "--note", "as agreed")
    own = world.dsn
    world.dsn = own.replace("retention_job", OTHER_LOGIN)
    await did(world, "reject", first, "--by", "cleo", "--note", "not today")
    world.dsn = own
    second = await run_id_of(world, "narrow", "--by", "dan", "--reason", HOSTILE, code=3)
    await did(world, "pause", "--by", "pia", "--reason", "incident 12")
    await did(world, "resume", "--by", "rex")
    await did(world, "run", "--resume", second, "--override", "asked\nAnn", "--by", "eve")
    await world.seed(2, prefix="more", market="SE")
    third = await run_id_of(world, "narrow", "--by", "dan", "--reason", "again", code=3)
    await did(world, "runs", "close", third, "--by", "jo", "--note", "called off")
    named = ("cancel", "--partner", "acme", "--round", "r0", "--evidence", "T-7", "--reason", "a claim", "--by", "ivy")
    await did(world, *named, "--yes")

    found = await decisions(world)
    assert sorted(
        [
            ("held", "hal", HOSTILE, "until 2099-01-01T00:00:00Z", "hold", None),
            ("released", "hew", None, None, "hold", None),
            ("requested", "ann", "order 17", None, "run", "nightly"),
            ("approved", "bob", "as agreed", None, "run", "nightly"),
            ("rejected", "cleo", "not today", None, "run", "nightly"),
            ("requested", "dan", HOSTILE, None, "run", "narrow"),
            ("paused", "pia", "incident 12", None, "pause", None),
            ("resumed", "rex", None, None, "pause", None),
            ("overridden", "eve", "asked\nAnn", "rail max_rounds", "run", "narrow"),
            ("requested", "dan", "again", None, "run", "narrow"),
            ("closed", "jo", "called off", None, "run", "narrow"),
            ("requested", "ivy", "a claim", "evidence T-7", "run", "targeted"),
        ],
        key=str,
    ) == sorted(
        [(row["decision"], row["by"], row["words"], row["detail"], row["subject"], row["policy"]) for row in found],
        key=str,
    )
    logins = {row["decision"]: row["login"] for row in found}
    assert OTHER_LOGIN == logins.pop("rejected")
    assert {"retention_job"} == set(logins.values())
    (approval,) = (row for row in found if row["decision"] == "approved")
    assert (first, 64, "on_demand") == (approval["run_id"], len(approval["plan_digest"]), approval["trigger"])
    by_run = await decisions(world, "--run", second)
    assert {"requested", "paused", "resumed", "overridden"} == {row["decision"] for row in by_run}
    lines = [*csv.DictReader(io.StringIO((await did(world, "report", "--kind", "decisions", "--format", "csv")).out))]
    assert len(found) == len(lines)
    assert not [cell for line in lines for cell in line.values() if cell[:1] in set("=+-@")]
    table = (await did(world, "report", "--kind", "decisions")).out
    assert all(words in table for words in ("overridden", "eve", "retention_job", "called off"))
    # Adjoining periods hold each decision once.
    times = sorted(row["at"] for row in found)
    ends = [*times[::3], "2099-01-01"]
    parts = [
        row
        for start, end in zip(["2020-01-01", *ends], ends, strict=False)
        for row in await decisions(world, "--from", start, "--to", end)
    ]
    assert found == parts


async def test_resolutions_and_closings_are_listed_once_for_each_round(world: World) -> None:
    """A resolution that is replaced, a file, a closing by hand and an erasure are each listed with their own words."""
    world.policy |= {"max_failure_ratio": 1.0, "max_conflicts": 1000}
    less, refused = await world.seed(1, prefix="less"), await world.seed(2, prefix="refused")
    world.vendor.faults = Faults.of({"round_ids": less, "amount": "1.49"}, {"round_ids": refused, "code": "99"})
    await replace(world, begin=RAISE)
    await did(world, "run", "--by", "ann", code=4)
    ids = {row["round_id"]: str(row["id"]) for row in (await world.command("review", "list", "--json")).json}
    resolve = ("review", "resolve")
    await did(world, *resolve, ids["less0"], "--as", "cancelled", "--by", "fay", "--note", HOSTILE, code=4)
    await replace(world)
    await did(world, "review", "reclose", "--by", "gus")
    await did(world, *resolve, ids["refused0"], "--as", "rejected", "--by", "fay", "--note", HOSTILE)
    await world.sql(
        "INSERT INTO retention.findings (cancellation_id, kind) SELECT id, 'open_at_vendor'"
        " FROM retention.cancellations WHERE round_id = 'refused0'"
    )
    listed = io.StringIO((await did(world, "review", "list", "--format", "csv")).out, newline="")
    rows = [*csv.DictReader(listed)]
    for row in rows:
        state = "already_completed" if row["round_id"] == "refused0" else "rejected"
        row |= {"as": state, "note": f"from the file for {row['round_id']}"}
    with (world.folder / "filled.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    await did(world, *resolve, "--from-file", "filled.csv", "--by", "fil", "--yes")
    await did(world, "ledger", "pseudonymise", "--user", "user-less0", "--by", "lou")

    found = [row for row in await decisions(world) if row["decision"] != "requested"]
    assert [
        ("resolved", "fay", "less0", HOSTILE, "cancelled -> cancelled"),
        ("reclosed", "gus", "less0", None, None),
        ("resolved", "fay", "refused0", HOSTILE, "rejected -> rejected"),
        ("resolved", "fil", "refused0", "from the file for refused0", "rejected -> already_completed"),
        ("resolved", "fil", "refused1", "from the file for refused1", "rejected -> rejected"),
        ("pseudonymised", "lou", None, None, "1 row"),
    ] == [(row["decision"], row["by"], row["round_id"], row["words"], row["detail"]) for row in found]
    assert {"postgres"} == {row["login"] for row in found}
    assert "pseudonym:" in found[0]["user_id"]
    hidden = await decisions(world, "--pseudonymise")
    assert all(row["user_id"] is None or row["user_id"].startswith("pseudonym:") for row in hidden)


async def test_a_resumed_run_names_the_person(world: World) -> None:
    """A person who resumes a halted run without passing a rail is listed, and a run that joins by itself is not."""
    await world.seed(2)
    await did(world, "pause", "--by", "pia", "--reason", "incident 12")
    run_id = await run_id_of(world, "nightly", code=3)
    await did(world, "resume", "--by", "rex")
    await did(world, "run", "--resume", run_id, "--by", "kim")

    found = [row for row in await decisions(world) if row["subject"] == "run" and row["decision"] != "requested"]
    assert [("continued", "kim", run_id)] == [(row["decision"], row["by"], row["run_id"]) for row in found]


async def test_altered_values_are_no_riddle(world: World) -> None:
    """A report or page over evidence or overrides that are no JSON of ours ends with 2, and points at `audit verify`."""
    await world.seed(1)
    await did(world, "hold", "add", "--round", "other", "--by", "hal", "--reason", "a dispute")
    await did(world, "run")
    listed, page = ("report", "--kind", "decisions"), ("report", "--format", "html", "-o", "page.html")
    for words, statement in (
        (page, "UPDATE retention.runs SET overrides = '[1]'"),
        (listed, """UPDATE retention.runs SET overrides = '[{"at": "a day"}]'"""),
        (listed, "UPDATE retention.runs SET overrides = '[]'; UPDATE retention.evidence SET body = 'no json'"),
        (listed, """UPDATE retention.evidence SET body = '{"at": "a day"}'"""),
        (listed, """UPDATE retention.evidence SET body = '{"rows": {"hold": 5}}'"""),
    ):
        await world.sql(f"SET session_replication_role = replica; {statement}")  # past the trigger that forbids it
        done = await did(world, *words, code=2)
        assert "`retention audit verify`" in done.said, done.err
        assert "Traceback" not in done.err
