"""Plans of EXPLAIN: the scans of whole tables, and the index that each lacks."""

from __future__ import annotations

from typing import Any

import pytest

from retention.ledger.checks.scans import WantedIndex, conjuncts, fault_of_index, full_scans, wanted_index

KEY = "current_setting('retention.{}'::text, true)"
TIME = "('2026-11-27 21:38:58+00'::timestamp with time zone - '72:00:00'::interval)"


def scan(where: str, **above: str) -> dict[str, Any]:
    """A plan with one sequential scan, below a node with these conditions."""
    node = {"Node Type": "Seq Scan", "Schema": "casino", "Relation Name": "rounds", "Alias": "r", "Filter": where}
    return {"Node Type": "Nested Loop", "Plans": [node], **{key.replace("_", " "): text for key, text in above.items()}}


@pytest.mark.parametrize(
    ("where", "statement"),
    [
        (
            (
                f"((r.state = 'a AND (b'::text) AND (r.account = {KEY.format('partner')}) AND"
                f" (r.id = {KEY.format('round_id')}))"
            ),
            "(account, id) WHERE (state = 'a AND (b'::text)",
        ),
        (f"(((r.opened)::timestamptz <= {TIME}) AND (r.state = 0))", "(((opened)::timestamptz)) WHERE (state = 0)"),
        (f"(r.opened_at <= {TIME})", "(opened_at)"),
        ("(r.round = b.id)", "(round)"),
        # A condition that changes, or that names another table, is no condition of an index.
        (f"((r.until > now()) AND (r.kind > b.kind) AND (r.opened_at <= {TIME}))", "(opened_at)"),
    ],
)
def test_a_filter_leads_to_its_index(where: str, statement: str) -> None:
    """The view's expressions become keys, and its constant conditions the WHERE."""
    [found] = full_scans(scan(where))
    wanted = wanted_index(found)
    assert wanted is not None
    assert f"CREATE INDEX CONCURRENTLY ON t {statement}" == wanted.statement("t", partitioned=False)


def test_a_join_above_leads_to_an_index_too() -> None:
    """Where the scan has no condition of its own, the join's counts; without either no index can serve."""
    [joined] = full_scans(scan("", Join_Filter="(r.round = b.id)"))
    assert WantedIndex(("round",), ()) == wanted_index(joined)
    [bare] = full_scans(scan("(r.state = 0)"))
    assert wanted_index(bare) is None


@pytest.mark.parametrize(
    ("keys", "condition", "valid", "why"),
    [
        (["opened_at"], None, False, "is not valid"),
        (["opened_at"], "(state = 1)", True, "is partial, WHERE (state = 1)"),
        (["opened_at"], "(state = 0)", True, "collation"),
        (["market"], None, True, None),
    ],
)
def test_an_index_that_does_not_serve_says_why(keys: list[str], condition: str, valid: bool, why: str | None) -> None:
    """Each reason has its own words, and an index about something else has none."""
    fault = fault_of_index(WantedIndex(("opened_at",), ("(state = 0)",)), keys, condition, valid=valid)
    assert (why or "") in (fault.why if fault else "")
    assert (why is None) == (fault is None)


def test_an_expression_is_told_from_its_column() -> None:
    """An index on the column does not serve the view's expression of it."""
    fault = fault_of_index(WantedIndex(("(id)::text",), ()), ["id"], None, valid=True)
    assert fault is not None
    assert "is on id, and the view computes (id)::text" == fault.why


def test_quotes_hide_an_and() -> None:
    """Only the outermost ANDs divide a condition."""
    assert ["(a = 'x AND (y'::text)", "((b = 1) OR (c = 2))"] == conjuncts(
        "((a = 'x AND (y'::text) AND ((b = 1) OR (c = 2)))"
    )
