"""Takes secrets out of text, log lines and identifiers.

Secrets are replaced in text, not trusted to stay out of it. That holds for each log line, and for each text from the
vendor before the ledger keeps it. A secret of fewer than four characters cannot be told from a word and stays. So does
one that equals the name of a partner or policy.

The log runs for each request. One search therefore covers all values of a line, and the patterns are rebuilt only after
a secret has changed.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from retention.core.secret_echo import is_echo_if_contained, is_echo_if_equal, why_weak

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping

MASK = "***"

SHORTEST = 4
"""Characters; masking a shorter secret would take words apart."""

SHORTEST_ENCODED = 8
"""Characters of an encoded secret; a shorter one occurs by chance."""

_PLAIN = frozenset({str, int, bool, type(None)})
"""Types whose values cannot hold a secret, besides str, which is searched."""


_DATA = frozenset(
    (
        *("timestamp", "level", "event", "replica", "run_id", "policy", "policies", "trigger", "mode", "status"),
        *("partner", "market", "scheduled_for", "as_of", "opened_at", "settled_at", "id", "hold_id", "notification_id"),
        *("notice", "game_id", "user_id", "round_id", "uuid", "transaction_id", "bet_transaction_id"),
        *("currency", "amount", "stake", "stake_currency", "refunds", "stakes", "outcome", "reply", "error_code"),
        *("cancellation_id", "states"),
    )
)  # fmt: skip
"""The keys of a log line whose values are data, never masked in part: identifiers, amounts, times, constants."""

_OWN_TEXT = frozenset({"detail", "halt_reason"})
"""The keys of our own texts: their parts from vendors are masked already, and their amounts are data."""


_NUMBERS = (Decimal, UUID, datetime)
"""Types whose text cannot hold a secret but by chance."""


class Redactor:
    """Masks secrets in texts and log lines. A replaced secret stays masked, since requests may still carry it."""

    def __init__(
        self,
        secrets: Callable[[], list[str]],
        known: Callable[[], set[str]],
        logins: Callable[[], set[str]] = set,
    ) -> None:
        """Mask the values of `secrets`, which is called for each text since files of secrets may change.

        `known` are names of partners and policies, which are never masked. `logins` are the secrets that are names.
        """
        self._sources = [(secrets, known, logins)]
        self._listed: list[str] = []
        self._forms: set[str] = set()
        self._encodings: set[str] = set()
        self._strong: set[str] = set()
        self._alone: set[str] = set()
        self._within: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._anywhere: re.Pattern[str] | None = None
        self._no_chance: re.Pattern[str] | None = None
        self._echo: re.Pattern[str] | None = None

    def follow(
        self,
        secrets: Callable[[], list[str]],
        known: Callable[[], set[str]],
        logins: Callable[[], set[str]] = set,
    ) -> None:
        """Mask the secrets of another configuration, too, from now on."""
        self._refresh()
        self._sources[0] = secrets, known, logins

    @contextmanager
    def follow_meanwhile(
        self,
        secrets: Callable[[], list[str]],
        known: Callable[[], set[str]],
        logins: Callable[[], set[str]] = set,
    ) -> Iterator[None]:
        """Mask the secrets of one more configuration while the context lasts: a run keeps the one of its start."""
        source = secrets, known, logins
        self._sources.append(source)
        try:
            yield
        finally:
            self._refresh()
            self._sources.remove(source)

    def text(self, text: str) -> str:
        """Mask the secrets in a foreign text, in all encodings.

        Log lines are masked without encodings, which would double their cost: their foreign texts come from here.
        """
        self._refresh()
        return self._anywhere.sub(MASK, text) if self._anywhere else text

    def own_text(self, text: str) -> str:
        """Mask the secrets in our own text, except weak ones: its identifiers and amounts may hold them by chance."""
        self._refresh()
        return self._no_chance.sub(MASK, text) if self._no_chance else text

    def is_echo(self, identifier: str) -> bool:
        """Tell whether an identifier repeats a secret."""
        self._refresh()
        return identifier.strip() in self._alone or bool(self._echo and self._echo.search(identifier))

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """Mask the secrets in a log line, as a processor of structlog: in every string, however deep."""
        self._refresh()
        # Nearly every line has plain values and no secret. A search for each secret in turn is ten times as fast as the
        # pattern of all secrets.
        words = "\n".join([value for value in event.values() if isinstance(value, str)])
        for form in self._forms:
            if form in words:
                return {key: self._by_key(key, value) for key, value in event.items()}
        for key, value in event.items():
            if type(value) not in _PLAIN and not (type(value) is float and math.isfinite(value)):
                event[key] = self._by_key(key, value)
        return event

    def _refresh(self) -> None:
        listed = [word for secrets, _, _ in self._sources for word in secrets()]
        if listed == self._listed:
            return
        self._listed, known = listed, set().union(*(known() for _, known, _ in self._sources))
        # Replaced secrets stay: requests in flight may still carry them.
        words = [word for word in listed if len(word) >= SHORTEST and word not in known]
        self._forms |= {form for word in words for form in _forms(word)}
        self._encodings |= {form for word in words for form in _encodings(word)}
        self._pattern, self._anywhere = _any_of(self._forms), _any_of(self._forms | self._encodings)
        logins = set().union(*(logins() for _, _, logins in self._sources))
        self._strong |= _every_form(word for word in words if why_weak(word) is None)
        self._alone |= _every_form(word for word in words if is_echo_if_equal(word))
        self._within |= _every_form(word for word in words if is_echo_if_contained(word, login=word in logins))
        self._no_chance, self._echo = _any_of(self._strong), _any_of(self._within)

    def _masked(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text

    def _by_key(self, key: object, value: Any) -> Any:
        if key in _DATA:
            return self._data(value)
        if key in _OWN_TEXT and isinstance(value, str):
            return self._no_chance.sub(MASK, value) if self._no_chance else value
        return self._value(value)

    def _data(self, value: Any) -> Any:
        """Return data unchanged, however deep; an echo of a secret is masked as a whole."""
        if isinstance(value, str):
            return MASK if self.is_echo(value) else value
        if isinstance(value, dict):
            return {self._data(key): self._data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._data(item) for item in value]
        return self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, bytes | bytearray):
            value = value.decode(errors="backslashreplace")
        if isinstance(value, str):
            return self._masked(value)
        if isinstance(value, dict):
            return {self._value(key): self._by_key(key, item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._value(item) for item in value]
        if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        text = str(value)
        return text if isinstance(value, _NUMBERS) else self._masked(text)


def _forms(secret: str) -> set[str]:
    """Return a secret as it is written plainly and in the quotes of Python, JSON and URLs."""
    quoted = (repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False))
    return {secret, quote(secret, safe=""), quote(secret), *(form[1:-1] for form in quoted)}


def _encodings(secret: str) -> set[str]:
    """Return a secret as it is encoded in HTML, foreign JSON and URLs, hexadecimal and base64."""
    if "://" in secret:  # the host, path and password of an address are secrets of their own
        return set()
    data = secret.encode(errors="surrogateescape")
    found = {data.hex(), data.hex().upper()}
    for shift in range(3):  # at each offset within a base64 group: the characters that depend on the secret alone
        own = slice(-(-shift * 8 // 6), (shift + len(data)) * 8 // 6)
        text = base64.b64encode(bytes(shift) + data).decode()[own]
        found |= {text, text.replace("+", "-").replace("/", "_")}
    in_url = quote(secret, safe="")
    texts = {html.escape(secret), json.dumps(secret)[1:-1].replace("/", "\\/"), quote(in_url), _lower(in_url)}
    return {form for form in found if len(form) >= SHORTEST_ENCODED} | texts


def _lower(quoted: str) -> str:
    return re.sub("%..", lambda sign: sign[0].lower(), quoted)


def _every_form(secrets: Iterable[str]) -> set[str]:
    return {form for secret in secrets for form in (*_forms(secret), *_encodings(secret))}


def _any_of(forms: set[str]) -> re.Pattern[str] | None:
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first))) if forms else None
