"""`review list` with its filters, and `review resolve` from a file: checked whole, confirmed, finished after a kill."""

from __future__ import annotations

import csv
import io
import signal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from support.closing import replace
from support.invariants import violations
from support.terminal import on_terminal

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from support.world import World

NOTE = "the wallet says so"
NOWHERE = {"RETENTION_DATABASE__DSN": "postgresql://127.0.0.1:1/nothing"}


async def with_reviews(world: World, discrepancies: int = 2, rejected: int = 1) -> None:
    """Run a policy whose rounds need a person: refunds that differ, and refusals."""
    world.policy |= {"markets": ["MT", "SE"], "max_failure_ratio": 1.0}
    less = await world.seed(discrepancies, prefix="less")
    refused = await world.seed(rejected, prefix="refused", market="SE")
    faults = ({"round_ids": less, "amount": "1.49"}, {"round_ids": refused, "code": "99"})
    world.vendor.faults = Faults.of(*(fault for fault in faults if fault["round_ids"]))
    assert 4 == (await world.command("run")).code


async def listed(world: World, *words: str) -> list[dict[str, Any]]:
    """The listed rows."""
    found: list[dict[str, Any]] = (await world.command("review", "list", "--json", *words)).json
    return found


async def fill_in(world: World, decisions: Mapping[str, tuple[str, str]]) -> str:
    """List into a CSV, and fill in state and note of each row by its round; returns the file's name."""
    done = await world.command("review", "list", "--format", "csv", "-o", "review.csv")
    assert 0 == done.code, done.err
    rows = [*csv.DictReader(io.StringIO((world.folder / "review.csv").read_text("utf-8"), newline=""))]
    for row in rows:
        row["as"], row["note"] = decisions.get(row["round_id"], ("", ""))
    write(world, rows)
    return "review.csv"


def write(world: World, rows: Iterable[Mapping[str, object]]) -> None:
    """Write the file anew, as a spreadsheet does: with a byte order mark, its columns apart by semicolons."""
    rows = [*rows]
    with (world.folder / "review.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


async def test_the_list_has_a_code_and_a_sentence_for_each_reason(world: World) -> None:
    """JSON has the codes under `why` and the sentences under `reasons`; the table has both."""
    await with_reviews(world)
    await world.sql(
        "INSERT INTO retention.findings (cancellation_id, kind, ledger, wallet)"
        " SELECT id, 'refund_missing', 'cancelled', 'nothing' FROM retention.cancellations WHERE round_id = 'less0'"
    )
    found = {row["round_id"]: (row["why"], row["reasons"], row["policy"]) for row in await listed(world)}
    differs = "amount 1.49 EUR, stake 1.5 EUR"
    missing = "no refund in the wallet (ledger: cancelled, vendor: unknown, operator: unknown, wallet: nothing)"
    assert {
        "less0": (["discrepancy", "refund_missing"], [differs, missing], "nightly"),
        "less1": (["discrepancy"], [differs], "nightly"),
        "refused0": (["rejected"], ["rejected by the vendor"], "nightly"),
    } == found
    table = (await world.command("review", "list")).out
    assert "discrepancy, refund_missing" in table
    assert f"reasons: amount 1.49 EUR, stake 1.50 EUR; {missing}" in table


async def test_filters_narrow_the_list(world: World) -> None:
    """Each filter narrows the list, together they all hold, and an empty list names them."""
    await with_reviews(world)
    (run,) = await world.sql("SELECT run_id FROM retention.runs")
    names = {
        words: [row["round_id"] for row in await listed(world, *words.split())]
        for words in ("--market SE", "--why discrepancy --why conflict", f"--run {str(run.run_id)[:8]} --why rejected")
    }
    assert [["refused0"], ["less0", "less1"], ["refused0"]] == [*names.values()]
    empty = await world.command(
        *("review", "list", "--market", "SE", "--policy", "nightly", "--why", "winnings", "--why", "conflict")
    )
    expected = "nothing needs a person with --market SE --policy nightly --why winnings --why conflict\n"
    assert (0, expected) == (empty.code, empty.out)
    assert [] == await listed(world, "--market", "SE", "--why", "conflict")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("--why conflicts", "error: --why conflicts: unknown; known: in_doubt, conflict, "),
        ("--why conflicts", "; did you mean conflict?"),
        ("--market se", "error: --market se: unknown to configuration, ledger and open rounds; known: MT, SE; did you"),
        ("--policy nightlo", "error: --policy nightlo: unknown to the configuration and the ledger; known: nightly"),
        ("--run 12345678", "error: there is no run 12345678; `retention runs list` shows the newest"),
    ],
)
async def test_an_unknown_filter_is_refused_with_a_hint(world: World, words: str, problem: str) -> None:
    """A name that nothing has is refused, and the known ones are named: an empty list would look like good news."""
    world.policy["markets"] = ["MT", "SE"]
    done = await world.command("review", "list", *words.split())
    assert (2, "", True) == (done.code, done.out, problem in done.err), done.err


