"""One ledger with hostile ids and 18-decimal amounts: every format, read back by another program, has the same rows."""

from __future__ import annotations

import asyncio
import csv
import json
import re
import shlex
import shutil
import subprocess
from contextlib import closing
from decimal import Decimal, localcontext
from html import unescape as unescape_html
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import duckdb
import openpyxl
import pytest
from openpyxl.utils.escape import unescape
from support.hostile_report import MARKETS, fill, rounds_by_sql

from retention.render.csv_file import cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from support.world import World

START, END = "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"
"""October 2026 in Malta, where the clock changes on the 25th."""

TEXTS = ("round_id", "user_id", "game_id", "market", "currency", "stake_currency", "transaction_id")
AMOUNTS = ("amount", "stake", "winnings")
PERIOD = ("--period", "2026-10", "--timezone", "Europe/Malta")

Row = tuple[object, ...]


def comparable(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Keep the texts of each row as they are, and its amounts as exact numbers."""
    return [
        (
            *(row[name] or None for name in TEXTS),
            *(None if row[name] in {None, ""} else Decimal(row[name]) for name in AMOUNTS),
        )
        for row in rows
    ]


def summed(rows: Iterable[Row]) -> dict[tuple[object, object], list[Decimal | int]]:
    """Count the rounds, and sum up refunds and stakes, by market and stake's currency."""
    sums: dict[tuple[object, object], list[Any]] = {}
    with localcontext(prec=100):
        for row in rows:
            of = sums.setdefault((row[3], row[5]), [0, Decimal(0), Decimal(0)])
            of[:] = [of[0] + 1, of[1] + (row[7] or 0), of[2] + row[8]]
    return sums


def unguarded(rows: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Take away the apostrophe that keeps a spreadsheet from running a cell."""
    return [
        {name: text[1:] if text[:1] == "'" and cell(text[1:]) == text else text for name, text in row.items()}
        for row in rows
    ]


class Page(HTMLParser):
    """The values of a page's rounds, by column, and each tag with its attributes. An exact value goes before its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[dict[str, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._in_rows = False
        self._column: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        self.tags.append((tag, of))
        if tag == "table":
            self._in_rows = of.get("class") == "rows"
        elif tag == "tr" and self._in_rows:
            self.rows.append({})
        elif self._in_rows and (name := of.get("data-column")) is not None:
            exact = of.get("value") or of.get("datetime")
            self.rows[-1][name] = exact or ""
            self._column = None if exact else name

    def handle_endtag(self, tag: str) -> None:
        if tag != "bdi" or self._column != "discrepancies":  # its texts stand in elements of their own
            self._column = None

    def handle_data(self, data: str) -> None:
        if self._column is not None:
            self.rows[-1][self._column] += data


async def written(world: World, form: str, *words: str) -> Path:
    """Write a report to a file."""
    path = world.folder / f"report.{form}"
    done = await world.command("report", *(words or PERIOD), "--format", form, "-o", str(path))
    assert (0, "") == (done.code, done.out), done.err
    return path


def from_xlsx(path: Path) -> list[dict[str, Any]]:
    """Read the rounds of a workbook with openpyxl."""
    with closing(openpyxl.load_workbook(path, read_only=True)) as book:
        header, *rows = book["Rounds"].iter_rows(values_only=True)
    return [dict(zip(header, map(unescaped, row), strict=True)) for row in rows]


def unescaped(value: Any) -> Any:
    """Undo the escapes of a workbook's texts, as spreadsheets do; openpyxl leaves that to its caller."""
    return unescape(value) if isinstance(value, str) else value


def from_libreoffice(path: Path) -> list[dict[str, Any]]:
    """Read the rounds of a workbook with LibreOffice, which writes each sheet as CSV."""
    profile = f"-env:UserInstallation={(path.parent / 'profile').as_uri()}"
    form = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1"
    words = ["soffice", profile, "--headless", "--convert-to", form, "--outdir", str(path.parent), str(path)]
    subprocess.run(words, check=True, capture_output=True, timeout=300)
    with path.with_name(f"{path.stem}-Rounds.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def from_parquet(path: Path) -> list[dict[str, Any]]:
    """Read the rounds of a Parquet file with DuckDB."""
    found = duckdb.connect().execute(f"SELECT * FROM '{path}'")
    columns = [column[0] for column in found.description or ()]
    return [dict(zip(columns, row, strict=True)) for row in found.fetchall()]


@pytest.mark.parametrize("rounds", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
async def test_every_format_has_the_rounds_of_a_plain_sql_query(world: World, rounds: int) -> None:
    """CSV, JSON, HTML, XLSX and Parquet give each text, amount and sum of the ledger back to another program."""
    await fill(world, rounds)
    stored = comparable(row._asdict() for row in await rounds_by_sql(world, START, END))
    assert 1000 < len(stored) < rounds
    as_csv, as_json, as_html, as_xlsx, as_parquet = await asyncio.gather(
        *(written(world, form) for form in ("csv", "json", "html", "xlsx", "parquet"))
    )
    document = json.loads(as_json.read_text("utf-8"))
    assert stored == comparable(document["rounds"])
    with as_csv.open(encoding="utf-8", newline="") as file:
        assert stored == comparable(unguarded(csv.DictReader(file, strict=True)))
    assert stored == comparable(from_xlsx(as_xlsx))
    assert stored == comparable(from_parquet(as_parquet))
    assert stored[:1000] == comparable(Page(as_html.read_text("utf-8")).rows[1:])
    (beside,) = (path for path in world.folder.iterdir() if path.name in as_html.read_text("utf-8") and path != as_html)
    with beside.open(encoding="utf-8", newline="") as file:
        assert stored == comparable(unguarded(csv.DictReader(file, strict=True)))

    totals = await world.sql(
        "SELECT market, stake_currency, count(*), coalesce(sum(amount), 0), sum(stake) FROM retention.cancellations"
        " WHERE settled_at >= %(start)s::timestamptz AND settled_at < %(end)s::timestamptz GROUP BY 1, 2",
        start=START,
        end=END,
    )
    assert summed(stored) == {(row[0], row[1]): [*row[2:]] for row in totals}
    told: dict[tuple[object, object], list[Any]] = {}
    with localcontext(prec=100):
        for row in document["totals"]:
            of = told.setdefault((row["market"], row["currency"]), [0, Decimal(0), Decimal(0)])
            of[:] = [of[0] + row["count"], of[1] + Decimal(row["amount"]), of[2] + Decimal(row["stake"])]
    assert summed(stored) == told
    for row in document["totals"]:
        assert all(row[name] in as_html.read_text("utf-8") for name in ("amount", "stake"))


async def test_a_page_runs_and_loads_nothing(world: World) -> None:
    """A page has no script, no handler, no link and no source, whatever the ids contain."""
    await fill(world, 200)
    page = Page((await written(world, "html", "--all")).read_text("utf-8"))

    assert len(page.rows[1:]) == 200
    assert not {"script", "img", "iframe", "link", "object", "embed", "a", "form"} & {tag for tag, _ in page.tags}
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"href", "src", "xlink:href", "action"}}


@pytest.mark.parametrize("words", [PERIOD, ("--from", START, "--to", END, "--market", "=GB", "--market", "MT")])
async def test_a_page_on_stdout_names_the_command_that_writes_all_rows(world: World, words: tuple[str, ...]) -> None:
    """The command of a page that is not a file, run as it stands, writes every row of the same report."""
    await fill(world, 3_000)
    page = (await world.command("report", *words, "--format", "html")).out
    command = shlex.split(unescape_html(re.search("<code>(retention report .*?)</code>", page)[1]))  # type: ignore[index]
    expected = (await world.command("report", *words, "--json")).json["count"]
    done = await world.command(*command[1:])
    assert (0, True) == (done.code, expected > 1000), done.err
    with (world.folder / "FILE").open(encoding="utf-8", newline="") as file:
        assert expected == sum(1 for _ in csv.DictReader(file))


async def test_adjoining_periods_hold_each_round_once(world: World) -> None:
    """The days of a month with a change of clocks, and what lies around it, have each cancelled round exactly once."""
    await fill(world, 1_000)
    stored = [row.round_id for row in await world.sql("SELECT round_id FROM retention.cancellations")]
    asked = [
        ("--to", START),
        *(("--period", f"2026-10-{day:02}", "--timezone", "Europe/Malta") for day in range(1, 32)),
        ("--from", END),
    ]
    found = []
    for words in asked:
        found += [row["round_id"] for row in (await world.command("report", *words, "--json")).json["rounds"]]

    assert sorted(stored) == sorted(found)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
async def test_a_spreadsheet_program_reads_the_same_rows(world: World) -> None:
    """LibreOffice gives each text and each exact amount of 10,000 hostile rounds back as the ledger has it."""
    await fill(world, 10_000)
    stored = comparable(row._asdict() for row in await rounds_by_sql(world, START, END))
    path = await written(world, "xlsx")
    assert stored == comparable(await asyncio.to_thread(from_libreoffice, path))


@pytest.mark.parametrize("market", MARKETS)
async def test_an_empty_report_says_so_in_every_format(world: World, market: str) -> None:
    """Every format but CSV, which is its header line alone, says that a period has no activity."""
    await fill(world, 30)
    words = ("--period", "2020", "--market", market)
    for form in ("html", "json"):
        assert "no activity" in (await written(world, form, *words)).read_text("utf-8")
    with closing(openpyxl.load_workbook(await written(world, "xlsx", *words), read_only=True)) as book:
        values = {str(value) for sheet in book for row in sheet.iter_rows(values_only=True) for value in row}
    assert any("no activity" in value for value in values)
    parquet = await written(world, "parquet", *words)
    assert [] == from_parquet(parquet)
    assert b"no activity" in parquet.read_bytes()
    assert "no activity" in (await world.command("report", *words)).out
    done = await world.command("report", *words, "--format", "csv")
    assert (1, True) == (done.out.count("\n"), "no activity" in done.err)
