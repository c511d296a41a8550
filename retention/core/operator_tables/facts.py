"""The facts about an operator's table and its neighbours, as the catalogue and a sample of rows tell them.

A value of a column is kept only where the column has few different ones, such as states, currencies and markets. A
column with many, such as ids, is known by their number and length alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a column in the sample. `longest` in characters.

    `counts`: each value, as text, and in how many rows it was seen; empty for a column with many values. `rare`: values
    that only the server's statistics know.
    """

    rows: int = 0
    nulls: int = 0
    different: int = 0
    longest: int = 0
    counts: tuple[tuple[str, int], ...] = ()
    rare: tuple[str, ...] = ()

    def known(self) -> tuple[str, ...]:
        """Return all values that are known, the most frequent first."""
        return (*(value for value, _ in self.counts), *self.rare)


@dataclass(frozen=True, slots=True)
class Column:
    """A column, or a key of a JSON column.

    `sql`: its quoted name, or its path from the JSON column's quoted name. `type`: the base type's name without length.
    `whole`: a numeric one has no decimals. `labels`: those of an enum, in order. `json_type`: the type of the key's
    values: string, number, boolean.
    """

    name: str
    sql: str
    type: str
    not_null: bool = False
    labels: tuple[str, ...] = ()
    comment: str = ""
    json_type: str | None = None
    whole: bool = False
    values: Values = Values()


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key: columns of the one table, and those of the other that they refer to. Tables by oid.

    `guessed`: the names of columns alone say so.
    """

    table: int
    columns: tuple[str, ...]
    other: int
    other_columns: tuple[str, ...]
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """A valid index. `columns` are its key columns in order, None for an expression; `partial`: it has a WHERE."""

    name: str
    columns: tuple[str | None, ...]
    unique: bool = False
    partial: bool = False
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition, at any depth; `sql` and `parent` are quoted names with their schemas."""

    sql: str
    name: str
    schema_sql: str
    parent: str
    leaf: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, or a view. `kind` is pg_class's relkind; `rows` is an estimate. `sql` and `schema_sql`: quoted names.

    `lookup`: of a small table of names, each key with its name. `last_pages`: the number of the page where the last
    fifty pages begin.
    """

    oid: int
    schema: str
    name: str
    sql: str
    schema_sql: str
    kind: str
    rows: int
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    checks: tuple[str, ...] = ()
    partitions: tuple[Partition, ...] = ()
    lookup: Mapping[str, str] = field(default_factory=dict)
    last_pages: int = 0

    def column(self, name: str) -> Column:
        """Return the column of that name."""
        return next(one for one in self.columns if one.name == name)

    def unique_within(self, names: frozenset[str]) -> bool:
        """Whether a key makes rows unique by some of these columns."""
        keys = [self.primary_key] if self.primary_key else []
        keys += [tuple(map(str, one.columns)) for one in self.indexes if one.unique and not one.partial]
        return any(key and names.issuperset(key) for key in keys)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known. `relations` has the table itself and its neighbours, by oid.

    `open_beside`: for a state column and a column of an end's time, (value, the time is NULL) -> rows of the sample.
    `partners`: the names that the configuration has. `job_role`: the role that works. `zone`: the server's time zone.
    `unread`: the neighbours that could not be read, each with the reason.
    """

    table: Relation
    relations: Mapping[int, Relation]
    foreign_keys: Sequence[ForeignKey] = ()
    open_beside: Mapping[tuple[str, str], Mapping[tuple[str, bool], int]] = field(default_factory=dict)
    partners: tuple[str, ...] = ()
    job_role: str = "retention_job"
    zone: str = "UTC"
    unread: tuple[str, ...] = ()

    def referred(self, oid: int) -> Sequence[ForeignKey]:
        """Return the foreign keys of a table."""
        return [one for one in self.foreign_keys if one.table == oid != one.other and one.other in self.relations]

    def children(self) -> Sequence[ForeignKey]:
        """Return the foreign keys of other tables to this one."""
        oid = self.table.oid
        return [
            one for one in self.foreign_keys if one.other == oid and one.table != oid and one.table in self.relations
        ]
