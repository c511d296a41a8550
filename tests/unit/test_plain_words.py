"""Prose names its subject: words that hide one are counted, and one budget holds for every package."""

from __future__ import annotations

import pytest
from support.plain_words import Count, Prose, count, counted, hits, python_prose, sql_prose, table

BUDGET = 3.0
"""Hits per 1,000 words that a package may have."""


def test_no_package_is_over_its_budget() -> None:
    """No package, nor sql nor tests, has more hiding words per 1,000 than the budget."""
    found = counted()
    over = {name: round(one.rate, 1) for name, one in found.packages.items() if one.rate > BUDGET}
    assert not over, f"`python -m tests.support.plain_words {' '.join(over)}` prints each place\n{table(found)}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What was claimed, and Whatever whoever nobody Somebody wants", 5),
        ("Those that wait, those\nwhose turn it is, those two, and whose lease ends", 2),
        ("There is none, these are\nnone, none that could; the time is None, and none is left", 3),
        ("Which runs are due. Whose they are; which of them; the run which ends, in which case", 3),
        ("Which runs are due? The runs that are due, somewhat.", 0),
    ],
)
def test_a_hiding_word_is_counted(text: str, expected: int) -> None:
    """Each form is found in any case and across a line's end; its ordinary neighbours are not."""
    assert expected == len(hits(Prose(1, text, is_docstring=True)))


def test_docstrings_and_comments_of_python_are_read() -> None:
    """Docstrings, also below an attribute, and comments are prose; values and directives are not."""
    source = '''"""One."""

LIMIT = 3  # two
"""Three,
four."""
text = "five"  # noqa: S105
# six
# seven
'''
    found = sorted(python_prose(source))
    assert [(1, "One."), (3, "two"), (4, "Three,\nfour."), (7, "six\nseven")] == [(one.line, one.text) for one in found]
    assert ["One.", "Three,\nfour."] == [one.text for one in python_prose(source, comments=False)]


def test_comments_of_sql_are_read() -> None:
    """Comments are prose, also behind a statement; a text with two dashes in it and an include are not."""
    source = "-- One\n-- two.\nSELECT '--three' -- four\n    -- include shared/five.sql\n"
    assert [(1, "One\ntwo."), (3, "four")] == [(one.line, one.text) for one in sql_prose(source)]


def test_a_long_sentence_is_counted_once() -> None:
    """Sentences end at a full stop or a paragraph; code counts as one word, and comments have no limit."""
    long = " ".join(["word"] * 26)
    text = f"{long}. Short, e.g. so. {' '.join(['word'] * 25)}.\n\n{' '.join(['word'] * 10)} `{long}`"
    assert Count(26 + 4 + 25 + 11, 0, 1) == count(Prose(1, text, is_docstring=True))
    assert 0 == count(Prose(1, text, is_docstring=False)).long_sentences
