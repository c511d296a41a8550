"""JSON in ASCII."""

from __future__ import annotations

import json

import orjson


def ascii_json(document: object) -> bytes:
    """Write JSON in ASCII, which every reader decodes alike. The standard library writes values that orjson refuses."""
    try:
        written = orjson.dumps(document)
    except TypeError:  # a lone surrogate, for one
        return json.dumps(document).encode()
    return written if written.isascii() else json.dumps(document).encode()
