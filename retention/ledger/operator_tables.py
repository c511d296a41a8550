"""Reads the catalogue about one of the operator's tables, and a bounded sample of its rows, for `db sample --table`.

This is the one place that reads the operator's own tables. It reads in one transaction that cannot write, and each of
its statements has a time limit. The counts of a sample are made by the server. Values leave the
server only of columns with few different ones, such as states; the proposal shows no others.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from retention.core.name_matching import closest_name, list_names
from retention.core.operator_tables.facts import Column, Facts, ForeignKey, Index, Partition, Relation
from retention.core.text import printable
from retention.errors import SchemaError, UsageError
from retention.ledger.operator_rows import STATEMENT_LIMIT_MS, Sampler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retention.core.operator_tables.table_name import TableName
    from retention.ledger.database import Database, Transaction


class OperatorTables:
    """Reads facts about a table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, name: TableName, partners: Sequence[str], job: str) -> Facts:
        """Read the facts about a table. `job`: the role that the work logs in as.

        Raises UsageError for a table that is not there, and SchemaError for one that this role may not read.
        """
        async with self._database.transaction(snapshot=True) as transaction:
            await transaction.run(f"SET LOCAL statement_timeout = {STATEMENT_LIMIT_MS}")
            await transaction.run(f"SET LOCAL lock_timeout = {STATEMENT_LIMIT_MS}")
            found = await _find(transaction, name)
            login = await transaction.row("proposals/get_login", job=job, oid=found.oid)
            keys = [
                ForeignKey(row.table, tuple(row.columns), row.other, tuple(row.other_columns))
                for row in await transaction.rows("proposals/list_foreign_keys", oid=found.oid)
            ]
            keys += [
                ForeignKey(row.table, tuple(row.columns), row.other, tuple(row.other_columns), guessed=True)
                for row in await transaction.rows("proposals/list_guessed_keys", oid=found.oid)
            ]
            oids = sorted({found.oid, *(one.table for one in keys), *(one.other for one in keys)})
            relations, closed = await _relations(transaction, oids, login.role, found.oid)
            sampler = Sampler(transaction)
            sampled = {oid: await sampler.describe(one, keys) for oid, one in relations.items()}
            table = sampled[found.oid]
            return Facts(
                table,
                sampled,
                keys,
                await sampler.open_beside(table),
                tuple(partners),
                "retention_job" if login.job_owns else job,
                login.zone,
                (*(f"{one}: the role {login.role} has no SELECT" for one in closed), *sampler.unread),
            )


async def _find(transaction: Transaction, name: TableName) -> Any:
    for spelling in name.spellings():
        rows = await transaction.rows("proposals/find_relation", schema=spelling.schema, name=spelling.name)
        if rows:
            if rows[0].schema == "retention":
                raise UsageError(f"--table {_shown(name)}: a table or view of ours; name your own table of rounds")
            if rows[0].kind == "m":
                raise UsageError(
                    f"--table {_shown(name)}: a materialized view, which nothing can mark a round cancelled in;"
                    " name the table below it"
                )
            return rows[0]
    listed = [(row.schema, row.name) for row in await transaction.rows("proposals/list_relations")]
    raise UsageError(f"--table {_shown(name)}: this database has no such table{_near(name, listed)}")


def _near(name: TableName, listed: Sequence[tuple[str, str]]) -> str:
    """Name the tables that may be meant: of that name in another schema, else of a similar name."""
    texts = {f"{schema}.{table}": table for schema, table in listed}
    same = [text for text, table in texts.items() if table.lower() == name.name.lower()]
    whole = closest_name(f"{name.schema}.{name.name}", texts) if name.schema else None
    meant = same or [*filter(None, [whole])]
    if not meant and (close := closest_name(name.name, texts.values())):
        meant = [text for text, table in texts.items() if table == close]
    if meant:
        return f"; did you mean {' or '.join(map(printable, meant[:3]))}?"
    return f"; it has {list_names([one for one in texts if not one.startswith('retention.')])}"


def _shown(name: TableName) -> str:
    return printable(f"{name.schema}.{name.name}" if name.schema else name.name)


async def _relations(
    transaction: Transaction, oids: Sequence[int], role: str, table: int
) -> tuple[Mapping[int, Relation], list[str]]:
    """Read the catalogue about relations, and name the neighbours that may not be read."""
    columns: dict[int, list[Column]] = defaultdict(list)
    for row in await transaction.rows("proposals/list_columns", oids=oids):
        columns[row.oid].append(
            Column(row.name, row.sql, row.type, row.not_null, tuple(row.labels), row.comment, whole=row.whole)
        )
    indexes: dict[int, list[Index]] = defaultdict(list)
    primary: dict[int, tuple[str, ...]] = {}
    for row in await transaction.rows("proposals/list_indexes", oids=oids):
        indexes[row.oid].append(Index(row.name, tuple(row.columns), row.is_unique, row.partial))
        if row.is_primary:
            primary[row.oid] = tuple(row.columns)
    partitions = [
        Partition(row.sql, row.name, row.schema_sql, row.parent, row.leaf)
        for row in await transaction.rows("proposals/list_partitions", oid=table)
    ]
    found, closed = {}, []
    for row in await transaction.rows("proposals/list_tables", oids=oids):
        if row.oid == table and not row.readable:
            raise SchemaError(
                f"the role {role} may not read {row.sql}; connect as its owner with [database] owner_dsn, or"
                f" GRANT USAGE ON SCHEMA {row.sql.split('.')[0]} TO {role}; GRANT SELECT ON {row.sql} TO {role}"
            )
        if not row.readable:
            closed.append(row.sql)
        else:
            found[row.oid] = Relation(
                row.oid,
                row.schema,
                row.name,
                row.sql,
                row.schema_sql,
                row.kind,
                row.rows,
                tuple(columns[row.oid]),
                primary.get(row.oid, ()),
                tuple(indexes[row.oid]),
                tuple(row.checks),
                tuple(partitions) if row.oid == table else (),
                last_pages=row.last_pages,
            )
    return found, closed
