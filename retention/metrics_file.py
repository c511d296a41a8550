"""The file for the textfile collector of Prometheus's node_exporter: read back, and written anew."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

MODE = 0o644
"""A new file's, whatever the umask: the collector runs as another user."""

MAX_BYTES = 4 * 1024 * 1024
"""No file of ours is larger."""


def problem_with(path: Path) -> str | None:
    """Say why no such file can be written, as far as it can be told beforehand."""
    place = Path(os.path.realpath(path))
    try:
        if place.is_dir():
            return "is a directory; name a file in it"
        if place.exists() and not place.is_file():
            return "is no regular file, and would be replaced by one; name another file"
    except OSError as error:
        return f"{error.strerror}; name another file"
    if not os.access(place.parent, os.W_OK):
        return "there is no such folder to write to; name another file"
    return None


def read_back(path: Path) -> list[Sample]:
    """What such a file says; nothing where there is none, or it cannot be read. It may be anybody's."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return []
        text = path.read_text("utf-8")
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except (OSError, ValueError, LookupError):  # not there, not UTF-8, or no metrics
        return []


def write(path: Path, text: bytes) -> None:
    """Write the file, whole or not at all: whoever reads it sees the old one or the new one. Raises OSError."""
    place = Path(os.path.realpath(path))
    # The collector reads what ends in .prom, and nobody can foresee the name, nor lay a link there.
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            os.fchmod(handle, stat.S_IMODE(place.stat().st_mode) if place.exists() else MODE)
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
