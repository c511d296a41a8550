"""The configuration while it is merged: the environment over the file, and every problem with its place.

Configuration is plain pydantic with our own overlay, not pydantic-settings. Each error names the file or variable of
the bad value, unknown variables are refused, and no error shows a secret. That needs a record of each value's place,
which is lost when sources are merged before validation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from retention.settings.model import FILE_SECRETS, PATHS
from retention.settings.schema import (
    PREFIX,
    SECTIONS,
    dotted,
    fold,
    is_free,
    is_table,
    keys_of,
    read_variable,
    table_at,
    variable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from retention.settings.schema import KeyPath

_NO_KEYS = re.compile(r"RETENTION_(CONFIG|TEST_.*)")

# Kubernetes sets variables for each service, also for one that is named "retention" or "retention-web".
_SERVICE_LINKS = re.compile(
    r"RETENTION_([A-Z0-9]+_)*"
    r"(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a value: the file or the variable, and its key."""

    source: str
    key: str
    in_file: bool

    def __str__(self) -> str:
        return f"{self.source}: {self.key}"


@dataclass(slots=True)
class Draft:
    """A tree of values as TOML reads them; the file of a secret is a Path in the secret's place.

    `file` is the configuration file as messages name it; None without a file. A secret's relative path begins
    at `directory`.
    """

    file: str | None
    directory: Path
    tree: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def place(self, path: KeyPath) -> Place:
        """Return the place of this value, or else of the table around it."""
        if exact := self.places.get(path):
            return exact
        around = next((self.places[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.places), None)
        if around:
            return Place(around.source, dotted(path), around.in_file)
        return Place(self.file or "environment", dotted(path), self.file is not None)

    def read_file(self, document: Mapping[str, Any], path: KeyPath = ()) -> None:
        """Add the file's values, table by table."""
        table = table_at(path)
        for key, value in document.items():
            here = (*path, key)
            place = Place(str(self.file), dotted(here), in_file=True)
            if table and key not in keys_of(table):
                near = _nearest(key, keys_of(table)) or f"known here: {', '.join(keys_of(table))}"
                self.problems.append(f"{place}: unknown key; {near}")
            elif isinstance(value, dict) and is_table(here):
                self._put(here, {}, place)
                self.read_file(value, here)
            else:
                self._put(here, value, place)

    def read_environment(self, environ: Mapping[str, str]) -> None:
        """Lay the variables over the file. A table's own variable comes before the variables of its keys."""
        for name in sorted(environ, key=lambda name: (name.count("__"), name)):
            if not name.startswith(PREFIX) or _NO_KEYS.fullmatch(name) or _SERVICE_LINKS.fullmatch(name):
                continue
            if path := self._path_of(name):
                self._put(path, read_variable(path, environ[name]), Place(name, dotted(path), in_file=False))

    def _path_of(self, name: str) -> KeyPath | None:
        """Return the key of a variable; None, with a problem recorded, for an unknown one."""
        path: KeyPath = ()
        for step in name.removeprefix(PREFIX).split("__"):
            table = table_at(path)
            known = keys_of(table) if table else self._names(path)
            means = [key for key in known if fold(key) == fold(step)]
            if len(means) > 1:
                self.problems.append(f"{name}: {step} means both {' and '.join(means)}; rename one of them")
                return None
            if not means and step and is_free(path):  # a new partner or policy, or a code or currency as it is spelt
                means = [step.lower() if is_table(path) else step]
            if not means:
                break
            path = (*path, *means)
        else:
            if not is_table(path):
                return path
        near = _nearest(name, self._variables(path)) or f"unset it, or write {PREFIX}TABLE__NAME__KEY"
        self.problems.append(f"{name}: unknown variable; {near}")
        return None

    def _names(self, path: KeyPath) -> list[str]:
        """List the names that the operator gave below a path so far."""
        node: Any = self.tree if is_free(path) else {}
        for step in path:
            node = node.get(step) if isinstance(node, dict) else None
        return list(node) if isinstance(node, dict) else []

    def _variables(self, path: KeyPath) -> set[str]:
        """List the known variables near a path, for a suggestion."""
        tables = {
            (),
            ("database",),
            ("evidence",),
            path,
            *((section, name) for section in SECTIONS for name in self._names((section,))),
        }
        keys = {(*at, key) for at in tables if (table := table_at(at)) for key in keys_of(table)}
        return {variable(key) for key in keys if not is_table(key)}

    def _put(self, path: KeyPath, value: Any, place: Place) -> None:
        secret, within = path[-1].removesuffix("_file"), table_at(path[:-1])
        is_path = within is not None and path[-1] in PATHS and path[-1] in within.model_fields
        is_file = within is not None and secret != path[-1] and secret in FILE_SECRETS and not is_path
        if is_file:
            path = (*path[:-1], secret)
        if (is_file or is_path) and value and isinstance(value, str):
            value = self.directory / value
        other = self.places.get(path)
        if other and other.in_file == place.in_file:
            rival = other.key if other.in_file else other.source
            self.problems.append(f"{place}: given together with {rival}; keep one of the two")
            return
        table = self.tree
        for step in path[:-1]:
            table = table.setdefault(step, {})
            if not isinstance(table, dict):
                return  # a value in place of a table: validation refuses it
        table[path[-1]] = value
        self.places[path] = place


def _nearest(word: str, known: Iterable[str]) -> str | None:
    """Suggest the known word that is most similar; None where no word is."""
    choices = {choice.removeprefix(PREFIX): choice for choice in known}
    close = get_close_matches(word.removeprefix(PREFIX), sorted(choices), n=1)
    return f"did you mean {choices[close[0]]}?" if close else None
