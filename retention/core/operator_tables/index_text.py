"""Writes indexes.sql: the indexes that plans and claims want on the table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retention.core.operator_tables.draft import TABLE
from retention.core.operator_tables.model import FileText
from retention.core.operator_tables.names import derived_name, quote

if TYPE_CHECKING:
    from retention.core.operator_tables.facts import Relation
    from retention.core.operator_tables.model import Parts

_ALIAS = re.compile(rf"(?<![\w\"'.]){TABLE}\.")

AGE, ROUND = "_open_by_age", "_open_by_round"


def index_text(parts: Parts) -> FileText:
    """Write the indexes."""
    file, table = FileText("indexes.sql"), parts.draft.table
    file.comment(f"The indexes for {table.sql}. They hold open rounds alone, so they stay small.")
    file.add("--")
    file.comment("Their WHERE and expressions are those of open_rounds.sql, to the letter: change both.")
    if parts.is_view():
        file.add("")
        file.comment(
            f"{table.sql} is no table: make its indexes on the tables below it. `retention check` tells what lacks."
        )
        return file
    file.comment("CONCURRENTLY lets play go on meanwhile; it works outside of a transaction only.")
    where = " AND ".join(_bare(one) for one in parts.conditions())
    file.add("", "-- A plan reads the open rounds up to an age.")
    _add(file, table, AGE, [_bare(parts.choices["opened_at"].sql)], where)
    known = _index_on_round(parts)
    file.add("", "-- Claims and close_rounds look single rounds up.")
    if known:
        file.comment(f"The index {known} does that already.")
    else:
        partner = parts.choices["partner"].sql
        keys = (
            [_bare(partner)]
            if partner.startswith(f"{TABLE}.") and partner.count(".") == 1 and "::" not in partner
            else []
        )
        _add(file, table, ROUND, [*keys, _bare(parts.choices["round_id"].sql)], where)
    _bets_index(file, parts)
    file.add("", "-- The estimates for the new expressions.", f"ANALYZE {table.sql};")
    _refuse_invalid(file)
    return file


def _bare(sql: str) -> str:
    """Return an expression as an index has it: without the table's alias."""
    return _ALIAS.sub("", sql)


def _index_on_round(parts: Parts) -> str | None:
    """Return the name of an index by which single rounds are found: a whole one that begins with their id."""
    sql = parts.choices["round_id"].sql
    plain = {f"{TABLE}.{one.sql}": one.name for one in parts.draft.table.columns}
    texts = {
        f"{TABLE}.{one.sql}::text": one.name for one in parts.draft.table.columns if one.type == "character varying"
    }
    name = (plain | texts).get(sql)
    found = (one.name for one in parts.draft.table.indexes if name and not one.partial and one.columns[:1] == (name,))
    return next(found, None)


def _add(file: FileText, table: Relation, suffix: str, keys: list[str], where: str) -> None:
    columns = ", ".join(key if key.replace('"', "").isidentifier() else f"({key})" for key in keys)
    tail = f"({columns})\n    WHERE {where};"
    name = quote(derived_name(table.name, suffix))
    if not table.partitions:
        file.add(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name}", f"    ON {table.sql} {tail}")
        return
    file.comment("The table is partitioned: an index on it alone, one on each partition, and those attached.")
    file.add(f"CREATE INDEX IF NOT EXISTS {name}", f"    ON ONLY {table.sql} {tail}")
    parents = {table.sql: f"{table.schema_sql}.{name}"}
    for part in table.partitions:
        own = quote(derived_name(part.name, suffix))
        parents[part.sql] = f"{part.schema_sql}.{own}"
        how = "CREATE INDEX CONCURRENTLY" if part.leaf else "CREATE INDEX"
        only = "" if part.leaf else "ONLY "
        file.add(f"{how} IF NOT EXISTS {own}", f"    ON {only}{part.sql} {tail}")
        file.add(f"ALTER INDEX {parents[part.parent]} ATTACH PARTITION {parents[part.sql]};")


def _bets_index(file: FileText, parts: Parts) -> None:
    key = parts.stake.key
    if key is None:
        return
    bets = parts.draft.facts.relations[key.table]
    if any(not one.partial and {*one.columns[: len(key.columns)]} == {*key.columns} for one in bets.indexes):
        return
    file.add("", "-- The bets of a round.")
    columns = ", ".join(bets.column(name).sql for name in key.columns)
    name = quote(derived_name(bets.name, "_by_round"))
    if bets.kind == "p":
        file.comment("The bets are partitioned: for a large table, make this index on each partition CONCURRENTLY.")
        file.add(f"CREATE INDEX IF NOT EXISTS {name} ON {bets.sql} ({columns});")
    else:
        file.add(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {bets.sql} ({columns});")


def _refuse_invalid(file: FileText) -> None:
    file.add(
        "",
        "-- An index whose making was cut off is there, and useless; IF NOT EXISTS would keep it.",
        "DO $$",
        "DECLARE",
        "    broken text;",
        "BEGIN",
        "    SELECT string_agg(i.indexrelid::regclass::text, ', ') INTO broken",
        "    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid",
        "    WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relname ~ '_open_by_(age|round)$';",
        "    IF broken IS NOT NULL THEN",
        "        RAISE EXCEPTION 'the making of these indexes was cut off: %', broken",
        "            USING HINT = 'DROP INDEX each of them, and run this file again.';",
        "    END IF;",
        "END",
        "$$;",
    )
