"""Reads statements by name from sql/."""

from __future__ import annotations

import functools
import re
from importlib import resources
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, LiteralString

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

SHARED = "shared"
"""The folder of the fragments that statements include."""

_INCLUDE = re.compile(r"^( *)-- include (\S+)$", re.MULTILINE)

_COMMENT_LINES = re.compile(r"^ *(?:--.*)?\n", re.MULTILINE)


@functools.cache
def sql_root() -> Traversable:
    """The folder sql/: inside the installed package, or beside it in a checkout."""
    installed = resources.files("retention") / "sql"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "sql"


@functools.cache
def query(name: str) -> LiteralString:
    """The text of sql/queries/<name>.sql, such as `claims/claim_rounds`.

    A line `-- include FILE` is replaced by that file's text, which may include others, so each rule is written once.
    Of the lines that are comments only the name is sent: pg_stat_activity shows the first 1,024 bytes.
    """
    text = _text(sql_root() / "queries", f"{name}.sql")
    return f"-- {name}\n{_COMMENT_LINES.sub('', text)}"


@functools.cache
def statements() -> tuple[str, ...]:
    """The names of all statements, in order. `shared/` holds fragments, which are part of other statements."""
    return tuple(
        f"{within.name}/{file.name.removesuffix('.sql')}"
        for within in sorted((sql_root() / "queries").iterdir(), key=lambda one: one.name)
        if within.is_dir() and within.name != SHARED
        for file in sorted(within.iterdir(), key=lambda one: one.name)
        if file.name.endswith(".sql")
    )


def purpose(name: str) -> str:
    """The purpose of a statement, as its header states it, in one line."""
    text = (sql_root() / "queries" / f"{name}.sql").read_text("utf-8")
    return " ".join(text.removeprefix("-- Purpose: ").partition("\n-- Locks: ")[0].replace("\n--", "").split())


def expanded(name: str) -> str:
    """A statement as the server gets it, each fragment in its place and named; values stand as `%(name)s`."""
    text = _text(sql_root() / "queries", f"{name}.sql", named=True)
    return f"-- Values stand as %(name)s. Write literals in their place to EXPLAIN it.\n{text}".replace("%%", "%")


def load_queries() -> None:
    """Read every statement now, because a new version may replace the files before this process settles its replies."""
    for name in statements():
        query(name)


def _text(queries: Traversable, file: str, *, named: bool = False) -> LiteralString:
    def include(line: re.Match[str]) -> str:
        fragment = _text(queries, line[2], named=named)
        return indent(f"-- {line[2]}\n{fragment.rstrip()}", line[1]) if named else fragment

    return _INCLUDE.sub(include, (queries / file).read_text("utf-8"))
