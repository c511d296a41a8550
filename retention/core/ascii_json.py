"""JSON that no reader can mistake."""

from __future__ import annotations

import json

import orjson


def ascii_json(document: object) -> bytes:
    """Write JSON in ASCII alone, which no reader can mistake; the slower library does what orjson would not."""
    try:
        written = orjson.dumps(document)
    except TypeError:  # a lone surrogate, for one
        return json.dumps(document).encode()
    return written if written.isascii() else json.dumps(document).encode()
