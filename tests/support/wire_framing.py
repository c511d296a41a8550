"""Where PostgreSQL's messages begin in a stream of bytes."""

from __future__ import annotations


class Framing:
    """Follows one direction of a connection. A client's first message has no type, only a length."""

    def __init__(self, *, first_has_type: bool = True) -> None:
        self._header_size = 5 if first_has_type else 4
        self._header = b""
        self._left = 0

    def starts(self, data: bytes) -> list[int]:
        """Positions in `data`, which follows the earlier bytes, of the types of the messages that begin there."""
        found, at = [], 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            if not self._header and self._header_size == 5:
                found.append(at)
            part = data[at : at + self._header_size - len(self._header)]
            self._header += part
            at += len(part)
            if len(self._header) == self._header_size:
                self._left = int.from_bytes(self._header[-4:], "big") - 4  # the length counts itself
                self._header, self._header_size = b"", 5
        return found
