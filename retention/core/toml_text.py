"""Values in the form of a TOML file, for errors about them."""

from __future__ import annotations

import json
from datetime import date, time


def toml_text(value: object, *, bare: bool = False) -> str:
    """Write a value as TOML does, in one line; `bare`: a text without its quotes."""
    match value:
        case str():
            return value if bare else json.dumps(value, ensure_ascii=False)
        case list() | tuple():
            return f"[{', '.join(map(toml_text, value))}]"
        case dict():
            pairs = ", ".join(f"{key_text(str(key))} = {toml_text(one)}" for key, one in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case date() | time():
            return value.isoformat()
    return str(value).lower().replace("infinity", "inf")


def key_text(key: str) -> str:
    """Write a key as TOML does: quoted where it has to be."""
    plain = key.replace("-", "").replace("_", "")
    return key if plain.isascii() and plain.isalnum() else json.dumps(key, ensure_ascii=False)
