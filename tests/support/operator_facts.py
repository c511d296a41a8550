"""Facts about an operator's table as a test states them: a table that needs no decision, and changes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retention.core.operator_tables.facts import Column, Facts, Index, Relation, Values
from retention.core.operator_tables.proposal import Proposal, propose
from retention.ledger.queries import sql_root

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE, PLAYERS, BETS, NAMES = 1, 2, 3, 4
"""Oids."""

ROLES = (sql_root() / "operator" / "roles.sql").read_text("utf-8")


def column(name: str, kind: str = "text", *values: str, nulls: int = 0, longest: int = 8, comment: str = "") -> Column:
    """A column with these values, each seen in ten rows; without any it has many different ones."""
    counts = tuple((value, 10) for value in values)
    rows = 10 * len(values) + nulls
    known = (
        Values(rows, nulls, len(values), max(map(len, values)), counts) if values else Values(100, nulls, 90, longest)
    )
    return Column(name, name, kind, comment=comment, values=known)


def relation(oid: int, name: str, columns: Sequence[Column], key: str = "id", **other: object) -> Relation:
    """A table of the schema casino with a primary key of one column."""
    index = Index(f"{name}_pkey", (key,), unique=True)
    made = Relation(oid, "casino", name, f"casino.{name}", "casino", "r", 1000, tuple(columns), (key,), (index,))
    return replace(made, **other)  # type: ignore[arg-type]


PLAIN = (
    column("round_id"),
    column("vendor_user_id"),
    column("market", "text", "MT", "GB"),
    column("state", "text", "open", "completed", "cancelled"),
    column("opened_at", "timestamp with time zone"),
    column("stake", "numeric"),
    column("currency", "text", "EUR"),
)
"""The columns of a table that needs no decision."""


def facts(*changed: Column, without: Sequence[str] = (), **other: object) -> Facts:
    """The facts of that table with columns in place of those of their names, or besides; the partner is acme."""
    columns = {one.name: one for one in PLAIN if one.name not in without} | {one.name: one for one in changed}
    table = relation(TABLE, "rounds", [*columns.values()], "round_id" if "round_id" in columns else next(iter(columns)))
    return replace(Facts(table, {TABLE: table}, partners=("acme",)), **other)  # type: ignore[arg-type]


def beside(base: Facts, *others: Relation, **more: object) -> Facts:
    """The same facts with more tables."""
    return replace(base, relations={**base.relations, **{one.oid: one for one in others}}, **more)  # type: ignore[arg-type]


def proposal(base: Facts) -> Proposal:
    """What is proposed for them."""
    return propose(base, ROLES)


def line(made: Proposal, name: str, file: str = "open_rounds.sql") -> str:
    """The expression of a column of the view."""
    ends = (f" AS {name},", f" AS {name}")
    return next(
        one.strip().rstrip(",").removesuffix(f" AS {name}")
        for one in made.files[file].splitlines()
        if one.endswith(ends)
    )
