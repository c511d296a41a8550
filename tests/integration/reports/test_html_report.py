"""The HTML report: what a parser reads from it is what the ledger has, whatever the ids contain."""

from __future__ import annotations

import csv
import io
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from support.ledger import SETTLED
from support.reports import ROUND, output_to, report_of

from retention.core.evidence.anchors import find_anchors
from retention.core.evidence.checkpoint import Checkpoint
from retention.core.planning.plan import Scope
from retention.ledger.holds import Holds
from retention.render import html_file
from retention.render.csv_file import write_csv
from retention.render.formats import Format
from retention.render.html_values import grouped
from retention.render.output import whole_file
from retention.render.write_report import write_report
from retention.reports import sections
from retention.reports.read import read_report
from retention.reports.report import Column, ColumnType, Configured, Kind, Selection

if TYPE_CHECKING:
    from pathlib import Path

    from support.ledger import Book

    from retention.ledger.database import Database

HOSTILE = (
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=a>",
    "\" onclick='x' &amp; &#x41;",
    "\u202eabc\u2066",
    "\u05d0\u05d1 \U0001f3b0",
    "123456789012345678901234567890123456",
    "=1+1\r\n  two  blanks ",
    "https://example.com/a",
)
WEEK = Selection(datetime(2025, 3, 3, tzinfo=UTC), datetime(2025, 3, 10, tzinfo=UTC), period="2025-W10")


class Page(HTMLParser):
    """A parsed page: the values of its columns, its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.values: dict[str, list[str]] = {}
        self.texts: list[str] = []
        self._open: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a value where the element has a column."""
        self.tags.add(tag)
        self.attributes += attrs
        known = dict(attrs)
        name = known.get("data-column")
        if tag != "meta":
            self._open.append((tag, name))
        if name is not None:
            exact = known.get("value") or known.get("datetime")
            self.values.setdefault(name, []).append(exact or "")
            if exact is not None:
                self._open[-1] = (tag, None)

    def handle_endtag(self, tag: str) -> None:
        """End the element; each one must be closed in order."""
        assert tag == self._open.pop()[0]

    def handle_data(self, data: str) -> None:
        """Add a text to the value that is open."""
        self.texts.append(data)
        for _, name in self._open:
            if name is not None:
                self.values[name][-1] += data

    @property
    def text(self) -> str:
        """All text of the page."""
        return "".join(self.texts)


async def page_of(database: Database, selection: Selection = WEEK, **options: Any) -> str:
    """Write a report as text."""
    file = io.StringIO()
    options = {"configured": Configured()} | options
    await write_report(database, selection, Format.HTML, output_to(file), generated_by="ann", **options)
    return file.getvalue()


async def test_hostile_values_come_back_exactly(database: Database, book: Book) -> None:
    """A parser gives back each id and amount, and finds no element or attribute that data could have made."""
    run = await book.run()
    amount = Decimal("12345678901234567890.123456789012345678")
    for text in HOSTILE:
        await book.row(run, text[:36], user_id=text[:32], game_id=text[:32], amount=amount, stake=amount)
    text = await page_of(database)
    page = Page(text)

    assert [text[:36] for text in HOSTILE] == page.values["round_id"]
    assert [text[:32] for text in HOSTILE] == page.values["user_id"]
    assert [str(amount)] * len(HOSTILE) == page.values["amount"][1:]
    assert not page.tags & {"script", "img", "link", "a", "iframe", "object", "use", "image"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in {"href", "src", "style"}]
    assert "http" not in text.replace("https://example.co", "").replace("http-equiv=", "")


async def test_the_page_has_every_column_of_every_row(database: Database, book: Book) -> None:
    """Each column of the kind is in each row, with the exact time or amount, also where the value is unknown."""
    await book.row(await book.run(), game_id=None)
    page = Page(await page_of(database))
    async with read_report(database, WEEK) as report:
        [row] = [item async for item in report.rows]
        names = [column.name for column in report.columns]

    rows = {name: page.values[name][-1] for name in names}
    assert (row.round_id, str(row.run_id), "", "") == tuple(
        rows[name] for name in ("round_id", "run_id", "game_id", "winnings")
    )
    assert row.cancelled_at == datetime.fromisoformat(rows["cancelled_at"])


