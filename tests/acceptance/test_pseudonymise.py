"""`ledger pseudonymise` replaces users' ids, and the evidence still fits."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import run as run_script
from support.bare_database import sample

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World

BY = ("--by", "ann")


async def erased(world: World) -> str:
    """Cancel rounds of two users, and replace the first one's id; returns the pseudonym."""
    await world.seed(2)
    await world.command("hold", "add", "--user", "user-r0", "--reason", "a complaint", *BY)
    await world.command("hold", "release", "1", *BY)
    assert 0 == (await world.command("run", "--json", *BY)).code
    done = await world.command("ledger", "pseudonymise", "--user", "user-r0", *BY)
    assert (0, "replaced in 1 cancellation and 1 hold\n") == (done.code, done.out), done.err
    ((user,),) = await world.sql("SELECT user_id FROM retention.cancellations WHERE round_id = 'r0'")
    assert re.fullmatch(r"pseudonym:[A-Za-z0-9_-]{22}", user)
    return str(user)


async def test_an_id_is_replaced_and_the_proof_is_kept(world: World) -> None:
    """One user's id leaves cancellations and holds, an entry tells by whom and how many, and all still verifies."""
    user = await erased(world)
    assert [(user,)] == await world.sql("SELECT user_id FROM retention.holds")
    assert [("user-r1",)] == await world.sql("SELECT user_id FROM retention.cancellations WHERE round_id = 'r1'")
    bodies = await world.sql(
        "SELECT (body::jsonb -> 'facts') - 'begun' AS facts FROM retention.evidence WHERE kind = 'pseudonymised'"
    )
    assert [{"by": "ann", "count": 2, "before": None}] * 2 == [row.facts for row in bodies]
    assert [] == await world.sql("SELECT FROM retention.evidence WHERE body LIKE '%%\"user-r0\"%%'")
    verified = await world.command("audit", "verify", "--json")
    assert (0, []) == (verified.code, verified.json["findings"])


async def test_reports_and_histories_go_on(world: World) -> None:
    """`report` and `explain` show the pseudonym in place of the id, and nothing else differs."""
    user = await erased(world)
    report = (await world.command("report", "--json")).json
    assert {"r0": user, "r1": "user-r1"} == {row["round_id"]: row["user_id"] for row in report["rounds"]}
    explained = await world.command("explain", "--partner", "acme", "--round", "r0", "--json")
    assert 0 == explained.code
    assert "user-r0" not in explained.out


async def test_texts_that_repeat_the_id_are_told(world: World) -> None:
    """Words of people are evidence and stay: a person learns which texts still have the id."""
    await world.seed(1)
    await world.command("hold", "add", "--user", "user-r0", "--reason", "user-r0 complained", *BY)
    await world.command("hold", "release", "1", *BY)
    done = await world.command("ledger", "pseudonymise", "--user", "user-r0", *BY)
    assert "holds.reason: 1 text still repeats the id" in done.err


async def test_an_id_in_the_hashes_of_evidence_is_no_text(world: World) -> None:
    """A short id that the uuids, hashes and times of the evidence contain by chance is not told as repeated."""
    await world.command("hold", "add", "--user", "4", "--reason", "a complaint", *BY)
    await world.command("hold", "release", "1", *BY)
    assert "4" in "".join(row.body for row in await world.sql("SELECT body FROM retention.evidence"))
    done = await world.command("ledger", "pseudonymise", "--user", "4", *BY)
    assert (0, False) == (done.code, "still repeats" in done.err)


async def test_rows_that_work_needs_keep_their_id(world: World) -> None:
    """A hold that stands and a round of a halted run keep the ids, exit 4; an unknown user is exit 2."""
    await world.seed(3)
    await world.command("hold", "add", "--user", "user-r0", "--reason", "a complaint", *BY)
    world.vendor.faults = Faults.of({"status": 401})
    assert 3 == (await world.command("run", "--json", *BY)).code
    done = await world.command("ledger", "pseudonymise", "--user", "user-r0", *BY)
    assert (4, "replaced in 0 cancellations and 0 holds\n") == (done.code, done.out)
    assert "1 x hold that stands" in done.err
    halted = await world.command("ledger", "pseudonymise", "--user", "user-r1", *BY)
    assert (4, True) == (halted.code, "1 x round that is not settled" in halted.err)
    assert [("user-r0",)] == await world.sql("SELECT user_id FROM retention.holds")
    unknown = await world.command("ledger", "pseudonymise", "--user", "user-x", *BY)
    assert (2, True) == (unknown.code, "no row of the ledger has this id" in unknown.err)


async def test_old_rows_are_replaced_by_age(world: World) -> None:
    """By age, all ids of settled rows go that are old enough, and none younger; a second time changes nothing."""
    await world.seed(3)
    assert 0 == (await world.command("run", "--json", *BY)).code
    younger = await world.command("ledger", "pseudonymise", "--older-than", "1d", *BY)
    assert (0, "replaced in 0 cancellations and 0 holds\n") == (younger.code, younger.out)
    while not await world.sql(
        "SELECT FROM retention.cancellations HAVING max(settled_at) < statement_timestamp() - interval '1 second'"
    ):
        await asyncio.sleep(0.05)
    older = await world.command("ledger", "pseudonymise", "--older-than", "1s", *BY)
    assert (0, "replaced in 3 cancellations and 0 holds\n") == (older.code, older.out), older.err
    again = await world.command("ledger", "pseudonymise", "--older-than", "1s", *BY)
    assert (0, "replaced in 0 cancellations and 0 holds\n") == (again.code, again.out)
    assert 0 == (await world.command("audit", "verify")).code


@pytest.mark.parametrize("words", [(), ("--user", "U", "--older-than", "1d"), ("--user", "pseudonym:x")])
async def test_one_way_to_choose_is_demanded(world: World, words: tuple[str, ...]) -> None:
    """Neither a user nor an age, both, or a pseudonym: exit 2 before any connection."""
    nowhere = {"RETENTION_DATABASE__DSN": "postgresql://127.0.0.1:1/nothing"}
    done = await world.command("ledger", "pseudonymise", *words, *BY, environ=nowhere)
    assert 2 == done.code
    assert "--user" in done.err


async def test_only_the_job_replaces_ids_and_only_by_pseudonyms(world: World) -> None:
    """The reporting login is refused with the missing right; the job's login may write no other id."""
    await erased(world)
    run_script(world.direct, sample("roles"))
    job = make_conninfo(world.direct, options="-c role=retention_job")
    with psycopg.connect(job) as connection, pytest.raises(psycopg.Error, match=r"^user_id"):
        connection.execute("UPDATE retention.cancellations SET user_id = 'user-9' WHERE round_id = 'r1'")
    world.dsn = make_conninfo(world.dsn, options="-c role=retention_report")
    done = await world.command("ledger", "pseudonymise", "--user", "user-r1", *BY)
    assert (2, True) == (done.code, "UPDATE (user_id)" in done.err), done.err
