"""Finds checkpoints in texts that have left the ledger: logs, reports, webhook bodies, notes, metrics.

A checkpoint is found by its root: 32 bytes in base64, beside a size. Quotes and slashes may be escaped, because a
message often stands within another one's text.
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from mmap import mmap

REACH = 2000
"""Bytes before and after a root in which the rest of its checkpoint is looked for."""

_SIGN = rb"(?:[A-Za-z0-9+]|\\*/|\\+u00(?:2[bBfF]|3[dD]))"
_ROOT = rb"(?P<root>" + _SIGN + rb"{43}(?:=|\\+u003[dD]))"
_QUOTE = rb"(?:\\*\"|\\+u0022|&quot;|&#34;)"

_ORIGIN = rb"(?P<origin>retention\\*/[0-9a-f-]{36})"
_SIZE = rb"(?P<size>[0-9]{1,18})\b"

# "root": "..." of JSON, and root=... of a log line for people, in colours or without.
_COLOUR = rb"(?:\x1b\[[0-9;]*m)*"
_JSON, _LINE = (
    (rb"%s%%s%s\s*:\s*%s" % (_QUOTE, _QUOTE, rb"(?:" + _QUOTE + rb")?")),
    (rb"(?:\b|(?<=[0-9]m))%%s%s=%s" % (_COLOUR, _COLOUR)),
)
_NAMED = tuple(
    tuple(re.compile(form % name + value) for name, value in ((b"root", _ROOT), (b"size", _SIZE), (b"origin", _ORIGIN)))
    for form in (_JSON, _LINE)
)
_BREAK = rb"(?:\r?\n|\\+n)"
_NOTE = re.compile(_ORIGIN + _BREAK + rb"(?P<size>[0-9]{1,18})" + _BREAK + _ROOT + _BREAK)
_METRIC = re.compile(
    rb"^retention_checkpoint_size\{[^}\n]*\broot=\"" + _ROOT + rb"\"[^}\n]*\}\s+(?P<size>[0-9.eE+]{1,24})", re.MULTILINE
)
_ESCAPED = re.compile(rb"\\+u00([0-9a-fA-F]{2})")
CSV_COLUMNS = ("checkpoint_size", "checkpoint_root")
"""The columns of a report in CSV that hold its checkpoint."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint as a file outside of the ledger has it. `origin`: the ledger's name, where the file tells it."""

    size: int
    root: bytes
    origin: str | None = None


def find_anchors(text: bytes | mmap) -> Iterator[Anchor]:
    """Find the checkpoints of a text that is no CSV, such as a file that is mapped into memory."""
    view = memoryview(text)
    for note in _NOTE.finditer(text):
        yield Anchor(int(note["size"]), _root(note["root"]), _plain(note["origin"]).decode())
    for metric in _METRIC.finditer(text):
        told = float(metric["size"])
        if told.is_integer():
            yield Anchor(int(told), _root(metric["root"]))
    for (root, size, origin), around in zip(_NAMED, (_object_around, _line_around), strict=True):
        for named in root.finditer(text):
            beside = around(view, named.start(), named.end())
            found, name = size.search(beside), origin.search(beside)
            if found is not None:
                yield Anchor(
                    int(found["size"]), _root(named["root"]), _plain(name["origin"]).decode() if name else None
                )


def anchors_of_table(header: list[str], rows: Iterable[list[str]]) -> Iterator[Anchor]:
    """Find the checkpoints in the rows of a report in CSV, each as often as it comes."""
    size_at, root_at = (header.index(name) for name in CSV_COLUMNS)
    for row in rows:
        if len(row) <= max(size_at, root_at):
            continue
        size, root = row[size_at], row[root_at].removeprefix("'")  # it keeps a spreadsheet from running a formula
        if size.isascii() and size.isdigit() and re.fullmatch(r"[A-Za-z0-9+/]{43}=", root):
            yield Anchor(int(size), b64decode(root))


def _object_around(view: memoryview, start: int, end: int) -> bytes:
    """The text around a root that belongs to the same JSON object."""
    return _between(view, start, end, rb"[{}]")


def _line_around(view: memoryview, start: int, end: int) -> bytes:
    return _between(view, start, end, rb"\n")


def _between(view: memoryview, start: int, end: int, edge: bytes) -> bytes:
    before, after = bytes(view[max(0, start - REACH) : start]), bytes(view[end : end + REACH])
    return re.split(edge, before)[-1] + bytes(view[start:end]) + re.split(edge, after, maxsplit=1)[0]


def _plain(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text).replace(b"\\", b"")


def _root(text: bytes) -> bytes:
    return b64decode(_plain(text))