async def test_runs_that_are_not_shown_are_told(
    database: Database, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Approvals and overrides are those of the shown runs, and the page says so where there are more runs."""
    for later in (0, 1):
        await book.row(await book.run(as_of=SETTLED + timedelta(minutes=later), approved_by="bob"), f"R-{later}")
    words = "Those of the first 1 of 2 runs are shown."
    assert words not in Page(await page_of(database)).text
    monkeypatch.setattr(sections, "SHOWN", 1)
    assert 2 == Page(await page_of(database)).text.count(words)


async def test_empty_days_and_markets_say_no_activity(database: Database, book: Book) -> None:
    """A period, each of its days and each known market without a round say so in words."""
    await book.row(await book.run(), market="MT")
    scope = Scope(("acme",), (2,), timedelta(hours=72), None, ("MT", "NJ"), (), None, ())
    week = Page(await page_of(database, configured=Configured({"nightly": scope}))).text
    before = Page(
        await page_of(database, Selection(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 8, tzinfo=UTC)))
    )

    assert 6 + 1 == week.count("no activity")  # six days, and NJ
    assert "no activity in this period" in before.text
    assert 2 + 7 + 1 == before.text.count("no activity")  # totals and rounds, seven days, and MT


async def test_days_are_those_of_the_zone(database: Database, book: Book) -> None:
    """A round belongs to the day of its outcome in the report's zone, also beside a clock change."""
    run = await book.run()
    for nth, at in enumerate(("2025-03-29T22:59:59.999999Z", "2025-03-29T23:00:00Z", "2025-03-30T21:59:59Z")):
        await book.row(run, f"R-{nth}", settled_at=datetime.fromisoformat(at))
    selection = Selection(
        datetime(2025, 3, 28, 23, tzinfo=UTC), datetime(2025, 3, 31, 22, tzinfo=UTC), timezone="Europe/Malta"
    )
    async with read_report(database, selection, sections=True) as report:
        days = {} if report.sections is None else {str(one.day): one.rounds for one in report.sections.days}

    assert {"2025-03-29": 1, "2025-03-30": 2, "2025-03-31": 0} == days


@pytest.mark.parametrize("end", [datetime(8999, 12, 31, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)])
async def test_a_period_of_many_years_has_no_calendar(database: Database, book: Book, end: datetime) -> None:
    """The days of a period of more than eleven years are not counted one by one; its rounds are there."""
    await book.row(await book.run())
    selection = Selection(datetime(2000, 1, 1, tzinfo=UTC), end)
    async with read_report(database, selection, sections=True) as report:
        assert report.sections is not None
        assert ((), 1) == (report.sections.days, report.count)


async def test_a_longer_report_names_the_file_of_all_rows(
    database: Database, book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Above the limit a CSV beside the page has every row as the format csv writes it, and the page names it."""
    run = await book.run()
    for nth in range(5):
        await book.row(run, f"R-{nth}")
    monkeypatch.setattr(html_file, "SHOWN_ROWS", 3)
    with whole_file(tmp_path / "week.html") as place:
        written = await write_report(database, WEEK, Format.HTML, place, generated_by="ann", configured=Configured())
    page = Page((tmp_path / "week.html").read_text(encoding="utf-8"))
    expected = io.StringIO()
    async with read_report(database, WEEK, report_id=written.head.report_id) as report:
        await write_csv(report, output_to(expected))

    assert 3 == len(page.values["round_id"])
    assert "The first 3 of 5 rows are shown." in page.text
    assert "week-rows.csv" in page.text
    assert expected.getvalue() == (tmp_path / "week-rows.csv").read_bytes().decode()
    assert 6 == len(list(csv.reader(io.StringIO(expected.getvalue()))))
    assert "--period 2025-W10 --timezone UTC" in Page(await page_of(database)).text  # no place for a second file


async def test_sections_agree_with_the_rows(database: Database, book: Book) -> None:
    """The listed discrepancies are those of the rows, and days, ages, markets and games add up to the rows."""
    run = await book.run()
    await book.row(run, "fine")
    await book.row(run, "amount", amount=1, market="SE")
    await book.row(run, "transaction", transaction_id="other", game_id=None)
    await book.row(run, "conflict", conflict=True, opened_at=SETTLED - timedelta(days=40))
    async with read_report(database, WEEK, sections=True) as report:
        differing = [item.round_id async for item in report.rows if item.discrepancies]
    sections = report.sections

    assert sections is not None
    assert differing == [one.round_id for one in sections.discrepancies.items]
    assert 3 == sections.discrepancies.total
    for counts in (sections.days, sections.ages, sections.markets, sections.games):
        assert 4 == sum(one.rounds or 0 for one in counts)


async def test_pseudonyms_hold_in_every_section(database: Database, book: Book) -> None:
    """With pseudonyms no section has a plain user id, whether in a column or in free words."""
    run = await book.run(trigger="targeted", reason="asked by user-4711", evidence="user-4711")
    await book.row(run, user_id="user-4711", conflict=True, detail="close_rounds: user-4711")
    hold = await Holds(database).add_hold("acme", None, None, "user-4711", None, "user-4711 complains", "ann", None)
    await book.one("UPDATE retention.holds SET created_at = %s", SETTLED)

    assert hold
    shown = Selection(WEEK.start, WEEK.end, pseudonymise=True)
    assert "user-4711" in await page_of(database)
    assert "user-4711" not in await page_of(database, shown)


async def test_the_checkpoint_is_found_in_the_page() -> None:
    """The search for anchors finds the checkpoint of a page, also where its root has signs that HTML escapes."""
    report, file = report_of(ROUND), io.StringIO()
    root = b64encode(bytes(range(224, 256))).decode()
    head = replace(report.head, checkpoint=Checkpoint("ledger", 17, root))
    await html_file.write_html(replace(report, head=head), output_to(file))

    assert [(17, bytes(range(224, 256)))] == [
        (anchor.size, anchor.root) for anchor in find_anchors(file.getvalue().encode())
    ]


@pytest.mark.parametrize("kind", list(Kind))
async def test_each_kind_has_a_title(kind: Kind) -> None:
    """No kind of report lacks the title of its page."""
    assert html_file._TITLES[kind]  # noqa: SLF001


def test_unknown_columns_have_a_place() -> None:
    """A column that no group names is put into a cell by its type."""
    columns = [Column("seen", ColumnType.COUNT), Column("asked_at", ColumnType.TIME)]

    assert {"Facts", "Times"} == {group.name for group in grouped(columns)}
