"""Reads plans of EXPLAIN (VERBOSE, FORMAT JSON): scans of a whole table, and the indexes that they lack. Pure.

The filter of a scan shows the view's own expressions, and an index serves only the same ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Relation = tuple[str, str]
"""Schema and name."""

_BY_INDEX = {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}

_PARTNER, _ROUND_ID = (f"current_setting('retention.{key}'::text, true)" for key in ("partner", "round_id"))
_TIME = re.compile(r"\('[^']*'::timestamp with time zone - '[^']*'::interval\)")
_AGE = re.compile(rf" <= {_TIME.pattern}\)$")
_EQUAL = re.compile(r"^\((\w+\.\w+) = (\w+\.\w+)\)$")
_CHANGES = re.compile(
    r"\$\d|SubPlan|InitPlan|current_setting\(|\bnow\(\)|CURRENT_|clock_timestamp|\w+_timestamp\(\)", re.IGNORECASE
)
_QUALIFIER = re.compile(r"(?<![\w'])([A-Za-z_]\w*)\.(?=[A-Za-z_\"])")
_LITERAL = re.compile(r"'(?:[^']|'')*'")


@dataclass(frozen=True, slots=True)
class Scan:
    """A node that reads a whole table. `filter` is empty where it has none; `joins` are the conditions above it."""

    schema: str
    table: str
    alias: str
    node: str
    filter: str
    joins: tuple[str, ...] = ()

    @property
    def relation(self) -> Relation:
        """Schema and name of the table."""
        return self.schema, self.table

    def shown_filter(self) -> str:
        """The filter without the table's alias, and with plain words for the key that is asked for."""
        text = self.filter.replace(_PARTNER, "PARTNER").replace(_ROUND_ID, "ROUND_ID")
        return _without_alias(_TIME.sub("TIME", text), self.alias)


@dataclass(frozen=True, slots=True)
class WantedIndex:
    """An index that a scan lacks: its keys, and the conditions that may stand in its WHERE."""

    keys: tuple[str, ...]
    conditions: tuple[str, ...]

    def statement(self, relation: str, *, partitioned: bool) -> str:
        """The statement that makes it."""
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        keys = ", ".join(key if key.isidentifier() else f"({key})" for key in self.keys)
        concurrently = "" if partitioned else "CONCURRENTLY "
        return f"CREATE INDEX {concurrently}ON {relation} ({keys}){where}"


def sequential_scans(plan: Mapping[str, Any]) -> Iterator[Relation]:
    """Yield schema and name of each relation that a plan reads sequentially."""
    yield from (scan.relation for scan in full_scans(plan) if scan.node == "Seq Scan")


def full_scans(plan: Mapping[str, Any], joins: tuple[str, ...] = ()) -> Iterator[Scan]:
    """Yield each scan that reads a whole table: sequentially, or by an index without a condition."""
    kind, parts = plan["Node Type"], plan.get("Plans", ())
    found = kind == "Seq Scan" or (kind in _BY_INDEX and "Index Cond" not in plan)
    if kind == "Bitmap Heap Scan":
        found = any(part["Node Type"] in _BY_INDEX and "Index Cond" not in part for part in parts)
    if found and "Relation Name" in plan:
        where = plan.get("Filter", "")
        yield Scan(plan["Schema"], plan["Relation Name"], plan["Alias"], kind, where, joins)
    below = (*joins, *(plan[key] for key in ("Join Filter", "Hash Cond", "Merge Cond") if key in plan))
    for part in parts:
        yield from full_scans(part, below)


