"""Tables and lists fit any width, and never break an id, an amount or a word."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from support import reports
from support.runs import RECORD

from retention.core.model import ReviewWhy, State
from retention.core.planning.holds import Hold
from retention.core.planning.plan import ListedRound
from retention.core.planning.view_source import ViewSource
from retention.core.runs.stalled import OtherRun
from retention.core.runs.summary import Summary
from retention.engine.counters import ProcessCounters, RunCounters
from retention.ledger.reclosing import Reclosed
from retention.ledger.review import ReviewItem
from retention.render import terminal_lists as table
from retention.render import terminal_runs as show
from retention.render import terminal_table as grid
from retention.render.progress import progress
from retention.render.terminal_plan import print_plan_rounds
from retention.render.terminal_report import print_report
from retention.reports.kinds.cancelled import ReportRound, Total
from retention.reports.run_view import record_document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

AT = datetime(2026, 11, 26, 3, 0, 7, tzinfo=UTC)
ROUND_IDS = [str(UUID(int=7**40 * number + 5)) for number in range(1, 9)]
USERS = [UUID(int=3**70 * number).hex for number in range(1, 9)]
RUN = UUID("3f2a9c1e-5504-457d-bdf7-cf0c0811b446")
PARTNER, GAME, POLICY = "luckymonaco-malta", "lightning-roulette-live-table-07", "nightly-malta-and-sweden"
MARKETS = ("MT", "GB", "SE", "DK", "ES", "IT", "RO", "NL")
STAKES = {"EUR": "8.6", "GBP": "1234567890.12", "SEK": "120", "DKK": "45.5", "USD": "999999.999", "JPY": "860"}
REASON = "complaint 4711: the player says that the round was never finished, and asks for the stake"
WHO = "ann.compliance@example.com"


class Terminal(io.StringIO):
    """A terminal whose width COLUMNS gives."""

    def isatty(self) -> bool:
        return True


def staked(number: int) -> tuple[Decimal, str]:
    """Return an amount and its currency, different for each of the first numbers."""
    currency, amount = list(STAKES.items())[number % len(STAKES)]
    return Decimal(amount), currency


def rounds() -> list[ReportRound]:
    """Make the rounds of a report, with the longest ids and amounts."""
    return [
        replace(
            reports.ROUND,
            partner=PARTNER,
            market=market,
            user_id=user,
            round_id=round_id,
            outcome="already_cancelled",
            currency=staked(number)[1],
            amount=staked(number)[0],
            stake_currency=staked(number)[1],
            stake=staked(number)[0],
            discrepancies=("amount 8.6 EUR, stake 1234567890.12 GBP", "currency EUR, stake in GBP"),
        )
        for number, (market, round_id, user) in enumerate(zip(MARKETS, ROUND_IDS, USERS, strict=True))
    ]


async def report(file: io.StringIO) -> list[str]:
    """Print a report; return the texts that must stay unbroken."""
    sums = tuple(Total("MT", "already_cancelled", currency, 8, Decimal("8.6"), Decimal(5)) for currency in STAKES)
    await print_report(reports.report_of(*rounds(), totals=sums), file)
    return [*ROUND_IDS, PARTNER, "1234567890.12 GBP", "8.60 EUR", "860 JPY", "stake 1234567890.12 GBP"]


async def holds(file: io.StringIO) -> list[str]:
    """Print holds of each kind."""
    rows = [
        Hold(number, PARTNER, "MT", GAME, user, round_id, REASON, WHO, AT, AT, AT, WHO)
        for number, (user, round_id) in enumerate(zip(USERS, ROUND_IDS, strict=True))
    ]
    table.print_holds([*rows, replace(rows[0], partner=None, game_id=None, released_at=None, released_by=None)], file)
    return [*ROUND_IDS, *USERS, GAME, PARTNER, WHO]


async def reviews(file: io.StringIO) -> list[str]:
    """Print rounds that need a person."""
    why = (ReviewWhy.CONFLICT, ReviewWhy.REFUND_MISSING, ReviewWhy.FINDING)
    reasons = ("rejected by the vendor", "given up: not planned again before it is resolved")
    said = "Round not found in the history of this operator, please contact support"
    table.print_reviews(
        [
            ReviewItem(
                id=number,
                run_id=RUN,
                partner=PARTNER,
                market="MT",
                round_id=round_id,
                state="already_completed",
                policy=POLICY,
                why=why,
                reasons=reasons,
                error_code="99",
                description=said,
                amount=None,
                currency="EUR",
                stake=Decimal("1234567890.1"),
                stake_currency="EUR",
                transaction_id=None,
                bet_transaction_id=None,
                detail="winnings 12.5 EUR",
                settled_at=AT,
            )
            for number, round_id in enumerate(ROUND_IDS)
        ],
        file,
    )
    return [*ROUND_IDS, str(RUN), PARTNER, "1234567890.10 EUR", "unknown EUR", "winnings 12.50 EUR"]


async def runs(file: io.StringIO) -> list[str]:
    """Print a list of runs."""
    counts = dict.fromkeys(table.STATE_COUNTS, 1234)
    rows = [
        SimpleNamespace(
            run_id=RUN,
            policy=POLICY,
            trigger="schedule",
            scheduled_for=AT,
            mode="enforce",
            status=status,
            as_of=AT,
            requested_by=WHO,
            rounds=123456,
            halt_reason=reason,
            progressed_at=AT,
            at_work=status == "running",
            stalled=status == "running",
            **counts,
        )
        for status, reason in (("running", None), ("halted", f"paused by {WHO}: {REASON}"))
    ]
    table.print_runs(rows, {RUN: 9}, file)
    return ["3f2a9c1e-5", POLICY, WHO, "running, stalled", "no progress since", "2026-11-26 03:00:07Z"]


async def reclosed(file: io.StringIO) -> list[str]:
    """Print the results of `review reclose`."""
    table.print_reclosed([Reclosed(7, PARTNER, one, closed=False, why=REASON) for one in ROUND_IDS], file)
    return [*ROUND_IDS, PARTNER]


def plan_document() -> dict[str, Any]:
    """Make the document of a plan with all markets and currencies, one of them unknown."""
    groups = [
        {
            "partner": PARTNER,
            "market": market,
            "game_id": GAME,
            "rounds": 1,
            "stake": staked(number)[0],
            "currency": staked(number)[1] if market != "NL" else None,
            "oldest": AT,
        }
        for number, market in enumerate(MARKETS)
    ]
    return {
        "policy": POLICY,
        "mode": "enforce",
        "as_of": AT,
        "view": {"words": str(ViewSource(why_primary="the replica went away: terminating connection"))},
        "groups": groups,
        "rounds": 1,
        "surge": {"max_surge": 5.0, "runs": 0, "usual": None, "allowed": None},
        "eta_seconds": 1.0,
        "stakes": {currency: Decimal(amount) for currency, amount in STAKES.items()},
        "oldest": AT,
        "left_out": {"held": 1, "doubled": 2},
        "doubled": [{"partner": PARTNER, "round_id": one} for one in ROUND_IDS],
        "elsewhere": [elsewhere()],
        "pauses": [{"partner": PARTNER, "paused_by": WHO, "paused_at": AT, "reason": REASON}],
        "vendor_pauses": [{"partner": PARTNER, "until": AT}],
        "rails": [{"rail": "max_rounds", "words": "1 stale round, the policy allows 0"}],
        "unlimited": list(STAKES),
    }


def elsewhere() -> dict[str, object]:
    """Describe another run that holds rounds of this one."""
    other = OtherRun(RUN, POLICY, "running", AT, at_work=False, stalled=True, rounds=12)
    return other._asdict() | {"words": str(other)}


async def plan(file: io.StringIO) -> list[str]:
    """Print a plan with its rounds."""

    async def each() -> AsyncIterator[ListedRound]:
        for number, (user, one) in enumerate(zip(USERS, ROUND_IDS, strict=True)):
            yield ListedRound(PARTNER, "MT", GAME, user, one, AT.isoformat(), *staked(number), "eligible")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        await print_plan_rounds(plan_document(), each())
    return [
        *ROUND_IDS,
        *USERS,
        GAME,
        PARTNER,
        "1234567890.12 unknown",
        "120.00 SEK",
        "1 round to cancel, stakes in 6 currencies",
    ]


async def record(file: io.StringIO) -> list[str]:
    """Print a recorded run without its JSON, which is never wrapped."""
    refunds = {currency: Decimal(amount) for currency, amount in STAKES.items()}
    summary = Summary(RUN, POLICY, "enforce", "finished", None, dict.fromkeys(State, 1234), refunds=refunds)
    record = replace(RECORD, run_id=RUN, policy=POLICY, requested_by=WHO, reason=REASON, stalled_at=AT)
    show.print_record(record_document(record, summary), file)
    return [str(RUN), POLICY, WHO, "1234567890.12 GBP", "860 JPY", "refunds: in 6 currencies"]


async def result(file: io.StringIO) -> list[str]:
    """Print the result of a run."""
    document = {
        **dict.fromkeys(("conflicts", "discrepancies", "incomplete", "to_review", "rounds"), 12),
        "run_id": str(RUN),
        "policy": POLICY,
        "trigger": "targeted",
        "mode": "enforce",
        "status": "finished",
        "exit_code": 3,
        "halt_reason": f"stricter: {REASON}",
        "states": {"cancelled": 12},
        "taken_up": {},
        "left_out": {},
        "refused": [{"partner": PARTNER, "round_id": one, "words": f"live in run {RUN}"} for one in ROUND_IDS],
        "elsewhere": [elsewhere()],
        "unsent": {REASON: 2},
        "next": [{"command": f"retention run --resume {RUN}", "does": "goes on as planned"}],
        "refunds": {"EUR": Decimal("8.6")},
        "warnings": [REASON],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        show.print_result(document)
    return [str(RUN), POLICY, "refunds promised by the vendor: 8.60 EUR", f"retention run --resume {RUN}"]


SCREENS: dict[str, Callable[[io.StringIO], Any]] = {
    one.__name__: one for one in (report, holds, reviews, runs, reclosed, plan, record, result)
}


@pytest.mark.parametrize("columns", [80, 100, 120, 250])
@pytest.mark.parametrize("screen", SCREENS)
async def test_every_screen_fits(screen: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the terminal, and ids, names and amounts are unbroken."""
    monkeypatch.setenv("COLUMNS", str(columns))
    file = Terminal()
    whole = await SCREENS[screen](file)
    lines = file.getvalue().splitlines()
    assert [] == [line for line in lines if len(line) > columns]
    assert [] == [word for word in whole if not any(word in line for line in lines)]


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_pipe_gets_every_word_unbroken(screen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal no sentence is wrapped, and the words are the same as on a terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    terminal, pipe = Terminal(), io.StringIO()
    whole = await SCREENS[screen](terminal)
    await SCREENS[screen](pipe)
    assert Counter(terminal.getvalue().split()) == Counter(pipe.getvalue().split())
    assert [] == [word for word in whole if word not in pipe.getvalue()]
    if screen in {"holds", "reclosed"}:
        assert REASON in pipe.getvalue()


@pytest.mark.parametrize("columns", [20, 30, 50])
@pytest.mark.parametrize("screen", SCREENS)
async def test_a_narrow_terminal_breaks_no_id(screen: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text wider than the terminal gets a line of its own, unbroken."""
    monkeypatch.setenv("COLUMNS", str(columns))
    file = Terminal()
    whole = await SCREENS[screen](file)
    assert [] == [word for word in whole if " " not in word and word not in file.getvalue()]


def test_amounts_are_aligned_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """The amounts of a column end in one place, both in a table that fits and in one that does not."""
    columns = (grid.Column("round"), grid.Column("refund", 1, right=True), grid.Column("why", prose=True))
    for width in (40, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        file = Terminal()
        grid.print_grid(columns, [("R-1", "8.60 EUR", "x" * 30), ("R-22", "1234.50 EUR", "y")], file)
        ends = [line.index("EUR") for line in file.getvalue().splitlines() if "EUR" in line]
        assert 1 == len(set(ends)), file.getvalue()


def test_wide_letters_take_two_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """East Asian letters take two columns each, so that the next column stays aligned."""
    monkeypatch.setenv("COLUMNS", "80")
    file = Terminal()
    grid.print_grid((grid.Column("name"), grid.Column("state")), [("幸運", "open"), ("abcd", "open")], file)
    assert ["name  state", "幸運  open", "abcd  open"] == file.getvalue().splitlines()


@pytest.mark.parametrize("columns", ["", "0", "-5", "x", "٣"])
def test_an_unusable_columns_variable_is_ignored(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS counts only as a number above zero; the width is 80 otherwise."""
    monkeypatch.setenv("COLUMNS", columns)
    assert 80 == grid.width_of(Terminal())


def test_a_runs_settings_can_be_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """`runs show` prints settings and overrides as valid JSON, even with very long words in them."""
    monkeypatch.setenv("COLUMNS", "40")

    settings = {"max_rounds": 5, "markets": list(MARKETS)}
    row = replace(RECORD, settings=settings, overrides=[{"rail": "max_rounds", "text": REASON * 3}])
    file = Terminal()
    show.print_record(record_document(row, Summary(RUN, POLICY, "enforce", "finished", None)), file)
    _, rest = file.getvalue().split("overrides:\n")
    overrides, printed = rest.split("settings:\n")
    assert (row.overrides, row.settings) == (json.loads(overrides), json.loads(printed))


async def test_progress_keeps_bar_and_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all outcomes, bar, count, rate and time stay on one line of 80 columns, the outcomes below.

    The count begins with the rounds done before.
    """
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    file = Terminal()
    monkeypatch.setattr("sys.stderr", file)
    stats = RunCounters("nightly", ProcessCounters())
    for state in State:
        stats.ended("acme", "MT", state, 1000)
    async with progress(stats, 1_000_000, 400_000):
        pass
    shown = [line for line in file.getvalue().replace("\x1b", "\n").splitlines() if "/1000000" in line]
    assert any(" 400000/1000000" in line for line in shown), file.getvalue()
