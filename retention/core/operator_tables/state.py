"""Chooses the condition under which a round is open, and the state that says it is cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.operator_tables import names
from retention.core.operator_tables.draft import TABLE, Choice, column_sql, placeholder, values_text
from retention.core.operator_tables.names import fits, listed, literal
from retention.core.operator_tables.times import is_time
from retention.core.operator_tables.words import Meaning, labels_in, meaning_of, values_in_checks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retention.core.operator_tables.draft import Draft
    from retention.core.operator_tables.facts import Column

NUMBERS = {"smallint", "integer", "bigint"}
TEXTS = {"text", "character varying", "character", "citext"}

NO_STATE = (
    "no column was found that tells whether a round is open. Where that is told by another row or table,"
    ' take a recipe of sql/operator/README.md ("settled as a second row").'
)

NO_END = (
    "which rounds are open? {0} could tell, but not one of the {1:,} rows of the sample has it: it seems to be unused."
)

_OPEN, _OVER = {Meaning.OPEN, Meaning.MAYBE_OPEN}, {Meaning.OVER, Meaning.CANCELLED}


@dataclass(frozen=True, slots=True)
class OpenState:
    """The condition of an open round, and the column with the value that a cancelled round gets, if there is one."""

    condition: Choice
    column: Column | None = None
    cancelled: Choice | None = None


def state_column(columns: Sequence[Column]) -> Column | None:
    """Return the column that tells a round's state, by its name or else by its values; None where only an end can."""
    found = [(names.fit(one.name, names.STATE), one) for one in columns if _can_tell(one)]
    ranked = [(rank, one) for rank, one in found if rank is not None]
    if ranked:
        return min(ranked, key=lambda pair: pair[0])[1]
    return next((one for one in columns if _values_tell(one)), None)


def _values_tell(column: Column) -> bool:
    """Whether some values of a column, whatever its name, mean an open round, and others one that is over."""
    if column.type not in TEXTS and not column.labels:
        return False
    meanings = {meaning_of(value) for value in (*column.labels, *column.values.known())}
    return not meanings.isdisjoint(_OPEN) and not meanings.isdisjoint(_OVER)


def ended_column(columns: Sequence[Column]) -> Column | None:
    """Return the column of the time at which a round ended."""
    return next((one for one in columns if fits(one.name, names.ENDED) and is_time(one) and not one.not_null), None)


def choose_state(draft: Draft) -> OpenState:
    """Return the condition under which a round is open."""
    column = state_column(draft.table.columns)
    if column is None:
        ended = ended_column(draft.table.columns)
        if ended is None:
            return OpenState(placeholder("open", NO_STATE))
        if ended.values.rows and ended.values.nulls == ended.values.rows:
            return OpenState(placeholder("open", NO_END.format(ended.name, ended.values.rows)))
        return OpenState(Choice(f"{column_sql(TABLE, ended)} IS NULL"))
    if column.type == "boolean" or column.json_type == "boolean":
        return _of_flag(column)
    labels = _labels(draft, column)
    return _of_values(draft, column, labels)


def _can_tell(column: Column) -> bool:
    if column.json_type:
        return column.json_type in {"string", "boolean"} and len(column.values.counts) > 0
    flag = column.type == "boolean"
    state = column.type in TEXTS | NUMBERS or bool(column.labels)
    return flag if (names.fit(column.name, names.STATE) or 0) > 0 else state or flag


def _of_flag(column: Column) -> OpenState:
    sql = column_sql(TABLE, column)
    opens = fits(column.name, names.STATE[1:2])
    if column.json_type:
        return OpenState(Choice(f"{sql} = {literal('true' if opens else 'false')}"), None)
    if opens:
        return OpenState(Choice(sql), column, Choice("false"))
    question = ""
    if column.values.nulls:
        question = (
            f"{column.name} is NULL in {column.values.nulls:,} rows: these count as open only with `IS NOT TRUE`."
        )
    return OpenState(Choice(f"NOT {sql}", question), column, Choice("true"))


def _labels(draft: Draft, column: Column) -> Mapping[str, str]:
    """Return the names of a state's numbers: of the table that it refers to, or of its comment."""
    for key in draft.facts.referred(draft.table.oid):
        if key.columns == (column.name,):
            return draft.facts.relations[key.other].lookup
    return labels_in(column.comment) if column.type in NUMBERS else {}


