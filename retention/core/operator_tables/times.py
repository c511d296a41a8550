"""Chooses the times of a round: when it was opened, and when something last happened in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.operator_tables import names
from retention.core.operator_tables.draft import TABLE, Choice, column_sql, placeholder

if TYPE_CHECKING:
    from retention.core.operator_tables.draft import Draft
    from retention.core.operator_tables.facts import Column

WITH_ZONE = "timestamp with time zone"
WITHOUT_ZONE = "timestamp without time zone"

ZONE = "'UTC'"
"""The zone that a time without one is taken to be in, until a person says otherwise."""

_MILLISECOND_DIGITS = 12
"""A number of the epoch with as many digits or more is in milliseconds."""


def is_time(column: Column) -> bool:
    """Whether a column can be a moment."""
    if column.json_type:
        return False
    if column.type in {"bigint", "numeric"}:
        return column.values.longest >= 10 and column.values.longest <= 14  # noqa: PLR2004 - of an epoch
    return column.type in {WITH_ZONE, WITHOUT_ZONE, "date"}


def time_sql(alias: str, column: Column) -> str:
    """Return a column as a moment, in a form that an index can have."""
    raw = column_sql(alias, column)
    if column.type == WITHOUT_ZONE:
        return f"{raw} AT TIME ZONE {ZONE}"
    if column.type == "date":
        return f"{raw}::timestamp AT TIME ZONE {ZONE}"
    if column.type == WITH_ZONE:
        return raw
    return f"to_timestamp({raw} / 1000.0)" if is_milliseconds(column) else f"to_timestamp({raw})"


def is_milliseconds(column: Column) -> bool:
    """Whether the numbers of a time are milliseconds of the epoch, and not seconds."""
    return column.values.longest >= _MILLISECOND_DIGITS


def stored_sql(column: Column, moment: str) -> str:
    """Return a moment in the type of a column."""
    if column.type == WITHOUT_ZONE:
        return f"{moment} AT TIME ZONE {ZONE}"
    if column.type == "date":
        return f"({moment} AT TIME ZONE {ZONE})::date"
    if column.type == WITH_ZONE:
        return moment
    seconds = f"extract(epoch FROM {moment})"
    return f"({seconds} * 1000)::bigint" if is_milliseconds(column) else f"{seconds}::bigint"


def choose_opened(draft: Draft) -> Choice:
    """Return when the round was opened."""
    found = draft.find(names.OPENED, accept=is_time)
    if not found:
        return placeholder("opened_at", "no column was found that tells when the round was opened: write it.")
    column = found[0].column
    question = ""
    if column.type in {WITHOUT_ZONE, "date"}:
        question = (
            f"{column.name} has no time zone: which one do its times mean? The database's own is {draft.facts.zone}."
            f" The zone stands in more than one file of these: change each {ZONE}."
        )
    return Choice(time_sql(TABLE, column), question)


def choose_activity(draft: Draft, beside: str | None) -> Choice:
    """Return when something last happened in the round. `beside`: the last bet's time, where bets have a table."""
    found = draft.find(names.ACTIVITY, accept=lambda one: is_time(one) and one.type != "date")
    if found and (found[0].rank == 0 or beside is None):
        return Choice(time_sql(TABLE, found[0].column))
    if beside is not None:
        return Choice(beside)
    return Choice("NULL::timestamptz", note="no column tells of the last activity, so idle_longer_than has no effect")
