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
def folder() -> Traversable:
    """The folder sql/: inside the installed package, or beside it in a checkout."""
    installed = resources.files("retention") / "sql"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "sql"


@functools.cache
def query(name: str) -> LiteralString:
    """The text of sql/queries/<name>.sql.

    A line `-- include FILE` stands for that file's text, so that one rule is written once; it may have such lines.
    """
    text = (folder() / "queries" / f"{name}.sql").read_text("utf-8")
    return _INCLUDE.sub(lambda line: query(line[1].removesuffix(".sql")), text)
