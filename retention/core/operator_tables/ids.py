"""Chooses partner, user, round and game: the names by which the vendor knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retention.core.operator_tables import names
from retention.core.operator_tables.draft import (
    TABLE,
    Choice,
    Source,
    foreign,
    is_named,
    placeholder,
    text_sql,
    values_text,
)
from retention.core.operator_tables.names import fits, listed, literal

if TYPE_CHECKING:
    from retention.core.operator_tables.draft import Draft
    from retention.core.operator_tables.facts import Column

LONGEST_USER = 32
LONGEST_ROUND = 36
LONGEST_GAME = 32
"""Characters that the vendor takes."""

_UUID_CHARS = 36


class JournalError(Exception):
    """The table has several rows of one round: a journal. `column` tells the rows apart."""

    def __init__(self, column: Column | None) -> None:
        super().__init__()
        self.column = column


def choose_partner(draft: Draft) -> Choice:
    """Return the partner: the only one of the configuration, else the column that names them."""
    partners = draft.facts.partners
    candidates = draft.find(names.PARTNER, hops=2, accept=_is_text)
    for source in candidates:
        known = {*source.column.values.known()}
        if known and (known <= {*partners} or known & {*partners} == {*partners}):
            return Choice(draft.text(source))
    if len(partners) == 1:
        return Choice(f"{literal(partners[0])}::text", note="the only partner of the configuration")
    told = f"the configuration has {listed(partners, 'and')}" if partners else "the configuration has no partner yet"
    if candidates:
        best = candidates[0]
        values = best.column.values
        # Values that do not repeat could be players.
        shown = f", and {best.name} has {values_text(best.column)}" if values.rows >= 3 * values.different else ""
        return Choice(
            draft.text(best),
            f"the NAME of [partners.NAME]: {told}{shown}. A row with another name is left out.",
        )
    return placeholder("partner", f"no column names the partner, and {told}: write its name, such as 'acme'::text.")


def choose_user(draft: Draft) -> Choice:
    """Return the user: the one id that the vendor was given for the player."""
    own = draft.find(names.VENDOR_USER[:2])
    theirs = [
        one
        for one in draft.find(names.VENDOR_USER, hops=2, accept=_is_id)
        if one.path and (one.rank < 2 or is_named(one.relation, names.PERSON_TABLE))  # noqa: PLR2004
    ]
    local = draft.find(names.USER, hops=1, through=lambda one: not is_named(one, names.PERSON_TABLE), accept=_is_id)
    if own:
        return _fitted_user(draft, own[0], [*local])
    if theirs and (theirs[0].rank < 2 or not local):  # noqa: PLR2004
        return _fitted_user(draft, theirs[0], [])
    if theirs:
        others = listed([draft.named(one) for one in local[:3]])
        return Choice(
            draft.text(theirs[0]),
            f"which id was the vendor given for the player when the game was opened: {theirs[0].name}, or {others}?"
            f"{_length(theirs[0].column, LONGEST_USER)}",
        )
    if local:
        return _fitted_user(draft, local[0], [])
    return placeholder(
        "user_id", "no column was found that names the player: write the id that the vendor was given for the player."
    )


def _fitted_user(draft: Draft, source: Source, others: list[Source]) -> Choice:
    column, sql = source.column, draft.text(source)
    if column.type == "uuid" or column.values.longest > LONGEST_USER:
        fitting = f"replace({sql}, '-', '')" if column.type == "uuid" or column.values.longest == _UUID_CHARS else sql
        near = "".join(f" Or is it {draft.named(one)}?" for one in others[:2])
        return Choice(
            fitting,
            f"{source.name} has {column.values.longest or _UUID_CHARS} characters, and the vendor takes {LONGEST_USER}:"
            f" what does the vendor know the player by? Without its dashes a UUID has 32.{near}",
        )
    return Choice(sql)


def choose_round(draft: Draft, partner: Choice) -> Choice:
    """Return the round's id. Raises JournalError for a table with several rows of one round."""
    table = draft.table
    candidates = draft.find(names.VENDOR_ROUND, accept=_is_id)
    named = draft.find(names.ROUND[:2], accept=lambda one: _is_id(one) and not foreign(draft, one))
    keys = [one for one in draft.find(names.ROUND[2:], accept=_is_id) if (one.column.name,) == table.primary_key]
    candidates += [one for one in (*named, *keys) if one not in candidates]
    twins = [one for one in draft.find(names.ROUND[2:], accept=_is_id) if one not in keys and _alone(draft, one)]
    if not candidates:
        return placeholder(
            "round_id", "no column was found that names the round: write the roundId by which the vendor knows it."
        )
    best = candidates[0]
    column, sql = best.column, draft.text(best)
    within = frozenset(
        {column.name, *(one.name for one in table.columns if partner.sql.startswith(f"{TABLE}.{one.sql}"))}
    )
    if not table.unique_within(within):
        return _not_unique(draft, best, keys)
    if column.values.longest > LONGEST_ROUND:
        return Choice(sql, f"{column.name} has up to {column.values.longest} characters, and the vendor takes 36.")
    if best in keys and twins:
        others = listed([draft.text(one) for one in twins[:3]])
        return Choice(sql, f"which roundId was the vendor given: {sql}, or {others}?")
    return Choice(sql)


