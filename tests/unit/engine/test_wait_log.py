"""Why a run waits, as its log says."""

from __future__ import annotations

import structlog
from structlog.testing import LogCapture

from retention.engine.wait_log import WaitLog
from retention.ledger.results import ClaimWait

UNTIL = "2026-03-27T23:30:00Z"


def test_a_wait_names_its_cause_once() -> None:
    """A vendor's pause, a partner's own slot and its group's slot have different words, each told once."""
    capture = LogCapture()
    log = WaitLog(structlog.wrap_logger(None, processors=[capture]))
    own = ClaimWait("acme", "cancel", by_vendor=False, until=UNTIL)
    shared = ClaimWait("beta", "cancel", by_vendor=False, until=UNTIL, rate_group="lm")
    paused = ClaimWait("gamma", "cancel", by_vendor=True, until=UNTIL, rate_group="lm")
    for _ in range(2):
        for partner in ("acme", "beta", "gamma"):
            log.report(partner, [own, shared, paused], idle=True)
    assert [
        "its next send slot is then",
        "the next send slot of its rate group lm is then",
        "its vendor asked to be left alone; `retention resume` ends that earlier",
    ] == [entry["detail"] for entry in capture.entries]
