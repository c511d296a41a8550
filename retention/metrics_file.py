"""The metrics file for the textfile collector of Prometheus's node_exporter.

A one-shot run reads the old file back before it writes the new one, so that no series is ever absent.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

NEW_FILE_MODE = 0o644
"""The mode of a new file, regardless of the umask: the collector runs as another user."""

MAX_BYTES = 4 * 1024 * 1024
"""A larger file is not ours, and is not read."""


def problem_with(path: Path) -> str | None:
    """Return the reason why this file cannot be written, with the mend; None where no reason is known yet."""
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
    """Read the samples of a metrics file; none where it is absent or unreadable. The file may be foreign."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return []
        text = path.read_text("utf-8")
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except (OSError, ValueError, LookupError):  # absent, not UTF-8, or no metrics
        return []


def write(path: Path, text: bytes) -> None:
    """Replace the file atomically: a reader sees the old file or the new one, never a part. Raises OSError."""
    place = Path(os.path.realpath(path))
    # The name is random, so that no link can wait there, and does not end in .prom, so that the collector skips it.
    handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            os.fchmod(handle, stat.S_IMODE(place.stat().st_mode) if place.exists() else NEW_FILE_MODE)
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
