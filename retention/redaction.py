"""Takes secrets out of text, log lines and identifiers.

The log runs for each request, so one search covers all values of a line, and the patterns are rebuilt only after a
secret has changed.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from retention.core.secret_echo import echoed_alone, echoed_within, weakness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableMapping

MASK = "***"

SHORTEST = 4
"""Characters; masking a shorter secret would take words apart."""

SHORTEST_ENCODED = 8
"""Characters of an encoded secret; a shorter one occurs by chance."""

_PLAIN = frozenset({str, int, bool, type(None)})
"""Types whose values JSON writes as they are."""


_DATA = frozenset(
    (
        *("timestamp", "level", "event", "replica", "run_id", "policy", "policies", "trigger", "mode", "status"),
        *("partner", "market", "scheduled_for", "as_of", "opened_at", "settled_at", "id", "hold_id", "notification_id"),
        *("notice", "game_id", "user_id", "round_id", "uuid", "transaction_id", "bet_transaction_id"),
        *("currency", "amount", "stake", "stake_currency", "refunds", "stakes", "outcome", "reply", "error_code"),
        *("cancellation_id", "states"),
    )
)  # fmt: skip
"""The keys of a line whose values are identifiers, amounts, times and words of our own: data, and never masked."""

_OWN_TEXT = frozenset({"detail", "halt_reason"})
"""The keys of texts that we have put together ourselves: their foreign parts are clean, and their amounts are data."""


_NUMBERS = (Decimal, UUID, datetime)
"""Types of values that nobody writes words with."""


class Redactor:
    """Takes secrets out of text. `secrets` is asked whenever it is used, since files of secrets may change."""

    def __init__(
        self,
        secrets: Callable[[], list[str]],
        known: Callable[[], set[str]],
        logins: Callable[[], set[str]] = set,
    ) -> None:
        """`known` are words that are no secret whatever else they are: the names of partners and policies.

        `logins` are those of the secrets that are names.
        """
        self._secrets = secrets
        self._known = known
        self._logins = logins
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
        """Take out the secrets of another configuration from now on; those of the old one stay secrets."""
        self._refresh()
        self._secrets, self._known, self._logins = secrets, known, logins

    def text(self, text: str) -> str:
        """The text without the secrets in it, however whoever wrote it has encoded them.

        Log lines are spared that: it costs as much as they do, and what comes from elsewhere has gone through here.
        """
        self._refresh()
        return self._anywhere.sub(MASK, text) if self._anywhere else text

    def own_text(self, text: str) -> str:
        """The same for a text of our own, whose identifiers and amounts are data: chance may write a short secret."""
        self._refresh()
        return self._no_chance.sub(MASK, text) if self._no_chance else text

    def is_echo(self, identifier: str) -> bool:
        """Whether an identifier is none, but repeats a secret."""
        self._refresh()
        return identifier.strip() in self._alone or bool(self._echo and self._echo.search(identifier))

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """As a processor of structlog: every string, however deep."""
        self._refresh()
        # Nearly every line is without a secret and holds plain values; looking for each secret in turn is ten times as
        # fast as the pattern of all of them.
        words = "\n".join([value for value in event.values() if isinstance(value, str)])
        for form in self._forms:
            if form in words:
                return {key: self._by_key(key, value) for key, value in event.items()}
        for key, value in event.items():
            if type(value) not in _PLAIN:
                event[key] = self._by_key(key, value)
        return event

    def _refresh(self) -> None:
        listed = self._secrets()
        if listed == self._listed:
            return
        self._listed, known = [*listed], self._known()
        # A secret that was replaced stays one: what is on its way may still name it.
        words = [word for word in listed if len(word) >= SHORTEST and word not in known]
        self._forms |= {form for word in words for form in _forms(word)}
        self._encodings |= {form for word in words for form in _encodings(word)}
        self._pattern, self._anywhere = _any_of(self._forms), _any_of(self._forms | self._encodings)
        logins = self._logins()
        self._strong |= _every_form(word for word in words if weakness(word) is None)
        self._alone |= _every_form(word for word in words if echoed_alone(word))
        self._within |= _every_form(word for word in words if echoed_within(word, login=word in logins))
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
        """As it is, however deep; an echo is masked as a whole."""
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
    """The ways in which a secret is written: as it is, and inside of what Python, JSON or a URL puts around it."""
    quoted = (repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False))
    return {secret, quote(secret, safe=""), quote(secret), *(form[1:-1] for form in quoted)}


def _encodings(secret: str) -> set[str]:
    """What a secret becomes elsewhere: in HTML, in other people's JSON and URLs, in hexadecimal and in base64."""
    if "://" in secret:  # host, path and password of an address are secrets by themselves
        return set()
    data = secret.encode(errors="surrogateescape")
    found = {data.hex(), data.hex().upper()}
    for shift in range(3):  # where a group of base64 may begin; only the signs that are the secret's own
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
