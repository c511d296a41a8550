"""How each statement is written: its header, its CTEs, its width, and no text for people in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from retention.ledger.queries import SHARED, query, sql_root, statements

ROOT = Path(str(sql_root()))
FILES = sorted(ROOT.rglob("*.sql"))
QUERIES = ROOT / "queries"
FRAGMENTS = sorted((QUERIES / SHARED).glob("*.sql"))

WIDEST = 120
"""Columns of a line."""

HEADER = re.compile(
    r"-- Purpose: [A-Z][^\n]*\.?\n(?:--     [^\n]+\n)*"
    r"-- Locks: [a-zA-Z][^\n]*\n(?:--     [^\n]+\n)*"
    r"-- Returns: [a-z][^\n]*\n(?:--     [^\n]+\n)*(?!--(?! include))"
)

CTE = re.compile(r"^(?!DO\b)\w+ AS (?:NOT )?(?:MATERIALIZED )?\($")

SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}")
"""Two words in a row: a text that a person would read."""

NO_TEXT = {
    *("read committed", "SCHEMA retention", "FUNCTION retention."),
    *("ALTER TABLE retention.", "ALTER INDEX retention.", "CREATE TABLE retention."),
    *("INSERT INTO retention.", "DROP TABLE retention."),
}
"""Values and names of the server's that have two words."""


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_line_is_wider_than_the_page(path: Path) -> None:
    """Each line of sql/ fits into 120 columns, without blanks at its end."""
    lines = path.read_text("utf-8").splitlines()
    assert [] == [line for line in lines if len(line) > WIDEST or line != line.rstrip()]


@pytest.mark.parametrize("name", statements())
def test_a_statement_says_its_purpose_locks_and_result(name: str) -> None:
    """Each statement begins with the same three words, and is sent under its name, without its comments."""
    text = (QUERIES / f"{name}.sql").read_text("utf-8")
    assert HEADER.match(text)
    first, *rest = query(name).splitlines()
    assert f"-- {name}" == first
    assert [] == [line for line in rest if not line.strip() or line.lstrip().startswith("--")]


@pytest.mark.parametrize("path", FRAGMENTS, ids=_name)
def test_a_fragment_says_so_and_is_included(path: Path) -> None:
    """Each fragment begins with that word, and a statement includes it: no rule is kept that nothing obeys."""
    text = path.read_text("utf-8")
    assert text.startswith("-- Fragment")
    within = [
        file for file in QUERIES.rglob("*.sql") if f"-- include {SHARED}/{path.name}\n" in file.read_text("utf-8")
    ]
    assert within


@pytest.mark.parametrize("path", sorted(QUERIES.rglob("*.sql")), ids=_name)
def test_a_cte_has_its_comment(path: Path) -> None:
    """Each CTE stands apart, below a comment that names its rows."""
    lines = path.read_text("utf-8").splitlines()
    bare = []
    for number, line in enumerate(lines):
        if CTE.match(line):
            above = number - 1
            while lines[above].startswith("-- "):
                above -= 1
            if above == number - 1 or lines[above]:
                bare.append(line)
    assert [] == bare


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_no_text_for_people_is_made_in_sql(path: Path) -> None:
    """Statements return codes, and store texts that they are given: words stand in Python, each once."""
    if path.parent.name == "operator":
        return
    code = re.sub(r"--[^\n]*", "", path.read_text("utf-8"))
    texts = re.findall(r"'((?:[^']|'')*)'", re.sub(r"interval '[^']*'|timestamptz '[^']*'", "", code))
    found = [text for text in texts if SENTENCE.search(text) and "{" not in text]
    assert [] == [text for text in found if not any(text.startswith(known) for known in NO_TEXT)]
