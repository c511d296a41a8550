"""Describes the values of an operator's table from a bounded sample of its rows.

A small table is read up to a limit. Of a large one, a few random pages, the newest rows by primary key and the last
pages are read, never the whole. The server's own statistics add the values that are rare. The names of the table and
its columns stand in these statements, so they are composed here and are no files of sql/queries/.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from retention.core.operator_tables.facts import Column, Values
from retention.core.operator_tables.state import ended_column, state_column
from retention.ledger.database_errors import first_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retention.core.operator_tables.facts import ForeignKey, Relation
    from retention.ledger.database import Transaction

STATEMENT_LIMIT_MS = 10_000
"""Milliseconds for each statement."""

SMALL_ROWS = 20_000
"""Rows up to which a table is read as a whole."""

RANDOM_ROWS, NEWEST_ROWS = 10_000, 2_000
"""Rows of a large table's sample, about."""

FEW = 40
"""Different values up to which a column's values are told."""

LONGEST_VALUE = 60
"""Characters of a value that can be a state, a currency or a market."""

LOOKUP_ROWS = 200
"""Rows up to which a table can be one of names for numbers."""

MOST_KEYS = 40
"""Keys of a JSON column that are looked at."""

_NUMBERED = {"smallint", "integer", "bigint"}
_TEXTS = {"text", "character varying", "character", "citext"}
_READ = (
    _NUMBERED
    | _TEXTS
    | {"numeric", "boolean", "uuid", "timestamp with time zone", "timestamp without time zone", "date"}
)
_JSON = {"json", "jsonb"}

_VALUES = """
WITH v AS MATERIALIZED (
    SELECT e.key AS name, e.value FROM ({rows}) s, LATERAL jsonb_each_text(to_jsonb(s) - '_table' - '_row') e
),
c AS (SELECT name, value, count(*) AS rows FROM v GROUP BY name, value)
SELECT
    name, sum(rows)::bigint AS rows, coalesce(sum(rows) FILTER (WHERE value IS NULL), 0)::bigint AS nulls,
    count(value) AS different, coalesce(max(char_length(value)), 0) AS longest,
    CASE WHEN count(value) <= {few} AND coalesce(max(char_length(value)), 0) <= {longest}
         THEN array_agg(value ORDER BY rows DESC, value) FILTER (WHERE value IS NOT NULL) END AS values,
    array_agg(rows ORDER BY rows DESC, value) FILTER (WHERE value IS NOT NULL) AS counts
FROM c GROUP BY name
"""

_KEYS = """
SELECT e.key AS name, min(jsonb_typeof(e.value)) FILTER (WHERE jsonb_typeof(e.value) <> 'null') AS type
FROM ({rows}) s,
    LATERAL jsonb_each(CASE WHEN jsonb_typeof(s.value) = 'object' THEN s.value ELSE '{{}}'::jsonb END) e
GROUP BY e.key ORDER BY count(*) DESC, e.key LIMIT {most}
"""


