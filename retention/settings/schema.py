"""The keys of the configuration, and their spelling in the file and in the environment."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

from retention.settings.model import FILE_SECRETS, Database, Evidence, Settings, Target
from retention.settings.partner import Partner
from retention.settings.policy import Policy
from retention.settings.rate_group import RateGroup
from retention.settings.report import ScheduledReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic.fields import FieldInfo

    from retention.settings.fields import Table

PREFIX = "RETENTION_"

# The tables whose entries are tables; the operator names them.
SECTIONS = ("partners", "rate_groups", "policies", "reports", "notify")

_TABLES: Mapping[str, type[Table]] = {"database": Database, "evidence": Evidence}
_NAMED: Mapping[str, type[Table]] = {
    "partners": Partner,
    "rate_groups": RateGroup,
    "policies": Policy,
    "reports": ScheduledReport,
    "notify": Target,
}

KeyPath = tuple[str, ...]


def table_at(path: KeyPath) -> type[Table] | None:
    """Return the table at the path, if its keys are ours; else None."""
    match path:
        case ():
            return Settings
        case (name,):
            return _TABLES.get(name)
        case (section, _):
            return _NAMED.get(section)
        case _:
            return None


def is_table(path: KeyPath) -> bool:
    """Whether the path leads to a table whose keys have places of their own, not to a value."""
    return table_at(path) is not None or path in {(section,) for section in SECTIONS}


def is_free(path: KeyPath) -> bool:
    """Whether the path leads to a table whose keys are the operator's: names, codes, currencies."""
    match path:
        case (section,):
            return section in SECTIONS
        case ("partners", _, "codes") | ("policies", _, "max_amount"):
            return True
        case _:
            return False


def keys_of(table: type[Table]) -> list[str]:
    """List the keys that may be written in the table. Its name is written in its header."""
    fields = [field for field in table.model_fields if field != "name"]
    return fields + [f"{field}_file" for field in fields if field in FILE_SECRETS]


def field_at(path: KeyPath) -> tuple[KeyPath, FieldInfo]:
    """Return the innermost key of ours on the path, with its field."""
    for end in range(len(path), 0, -1):
        table = table_at(path[: end - 1])
        if table and path[end - 1] in table.model_fields:
            return path[:end], table.model_fields[path[end - 1]]
    raise LookupError(path)


def example_at(path: KeyPath) -> str | None:
    """Return the key's example, as TOML."""
    _, field = field_at(path)
    return str(field.examples[0]) if field.examples else None


def dotted(path: Iterable[str]) -> str:
    """Spell a path as TOML does."""
    return ".".join(step if re.fullmatch(r"[A-Za-z0-9_-]+", step) else json.dumps(step) for step in path)


def fold(name: str) -> str:
    """Reduce a name to the characters that a variable's name can have."""
    return re.sub(r"[-.]", "_", name).lower()


def variable(path: Iterable[str]) -> str:
    """Spell a path as the environment does."""
    return PREFIX + "__".join(fold(step) for step in path).upper()


def read_variable(path: KeyPath, text: str) -> Any:
    """Read a variable's text with the type of its key's example. Unreadable text stays text and is refused later."""
    example = example_at(path) if field_at(path)[0] == path else None
    kind = type(_toml(example)) if example else str
    if kind is str:
        return text
    if kind is list and not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    return _toml(text)


def _toml(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except ValueError:
        return text
    return document["value"] if len(document) == 1 else text