def _alone(draft: Draft, source: Source) -> bool:
    """Whether a column is unique by itself, and refers to no other table."""
    return draft.table.unique_within(frozenset({source.column.name})) and not foreign(draft, source.column)


def _not_unique(draft: Draft, best: Source, keys: list[Source]) -> Choice:
    table, column = draft.table, best.column
    others = [one for one in _keys_with(draft, column.name) if one]
    for rest in others:
        telling = [table.column(name) for name in rest]
        for one in telling:
            if fits(one.name, (*names.KIND, "event", "status", "state")):
                raise JournalError(one)
        key = " || '-' || ".join(text_sql(TABLE, one) for one in (*telling, column))
        choices = [text_sql(TABLE, column), *(draft.text(one) for one in keys)]
        return Choice(
            key,
            f"{column.name} is unique only together with {listed(rest, 'and')}. Which roundId was the vendor given:"
            f" this one, or {listed(choices)}? It has to be unique for the partner.",
        )
    values = column.values
    if values.different and values.different < values.rows - values.nulls:
        raise JournalError(None)
    return Choice(
        draft.text(best),
        note=f"no unique key covers {column.name}; a round that stands twice is left out of each plan",
    )


def _keys_with(draft: Draft, name: str) -> list[tuple[str, ...]]:
    """Return the other columns of each unique key that has this column; partition keys do not count."""
    table = draft.table
    keys = [table.primary_key, *(one.columns for one in table.indexes if one.unique and not one.partial)]
    found = []
    for key in keys:
        if name in key and None not in key:
            rest = tuple(str(one) for one in key if one != name)
            if not all(fits(one, (*names.OPENED, *names.ENDED)) for one in rest):
                found.append(rest)
    return found


def choose_game(draft: Draft) -> Choice:
    """Return the game's id, NULL where there is no column for it."""
    own = draft.find(names.GAME, accept=_is_id)
    codes = [
        one
        for one in draft.find(names.GAME_CODE, hops=2, accept=_is_id)
        if one.path and is_named(one.relation, names.GAME_TABLE)
    ]
    if own and own[0].rank <= 2:  # noqa: PLR2004 - a name that only the vendor's id has
        return Choice(draft.text(own[0]))
    if codes and codes[0].rank == 0:
        return Choice(draft.text(codes[0]))
    if codes:
        others = [draft.named(one) for one in own[:2]]
        question = (
            f"which id does the vendor know the game by: {listed([codes[0].name, *others])}? NULL::text sends none."
        )
        return Choice(draft.text(codes[0]), question if own else "")
    if not own:
        return Choice("NULL::text", note="no column names the game")
    column = own[0].column
    if column.type == "uuid" or column.values.longest > LONGEST_GAME:
        return Choice(
            "NULL::text",
            f"{own[0].name} has {column.values.longest or _UUID_CHARS} characters, and the vendor takes {LONGEST_GAME}."
            " Which id does the vendor know the game by? NULL::text sends none.",
        )
    return Choice(draft.text(own[0]))


def _length(column: Column, longest: int) -> str:
    if column.type == "uuid" or column.values.longest > longest:
        return f" The vendor takes {longest} characters; replace(..., '-', '') makes 32 of a UUID."
    return ""


def _is_text(column: Column) -> bool:
    return (
        column.json_type == "string"
        or column.type in {"text", "character varying", "character", "citext"}
        or bool(column.labels)
    )


def _is_id(column: Column) -> bool:
    kinds = {"text", "character varying", "character", "citext", "uuid", "smallint", "integer", "bigint", "numeric"}
    return column.json_type in {"string", "number"} or (column.json_type is None and column.type in kinds)
