"""Statements by name, from sql/."""

from __future__ import annotations

import functools
import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, LiteralString

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_INCLUDE = re.compile(r"^ *-- include (\S+)$", re.MULTILINE)


@functools.cache
def sql_root() -> Traversable:
    """The folder sql/: inside the installed package, or beside it in a checkout."""
    installed = resources.files("retention") / "sql"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "sql"


@functools.cache
def query(name: str) -> LiteralString:
    """The text of sql/queries/<name>.sql.

    A line `-- include FILE` stands for that file's text, so that one rule is written once; it may have such lines.
    """
    return _text(sql_root() / "queries", f"{name}.sql")


def load_queries() -> None:
    """Read every statement now: the files may be gone, or be another version's, once something has to be settled."""
    queries = sql_root() / "queries"
    for within, files in (("", queries), ("shared/", queries / "shared")):
        for file in files.iterdir():
            if file.name.endswith(".sql"):
                query(within + file.name.removesuffix(".sql"))


def _text(queries: Traversable, file: str) -> LiteralString:
    return _INCLUDE.sub(lambda line: _text(queries, line[1]), (queries / file).read_text("utf-8"))
