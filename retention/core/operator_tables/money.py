"""Chooses the stake: a column of the table, or the sum over the bets that refer to it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retention.core.money import OTHER_MINOR_DIGITS, USUAL_MINOR_DIGITS
from retention.core.operator_tables import names
from retention.core.operator_tables.draft import (
    TABLE,
    Choice,
    Source,
    column_sql,
    is_named,
    text_sql,
    values_text,
)
from retention.core.operator_tables.names import fit, fits, literal
from retention.core.operator_tables.places import NO_CURRENCY, currency_sql
from retention.core.operator_tables.times import is_time, time_sql
from retention.core.operator_tables.words import Meaning, is_bet, is_result, meaning_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.core.operator_tables.draft import Draft
    from retention.core.operator_tables.facts import Column, ForeignKey, Relation

BETS = "b"
"""The alias of the table of bets."""

SUM = "bets"
"""The alias of the sum over a round's bets."""

_WHOLE = {"smallint", "integer", "bigint"}
_NUMBERS = _WHOLE | {"numeric", "money", "real", "double precision"}

_INDENT = "    "


@dataclass(frozen=True, slots=True)
class Stake:
    """The stake, and the join of the bets where it is their sum; `key` is then the bets' foreign key."""

    choice: Choice
    join: str = ""
    join_question: str = ""
    currency: Choice | None = None
    last_at: str | None = None
    key: ForeignKey | None = None


def choose_stake(draft: Draft, currency: Choice) -> Stake:
    """Return the stake in units of the currency."""
    own = draft.find(names.STAKE, accept=_is_number)
    if own and own[0].rank == 0:
        return Stake(_own_stake(own[0], currency))
    for key in draft.facts.children():
        bets = draft.facts.relations[key.table]
        amount = _amount_of(bets)
        if amount is not None and is_named(bets, names.BET_TABLE):
            return _sum_of_bets(draft, key, bets, amount, currency)
    if own:
        stake = _own_stake(own[0], currency)
        question = stake.question or f"is {own[0].name} the stake? No column is named so."
        return Stake(Choice(stake.sql, question))
    return Stake(Choice("NULL::numeric", "no column tells the stake, so max_amount cannot judge it."))


def _own_stake(source: Source, currency: Choice) -> Choice:
    column = source.column
    return _units(column, _exact(column_sql(TABLE, column), column), currency.sql)


def _exact(sql: str, column: Column) -> str:
    """Return a number as numeric: the shortest one that a single float means, and 15 digits of a double one."""
    if column.json_type:
        # A value that is no number is no stake, and stops no other row.
        return f"CASE WHEN {sql} ~ '^-?[0-9]{{1,20}}([.][0-9]{{1,18}})?$' THEN {sql}::numeric ELSE NULL END"
    return f"{sql}::text::numeric" if column.type == "real" else sql if column.type == "numeric" else f"{sql}::numeric"


def _units(column: Column, sql: str, currency: str) -> Choice:
    named = fits(column.name, names.MINOR)
    if not named and column.type not in _WHOLE and not column.whole:
        return Choice(sql)
    if currency == NO_CURRENCY:
        return Choice(
            f"{sql} / 100",
            f"{column.name} seems to hold minor units, and no column tells the currency: divide by its own number of"
            " them (mostly 100; JPY 1, KWD 1000), or by 1 where it holds whole units.",
        )
    minor = f"({sql}) / {minor_units_sql(currency)}" if column.json_type else f"{sql} / {minor_units_sql(currency)}"
    if named:
        return Choice(minor)
    return Choice(
        minor,
        f"{column.name} holds whole numbers: are they minor units, such as cents? Otherwise the stake is {sql}.",
    )


def minor_units_sql(currency: str) -> str:
    """Return the number of minor units of a currency, by ISO 4217; NULL for an unknown one."""
    lines = [f"WHEN {currency} IS NULL THEN NULL"]
    for digits, codes in OTHER_MINOR_DIGITS.items():
        listed = ", ".join(literal(code) for code in codes.split())
        lines += textwrap.wrap(f"WHEN {currency} IN ({listed})", 100, subsequent_indent=_INDENT)
        lines[-1] += f" THEN {10**digits}"
    lines.append(f"ELSE {10**USUAL_MINOR_DIGITS}")
    inner = f"\n{_INDENT * 2}".join(lines)
    return f"CASE -- minor units by ISO 4217\n{_INDENT * 2}{inner}\n{_INDENT}END"


