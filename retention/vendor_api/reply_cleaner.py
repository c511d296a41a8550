"""Masks secrets that a vendor repeats, before its reply is written. Identifiers and amounts are data, and stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retention.core.model import Reply
from retention.core.secret_echo import is_echo_if_equal
from retention.core.sending.outcomes import is_known_status
from retention.redaction import MASK, SHORTEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from retention.core.model import Answer, Settlement

CUT = 64
"""Characters at which a reply's text or code may have been cut."""


class Cleaned(NamedTuple):
    """An answer that may be settled. `echoes` are the fields that repeated a secret, `code` the code if it did."""

    answer: Answer
    echoes: tuple[str, ...] = ()
    code: str | None = None


class ReplyCleaner:
    """Cleans one partner's replies. `redact` masks secrets in text, `is_echo` finds identifiers that repeat one.

    `secrets` are the partner's own; the beginning of one may stand at the end of a text that was cut.
    """

    def __init__(
        self,
        redact: Callable[[str], str],
        is_echo: Callable[[str], bool],
        secrets: Callable[[], Sequence[str]],
    ) -> None:
        self._redact = redact
        self._is_echo = is_echo
        self._secrets = secrets

    def before(self, answer: Answer) -> Cleaned:
        """Clean an answer but for its code, which decides the meaning."""
        if not isinstance(answer, Reply) or self._is_clean(answer):
            return Cleaned(answer)
        echoes = []
        if answer.transaction_id is not None and self._is_echo(answer.transaction_id):
            echoes.append("transactionId")
        if code := answer.code if answer.code is not None and self._echoes_code(answer.code) else None:
            echoes.append("code")
        clean = answer._replace(
            description=self._clean(answer.description),
            round_status=answer.round_status
            if is_known_status(answer.round_status)
            else self._clean(answer.round_status),
            transaction_id=None if "transactionId" in echoes else answer.transaction_id,
        )
        return Cleaned(clean, tuple(echoes), code)

    def after(self, item: Settlement, cleaned: Cleaned) -> Settlement:
        """Drop a code that repeated a secret, and name the dropped fields in `detail`."""
        if not cleaned.echoes:
            return item
        detail = item.detail
        if cleaned.code is not None:
            item = item._replace(error_code=None)
            detail = detail and detail.replace(cleaned.code, MASK)
        dropped = (
            f"{' and '.join(cleaned.echoes)} repeated a secret, and {'are' if cleaned.echoes[1:] else 'is'} not kept"
        )
        return item._replace(detail="; ".join(filter(None, (detail, dropped))))

    def _is_clean(self, reply: Reply) -> bool:
        """Whether no text holds a secret, as nearly always: one search covers all texts together."""
        together = f"{reply.code}\n{reply.description}\n{reply.round_status}\n{reply.transaction_id}"
        short = len(together) < CUT or all(len(text) < CUT for text in together.split("\n"))
        return short and self._redact(together) == together

    def _echoes_code(self, code: str) -> bool:
        if self._is_echo(code):
            return True
        return len(code) >= CUT and any(map(is_echo_if_equal, self._ends(code)))

    def _ends(self, text: str) -> list[str]:
        """The secrets that may begin at the end of a cut text."""
        return [
            secret
            for secret in self._secrets()
            if any(text.endswith(secret[:length]) for length in range(SHORTEST, len(secret)))
        ]

    def _clean(self, text: str | None) -> str | None:
        """Mask the secrets in a text, and the beginning of one at the end of a cut text."""
        if text is None:
            return None
        shown = self._redact(text)
        if len(text) < CUT:
            return shown
        for secret in self._secrets():
            for length in range(len(secret) - 1, SHORTEST - 1, -1):
                if shown.endswith(secret[:length]):
                    return shown[:-length] + MASK
        return shown
