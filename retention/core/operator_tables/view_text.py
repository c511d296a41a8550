"""Writes open_rounds.sql: the view of the open rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.operator_tables.draft import TABLE, Choice
from retention.core.operator_tables.model import FileText

if TYPE_CHECKING:
    from retention.core.operator_tables.model import Parts

TYPES = {
    "partner": "text",
    "market": "text",
    "game_id": "text",
    "user_id": "text",
    "round_id": "text",
    "opened_at": "timestamptz",
    "last_activity_at": "timestamptz",
    "currency": "text",
    "stake": "numeric",
    "bet_transaction_id": "text",
}
"""The view's columns in their order."""


def view_text(parts: Parts) -> FileText:
    """Write the view."""
    file, table = FileText("open_rounds.sql"), parts.draft.table
    file.comment(f"The view `retention.open_rounds` for {table.sql}, as `retention db sample --table` proposes it.")
    file.add("--")
    file.comment(
        "Where a comment begins with a question mark, a person decides; the line below it is the proposal. A name"
        ' such as "? market" is an answer that is missing: psql stops there.'
        " The other files repeat some expressions: change them there, too."
        " Values stand with their number of rows in a sample."
    )
    file.comment(
        "A view reads the tables with its owner's rights. Leave out security_invoker and security_barrier:"
        " see `retention db sample`."
    )
    if table.kind == "v":
        file.comment(f"{table.sql} is a view itself: its rows have to be read by indexes of the tables below it.")
    file.add("", "CREATE OR REPLACE VIEW retention.open_rounds AS", "SELECT")
    for place, name in enumerate(TYPES):
        choice = parts.choices[name]
        file.explain(name, choice, "    ")
        comma = "," if place < len(TYPES) - 1 else ""
        file.add(f"    {choice.sql} AS {name}{comma}")
    file.add(f"FROM {table.sql} {TABLE}")
    for one in parts.draft.joins:
        if one.guessed:
            file.explain("join", Choice("", f"no foreign key says that {one.on}, only the names do: is it so?"))
        file.add(f"LEFT JOIN {one.sql} {one.alias} ON {one.on}")
    if parts.stake.join:
        file.explain("bets", Choice("", parts.stake.join_question, stops='"? kind"' in parts.stake.join))
        file.add(parts.stake.join)
    conditions = [("open", parts.state.condition)]
    conditions += [("deleted", Choice(sql)) for sql in parts.not_deleted]
    if parts.provider is not None:
        conditions.append(("provider", parts.provider))
    for place, (subject, choice) in enumerate(conditions):
        file.explain(subject, choice)
        end = ";" if place == len(conditions) - 1 else ""
        file.add(f"{'  AND' if place else 'WHERE'} {choice.sql}{end}")
    return file
