"""Lists of many rounds from one partner (GetGameRounds), with a question for each round that no list tells.

A list costs one slot, as a question does. Where a period has more pages than rounds that are looked for, the rounds are
asked about by themselves: that costs less.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import TYPE_CHECKING

from retention.core.evidence.reconciliation import VendorSide, fits_vendor
from retention.core.model import Outcome, Reply
from retention.core.sending.decision import pause_of
from retention.core.sending.game_rounds import windows, worth_another_page
from retention.core.sending.outcomes import outcome_of_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import FilteringBoundLogger

    from retention.core.model import Answer
    from retention.core.sending.game_rounds import RoundsPage, Window
    from retention.ledger.reconciliation import SettledRound
    from retention.runs.partner_questions import PartnerQuestions

NOT_ASKED = "not asked: "
"""Begins the vendor's side of a round that was not asked about."""

MAY_NOT_ASK = "status_probe = false forbids questions, and no list has the round"


class RoundLists:
    """Asks one partner about rounds: by lists where it answers them (`lists`), else by questions where `may_ask`.

    `not_listed` says why lists are not used any more.
    """

    def __init__(self, questions: PartnerQuestions, log: FilteringBoundLogger, *, lists: bool, may_ask: bool) -> None:
        self.questions = questions
        self.not_listed: str | None = None
        self._log = log.bind(partner=questions.partner.name)
        self._lists = lists
        self._may_ask = may_ask

    async def ask(self, rounds: Sequence[SettledRound]) -> dict[int, VendorSide]:
        """Ask about rounds; returns the vendor's side of each, by cancellation."""
        told: dict[int, VendorSide] = {}
        if self._lists and self.not_listed is None:
            listed = await self._list(rounds)
            told = {
                one.id: VendorSide(outcome_of_status(word), word)
                for one in rounds
                if (word := listed.get(one.round_id)) is not None
            }
        if self._may_ask:
            # A list may be older than the ledger: a round that does not fit is asked about by itself.
            unsure = [one for one in rounds if not _fits(one, told.get(one.id))]
            told |= await self.questions.ask_each(unsure)
        why = self.questions.lost.why if self.questions.lost else MAY_NOT_ASK
        return {one.id: told.get(one.id) or VendorSide(None, NOT_ASKED + why) for one in rounds}

    async def _list(self, rounds: Sequence[SettledRound]) -> dict[str, str]:
        """List the rounds of each period; returns the vendor's words by round."""
        found: dict[str, str] = {}
        for window in windows((one.opened_at, one.round_id) for one in rounds):
            page = 1
            while (told := await self._page(window, page)) is not None:
                self._merge(found, told)
                missing = sum(round_id not in found for round_id in window.round_ids)
                if not worth_another_page(told, page, missing, len(window.round_ids)):
                    break
                page += 1
            if self.not_listed is not None or self.questions.lost is not None:
                break
        return {round_id: word for round_id, word in found.items() if word}

    def _merge(self, found: dict[str, str], told: RoundsPage) -> None:
        """Add a page. A round that pages show differently has changed meanwhile: no list tells it."""
        for round_id, word in told.statuses.items():
            if found.setdefault(round_id, word).lower() != word.lower():
                found[round_id] = ""

    async def _page(self, window: Window, page: int) -> RoundsPage | None:
        """Ask for one page until it is there; None where lists are not used any more, or the partner is lost."""
        questions, gateway, tries = self.questions, self.questions.partner.gateway, 0
        while self.not_listed is None:
            reserved = await questions.next_slots(1)
            if reserved is None:
                return None
            await asyncio.sleep(max(0.0, reserved.slots[0] - time.monotonic()))
            request_id = str(uuid.uuid4())
            exchange, told = await gateway.list_rounds(window, page, request_id)
            answer, outcome = exchange.answer, gateway.outcome_of(exchange.answer)
            self._log.info(
                "rounds.listed",
                uuid=request_id,
                page=page,
                rounds=told.listed if told else None,
                total=told.total if told else None,
                detail=None if told else _why(answer),
            )
            if told is not None:
                return told
            if outcome is Outcome.THROTTLED:
                await questions.throttle(pause_of(answer))
            elif outcome is Outcome.UNAUTHORIZED and exchange.sent_at is not None and _has_code(answer):
                if await questions.is_accepted(answer, exchange.sent_at):
                    self._give_up(answer)
            else:
                tries += 1
                wait = questions.back_off_s(tries) if gateway.may_answer_later(answer) else None
                if wait is None or _is_no_list(answer):  # such an address has none tomorrow either
                    self._give_up(answer)
                else:
                    await asyncio.sleep(wait)
        return None

    def _give_up(self, answer: Answer) -> None:
        self.not_listed = _why(answer)
        self._log.warning("rounds.not_listed", detail=self.not_listed)


def _fits(one: SettledRound, side: VendorSide | None) -> bool:
    return side is not None and side.status is not None and fits_vendor(one.outcome, side.status)


def _is_no_list(answer: Answer) -> bool:
    """Whether an address answered with something else than the vendor's reply. An error of the server's may pass."""
    return isinstance(answer, Reply) and answer.code is None and answer.http_status < 500  # noqa: PLR2004


def _has_code(answer: Answer) -> bool:
    return isinstance(answer, Reply) and answer.code is not None


def _why(answer: Answer) -> str:
    if not isinstance(answer, Reply):
        return answer.why
    if answer.problem or answer.code is None:
        return answer.problem or "no code"
    if answer.code != "0":
        return f"error {answer.code}" + (f", {answer.description}" if answer.description else "")
    return "the reply has no list of rounds"
