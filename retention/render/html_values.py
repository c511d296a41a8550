"""The values of an HTML report: each column as a field, and columns that belong together in one cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from retention.core.money import padded_decimal
from retention.core.text import decimal_text, time_text
from retention.reports.report import ColumnType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from retention.reports.report import Column

_GROUPS = {
    "Round": ("round_id", "user_id", "partner", "market", "game_id"),
    "Outcome": ("outcome", "error_code", "description", "discrepancies", "detail"),
    "Refund": (
        *("amount", "currency", "transaction_id", "refund_seen", "refund_seen_at", "winnings"),
        *("stake", "stake_currency", "bet_transaction_id"),
    ),
    "Run": ("policy", "trigger", "requested_by", "approved_by", "reason", "evidence", "run_id", "uuid", "plan_digest"),
}
_TITLES = {"Refund": "Refund and stake", "Run": "Run and evidence"}
_TIMES, _REST = "Times", "Facts"
_ORDER = ("Round", _TIMES, "Outcome", _REST, "Refund", "Run")
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names}
_FOLLOWS = {
    "currency": "amount",
    "stake_currency": "stake",
    "user_id": "round_id",
    "market": "partner",
    "game_id": "market",
    "trigger": "policy",
    "requested_by": "trigger",
    "approved_by": "requested_by",
    "evidence": "reason",
}
"""Columns that stand on the line of the column before them."""

_CURRENCY_OF = {"stake": "stake_currency"}
_WORDS = {
    "user_id": "user",
    "round_id": "round",
    "game_id": "game",
    "run_id": "run",
    "uuid": "request",
    "amount": "refund",
    "requested_by": "asked by",
    "opened_at": "opened",
    "cancelled_at": "cancelled",
    "last_activity_at": "last active",
}
_NUMBERS = {ColumnType.AMOUNT, ColumnType.COUNT}


class Field(NamedTuple):
    """A value: the column's name and label, its text for people, and its exact text for programs (None: the same).

    `type` is the name of a ColumnType in lower case. `texts` has the parts of a column of several texts. An unknown
    value has the text None.
    """

    name: str
    label: str
    type: str
    text: str | None
    exact: str | None = None
    texts: tuple[str, ...] = ()


class Group(NamedTuple):
    """Columns that share a cell of the table of rows: on each line one or several."""

    name: str
    title: str
    lines: tuple[tuple[Column, ...], ...]


def label_of(name: str) -> str:
    """Return a column's name as people read it."""
    return _WORDS.get(name, name.replace("_", " "))


def is_number(column: Column) -> bool:
    """Tell whether a column is aligned right."""
    return column.type in _NUMBERS


def grouped(columns: Sequence[Column]) -> tuple[Group, ...]:
    """Put each column into one cell of a row."""
    groups: dict[str, list[Column]] = {name: [] for name in _ORDER}
    for column in columns:
        rest = _TIMES if column.type is ColumnType.TIME else _REST
        groups[_GROUP_OF.get(column.name, rest)].append(column)
    order = {name: nth for names in _GROUPS.values() for nth, name in enumerate(names)}
    for found in groups.values():
        found.sort(key=lambda column: order.get(column.name, len(order)))
    return tuple(Group(name, _TITLES.get(name, name), _lines(found)) for name, found in groups.items() if found)


def _lines(columns: Sequence[Column]) -> tuple[tuple[Column, ...], ...]:
    lines: list[list[Column]] = []
    for column in columns:
        if lines and lines[-1][-1].name == _FOLLOWS.get(column.name):
            lines[-1].append(column)
        else:
            lines.append([column])
    return tuple(map(tuple, lines))


def field_of(item: Any, column: Column, zone: ZoneInfo) -> Field:
    """Return the value of one column of a row or of a total."""
    value, kind = getattr(item, column.name), column.type
    label, name = label_of(column.name), kind.name.lower()
    if value is None or value == ():
        return Field(column.name, label, name, None)
    if kind is ColumnType.TEXTS:
        return Field(column.name, label, name, "; ".join(value), None, tuple(value))
    text, exact = _texts(item, column, value, zone)
    return Field(column.name, label, name, text, exact)


def _texts(item: Any, column: Column, value: Any, zone: ZoneInfo) -> tuple[str, str | None]:
    """Return a known value's text for people, and its exact text for programs where that is another one."""
    match column.type:
        case ColumnType.TIME:
            return moment(value, zone), time_text(value)
        case ColumnType.AMOUNT:
            currency = getattr(item, _CURRENCY_OF.get(column.name, "currency"), None)
            return padded_decimal(value, currency), decimal_text(value)
        case ColumnType.COUNT:
            return f"{value:,}", str(value)
        case ColumnType.FLAG:
            return "yes" if value else "no", str(value).lower()
    return str(value), None


def moment(at: datetime, zone: ZoneInfo) -> str:
    """Write a time of a zone for people, to the second and with its offset from UTC."""
    return at.astimezone(zone).isoformat(sep=" ", timespec="seconds")
