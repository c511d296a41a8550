"""Names of persons are compared by one rule, in Python and in SQL, under any locale of the database."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.bare_database import bare_database

from retention.core.planning.approval import fold_name

if TYPE_CHECKING:
    from collections.abc import Iterator

ASSIGNED = [chr(point) for point in range(1, 0x110000) if unicodedata.category(chr(point)) not in {"Cn", "Co", "Cs"}]
"""Each letter and sign that this Python's version of Unicode has."""

SAME = [
    ("Ann", "ANN"),
    ("ann", "  Ann\u00a0"),
    ("\u00c9lodie", "e\u0301lodie"),
    ("STRASSE", "stra\u00dfe"),
    ("Stra\u1e9ee", "strasse"),
    ("\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2", "\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c3"),
    ("\uff21\uff4e\uff4e", "ann"),
    ("\ufb01nn", "FINN"),
    ("a\u200bnn", "ann\u2060"),
    ("\u0130rem", "i\u0307rem"),
    ("\u0416\u0430\u043d\u043d\u0430", "\u0436\u0430\u043d\u043d\u0430"),
    ("\U00010400", "\U00010428"),
]
OTHER = [("ann", "anna"), ("ann", "a nn"), ("\u00e9lodie", "elodie"), ("ann", "\u0430nn")]


@pytest.fixture(scope="module", params=["UTF8", "SQL_ASCII"])
def ledger(postgres: str, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection to a ledger under the locale C, in each encoding that a ledger may have."""
    with (
        bare_database(postgres, postgres, encoding=request.param) as dsn,
        psycopg.connect(make_conninfo(dsn, client_encoding="UTF8"), autocommit=True) as connection,
    ):
        yield connection


def _folded(ledger: psycopg.Connection[Any], names: list[str]) -> list[list[int]]:
    rows = ledger.execute(
        "SELECT retention.fold_name(n) FROM unnest(%s::text[]) WITH ORDINALITY AS u (n, i) ORDER BY i", [names]
    )
    return [row[0] for row in rows]


def _joined(letters: list[str]) -> list[str]:
    """Some hundred letters a name: a call for each letter would take a minute."""
    return ["|".join(letters[begin : begin + 500]) for begin in range(0, len(letters), 500)]


def _composes(ledger: psycopg.Connection[Any]) -> bool:
    return ledger.execute("SELECT getdatabaseencoding()").fetchone() == ("UTF8",)


def _known(ledger: psycopg.Connection[Any]) -> list[str]:
    """The letters whose NFKC form the server knows: none that it leaves as it is without an encoding, or for its older
    version of Unicode.
    """
    changed = [sign for sign in ASSIGNED if unicodedata.normalize("NFKC", sign) != sign]
    left = set(changed)
    if _composes(ledger):
        rows = ledger.execute("SELECT s FROM unnest(%s::text[]) s WHERE normalize(s, NFKC) = s", [changed])
        left = {row[0] for row in rows}
    return [sign for sign in ASSIGNED if sign not in left]


def test_python_and_sql_fold_each_letter_alike(ledger: psycopg.Connection[Any]) -> None:
    """Both fold every letter that both know to the same one."""
    names = _joined(_known(ledger))
    found = ["".join(map(chr, points)) for points in _folded(ledger, names)]
    differing = [
        (mine, theirs)
        for name, folded in zip(names, found, strict=True)
        for mine, theirs in zip(fold_name(name).split("|"), folded.split("|"), strict=True)
        if mine != unicodedata.normalize("NFKC", theirs)
    ]
    assert [] == differing


def test_the_servers_own_tables_fold_each_letter_alike(ledger: psycopg.Connection[Any]) -> None:
    """The rule's pairs are those of PostgreSQL 18's Unicode, which is newer than the oldest Python's."""
    if not _composes(ledger) or ledger.info.server_version < 18_00_00:
        pytest.skip("PostgreSQL 18 is the first one with casefold(), in UTF8 alone")
    rows = ledger.execute(
        "SELECT chr(p), casefold(chr(p) COLLATE pg_catalog.pg_unicode_fast) FROM generate_series(128, 1114111) p"
        " WHERE p NOT BETWEEN 55296 AND 57343"
        " AND casefold(chr(p) COLLATE pg_catalog.pg_unicode_fast) <> chr(p) COLLATE pg_catalog.pg_unicode_fast"
    )
    names = _joined([letter for row in rows for letter in row])  # what a letter becomes has to stay as it is
    assert len(names) > 2
    theirs = ledger.execute(
        "SELECT normalize(casefold(normalize(n, NFKC) COLLATE pg_catalog.pg_unicode_fast), NFKC)"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS u (n, i) ORDER BY i",
        [names],
    )
    for points, (text,) in zip(_folded(ledger, names), theirs, strict=True):
        assert text == "".join(map(chr, points))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_forms_of_a_name_are_one_person(ledger: psycopg.Connection[Any], one: str, other: str) -> None:
    """Case, blanks, invisible signs and Unicode form make no other person of a name, not even under the locale C."""
    assert fold_name(one) == fold_name(other)
    if _composes(ledger):
        first, second = _folded(ledger, [one, other])
        assert first == second


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_other_names_are_other_persons(ledger: psycopg.Connection[Any], one: str, other: str) -> None:
    """Names that differ in a letter, an accent or an inner blank are two persons."""
    assert fold_name(one) != fold_name(other)
    first, second = _folded(ledger, [one, other])
    assert first != second


@pytest.mark.parametrize("name", ["", " ", "\u200b", "\u3000\u2800", "\t"])
def test_an_invisible_name_folds_to_nothing(ledger: psycopg.Connection[Any], name: str) -> None:
    """A name of blanks and invisible signs is no name."""
    assert fold_name(name) == ""
    assert [[]] == _folded(ledger, [name])
