"""The names of tables and columns, and the words of states, as operators write them."""

from __future__ import annotations

import pytest

from retention.core.operator_tables.names import words
from retention.core.operator_tables.table_name import TableName, parse_table_name
from retention.core.operator_tables.words import Meaning, labels_in, meaning_of, values_in_checks


@pytest.mark.parametrize(
    ("name", "expected"),
    [("vendorRoundID", "vendor_round_id"), ("Start Time", "start_time"), ("HTTPCode", "http_code"), ("stake", "stake")],
)
def test_a_name_is_split_into_words(name: str, expected: str) -> None:
    """Humps, blanks and signs all part words."""
    assert expected == words(name)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("OPEN", Meaning.OPEN),
        ("InProgress", Meaning.OPEN),
        ("ROUND_OPEN", Meaning.OPEN),
        ("Pending", Meaning.MAYBE_OPEN),
        ("rolled back", Meaning.CANCELLED),
        ("Settled", Meaning.OVER),
        ("limbo", Meaning.UNKNOWN),
    ],
)
def test_a_state_has_a_meaning_by_its_word(state: str, expected: Meaning) -> None:
    """Case, blanks and prefixes do not matter."""
    assert expected is meaning_of(state)


@pytest.mark.parametrize(
    "comment", ["0 = open, 1 = completed", "0: open; 1: completed", "0 => open / 1 => completed", "0=open 1=completed"]
)
def test_a_comment_names_numbers(comment: str) -> None:
    """The usual ways of writing it are read."""
    assert {"0": "open", "1": "completed"} == labels_in(comment)


def test_a_check_lists_the_values_that_it_allows() -> None:
    """Texts and numbers of the column's own CHECK, as PostgreSQL writes it."""
    checks = [
        "CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'it''s'::character varying])::text[])))",
        "CHECK ((kind = ANY (ARRAY[0, 1, -2])))",
        "CHECK ((amount > 0))",
    ]
    assert ("open", "it's") == values_in_checks(checks, "state")
    assert ("0", "1", "-2") == values_in_checks(checks, "kind")
    assert () == values_in_checks(checks, "amount")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rounds", TableName(None, "rounds", quoted=False)),
        ("my.rounds", TableName("my", "rounds", quoted=False)),
        ('"My"."my.rounds"', TableName("My", "my.rounds", quoted=True)),
        ("Casino.Game Rounds", TableName("Casino", "Game Rounds", quoted=False)),
        ('"a""b"', TableName(None, 'a"b', quoted=True)),
    ],
)
def test_a_table_s_name_is_read_with_and_without_quotes(text: str, expected: TableName) -> None:
    """Both parts may be quoted."""
    assert expected == parse_table_name(text)


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a.b.c", '"a', '""', "a..b", '"a"b'])
def test_what_is_no_name_is_refused_with_its_mend(text: str) -> None:
    """The error says what to write."""
    with pytest.raises(ValueError, match=r"SCHEMA\.TABLE"):
        parse_table_name(text)


def test_a_name_in_capitals_is_tried_as_written_and_as_sql_reads_it() -> None:
    """Quotes forbid the second reading."""
    assert ["My.Rounds", "my.rounds"] == [
        f"{one.schema}.{one.name}" for one in parse_table_name("My.Rounds").spellings()
    ]
    assert 1 == len(parse_table_name('"My"."Rounds"').spellings())