def _sum_of_bets(draft: Draft, key: ForeignKey, bets: Relation, amount: Column, currency: Choice) -> Stake:
    condition, question = _bets_alone(bets)
    wheres = [
        f"{BETS}.{bets.column(ours).sql} = {TABLE}.{draft.table.column(theirs).sql}"
        for ours, theirs in zip(key.columns, key.other_columns, strict=True)
    ]
    wheres += condition
    outputs = [f"sum({_exact(column_sql(BETS, amount), amount)}) AS amount"]
    own = [one for one in bets.columns if fits(one.name, names.CURRENCY) and one.type in _TEXTS]
    chosen = currency
    if own:
        code = currency_sql(text_sql(BETS, own[0]), own[0])
        # Bets in two currencies have no sum.
        outputs.append(f"CASE WHEN min({code}) = max({code}) THEN min({code}) ELSE NULL END AS currency")
        chosen = Choice(f"{SUM}.currency")
    times = sorted(
        (one for one in bets.columns if fits(one.name, names.OPENED) and is_time(one)),
        key=lambda one: fit(one.name, names.OPENED) or 0,
    )
    if times:
        outputs.append(f"max({time_sql(BETS, times[0])}) AS last_at")
    inner = f",\n{_INDENT * 2}".join(outputs)
    where = f"\n{_INDENT * 2}AND ".join(wheres)
    join = (
        f"LEFT JOIN LATERAL (\n{_INDENT}SELECT\n{_INDENT * 2}{inner}\n{_INDENT}FROM {bets.sql} {BETS}\n"
        f"{_INDENT}WHERE {where}\n) {SUM} ON true"
    )
    units = _units(amount, f"{SUM}.amount", chosen.sql)
    if key.guessed:
        question = " ".join([f"no foreign key says that {wheres[0]}, only the names do: is it so?", question]).strip()
    return Stake(units, join, question, chosen if own else None, f"{SUM}.last_at" if times else None, key)


_TEXTS = {"text", "character varying", "character", "citext"}


def _bets_alone(bets: Relation) -> tuple[list[str], str]:
    """Return the conditions that leave out winnings, refunds and bets that do not stand, and a question about them."""
    conditions, question = [], ""
    for column in bets.columns:
        known = (*column.labels, *(one for one in column.values.known() if one not in column.labels))
        if fits(column.name, names.KIND) and known and (column.type in _TEXTS or column.labels):
            stakes = [value for value in known if is_bet(value)]
            strange = [value for value in known if not is_bet(value) and not is_result(value)]
            conditions.append(_is_one_of(column, stakes) if stakes else f'{BETS}.{column.sql} = "? kind"')
            if strange or not stakes:
                question = f"which {column.name} takes a stake? {bets.name} has {values_text(column)}."
        elif fits(column.name, names.STATE[:1]) and known and (column.type in _TEXTS or column.labels):
            undone = [value for value in known if meaning_of(value) is Meaning.CANCELLED]
            if undone:
                conditions.append(f"({_is_one_of(column, undone)}) IS NOT TRUE")
        elif fits(column.name, names.DELETED_TIME):
            conditions.append(f"{BETS}.{column.sql} IS NULL")
        elif fits(column.name, names.DELETED_FLAG) and column.type == "boolean":
            conditions.append(f"{BETS}.{column.sql} IS NOT TRUE")
    return conditions, question


def _is_one_of(column: Column, values: Sequence[str]) -> str:
    sql = f"{BETS}.{column.sql}"
    return f"{sql} IN ({', '.join(literal(value) for value in values)})"


def _amount_of(bets: Relation) -> Column | None:
    found = [one for one in bets.columns if fits(one.name, names.STAKE) and _is_number(one)]
    return min(found, key=lambda one: fit(one.name, names.STAKE) or 0, default=None)


def _is_number(column: Column) -> bool:
    return column.json_type == "number" or (column.json_type is None and column.type in _NUMBERS)