async def test_a_filled_in_list_resolves_all_its_rows(world: World) -> None:
    """The list as CSV, filled in and saved by a spreadsheet, resolves its rows; rows without a decision stay."""
    await with_reviews(world, 3, 2)
    name = await fill_in(world, {"less0": ("cancelled", NOTE), "refused0": ("already_completed", f" {NOTE}, too ")})
    done = await world.command("review", "resolve", "--from-file", name, "--by", " ann ", "--yes")
    assert 0 == done.code, done.err
    assert [
        "2 cancellations to resolve, by ann",
        "  1 as already_completed: stakes 1.50 EUR",
        "  1 as cancelled: refunds 1.49 EUR; stakes 1.50 EUR",
        "3 rows without a decision, left as they are",
        "resolved 2 cancellations: 1 as already_completed, 1 as cancelled",
    ] == done.out.splitlines()
    assert {"less1", "less2", "refused1"} == {row["round_id"] for row in await listed(world)}
    rows = await world.sql(
        "SELECT round_id, resolved_as, resolved_by, resolved_note FROM retention.cancellations"
        " WHERE state = 'resolved' ORDER BY id"
    )
    assert [
        ("less0", "cancelled", "ann", NOTE),
        ("refused0", "already_completed", "ann", f"{NOTE}, too"),
    ] == [(*row,) for row in rows]


async def test_a_wrong_file_resolves_nothing(world: World) -> None:
    """One wrong row keeps all from being resolved, and every wrong one is named; before anything is connected to, where
    the file alone is wrong.
    """
    await with_reviews(world)
    name = await fill_in(world, {"less0": ("cancelled", NOTE), "less1": ("lost", ""), "refused0": ("rejected", NOTE)})
    words = ("review", "resolve", "--from-file", name, "--by", "ann", "--yes")
    done = await world.command(*words, environ=NOWHERE)
    assert (2, "") == (done.code, done.out)
    assert "review.csv, line 3, column as: 'lost' is no resolution; write one of cancelled, " in done.err
    assert "review.csv, line 3, column note: it is blank" in done.err
    name = await fill_in(world, {"less0": ("cancelled", NOTE), "less1": ("rejected", NOTE), "refused0": ("held", NOTE)})
    (row,) = await listed(world, "--why", "rejected")
    other = await world.command("review", "resolve", str(row["id"]), "--as", "held", "--by", "bob", "--note", "mine")
    assert 0 == other.code
    done = await world.command(*words)
    assert (2, "") == (done.code, done.out)
    assert "line 3: cancellation " in done.err
    assert "is confirmed by the vendor" in done.err
    assert "line 4: cancellation " in done.err
    assert "is resolved by now, and rejected in the file; list it again" in done.err
    assert 2 == len(await listed(world))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--from-file", "review.csv"], "nobody can be asked here; give --yes"),
        (["--from-file", "review.csv", "--yes", "7"], "the file has the IDs, `as` and `note`; leave them out here"),
        (["--from-file", "review.csv", "--yes", "--note", "x"], "the file has the IDs"),
        (["--from-file", "none.csv", "--yes"], "--from-file none.csv: No such file or directory; name a file"),
        (["--from-file", ".", "--yes"], "--from-file .: Is a directory; name a file that can be read"),
        (["--from-file", "latin.csv", "--yes"], "--from-file latin.csv: it is not UTF-8; save it as CSV"),
        (["7", "--as", "held"], "name cancellations, --as and --note, or give --from-file FILE"),
        (["--as", "held", "--note", "x"], "name cancellations, --as and --note, or give --from-file FILE"),
        (["7", "--as", "gone", "--note", "x"], "a cancellation is not resolved as 'gone'; known: cancelled, "),
    ],
)
async def test_wrong_words_are_refused_before_connecting(world: World, words: list[str], problem: str) -> None:
    """What is wrong in the words or the file is refused with exit code 2, whether or not there is a database."""
    (world.folder / "review.csv").write_text("id,as,note\n7,held,x\n", "utf-8")
    (world.folder / "latin.csv").write_bytes("id,as,note\n7,held,ärgerlich\n".encode("latin-1"))
    done = await world.command("review", "resolve", *words, "--by", "ann", environ=NOWHERE)
    assert (2, "", True) == (done.code, done.out, problem in done.err), done.err


@pytest.mark.parametrize(("key", "left"), [("y", 0), ("n", 2)])
async def test_a_person_confirms_the_sums(world: World, key: str, left: int) -> None:
    """On a terminal the counts and sums are shown, and nothing is resolved before a yes."""
    await with_reviews(world, 2, 0)
    name = await fill_in(world, {"less0": ("cancelled", NOTE), "less1": ("cancelled", NOTE)})
    terminal = await on_terminal(world, "review", "resolve", "--from-file", name, "--by", "ann")
    await terminal.until(lambda: "Resolve them? [y/N]: " in terminal.screen)
    assert (
        "2 cancellations to resolve, by ann\r\n  2 as cancelled: refunds 2.98 EUR; stakes 3.00 EUR" in terminal.screen
    )
    assert 2 == len(await listed(world))
    terminal.type(f"{key}\n")
    code, out = await terminal.ended()
    assert (0, left) == (code, len(await listed(world)))
    assert ("resolved 2 cancellations: 2 as cancelled\n" if key == "y" else "nothing is resolved\n") == out