def _of_values(draft: Draft, column: Column, labels: Mapping[str, str]) -> OpenState:
    known = dict.fromkeys((*column.labels, *column.values.known(), *labels))
    known |= dict.fromkeys(values_in_checks(draft.table.checks, column.name))
    if column.type in NUMBERS and not labels:
        return _of_bare_numbers(draft, column, [*known])
    meanings = {value: meaning_of(labels.get(value, value)) for value in known}
    opens = [value for value, meaning in meanings.items() if meaning is Meaning.OPEN]
    unsure = [value for value, meaning in meanings.items() if meaning in {Meaning.MAYBE_OPEN, Meaning.UNKNOWN}]
    cancelled = _cancelled(draft, column, [value for value, one in meanings.items() if one is Meaning.CANCELLED], known)
    seen = values_text(column, dict(labels))
    named = "".join(f" {value} is {label}." for value, label in labels.items() if label) if labels else ""
    taken = opens or [value for value in unsure if meanings[value] is Meaning.MAYBE_OPEN]
    if not taken:
        sql, question = (
            f'{column_sql(TABLE, column)} = "? open state"',
            f"which {column.name} is an open round's? {seen}.",
        )
        return OpenState(Choice(sql, question + named, stops=True), column, cancelled)
    note = f"{column.name}: {seen}.{named}"
    condition = _is_one_of(column, taken)
    others = [value for value in unsure if value not in taken]
    question = ""
    if others or not opens:
        doubtful = others or taken
        question = (
            f"is a round open in {column.name} {listed([labels.get(one, one) for one in doubtful])}, too?"
            if opens
            else f"are these rounds open: {column.name} {listed([labels.get(one, one) for one in doubtful], 'and')}?"
        )
        return OpenState(Choice(condition, f"{question} It has {seen}.{named}"), column, cancelled)
    return OpenState(Choice(condition, note=note), column, cancelled)


def _is_one_of(column: Column, values: Sequence[str]) -> str:
    """Compare with literals, so that an index can have the same condition; mixed case is folded."""
    sql = column_sql(TABLE, column)
    if column.type in NUMBERS:
        return f"{sql} = {values[0]}" if len(values) == 1 else f"{sql} IN ({', '.join(values)})"
    if not column.labels and _mixed(column):
        sql, values = f"lower({sql})", [*dict.fromkeys(value.lower() for value in values)]
    quoted = [literal(value) for value in values]
    return f"{sql} = {quoted[0]}" if len(quoted) == 1 else f"{sql} IN ({', '.join(quoted)})"


def _mixed(column: Column) -> bool:
    """Whether values of a column are written in more than one case."""
    folded: dict[str, str] = {}
    cases = set()
    for value in column.values.known():
        if folded.setdefault(value.lower(), value) != value:
            return True
        cases.add("upper" if value.isupper() else "lower" if value.islower() else "title")
    return len(cases) > 1


def _of_bare_numbers(draft: Draft, column: Column, known: Sequence[str]) -> OpenState:
    """Numbers without names: the state whose rows all lack an end, while all others have one, is probably open."""
    sql, seen = column_sql(TABLE, column), values_text(column)
    ended = ended_column(draft.table.columns)
    beside = draft.facts.open_beside.get((column.name, ended.name), {}) if ended else {}
    cancelled = placeholder("cancelled state", f"which {column.name} says that a round is cancelled? {seen}.")
    without = [value for value in known if beside.get((value, True)) and not beside.get((value, False))]
    if ended is not None and len(without) == 1 and any(beside.get((value, False)) for value in known):
        question = f"is {without[0]} the open state? Its rows alone have no {ended.name}. {column.name} has {seen}."
        return OpenState(Choice(f"{sql} = {without[0]}", question), column, cancelled)
    question = f"which {column.name} is an open round's? Nothing names the numbers: {seen}."
    return OpenState(Choice(f'{sql} = "? open state"', question, stops=True), column, cancelled)


def _cancelled(draft: Draft, column: Column, found: Sequence[str], known: Mapping[str, object]) -> Choice:
    if found:
        exact = [one for one in found if one.lower().startswith("cancel")] or [*found]
        value = exact[0]
        sql = value if column.type in NUMBERS else literal(value)
        others = [one for one in {one.lower(): one for one in exact}.values() if one.lower() != value.lower()]
        if value.lower().startswith("cancel") or not others:
            return Choice(sql)
        return Choice(sql, f"which {column.name} says that a round is cancelled: {listed([value, *others])}?")
    allowed = bool(column.labels) or column.type in NUMBERS or bool(values_in_checks(draft.table.checks, column.name))
    if allowed or column.json_type:
        return placeholder(
            "cancelled state", f"which {column.name} says that a round is cancelled? It has {values_text(column)}."
        )
    word = "CANCELLED" if known and all(value.isupper() for value in known) else "cancelled"
    return Choice(
        literal(word),
        f"which {column.name} says that a round is cancelled? It has {values_text(column)}; none of them says so.",
    )