class Sampler:
    """Reads samples in one transaction.

    A statement that fails, or takes too long, leaves its values unknown, and `unread` says why.
    """

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self.unread: list[str] = []

    async def describe(self, relation: Relation, keys: Sequence[ForeignKey]) -> Relation:
        """Return the relation with the keys of its JSON columns, the values of all, and its names for numbers."""
        columns = [*relation.columns]
        for column in relation.columns:
            if column.type in _JSON:
                columns += await self._json_keys(relation, column)
        columns = await self._values(relation, columns)
        found = replace(relation, columns=tuple(columns))
        if relation.rows <= LOOKUP_ROWS and any(one.other == relation.oid for one in keys):
            found = replace(found, lookup=await self._lookup(found))
        return found

    async def open_beside(self, table: Relation) -> Mapping[tuple[str, str], Mapping[tuple[str, bool], int]]:
        """Count the rows of each state with and without a time of their end."""
        state, ended = state_column(table.columns), ended_column(table.columns)
        if state is None or ended is None or state.json_type:
            return {}
        rows = await self._rows(
            "SELECT s.state, s.open, count(*) AS rows FROM ({rows}) s GROUP BY 1, 2",
            table,
            sql.SQL("{}::text AS state, {} IS NULL AS open").format(sql.SQL(state.sql), sql.SQL(ended.sql)),
        )
        return {(state.name, ended.name): {(row.state, row.open): row.rows for row in rows if row.state is not None}}

    async def _json_keys(self, relation: Relation, column: Column) -> list[Column]:
        rows = await self._rows(
            _KEYS,
            relation,
            sql.SQL("{}::jsonb AS value").format(sql.SQL(column.sql)),
            most=MOST_KEYS,
        )
        return [
            Column(row.name, f"{column.sql} ->> {sql.Literal(row.name).as_string()}", "text", json_type=row.type)
            for row in rows
            if row.type in {"string", "number", "boolean"}
        ]

    async def _values(self, relation: Relation, columns: Sequence[Column]) -> list[Column]:
        read = [one for one in columns if one.json_type or one.type in _READ or one.labels]
        if not read:
            return [*columns]
        listed = sql.SQL(", ").join(
            sql.SQL("({}) AS {}").format(sql.SQL(one.sql), sql.Identifier(str(place))) for place, one in enumerate(read)
        )
        rows = await self._rows(_VALUES, relation, listed, few=FEW, longest=LONGEST_VALUE)
        known = {row.name: _values_of(row) for row in rows}
        common = {
            row.name: row.values
            for row in await self._transaction.rows("proposals/list_common_values", oids=[relation.oid])
        }
        described = {}
        for place, one in enumerate(read):
            values = known.get(str(place), Values())
            seen = {value for value, _ in values.counts}
            # A column whose sample has too many values has no rare ones that matter.
            if not one.json_type and (values.counts or not values.different):
                rare = tuple(value for value in common.get(one.name, ()) if value not in seen)
                values = replace(values, rare=tuple(_as_json(value, one.type) for value in rare))
            described[one] = replace(one, values=values)
        return [described.get(one, one) for one in columns]

    async def _lookup(self, relation: Relation) -> Mapping[str, str]:
        """Return the names of a small table's numbers."""
        names = [one for one in relation.columns if one.type in _TEXTS and one.values.longest <= LONGEST_VALUE]
        if len(relation.primary_key) != 1 or not names:
            return {}
        key = relation.column(relation.primary_key[0])
        rows = await self._rows(
            "SELECT s.key, s.name FROM ({rows}) s ORDER BY 1",
            relation,
            sql.SQL("{}::text AS key, {}::text AS name").format(sql.SQL(key.sql), sql.SQL(names[0].sql)),
        )
        return {row.key: row.name or "" for row in rows} if len(rows) <= FEW else {}

    async def _rows(self, statement: str, relation: Relation, columns: sql.Composable, **values: Any) -> list[Any]:
        """Run a statement over a sample of a relation; no rows where the server does not answer in time."""
        literals = {name: sql.Literal(value) for name, value in values.items()}
        composed = sql.SQL(statement).format(rows=sample_of(relation, columns), **literals)
        try:
            return await self._transaction.composed(composed)
        except psycopg.DatabaseError as error:  # a view may raise, or try to write
            if isinstance(error, psycopg.OperationalError) and not isinstance(error, psycopg.errors.QueryCanceled):
                raise
            why = f"{relation.sql}: its values were not read: {first_line(error)}"
            if why not in self.unread:
                self.unread.append(why)
            return []


def sample_of(relation: Relation, columns: sql.Composable) -> sql.Composable:
    """Compose the sample of a relation: columns of at most some ten thousand rows, each once."""
    table = sql.SQL(relation.sql)
    if relation.kind not in {"r", "p"} or relation.rows <= SMALL_ROWS:
        return sql.SQL("SELECT {} FROM {} LIMIT {}").format(columns, table, sql.Literal(SMALL_ROWS))
    share = min(100.0, 100.0 * RANDOM_ROWS / relation.rows)
    kept = sql.SQL("tableoid AS _table, ctid AS _row, {}").format(columns)
    random = sql.SQL("(SELECT {} FROM {} TABLESAMPLE SYSTEM ({}) LIMIT {})").format(
        kept, table, sql.Literal(share), sql.Literal(RANDOM_ROWS)
    )
    parts = [random]
    if relation.primary_key:
        order = sql.SQL(", ").join(sql.SQL("{} DESC").format(sql.Identifier(one)) for one in relation.primary_key)
        newest = sql.SQL("(SELECT {} FROM {} ORDER BY {} LIMIT {})")
        parts.append(newest.format(kept, table, order, sql.Literal(NEWEST_ROWS)))
    if relation.kind == "r":
        last = sql.SQL("(SELECT {} FROM {} WHERE ctid >= {}::tid LIMIT {})")
        parts.append(last.format(kept, table, sql.Literal(f"({relation.last_pages},0)"), sql.Literal(RANDOM_ROWS)))
    return sql.SQL("SELECT DISTINCT ON (_table, _row) * FROM ({}) u").format(sql.SQL(" UNION ALL ").join(parts))


def _values_of(row: Any) -> Values:
    counts = tuple(zip(row.values, row.counts, strict=True)) if row.values else ()
    return Values(row.rows, row.nulls, row.different, row.longest, counts)


def _as_json(value: str, kind: str) -> str:
    """Write a value of the statistics as the sample has it."""
    return {"t": "true", "f": "false"}.get(value, value) if kind == "boolean" else value
