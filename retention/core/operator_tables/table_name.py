"""Reads the name of a table as a person writes it on a command line."""

from __future__ import annotations

import re
from typing import NamedTuple

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')

MOST_PARTS = 2
"""A schema and a name."""


class TableName(NamedTuple):
    """A schema, None where the search path decides, and a name; `quoted`: neither may be read in lower case."""

    schema: str | None
    name: str
    quoted: bool

    def spellings(self) -> list[TableName]:
        """Return the names that may be meant: as written, and as SQL reads it without quotes."""
        folded = TableName(self.schema and self.schema.lower(), self.name.lower(), quoted=True)
        return [self] if self.quoted or folded[:2] == self[:2] else [self, folded]


def parse_table_name(text: str) -> TableName:
    """Read SCHEMA.TABLE or TABLE, each with or without quotes. Raises ValueError with the mend."""
    parts, place, quoted = [], 0, False
    while place < len(text):
        found = _PART.match(text, place)
        if found is None:
            raise ValueError('no name of a table; write SCHEMA.TABLE, or "SCHEMA"."TABLE" with its quotes')
        parts.append(found[1].replace('""', '"') if found[1] else found[2].strip())
        quoted = quoted or bool(found[1])
        place = found.end()
        if place < len(text):
            if text[place] != "." or place + 1 == len(text):
                raise ValueError('no name of a table; write SCHEMA.TABLE, or "SCHEMA"."TABLE" with its quotes')
            place += 1
    if len(parts) > MOST_PARTS:
        raise ValueError("has more than two parts; write SCHEMA.TABLE, and name the database in the configuration")
    if not parts or not all(parts):
        raise ValueError("names no table; write SCHEMA.TABLE")
    return TableName(parts[0] if len(parts) == MOST_PARTS else None, parts[-1], quoted)
