"""Reads a list of rounds: CSV with the header `partner,round_id` or `round_id`, or bare round ids, one a line.

Ids are data: blanks, zeros and signs stay as they are. A doubtful line is an error and never a guess, because each
line of the list is a refund.
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from retention.core.invisible_text import is_blank
from retention.core.planning.named_rounds import NamedRound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_NAMED = 1_000_000
"""The most rounds that one list may name."""

LONGEST_ID = 2000
"""Characters of an id; a longer one is a quote that was never closed."""

_PARTNER, _ROUND_ID = "partner", "round_id"
_SEPARATORS = ";\t|"


def read_round_list(content: bytes, partner: str | None) -> list[NamedRound]:
    """Read the rounds of a list. `partner` has all rounds of a list that names no partner.

    Raises ValueError, which names the line, for a list that is not UTF-8 or CSV, that lacks a partner or a round id, or
    that names another partner than `partner`.
    """
    named: list[NamedRound] = []
    columns: Sequence[str] | None = None
    for line, values in _records(_decoded(content)):
        if columns is None:
            header = _header(line, values)
            columns = header or (_ROUND_ID,)
            if header:
                continue
        named.append(_named(line, values, columns, partner))
        if len(named) > MAX_NAMED:
            raise ValueError(f"line {line}: more than {MAX_NAMED} rounds; name them in several lists")
    return named


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: not UTF-8; write it in that encoding") from None


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not blank, each with the number of its first line."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for values in reader:
            if any(not is_blank(value) for value in values):
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"line {line}: {error}; write CSV, a value with quotes or commas in quotes") from None


def _header(line: int, values: Sequence[str]) -> Sequence[str] | None:
    """Return the columns of a header; None for a line of data."""
    names = [value.strip().casefold() for value in values]
    if sorted(names) in ([_ROUND_ID], [_PARTNER, _ROUND_ID]):
        return tuple(names)
    whole = ",".join(names)
    if any(sign in whole and _ROUND_ID in whole.split(sign) for sign in _SEPARATORS):
        raise ValueError(f"line {line}: its values are not separated by commas; write {_PARTNER},{_ROUND_ID}")
    if _ROUND_ID in names or names == [_PARTNER]:
        raise ValueError(f"line {line}: the header is {whole}; write {_PARTNER},{_ROUND_ID} or {_ROUND_ID}")
    return None


def _named(line: int, values: Sequence[str], columns: Sequence[str], partner: str | None) -> NamedRound:
    if len(values) != len(columns):
        wanted = f"{len(columns)} as in the header" if len(columns) > 1 else "a round id alone"
        raise ValueError(
            f"line {line}: {len(values)} values, not {wanted}; begin with the header {_PARTNER},{_ROUND_ID},"
            " and put an id with commas in quotes"
        )
    found = dict(zip(columns, values, strict=True))
    its, round_id = found.get(_PARTNER, partner), found[_ROUND_ID]
    if its is None or is_blank(its):
        raise ValueError(f"line {line}: no partner; give --partner, or begin with the header {_PARTNER},{_ROUND_ID}")
    if is_blank(round_id):
        raise ValueError(f"line {line}: no round id")
    if len(round_id) > LONGEST_ID:
        raise ValueError(f"line {line}: an id of {len(round_id)} characters; write at most {LONGEST_ID}")
    if "\0" in round_id:
        raise ValueError(f"line {line}: an id with a NUL, which no database keeps")
    if partner is not None and its != partner:
        raise ValueError(f"line {line}: partner {its}, and --partner is {partner}; leave one of the two out")
    return NamedRound(its, round_id)
