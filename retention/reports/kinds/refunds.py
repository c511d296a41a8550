"""The promised refunds of cancelled rounds beside what the wallet has given back, judged as `reconcile` judges them."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from retention.core.evidence.reconciliation import REFUNDS_TOLD, LedgerSide, Refund, RefundVerdict, judge_refund
from retention.ledger.wallet import reading_wallet
from retention.reports.kinds.cancelled import selected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from retention.reports.kinds.kind import Reading


@dataclass(frozen=True, slots=True)
class RoundRefund:
    """One cancelled round: its promised refund, and the wallet's. Amounts are in currency units.

    `seen_amount` is the sum of the refunds in `seen_currency`: the promised currency, else the stake's, else the only
    one that the wallet has. A sum that has an amount without a value is None. Count and times are over all refunds of
    the round's id: the wallet does not tell plays of one id apart. `verdict` is a RefundVerdict.
    """

    partner: str
    market: str
    user_id: str
    round_id: str
    outcome: str
    cancelled_at: datetime
    currency: str | None
    amount: Decimal | None
    seen_currency: str | None
    seen_amount: Decimal | None
    seen_count: int | None
    seen_at: datetime | None
    last_seen_at: datetime | None
    verdict: str
    stake_currency: str | None
    stake: Decimal | None
    transaction_id: str | None
    run_id: UUID
    policy: str


@dataclass(frozen=True, slots=True)
class RefundTotal:
    """The cancelled rounds of one market and currency: the promised refund's, else the stake's, else None.

    `amount` and `seen_amount`: the sums of all promised and seen amounts in that currency, also of rounds counted under
    another; `difference` is the seen sum minus the promised one. Both are None without a view of the wallet. The others
    count verdicts.
    """

    market: str
    currency: str | None
    count: int
    amount: Decimal
    seen_amount: Decimal | None
    difference: Decimal | None
    seen: int
    awaited: int
    missing: int
    differs: int
    twice: int
    not_promised: int
    unknown: int


class Refunds:
    """The kind `refunds`. It has cancelled rounds alone, whichever outcomes are selected."""

    row = RoundRefund
    total = RefundTotal

    async def totals(self, reading: Reading) -> tuple[tuple[RefundTotal, ...], int]:
        """Read the totals, and the number of rounds."""
        name = "reports/sum_compared_refunds" if reading.wallet else "reports/sum_promised_refunds"
        with reading_wallet(wanted=reading.wallet):
            sums = await reading.transaction.rows(name, **_parameters(reading))
        verdicts = await self._count_verdicts(reading)
        totals = tuple(
            RefundTotal(
                row.market,
                row.currency,
                row.count,
                row.amount,
                row.seen_amount,
                row.difference,
                *(verdicts[row.market, row.currency, str(verdict)] for verdict in RefundVerdict),
            )
            for row in sums
        )
        return totals, sum(total.count for total in totals)

    async def rows(self, reading: Reading) -> AsyncGenerator[RoundRefund, None]:
        """Read the rounds in the order of their outcomes."""
        # A statement cannot name a view that is not there.
        name = "reports/list_compared_refunds" if reading.wallet else "reports/list_promised_refunds"
        stream = reading.transaction.stream(name, **_parameters(reading), shown=REFUNDS_TOLD + 1)
        async with aclosing(stream):
            with reading_wallet(wanted=reading.wallet):
                async for row in stream:
                    yield _refund(row, reading)

    async def _count_verdicts(self, reading: Reading) -> Counter[tuple[str, str | None, str]]:
        """Count the verdicts by market and currency.

        It goes through all rounds: the rule of `reconcile` is no SQL, and one rule in two languages would drift apart.
        """
        found: Counter[tuple[str, str | None, str]] = Counter()
        async with aclosing(self.rows(reading)) as rows:
            async for one in rows:
                currency = one.stake_currency if one.currency is None else one.currency
                found[one.market, currency, one.verdict] += 1
        return found


def _parameters(reading: Reading) -> Mapping[str, Any]:
    return selected(reading.selection, all_outcomes=False)


def _refund(row: Any, reading: Reading) -> RoundRefund:
    ledger = LedgerSide(row.outcome, row.at, row.amount, row.currency, row.stake, row.stake_currency)
    refunds = None
    if row.amounts is not None:
        refunds = [Refund(amount, currency) for amount, currency in zip(row.amounts, row.currencies, strict=True)]
    within = reading.configured.refund_within.get(row.partner, timedelta())
    return RoundRefund(
        partner=row.partner,
        market=row.market,
        user_id=row.user_id,
        round_id=row.round_id,
        outcome=row.outcome,
        cancelled_at=row.at,
        currency=row.currency,
        amount=row.amount,
        seen_currency=row.seen_currency,
        seen_amount=row.seen_amount,
        seen_count=row.seen_count,
        seen_at=row.seen_at,
        last_seen_at=row.last_seen_at,
        verdict=str(judge_refund(ledger, refunds, reading.now, within)),
        stake_currency=row.stake_currency,
        stake=row.stake,
        transaction_id=row.transaction_id,
        run_id=row.run_id,
        policy=row.policy,
    )
