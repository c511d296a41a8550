"""Files of decisions: what is read, and what is refused by line and column."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retention.core.evidence.resolution_file import NOTE_CHARS_MAX, read_resolutions
from retention.core.evidence.resolutions import Resolution
from retention.core.model import ReviewWhy, State
from retention.ledger.review import ReviewItem
from retention.render.csv_file import write_reviews

ITEM = ReviewItem(
    id=12,
    run_id=UUID(int=2),
    policy="nightly",
    partner="acme",
    market="MT",
    round_id="=R;1",
    state="cancelled",
    why=(ReviewWhy.DISCREPANCY, ReviewWhy.FINDING),
    reasons=("amount 1 EUR, stake 2 EUR", "more"),
    error_code=None,
    description='a "quoted"\nword',
    amount=Decimal("1.0"),
    currency="EUR",
    stake=Decimal(2),
    stake_currency="EUR",
    transaction_id=None,
    bet_transaction_id="-1",
    detail=None,
    settled_at=datetime(2025, 3, 5, tzinfo=UTC),
)


def listed(*items: ReviewItem) -> str:
    """The CSV of `review list`."""
    file = io.StringIO(newline="")
    write_reviews(items, file)
    return file.getvalue()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_needed_columns_are_read_in_any_order(separator: str, end: str) -> None:
    """Columns may stand in any order, among others, and be separated as a spreadsheet of any country does."""
    rows = (("Note", "other", " AS ", "id"), ("wallet has it", "x", " cancelled ", "7"), ("", "", "", ""))
    found = read_resolutions(end.join(separator.join(row) for row in rows))
    assert [Resolution(7, State.CANCELLED, "wallet has it", 2)] == found.resolutions
    assert (0, []) == (found.undecided, found.problems)


def test_the_list_is_such_a_file() -> None:
    """A line of `review list --format csv` that is filled in is a decision with its line and state."""
    text = listed(ITEM, ITEM).replace("\n12,,,", "\n12,cancelled,asked,", 1)
    found = read_resolutions(text)
    assert [Resolution(12, State.CANCELLED, "asked", 2, "cancelled")] == found.resolutions
    assert (1, []) == (found.undecided, found.problems)
    assert "'=R;1" in text
    assert "'-1" in text
    assert "discrepancy; finding" in text


def test_a_list_that_nobody_filled_in_is_refused() -> None:
    """A file without any decision is a mistake, and no empty work."""
    assert ["no row has a decision; fill in `as` and `note`"] == read_resolutions(listed(ITEM)).problems


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: no column id, as, note; the header must have id, as, note"),
        ("id,as\n1,held", "line 1: no column note; the header must have id, as, note"),
        ("id,as,note,as\n", "line 1: column as comes twice; leave one out"),
        ("id,as,note\nR-1,held,x", "line 2, column id: 'R-1' is no cancellation's number"),
        ("id,as,note\n0,held,x", "line 2, column id: '0' is no cancellation's number"),
        ("id,as,note\n-7,held,x", "line 2, column id: '-7' is no cancellation's number"),
        ("id,as,note\n9223372036854775808,held,x", "line 2, column id: '9223372036854775808' is no"),
        (f"id,as,note\n{'9' * 5000},held,x", f"line 2, column id: '{'9' * 40}…' is no"),
        (f"id,as,note\n{'0' * 19}1{'9' * 50},held,x", f"line 2, column id: '{'0' * 19}1{'9' * 20}…' is no"),
        (f"id,as,note\n{'0' * 19}1{'9' * 5000},held,x", f"line 2, column id: '{'0' * 19}1{'9' * 20}…' is no"),
        ("id,as,note\n٣,held,x", "line 2, column id: '٣' is no cancellation's number"),
        ("id,as,note\n,held,x", "line 2, column id: '' is no cancellation's number"),
        ("id,as,note\n1,Held,x", "line 2, column as: 'Held' is no resolution; write one of cancelled, "),
        ("id,as,note\n1,in_doubt,x", "line 2, column as: 'in_doubt' is no resolution"),
        ("id,as,note\n1,,x", "line 2, column as: '' is no resolution"),
        ("id,as,note\n1,held,", "line 2, column note: it is blank; write what was found out"),
        (f"id,as,note\n1,held,{'x' * (NOTE_CHARS_MAX + 1)}", "line 2, column note: it has 2001 characters"),
        ("id,as,note\n1,held,a\0b", "line 2, column note: it has a NUL character; remove it"),
        ("id,as,note\n1,held,x,y", "line 2: 4 cells, and the header has 3; quote what has commas"),
        ("id,as,note\n1,held", "line 2: 2 cells, and the header has 3"),
        ('id,as,note\n1,held,"x', "this is no CSV: unexpected end of data"),
        ("id,as,note,state\n1,held,x,gone", "line 2, column state: 'gone' is no state"),
        ("id,as,note\n1,held,x\n\n2,held,x\n1,held,x", "line 5, column id: 1 is on line 2 too; decide each once"),
        ("id,as,note\n1,held,x\n01,held,x", "line 3, column id: 01 is on line 2 too; decide each once"),
        ('id,as,note\n1,held,"two\nlines"\nx,held,y', "line 4, column id: 'x' is no cancellation's number"),
    ],
)
def test_a_problem_names_its_line_and_column(text: str, problem: str) -> None:
    """Each mistake is told with the line and the column where it stands, and the mend."""
    (found,) = read_resolutions(text).problems
    assert problem == found[: len(problem)]


def test_all_problems_are_told_at_once() -> None:
    """Every row is checked, and several mistakes of one row are told together."""
    found = read_resolutions("id,as,note\nx,y,\n1,held,fine\n2,no,x")
    assert ["line 2, column id", "line 2, column as", "line 2, column note", "line 4, column as"] == [
        problem.partition(":")[0] for problem in found.problems
    ]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text breaks the reader: it has a decision, or a problem."""
    found = read_resolutions(text)
    assert found.resolutions or found.problems


@given(st.integers(1, 2**63 - 1), st.sampled_from(["held", "cancelled"]), st.text("ab ;,\"'\n=é", min_size=1))
def test_what_a_csv_writer_writes_is_read(number: int, state: str, note: str) -> None:
    """A note with commas, quotes and line ends comes back as it was, but for blanks around it."""
    quoted = note.replace('"', '""')
    found = read_resolutions(f'id,as,note\n{number},{state},"{quoted}"\n')
    if note.strip() and any(sign not in " ;,\"'\n=" for sign in note):
        assert [(number, state, note.strip())] == [(one.id, one.as_state, one.note) for one in found.resolutions]
