"""Reports with pseudonyms: the server replaces users' ids, so that no plain one arrives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from support.ledger import SETTLED

from retention.reports.read import read_report
from retention.reports.report import Selection

if TYPE_CHECKING:
    from support.ledger import Book

    from retention.ledger.database import Database
    from retention.reports.kinds.cancelled import ReportRound

PSEUDONYM = re.compile(r"pseudonym:[A-Za-z0-9_-]{22}")


async def shown(database: Database, *, pseudonymise: bool = True) -> dict[str, ReportRound]:
    """Read a report's rounds, by their ids."""
    async with read_report(database, Selection(pseudonymise=pseudonymise)) as report:
        return {item.round_id: item async for item in report.rows}


async def test_one_user_has_one_pseudonym_in_a_ledger(database: Database, book: Book) -> None:
    """Rounds of one user get the same pseudonym in every run, other users get others, and a pseudonym stays itself."""
    first, second = await book.run(), await book.run()
    kept = f"pseudonym:{'x' * 22}"
    for run, name, user in ((first, "a", "U-1"), (second, "b", "U-1"), (first, "c", "u-1"), (first, "d", kept)):
        await book.row(run, name, user_id=user)
    found = {name: item.user_id for name, item in (await shown(database)).items()}

    assert all(PSEUDONYM.fullmatch(user) for user in found.values())
    assert found["a"] == found["b"]
    assert kept == found["d"]
    assert 3 == len(set(found.values()))
    assert {"U-1", "u-1", kept} == {item.user_id for item in (await shown(database, pseudonymise=False)).values()}


async def test_a_report_and_an_erasure_make_the_same_pseudonym(database: Database, book: Book) -> None:
    """A report from before `ledger pseudonymise` and one from after it name the same user alike."""
    await book.row(await book.run())
    before = (await shown(database))["R-1"].user_id
    values = {"user_id": "U-1", "before": None, "begun": SETTLED, "limit": 10, "by": "ann"}
    async with database.transaction() as transaction:
        await transaction.rows("pseudonyms/replace_user_ids", **values)

    assert before == (await shown(database, pseudonymise=False))["R-1"].user_id
    assert before == (await shown(database))["R-1"].user_id


@pytest.mark.parametrize(
    ("user", "words", "expected"),
    [
        ("4711", "claim of 4711, (4711).", "claim of USER, (USER)."),
        ("4711", "T-14711 x4711 4711_ 47110", "T-14711 x4711 4711_ 47110"),
        ("471", "claim of 471", "claim of 471"),
        ("a.b*(c", "a.b*(c a.b*(cd axb*(c", "USER a.b*(cd axb*(c"),
        (r"\d+&\1", r"\d+&\1 7&", "USER 7&"),
        ("***:abc", "***:abc", "USER"),
        ("josé", "josé joséphine josè", "USER joséphine josè"),
        ("[^x]{9", "[^x]{9\n[^x]{9", "USER\nUSER"),
    ],
)
async def test_words_lose_the_id_of_their_own_row(
    database: Database, book: Book, user: str, words: str, expected: str
) -> None:
    """Words lose the row's own user id where it is a whole word of four characters or more, whatever it contains."""
    run = await book.run(trigger="targeted", reason=words, evidence=words)
    await book.row(run, user_id=user, conflict=True, detail=f"close_rounds: {words}")
    item = (await shown(database))["R-1"]
    wanted = expected.replace("USER", item.user_id)

    assert (wanted, wanted) == (item.reason, item.evidence)
    assert any(wanted in text for text in item.discrepancies)
    assert words == (await shown(database, pseudonymise=False))["R-1"].reason
