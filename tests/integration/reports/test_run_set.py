"""The frozen set of a run: its rounds, and the files that are made of them."""

from __future__ import annotations

import csv
import io
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING

from support.ledger import OPENED, SETTLED

from retention.core.text import time_text
from retention.ledger.runs import RunLedger
from retention.render.formats import ListFormat
from retention.render.run_set_files import write_run_set
from retention.reports.run_set import SET_COLUMNS, SetRound, read_run_set

if TYPE_CHECKING:
    from uuid import UUID

    from support.ledger import Book

    from retention.ledger.database import Database


async def read(database: Database, run_id: UUID) -> list[SetRound]:
    """Read the rounds of a set."""
    async with read_run_set(database, run_id) as rounds:
        return [item async for item in rounds]


async def written(database: Database, run_id: UUID, form: ListFormat) -> str:
    """Write a set in a format, and return the text."""
    record = await RunLedger(database).require_run(run_id)
    file = io.StringIO(newline="")
    async with read_run_set(database, run_id) as rounds:
        await write_run_set(record, rounds, form, file)
    return file.getvalue()


async def test_a_set_has_what_became_of_each_round(database: Database, book: Book) -> None:
    """Each round of the run is there once, with its ids, stake, state and end; another run's doubt is not."""
    run_id, later = await book.run(), await book.run()
    first = await book.row(run_id, "R-1", stake=Decimal("1.50"), detail="checked")
    second = await book.row(run_id, "R-2", "planned")
    third = await book.row(run_id, "R-3", "in_doubt", adopted_by_run=later)
    found = await read(database, run_id)
    assert [(first, "cancelled", SETTLED, None), (second, "planned", None, None), (third, "in_doubt", None, later)] == [
        (one.id, one.state, one.settled_at, one.adopted_by_run) for one in found
    ]
    expected = ("acme", "MT", "g1", "U-1", "R-1", OPENED, Decimal("1.50"), "EUR", "checked")
    one = found[0]
    assert expected == (
        *(one.partner, one.market, one.game_id, one.user_id, one.round_id, one.opened_at, one.stake),
        *(one.stake_currency, one.detail),
    )
    assert [] == await read(database, later)


async def test_a_set_as_csv_is_safe_in_a_spreadsheet(database: Database, book: Book) -> None:
    """CSV has every column, RFC 4180's line ends, exact amounts, and no cell that a spreadsheet runs."""
    run_id = await book.run()
    await book.row(run_id, "=1+1", stake=Decimal("0.000000000000000001"), detail='a "quoted"\nline')
    text = await written(database, run_id, ListFormat.CSV)
    assert text.startswith(",".join(SET_COLUMNS) + "\r\n")
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert ("'=1+1", "0.000000000000000001", 'a "quoted"\nline') == (row["round_id"], row["stake"], row["detail"])


async def test_a_set_as_json_names_its_run(database: Database, book: Book) -> None:
    """JSON has the run, then each round with the same names; amounts are exact texts."""
    run_id = await book.run()
    await book.row(run_id, "R-1")
    document = json.loads(await written(database, run_id, ListFormat.JSON))
    (item,) = document["rounds"]
    assert (str(run_id), "nightly", "finished", None) == tuple(
        document[name] for name in ("run_id", "policy", "status", "unwritten")
    )
    assert [*SET_COLUMNS] == [*item]
    assert ("100", time_text(SETTLED)) == (item["stake"], item["settled_at"])


async def test_an_empty_set_says_why(database: Database, book: Book) -> None:
    """A run without rounds says so, and a run whose plan was not written names its rounds."""
    assert "the run planned no rounds\n" == await written(database, await book.run(), ListFormat.TABLE)
    halted = await book.run(status="halted", halt_reason="max_rounds: 9")
    await book.all("UPDATE retention.runs SET unwritten_plan = '{\"rounds\": 9}' WHERE run_id = %s", halted)
    assert "a rail halted the run before its 9 rounds were written\n" == await written(
        database, halted, ListFormat.TABLE
    )


async def test_a_large_set_is_printed_in_pages(database: Database, book: Book) -> None:
    """A set of more rounds than a page has each round once, under several headings."""
    run_id = await book.run()
    await book.all(
        "INSERT INTO retention.cancellations (run_id, partner, market, user_id, round_id, opened_at)"
        " SELECT %s, 'acme', 'MT', 'U', 'R-' || i, now() FROM generate_series(1, 2500) i",
        run_id,
    )
    text = await written(database, run_id, ListFormat.TABLE)
    assert 3 == sum({"round", "state"} <= {*line.split()} for line in text.splitlines())
    assert [f"R-{number}" for number in range(1, 2501)] == re.findall(r"\bR-\d+", text)