async def test_several_ids_are_resolved_together(world: World) -> None:
    """IDs of the command line are resolved all or none, and the same words again are no error."""
    await with_reviews(world, 0, 3)
    ids = [str(row["id"]) for row in await listed(world)]
    words = ("--as", "rejected", "--by", "ann", "--note", NOTE)
    wrong = await world.command("review", "resolve", *ids, "987654", *words)
    assert (2, True, 3) == (wrong.code, "there is no cancellation 987654" in wrong.err, len(await listed(world)))
    done = await world.command("review", "resolve", *ids[:2], *words)
    assert (0, [f"cancellation {one} is resolved as rejected" for one in ids[:2]]) == (done.code, done.out.splitlines())
    done = await world.command("review", "resolve", *ids, *words)
    assert 0 == done.code
    assert [
        f"cancellation {ids[2]} is resolved as rejected",
        *(f"cancellation {one} was resolved so before" for one in ids[:2]),
    ] == done.out.splitlines()
    assert [] == await listed(world)


async def test_rounds_that_cannot_be_closed_stay_listed(world: World) -> None:
    """Resolved as cancelled, the rounds are closed in halved batches; the ones that fail are told, with exit code 4."""
    await with_reviews(world, 0, 25)
    await replace(world, "IF 'refused3' = ANY (p_round_id) THEN RAISE EXCEPTION 'no such wallet'; END IF;")
    name = await fill_in(world, {f"refused{nth}": ("cancelled", NOTE) for nth in range(25)})
    done = await world.command("review", "resolve", "--from-file", name, "--by", "ann", "--yes")
    assert 4 == done.code, done.err
    assert "resolved 25 cancellations: 25 as cancelled\n" in done.out
    assert 1 == done.out.count("stays listed: no such wallet\n")
    assert "`retention review reclose` tries again" in done.out
    assert [("refused3", ["conflict"])] == [(row["round_id"], row["why"]) for row in await listed(world)]
    assert [(24,)] == [(*row,) for row in await world.sql("SELECT count(*) FROM public.rounds WHERE status = 2")]


async def test_a_killed_bulk_resolution_is_finished_by_the_same_file(world: World) -> None:
    """Killed with `kill -9` between two closings, the same file says what is resolved already and closes the rest."""
    await with_reviews(world, 0, 150)
    name = await fill_in(world, {f"refused{nth}": ("cancelled", NOTE) for nth in range(150)})
    words = ("review", "resolve", "--from-file", name, "--by", "ann", "--yes")
    (last,) = await world.sql("SELECT round_id FROM retention.cancellations ORDER BY id DESC LIMIT 1")
    async with await psycopg.AsyncConnection.connect(world.direct) as connection:
        await connection.execute("SELECT FROM public.rounds WHERE round_id = %s FOR UPDATE", [last.round_id])
        running = await world.start(*words)
        await world.until_waiting()
        running.signal(signal.SIGKILL)
        await running.ended()
    closed = "SELECT count(*) AS rounds FROM public.rounds WHERE status = 2"
    assert 100 == (await world.sql(closed))[0].rounds
    assert [["conflict"]] * 50 == [row["why"] for row in await listed(world)]

    done = await world.command(*words)
    assert 0 == done.code, done.err
    assert [
        "0 cancellations to resolve, by ann",
        "150 cancellations resolved so before",
        "resolved 0 cancellations",
        "closed 50 rounds at the operator's",
    ] == done.out.splitlines()
    assert ([], 150) == (await listed(world), (await world.sql(closed))[0].rounds)
    assert [] == await violations(world)


async def test_a_file_that_was_killed_before_its_commit_is_not_half_done(world: World) -> None:
    """Killed while it waits for a row, nothing of the file is resolved; given again, all of it is."""
    await with_reviews(world, 5, 0)
    name = await fill_in(world, {f"less{nth}": ("cancelled", NOTE) for nth in range(5)})
    words = ("review", "resolve", "--from-file", name, "--by", "ann", "--yes")
    async with await psycopg.AsyncConnection.connect(world.direct) as connection:
        await connection.execute("SELECT FROM retention.cancellations WHERE round_id = 'less4' FOR UPDATE")
        running = await world.start(*words)
        await world.until_waiting()
        running.signal(signal.SIGKILL)
        await running.ended()
    assert 5 == len(await listed(world))
    assert 0 == (await world.command(*words)).code
    assert [] == await listed(world)
