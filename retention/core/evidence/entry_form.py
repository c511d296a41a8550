"""The form of an entry of evidence: a text that was changed by hand need not have it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, NoReturn
from uuid import UUID

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


def readable_entry(body: str) -> bool:
    """Check that a body has the form of an entry, so that a statement can read it."""
    try:
        entry = json.loads(body, parse_constant=_refuse)
        body.encode()
        json.dumps(entry, ensure_ascii=False).encode()  # half of a character cannot be a text of the database
        return "\\u0000" not in body and _has_form(entry)
    except (ValueError, RecursionError):
        return False


def _has_form(entry: Any) -> bool:
    """Check the parts that statements read. Raises ValueError for a malformed time or id."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        return False
    at, run, rows = entry.get("at"), entry.get("run"), entry.get("rows")
    if not isinstance(at, str) or not _TIME.fullmatch(at) or not isinstance(rows, dict):
        return False
    datetime.fromisoformat(at)
    if run is not None:
        UUID(run if isinstance(run, str) else "")
    return all(isinstance(one, dict) and all(isinstance(value, str) for value in one.values()) for one in rows.values())


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
