"""`db sample --table` on databases of several shapes: the proposal is run as it is, and a run cancels the stale rounds."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import bare_database, run
from support.job_login import JOB
from support.operator_shapes import SHAPES, Shape
from support.postgres import only_on_our_own
from support.psql import run_script
from support.world import SECURE_LOGIN, make_world

from retention.simulator.server import Round

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.world import World

LARGE = 110_000
"""Rounds that are over: more than `check` lets a statement read from end to end."""

QUICK = {"several_bets", "sessions"}
"""The shapes that the default tests try."""


@pytest.fixture
def bare(postgres: str) -> Iterator[str]:
    """DSN of a database with our schema alone, whose server lets roles in without a password."""
    only_on_our_own()
    with bare_database(postgres, postgres) as dsn:
        yield dsn


async def proposed(world: World, shape: Shape) -> Path:
    """Write the proposal to a folder, and make its decisions."""
    made = await world.command("db", "sample", "--table", shape.table, "-o", "proposal")
    assert made.code == 0, made.err
    folder = world.folder / "proposal"
    for file, subjects in shape.asked.items():
        assert f"{file}: {subjects}\n" in made.said
    if not shape.asked:
        assert made.said.startswith("nothing is left to decide")
    questions = sum(path.read_text().count("-- ? ") for path in folder.glob("*.sql"))
    assert questions == sum(len(subjects.split(", ")) for subjects in shape.asked.values())
    for path in folder.glob("*.sql"):
        text = path.read_text()
        for old, new in shape.decisions.items():
            text = text.replace(old, new)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    "shape",
    [pytest.param(one, id=one.name, marks=() if one.name in QUICK else pytest.mark.long) for one in SHAPES],
)
async def test_a_proposal_carries_a_run_to_its_end(bare: str, tmp_path: Path, shape: Shape) -> None:
    """The proposal runs twice under psql, `check` is content, `plan` counts the stale rounds, and a run cancels these alone."""
    run(bare, shape.script(LARGE), "ANALYZE")
    async with make_world(bare, tmp_path) as world:
        folder = await proposed(world, shape)
        # A sample is read, and never the whole table; in the lookups there are a few rows each.
        ((read,),) = run(world.direct, "SELECT coalesce(max(seq_tup_read), 0)::integer FROM pg_stat_user_tables")
        assert read < LARGE
        for _ in range(2):
            done = run_script(world.dsn, "-f", str(folder / "all.sql"))
            assert 0 == done.returncode, done.stderr
        for round_id, one in shape.stale.items():
            world.vendor.register(
                [Round(SECURE_LOGIN, round_id, one.user_id, currency=one.currency or "EUR", amount=one.stake)]
            )
        world.dsn = make_conninfo(world.dsn, user=JOB)
        checked = (await world.command("check", "--json")).json
        planned = (await world.command("plan", "--json")).json
        rows = run(world.direct, "SELECT * FROM retention.open_rounds WHERE opened_at < now() - interval '72 hours'")
        ran = await world.command("run")

        findings = checked["checks"] if "checks" in checked else checked["findings"]
        uses = {one["name"]: one for one in findings if "index use" in one["name"]}
        assert len(uses) == 2, findings
        assert [] == [one for one in findings if not one["ok"] or (one.get("warning") and one["name"] != "durability")]
        assert len(shape.stale) == planned["rounds"], planned
        assert {**shape.stale} == {
            row[4]: (row[3], row[1], row[7] or "", Decimal(row[8] or 0)) for row in rows if row[0] == "acme"
        }
        assert ran.code == 0, ran
        assert sorted(shape.stale) == sorted(row[0] for row in run(world.direct, shape.closed))
