"""Fills the template of a new configuration file with values, line by line, so that its comments stay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retention.settings.schema import dotted

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDERS = (
    ("partners", "secure_login"),
    ("partners", "api_url"),
    ("partners", "token"),
    ("policies", "open_longer_than"),
)
"""The keys whose values in the template are only examples, with the kind of their table."""

_HEADER = re.compile(r"(# )?\[(\w+)(\..+)?\]")
_KEY = re.compile(r"(?:# )?(\w+) = ")


def fill(template: str, partner: str, values: Mapping[tuple[str, str], str | None]) -> str:
    """Return the template with the partner's name in its header, and with the values.

    `values`: by kind of table (`partners`) and key, as TOML; None makes the key a comment. Raises KeyError for a key
    that the template does not have.
    """
    lines: list[str] = []
    kind, lacking = "", set(values)
    for line in template.splitlines():
        header, key = _HEADER.fullmatch(line), _KEY.match(line)
        if header:
            kind = header[2]
        place = (kind, key[1]) if key else None
        if line == "[partners.acme]":
            lines.append(f"[partners.{dotted([partner])}]")
        elif place in lacking:
            lacking.remove(place)
            value = values[place]
            lines.append(f"# {line.removeprefix('# ')}" if value is None else f"{place[1]} = {value}")
        else:
            lines.append(line)
    if lacking:
        raise KeyError(*lacking)
    return "\n".join(lines) + "\n"


def placeholders(text: str, decided: frozenset[tuple[str, str]]) -> dict[str, int]:
    """Find the keys that still have the template's examples: the number of each one's line. `decided`: the others."""
    found: dict[str, int] = {}
    kind = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.fullmatch(line), _KEY.match(line)
        if header:
            kind = header[2]
        elif key and (place := (kind, key[1])) in PLACEHOLDERS and place not in decided and not line.startswith("#"):
            found[key[1]] = number
    return found