def wanted_index(scan: Scan) -> WantedIndex | None:
    """Find the index that a scan lacks, from its filter and the joins above it; None where no index can help."""
    partner: list[str] = []
    round_id: list[str] = []
    others: list[str] = []
    conditions = []
    for part in conjuncts(scan.filter):
        if part.endswith(f" = {_PARTNER})"):
            partner.append(part[1:].removesuffix(f" = {_PARTNER})"))
        elif part.endswith(f" = {_ROUND_ID})"):
            round_id.append(part[1:].removesuffix(f" = {_ROUND_ID})"))
        elif age := _AGE.search(part):
            others.append(part[1 : age.start()])
        elif joined := _joined(part, scan.alias):
            others.append(joined)
        elif not _CHANGES.search(part) and not _strangers(part, scan.alias):
            conditions.append(part)
    keys = [*partner, *round_id, *others]
    for text in scan.joins if not keys else ():
        keys += [joined for part in conjuncts(text) if (joined := _joined(part, scan.alias))]
    if not keys:
        return None
    plain = [_unwrapped(_without_alias(key, scan.alias)) for key in dict.fromkeys(keys)]
    return WantedIndex(tuple(plain), tuple(_without_alias(part, scan.alias) for part in conditions))


def conjuncts(text: str) -> list[str]:
    """Split a condition at its outermost ANDs; each part keeps its parentheses."""
    if not text:
        return []
    inner = text[1:-1] if text.startswith("((") and _closes_at_end(text) else text
    parts, depth, quoted, begin = [], 0, False, 0
    for place, sign in enumerate(inner):
        if sign == "'":
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(sign, 0)
            if depth == 0 and inner.startswith(" AND ", place):
                parts.append(inner[begin:place])
                begin = place + len(" AND ")
    parts.append(inner[begin:])
    return parts if len(parts) > 1 else [text]


def same_words(one: str, other: str) -> bool:
    """Whether two expressions differ only in parentheses, blanks and quoted names."""
    return _bare(one) == _bare(other)


class IndexFault(NamedTuple):
    """Why an index does not serve a scan, the weightiest reason first. `remake`: the index made again mends it."""

    weight: int
    why: str
    remake: bool = False


def fault_of_index(
    wanted: WantedIndex, keys: Sequence[str], condition: str | None, *, valid: bool
) -> IndexFault | None:
    """Say why an index does not serve a scan; None for an index that is about something else."""
    if not {_bare(key) for key in wanted.keys} <= {_bare(key) for key in keys}:
        inside = [key for key in keys if key.isidentifier() and _contains(wanted.keys, key)]
        computed = [key for key in wanted.keys if inside and _contains([key], inside[0])]
        return IndexFault(3, f"is on {inside[0]}, and the view computes {computed[0]}") if inside else None
    if not valid:
        return IndexFault(0, "is not valid, since the CREATE INDEX CONCURRENTLY that made it failed", remake=True)
    given = {_bare(part) for part in wanted.conditions}
    if condition is not None and not {_bare(part) for part in conjuncts(condition)} <= given:
        return IndexFault(1, f"is partial, WHERE {condition}, and the view asks in other words")
    return IndexFault(2, "does not serve: its collation or operator class may differ")


def _contains(expressions: Sequence[str], name: str) -> bool:
    return any(
        not same_words(expression, name) and re.search(rf"\b{re.escape(name)}\b", expression)
        for expression in expressions
    )


def _bare(text: str) -> str:
    return re.sub(r"[()\s\"]", "", text)


def _closes_at_end(text: str) -> bool:
    depth, quoted = 0, False
    for place, sign in enumerate(text):
        if sign == "'":
            quoted = not quoted
        elif not quoted:
            depth += {"(": 1, ")": -1}.get(sign, 0)
            if depth == 0:
                return place == len(text) - 1
    return False


def _joined(part: str, alias: str) -> str | None:
    """The own column of a condition that equals it with a column of another relation."""
    found = _EQUAL.match(part)
    if not found:
        return None
    own = [side for side in found.groups() if side.startswith(f"{alias}.")]
    return own[0] if len(own) == 1 else None


def _strangers(part: str, alias: str) -> bool:
    """Whether a condition names another relation."""
    return any(name != alias for name in _QUALIFIER.findall(_LITERAL.sub("''", part)))


def _without_alias(text: str, alias: str) -> str:
    return re.sub(rf"(?<![\w'.]){re.escape(alias)}\.", "", text)


def _unwrapped(expression: str) -> str:
    """An expression without parentheses around the whole."""
    while expression.startswith("(") and _closes_at_end(expression):
        expression = expression[1:-1]
    return expression
