"""Writes close_rounds.sql: the function that marks rounds cancelled."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retention.core.operator_tables import names
from retention.core.operator_tables.draft import TABLE, Choice
from retention.core.operator_tables.model import FileText
from retention.core.operator_tables.names import fits
from retention.core.operator_tables.state import TEXTS
from retention.core.operator_tables.times import WITH_ZONE, WITHOUT_ZONE, ZONE, is_time, stored_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retention.core.operator_tables.facts import Column
    from retention.core.operator_tables.model import Parts

ARGUMENTS = "text[], text[], timestamptz[], text[], numeric[], text[]"


def closing_text(parts: Parts) -> FileText:
    """Write the function."""
    file, table = FileText("close_rounds.sql"), parts.draft.table
    partner, round_id = parts.choices["partner"], parts.choices["round_id"]
    beside = parts.draft.joins_in(f"{partner.sql} {round_id.sql}")
    file.comment(
        f"The function `retention.close_rounds` for {table.sql}, as `retention db sample --table` proposes it."
    )
    file.add("--")
    file.comment(
        "It changes only rounds that are still open, and returns them. It runs with its owner's rights, who needs"
        " SELECT and UPDATE on the table. `retention db sample` says more about it."
    )
    file.comment("Its conditions are those of open_rounds.sql: change both.")
    if table.kind == "v":
        file.comment(
            f"{table.sql} is a view: PostgreSQL updates it where it is simple; otherwise name the table below it."
        )
    file.add(
        "",
        "CREATE OR REPLACE FUNCTION retention.close_rounds(",
        "    p_partner         text[],",
        "    p_round_id        text[],",
        "    p_cancelled_at    timestamptz[],",
        "    p_currency        text[],",
        "    p_amount          numeric[],",
        "    p_transaction_id  text[]",
        ")",
        "RETURNS TABLE (partner text, round_id text)",
        "LANGUAGE sql",
        "SECURITY DEFINER",
        "SET search_path = pg_catalog, pg_temp",
    )
    body = FileText(file.name)
    body.add(f"    UPDATE {table.sql} {TABLE}", "    SET")
    if parts.state.cancelled is not None:
        body.explain("cancelled", parts.state.cancelled, "        ")
    sets = [*_sets(parts)]
    if any(ZONE in value for _, value in sets) and not parts.asks_zone():
        body.explain(
            "zone", Choice("", f"in which zone are the times that are set below? The proposal is {ZONE}."), " " * 8
        )
    for place, (column, value) in enumerate(sets):
        body.add(f"        {column.sql} = {value}{',' if place < len(sets) - 1 else ''}")
    if not sets:
        body.comment(
            "? cancelled: which column says that a round is cancelled? No column of the table says so.", " " * 8
        )
        body.add('        "? column" = true')
        body.asked.append("cancelled")
        body.stops += 1
    body.add(
        "    FROM unnest(p_partner, p_round_id, p_cancelled_at, p_currency, p_amount, p_transaction_id)",
        "        AS c (partner, round_id, cancelled_at, currency, amount, transaction_id)"
        + "".join(f",\n        {one.sql} {one.alias}" for one in beside),
        f"    WHERE c.partner = {partner.sql} AND c.round_id = {round_id.sql}",
        *(f"      AND {condition}" for condition in (*(one.on for one in beside), *parts.conditions())),
        f"    RETURNING {partner.sql}, {round_id.sql}",
    )
    tag = "$close$"
    while tag in body.text:  # a value of the operator's may have any sign
        tag = f"{tag[:-1]}_$"
    file.add(
        f"AS {tag}",
        *body.lines,
        f"{tag};",
        "",
        f"REVOKE ALL ON FUNCTION retention.close_rounds({ARGUMENTS}) FROM PUBLIC;",
    )
    file.asked += body.asked
    file.stops += body.stops
    return file


def _ends(parts: Parts, column: Column) -> bool:
    """Whether a cancelled round gets this time of an end: as those of the sample have it; a CHECK on it says no."""
    if not fits(column.name, names.ENDED):
        return False
    state, facts = parts.state, parts.draft.facts
    if state.column is None or state.cancelled is None:
        return True
    beside = facts.open_beside.get((state.column.name, column.name), {})
    value = state.cancelled.sql.strip("'")
    if beside.get((value, True)) or beside.get((value, False)):
        return bool(beside.get((value, False)))
    return not any(re.search(rf"\b{re.escape(column.name)}\b", check) for check in parts.draft.table.checks)


def _sets(parts: Parts) -> Iterator[tuple[Column, str]]:
    """Yield the columns that a cancelled round gets, each with its value."""
    state = parts.state
    if state.column is not None and state.cancelled is not None and not state.column.json_type:
        yield state.column, state.cancelled.sql
    for column in parts.draft.table.columns:
        if column is state.column or column.json_type:
            continue
        if is_time(column) and (fits(column.name, names.CANCELLED_TIME) or _ends(parts, column)):
            yield column, stored_sql(column, "c.cancelled_at")
        elif fits(column.name, names.UPDATED) and column.type in {WITH_ZONE, WITHOUT_ZONE}:
            yield column, stored_sql(column, "now()")
        elif fits(column.name, names.VERSION) and column.type in {"smallint", "integer", "bigint"}:
            yield column, f"{TABLE}.{column.sql} + 1"
        elif fits(column.name, names.REFUND) and column.type == "numeric":
            yield column, "c.amount"
        elif fits(column.name, names.REFUND_CURRENCY) and column.type in TEXTS:
            yield column, "c.currency"
        elif fits(column.name, names.REFUND_TRANSACTION) and column.type in TEXTS:
            yield column, "c.transaction_id"
