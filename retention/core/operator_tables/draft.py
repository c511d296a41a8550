"""The draft of a proposal: the joins that it needs, and the expression for each column with its open questions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retention.core.operator_tables.names import fit, fits, words
from retention.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from retention.core.operator_tables.facts import Column, Facts, ForeignKey, Relation
    from retention.core.operator_tables.names import Rules

TABLE = "r"
"""The alias of the table itself."""

MAX_SHOWN = 12
"""Values or candidates that one comment lists."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An expression, and its `question` where a person has to decide. A `note` tells where it comes from.

    `stops`: the expression is a placeholder at which psql stops.
    """

    sql: str
    question: str = ""
    note: str = ""
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """A column that can be reached from the table by foreign keys, and how well its name fits (0: best)."""

    path: tuple[ForeignKey, ...]
    relation: Relation
    column: Column
    rank: int

    @property
    def name(self) -> str:
        """The column's name, with its table's where it is another one."""
        return f"{self.relation.name}.{self.column.name}" if self.path else self.column.name


@dataclass(frozen=True, slots=True)
class Join:
    """A table beside: its alias, the alias that it is joined to, and the condition."""

    sql: str
    alias: str
    before: str
    on: str
    guessed: bool = False


@dataclass(slots=True)
class Draft:
    """Collects the joins. Each is a LEFT JOIN to a unique key, so it drops no round and doubles none."""

    facts: Facts
    joins: list[Join] = field(default_factory=list)
    _aliases: dict[tuple[ForeignKey, ...], str] = field(default_factory=dict)

    @property
    def table(self) -> Relation:
        """The table that the proposal is for."""
        return self.facts.table

    def alias(self, path: tuple[ForeignKey, ...]) -> str:
        """Return the alias of the table at a path's end, and join it where it is not yet."""
        if not path:
            return TABLE
        if path not in self._aliases:
            before, key = self.alias(path[:-1]), path[-1]
            other, own = self.facts.relations[key.other], self.facts.relations[key.table]
            alias = self.new_alias(other.name)
            on = " AND ".join(
                f"{alias}.{other.column(theirs).sql} = {before}.{own.column(ours).sql}"
                for ours, theirs in zip(key.columns, key.other_columns, strict=True)
            )
            self.joins.append(Join(other.sql, alias, before, on, key.guessed))
            self._aliases[path] = alias
        return self._aliases[path]

    def joins_in(self, sql: str) -> list[Join]:
        """Return the joins that an expression needs, in their order."""
        needed = {one.alias for one in self.joins if re.search(rf"(?<![\w.\"]){one.alias}[.]", sql)}
        for one in reversed(self.joins):
            if one.alias in needed:
                needed.add(one.before)
        return [one for one in self.joins if one.alias in needed]

    def new_alias(self, name: str) -> str:
        """Return an alias for a table that is not taken: its first letter, with a number where need be."""
        letter = (words(name)[:1] or "t") if words(name)[:1].isalpha() else "t"
        taken = {TABLE, "c", "b", *self._aliases.values()}
        return next(one for one in (letter, *(f"{letter}{n}" for n in range(2, 99))) if one not in taken)

    def find(
        self,
        rules: Rules,
        *,
        hops: int = 0,
        through: Callable[[Relation], bool] = lambda _: True,
        accept: Callable[[Column], bool] = lambda _: True,
    ) -> list[Source]:
        """Return the columns that fit, within so many foreign keys: the nearest first, then the best name."""
        found: list[Source] = []
        frontier: list[tuple[ForeignKey, ...]] = [()]
        for hop in range(hops + 1):
            here = []
            frontier = [path for path in frontier if not path or through(self.facts.relations[path[-1].other])]
            for path in frontier:
                relation = self.facts.relations[path[-1].other] if path else self.table
                for column in relation.columns:
                    rank = fit(column.name, rules)
                    if rank is not None and accept(column):
                        here.append(Source(path, relation, column, rank))
            found += sorted(here, key=lambda one: (one.rank, one.column.json_type is not None))
            if hop < hops:
                frontier = [
                    (*path, key)
                    for path in frontier
                    for key in self.facts.referred(path[-1].other if path else self.table.oid)
                    if key not in path
                ]
        return found

    def raw(self, source: Source) -> str:
        """Return the expression of a source as it is."""
        return column_sql(self.alias(source.path), source.column)

    def text(self, source: Source) -> str:
        """Return the expression of a source as text."""
        return text_sql(self.alias(source.path), source.column)

    def named(self, source: Source) -> str:
        """Return the expression of a source as text, for a comment: without joining its table."""
        return text_sql(TABLE if not source.path else source.relation.name, source.column)


def placeholder(name: str, question: str) -> Choice:
    """Return a choice that is nobody's but a person's: psql stops there, and shows the line."""
    return Choice(f'"? {name}"', question, stops=True)


def column_sql(alias: str, column: Column) -> str:
    """Return a column, or the text of a JSON column's key."""
    return f"({alias}.{column.sql})" if column.json_type else f"{alias}.{column.sql}"


def text_sql(alias: str, column: Column) -> str:
    """Return a column as text."""
    raw = column_sql(alias, column)
    return raw if column.type == "text" or column.json_type else f"{raw}::text"


def foreign(draft: Draft, column: Column) -> bool:
    """Whether a column of the table refers to another table."""
    return any(column.name in key.columns for key in draft.facts.referred(draft.table.oid))


def values_text(column: Column, labels: dict[str, str] | None = None) -> str:
    """List a column's values with the rows of the sample that have them."""
    shown = [f"{_shown(value, labels)} ({count:,})" for value, count in column.values.counts[:MAX_SHOWN]]
    shown += [f"{_shown(value, labels)} (rare)" for value in column.values.rare[: MAX_SHOWN - len(shown)]]
    if column.values.nulls:
        shown.append(f"NULL ({column.values.nulls:,})")
    return ", ".join(shown) or "no rows"


def _shown(value: str, labels: dict[str, str] | None) -> str:
    label = (labels or {}).get(value)
    return printable(f"{value} = {label}" if label else value)


def is_named(relation: Relation, rules: Rules) -> bool:
    """Whether a table's name fits."""
    return fits(relation.name, rules)
