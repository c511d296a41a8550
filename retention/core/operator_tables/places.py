"""Chooses market and currency, and the provider whose rounds alone are meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retention.core.operator_tables import names
from retention.core.operator_tables.draft import Choice, Source, is_named, placeholder, values_text
from retention.core.operator_tables.names import fits, listed, literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retention.core.operator_tables.draft import Draft
    from retention.core.operator_tables.facts import Column, Relation

NO_CURRENCY = "NULL::text"
"""The currency where no column tells it."""

_NOT_OF_PLAYERS: names.Rules = (*names.GAME_TABLE, "(?:.*_)?(?:provider|vendor|supplier|aggregator|studio)s?(?:_.*)?")
_MARKET_TABLE: names.Rules = ("(?:.*_)?(?:market|jurisdiction|countr(?:y|ies)|licen[cs]e|region)s?",)
_CURRENCY_TABLE: names.Rules = ("(?:.*_)?currenc(?:y|ies)",)
_TWO_LETTERS = re.compile("[A-Z]{2}")


def choose_market(draft: Draft) -> Choice:
    """Return the player's jurisdiction: from the table, or from the player's row that a foreign key leads to."""
    found = _named(draft, names.MARKET, _MARKET_TABLE, hops=3)
    if not found:
        return placeholder(
            "market", "no column tells the player's jurisdiction, here or beside: write it, such as 'MT'::text."
        )
    best = found[0]
    sql, column, rank = draft.text(best), best.column, best.rank
    others = [draft.named(one) for one in found[1:3] if one.rank == rank and one.path == best.path]
    coded = all(_TWO_LETTERS.fullmatch(value) for value in column.values.known())
    sure = (rank <= 1 or (column.values.known() and coded)) and not others
    if sure:
        return Choice(sql)
    also = f" Or is it {listed(others)}?" if others else ""
    return Choice(sql, f"is {best.name} the player's jurisdiction? It has {values_text(column)}.{also}")


def choose_currency(draft: Draft) -> Choice:
    """Return the currency of the stake as an upper-case code of ISO 4217."""
    found = _named(draft, names.CURRENCY, _CURRENCY_TABLE, hops=2)
    if not found:
        return Choice(
            NO_CURRENCY,
            "no column tells the currency, so max_amount cannot judge a stake. If all play in one: 'EUR'::text.",
        )
    return Choice(currency_sql(draft.text(found[0]), found[0].column))


def currency_sql(sql: str, column: Column) -> str:
    """Return a currency's code in capitals."""
    return f"upper({sql})" if any(value != value.upper() for value in column.values.known()) else sql


def choose_provider(draft: Draft, partner: Choice) -> Choice | None:
    """Return the condition that leaves out the rounds of other vendors; None where there is no such column."""
    if not draft.facts.partners or not partner.sql.startswith("'"):
        return None
    for source in draft.find(names.PROVIDER, hops=1, accept=_is_code):
        if source.path and not is_named(source.relation, names.GAME_TABLE):
            continue
        column = source.column
        if len(column.values.known()) < 2:  # noqa: PLR2004 - one vendor, or nothing known
            continue
        (own,) = draft.facts.partners
        meant = [value for value in column.values.known() if value.casefold() == own.casefold()]
        left = draft.raw(source)
        seen = values_text(column)
        if meant:
            return Choice(f"{left} = {literal(meant[0])}", note=f"the rounds of other vendors stay: {seen}")
        question = f"which of {source.name} is the partner {own}? It has {seen}. The others' rounds have to stay out."
        return Choice(f'{left} = "? provider"', question, stops=True)
    return None


def _named(draft: Draft, rules: names.Rules, lookup: names.Rules, *, hops: int) -> list[Source]:
    """Return the columns of that meaning, within a lookup table too; the lookup's code beats a number that refers."""
    found = draft.find(rules, hops=hops, through=_of_players, accept=_is_code)
    inside = [
        one
        for one in draft.find(names.CODE, hops=hops, through=_of_players, accept=_is_code)
        if one.path and is_named(one.relation, lookup)
    ]
    placed = [(len(one.path), one.rank, 0, one) for one in found]
    for one in sorted(inside, key=lambda one: (len(one.path), one.rank))[:1]:
        rank = _rank(one.relation, rules)  # it stands as far away as the number that refers to it
        placed.append((len(one.path) - 1, rank, 1, Source(one.path, one.relation, one.column, rank)))
    return [one for *_, one in sorted(placed, key=lambda place: place[:3])]


def _rank(relation: Relation, rules: names.Rules) -> int:
    """Judge the code of a lookup table as a column of the table's own name would be."""
    singular = re.sub("ies$", "y", relation.name)
    return names.fit(re.sub("s$", "", singular).rpartition("_")[2], rules) or 0


def _of_players(relation: Relation) -> bool:
    return not fits(relation.name, _NOT_OF_PLAYERS)


def _is_code(column: Column) -> bool:
    kinds: Sequence[str] = ("text", "character varying", "character", "citext")
    return column.json_type == "string" or (column.json_type is None and (column.type in kinds or bool(column.labels)))
