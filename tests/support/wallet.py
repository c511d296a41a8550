"""An operator's wallet: a table of refunds behind the optional view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support.ledger import SETTLED

if TYPE_CHECKING:
    from support.ledger import Book

WALLET = (
    "CREATE TABLE public.refunds (partner text, round_id text, currency text, amount numeric, refunded_at timestamptz)",
    "CREATE INDEX ON public.refunds (partner, round_id)",
    "CREATE VIEW retention.wallet_refunds AS SELECT * FROM public.refunds",
)


class Wallet:
    """Writes refunds; the view comes with `open`."""

    def __init__(self, book: Book) -> None:
        self._book = book

    async def open(self) -> None:
        """Make the table and the view."""
        for statement in WALLET:
            await self._book.all(statement)

    async def refund(
        self, round_id: str = "R-1", amount: Any = 100, currency: str | None = "EUR", at: Any = SETTLED
    ) -> None:
        """Add a refund; `at` and `amount` may be any text that PostgreSQL reads as a time or a number."""
        await self._book.all(
            "INSERT INTO public.refunds VALUES ('acme', %s, %s, %s::text::numeric, %s::text::timestamptz)",
            round_id,
            currency,
            None if amount is None else str(amount),
            None if at is None else str(at),
        )
