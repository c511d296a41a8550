"""Secrets are found in written text, in any encoding."""

from __future__ import annotations

import base64
import binascii
import html
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RUN = re.compile(r"[A-Za-z0-9+/_-]{10,}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\(.)")


def undressed(text: str) -> Iterator[str]:
    """The text as it is, and decoded by each of the encodings that may have been applied to it, all through."""
    yield text
    for once in (unquote(text), html.unescape(text), _ESCAPE.sub(_sign, text)):
        if once != text:
            yield once
            yield unquote(once)
    runs = set(_RUN.findall(text))
    yield "\n".join(_decoded(runs))


def found(written: Mapping[str, str], secrets: Mapping[str, str]) -> list[str]:
    """Name each secret in the text, with its place and the text around it."""
    return [
        f"{what} in {where}: {text[max(0, text.index(secret) - 60) : text.index(secret) + 60]}"
        for where, whole in written.items()
        for text in undressed(whole)
        for what, secret in secrets.items()
        if secret in text
    ]


def _sign(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[2]


def _decoded(runs: set[str]) -> Iterator[str]:
    """Each run as bytes, from wherever in it an encoding may begin."""
    for run in runs:
        plain = run.replace("-", "+").replace("_", "/")
        for start in range(4):
            part = plain[start : start + (len(plain) - start) // 4 * 4]
            yield base64.b64decode(part).decode(errors="replace")
        for part in re.findall(r"(?:[0-9a-fA-F]{2}){5,}", run):
            for start in range(2):
                try:
                    yield bytes.fromhex(part[start : len(part) - start]).decode(errors="replace")
                except (ValueError, binascii.Error):
                    continue
