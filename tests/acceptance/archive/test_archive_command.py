"""`ledger archive`: whole months leave the ledger for files that prove themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyarrow import parquet
from support.aged_ledger import run_of
from support.archiving import aged, archive

if TYPE_CHECKING:
    from support.world import World


async def test_months_leave_for_files_and_the_evidence_still_verifies(world: World) -> None:
    """Each old month is in its files with exact amounts, its tables are gone, and `audit verify` counts its entries."""
    folder = aged(world)
    verified = await world.command("audit", "verify", "--json")
    assert 0 == verified.code, verified.out
    done = await archive(world, folder, "--by", "ann", "--json")
    assert 0 == done.code, done.err
    assert ["2024-01", "2024-02"] == [one["month"] for one in done.json["months"]]
    assert 8 == len([*folder.iterdir()])
    assert [] == await world.sql("SELECT FROM retention.cancellations")
    assert [] == await world.sql("SELECT FROM pg_class WHERE relname ~ '_2024_0[12]$' AND relkind = 'r'")
    rows = parquet.read_table(folder / "ledger-2024-01-cancellations.parquet").to_pylist()
    assert [("2024-01-1", "1.100000000000000000")] == [(one["round_id"], str(one["amount"])) for one in rows[:1]]
    verified = await world.command("audit", "verify", "--json")
    assert 0 == verified.code, verified.out
    assert verified.json["archived"]["evidence"] > 0


async def test_rounds_that_need_a_person_stay_and_leave_in_a_later_part(world: World) -> None:
    """Refused rounds stay with their attempts, listed and proved; once they are resolved, the next archive takes them."""
    folder = aged(world, refused=2)
    keys = await world.sql("SELECT * FROM retention.round_keys ORDER BY partner, round_id")
    assert 0 == (await archive(world, folder)).code
    assert keys == await world.sql("SELECT * FROM retention.round_keys ORDER BY partner, round_id")
    stayed = await world.sql("SELECT id, round_id FROM retention.cancellations ORDER BY id")
    assert ["2024-01-x1", "2024-01-x2", "2024-02-x1", "2024-02-x2"] == [row.round_id for row in stayed]
    assert [(4,)] == await world.sql("SELECT count(*) FROM retention.attempts")
    listed = (await world.command("review", "list", "--json")).json
    assert [row.id for row in stayed] == [row["id"] for row in listed]
    verified = await world.command("audit", "verify", "--archives", str(folder), "--json")
    assert 0 == verified.code, verified.out
    again = await archive(world, folder, "--json")
    assert (0, []) == (again.code, again.json["months"]), again.err
    ids = [str(row.id) for row in stayed[:2]]
    resolved = await world.command(
        "review", "resolve", *ids, "--as", "rejected", "--by", "ann", "--note", "asked the vendor"
    )
    assert 0 == resolved.code, resolved.err
    assert 0 == (await archive(world, folder)).code
    assert (folder / "ledger-2024-01-part2-cancellations.parquet").is_file()
    assert [("2024-02-x1",), ("2024-02-x2",)] == await world.sql(
        "SELECT round_id FROM retention.cancellations ORDER BY id"
    )
    assert [] == await world.sql("SELECT FROM pg_class WHERE relname = 'cancellations_2024_01'")
    verified = await world.command("audit", "verify", "--archives", str(folder), "--json")
    assert 0 == verified.code, verified.out


async def test_a_row_that_went_behind_the_archive_is_found(world: World) -> None:
    """A round that stayed and is deleted by hand is missing: its month's archive does not hold it."""
    folder = aged(world, refused=1)
    assert 0 == (await archive(world, folder)).code
    await world.sql("DELETE FROM retention.cancellations WHERE round_id = '2024-01-x1'")
    found = await world.command("audit", "verify", "--json")
    assert (4, [("row_missing", "cancellations")]) == (
        found.code,
        [(one["kind"], one["table"]) for one in found.json["findings"]],
    )


async def test_a_row_with_evidence_in_a_later_month_leaves_before_it(world: World) -> None:
    """A round that was settled in the next month leaves with its own, and is not missed while that month stays."""
    folder = aged(world, "2024-01", "2026-10", late=True)
    done = await archive(world, folder, "--json")
    assert (0, ["2024-01"]) == (done.code, [one["month"] for one in done.json["months"]]), done.err
    verified = await world.command("audit", "verify", "--archives", str(folder), "--json")
    assert (0, 1) == (verified.code, verified.json["archived"]["cancellations"]), verified.out


async def test_a_month_with_an_unfinished_run_stays(world: World) -> None:
    """A halted run keeps its month, and is named with what to do; exit code 4."""
    folder = aged(world, "2024-01", status="halted")
    done = await archive(world, folder)
    assert (4, []) == (done.code, [*folder.iterdir()])
    assert f"2024-01 stays: run {run_of('2024-01')} is halted" in done.out
    closed = await world.command("runs", "close", str(run_of("2024-01")), "--by", "ann", "--note", "old")
    assert 0 == closed.code, closed.err
    assert 0 == (await archive(world, folder)).code


async def test_a_dry_run_changes_nothing(world: World) -> None:
    """`--dry-run` tells each month's rows within 80 columns, and leaves folder and ledger as they are."""
    folder = aged(world, refused=1)
    before = await world.sql("SELECT count(*) FROM retention.evidence")
    told = await archive(world, folder, "--dry-run")
    assert (0, []) == (told.code, [*folder.iterdir()]), told.err
    assert "2 months would be archived; nothing is changed" in told.out
    assert max(map(len, told.out.splitlines())) <= 80
    months = (await archive(world, folder, "--dry-run", "--json")).json["months"]
    assert [("2024-01", 3, 1), ("2024-02", 3, 1)] == [(one["month"], one["rounds"], one["kept"]) for one in months]
    assert before == await world.sql("SELECT count(*) FROM retention.evidence")


async def test_an_altered_ledger_is_not_archived(world: World) -> None:
    """Where the evidence does not fit, nothing leaves: the falsification could not be found any more."""
    folder = aged(world)
    await world.sql("UPDATE retention.cancellations SET amount = 9 WHERE round_id = '2024-01-1'")
    done = await archive(world, folder)
    assert (2, True, []) == (done.code, "audit verify" in done.err, [*folder.iterdir()])


async def test_the_time_before_the_months_leaves_as_one(world: World) -> None:
    """Rows of an upgraded ledger leave as `before`; its partitions stay, since lost rounds are written there."""
    folder = aged(world, "2019-06", refused=1)
    lost = (
        "INSERT INTO retention.attempts (uuid, cancellation_id, run_id, kind, replica, claimed_at)"
        " VALUES (gen_random_uuid(), 0, gen_random_uuid(), 'cancel', 'host-1', now())"
    )
    await world.sql(lost)
    done = await archive(world, folder, "--json")
    assert (0, ["before"]) == (done.code, [one["month"] for one in done.json["months"]]), done.err
    assert (folder / "ledger-before-cancellations.parquet").is_file()
    assert [("2019-06-x1",)] == await world.sql("SELECT round_id FROM retention.cancellations")
    await world.sql(lost)
    assert [(3,)] == await world.sql("SELECT count(*) FROM retention.attempts")
    verified = await world.command("audit", "verify", "--archives", str(folder), "--json")
    assert 0 == verified.code, verified.out
    again = await archive(world, folder, "--json")
    assert (0, []) == (again.code, again.json["months"]), again.err
