"""The work of a command while it is struck at one of its calls, and the injections."""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from support import strace

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 2.0
"""Seconds that the vendor has for a reply; a lease holds five more."""

ATTEMPTS = 10
"""For each round, and as many questions. Many trials share a machine: the proof does not test a vendor without CPU
time."""

_HELD = 1.0
"""Seconds for which a command is held at a call while its connections are cut."""


@dataclass(frozen=True, slots=True)
class Injection:
    """An injection at a call, as strace names it, and its calls. `about` stands in tables.

    `network`: it means something only for a call on a socket. `cuts`: every connection is cut while the call is held.
    """

    name: str
    blow: str
    about: str
    calls: tuple[str, ...] = strace.CALLS
    network: bool = False
    cuts: bool = False


INJECTIONS = {
    one.name: one
    for one in (
        Injection("kill", "signal=SIGKILL", "killed"),
        # Not what libpq sends with: it takes an error there for the end of a connection, and waits to read that end. In
        # truth it comes, but not where the error is made up. So those calls are for `cut`.
        Injection(
            "reset",
            "error=ECONNRESET",
            "ECONNRESET",
            tuple(call for call in strace.CALLS if call not in {"sendto", "sendmsg"}),
            network=True,
        ),
        Injection("cut", f"delay_enter={_HELD * 1e6:.0f}", "all connections cut", network=True, cuts=True),
        Injection("delay", f"delay_enter={2 * TIMEOUT * 1e6:.0f}", "frozen beyond the vendor's timeout"),
        Injection("freeze", f"delay_enter={(TIMEOUT + 6) * 1e6:.0f}", "frozen beyond its leases"),
    )
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """A command's work while it is struck. `faults` go wrong at the vendor; `about` stands in tables.

    `stopped`: the command continues a run whose process was killed before. `halts`: the run may end halted, and is
    resumed. `approved`: the run waits for its approval, gets it, and is then resumed. `daemon`: the command is one, ends by SIGTERM once its run is finished, and another one goes on.
    """

    name: str
    about: str
    words: tuple[str, ...] = ("run", "nightly")
    rounds: int = 4
    faults: tuple[Mapping[str, object], ...] = ()
    codes: Mapping[str, str] = field(default_factory=dict)
    stopped: bool = False
    halts: bool = False
    approved: bool = False
    daemon: bool = False

    @property
    def ends(self) -> set[int]:
        """The exit codes of a run that is over."""
        return {128 + signal.SIGTERM} if self.daemon else {0, 4}


SCENARIOS = {
    one.name: one
    for one in (
        Scenario("plain", "a run"),
        Scenario(
            "lost",
            "a run that loses replies",
            faults=(
                {"round_ids": ["r0", "r2"], "cut": "after", "first_per_round": 1},
                {"round_ids": ["r3"], "cut": "before", "first_per_round": 1},
            ),
        ),
        Scenario(
            "refused",
            "a run that is put off and refused",
            faults=(
                {"round_ids": ["r0"], "status": 429, "headers": {"Retry-After": "1"}, "first": 1},
                {"round_ids": ["r1"], "code": "998", "first": 1},
                {"round_ids": ["r2"], "status": 503, "first": 1},
                {"round_ids": ["r3"], "code": "99"},
            ),
            codes={"998": "retry"},
        ),
        Scenario("halted", "a run that is refused its credentials", faults=({"status": 401, "first": 1},), halts=True),
        Scenario(
            "targeted",
            "a run of named rounds",
            words=(
                *("cancel", "--partner", "acme", "--evidence", "ticket 7", "--by", "ann"),
                *("--round", "r0", "--round", "r1", "--round", "r2", "--round", "r3"),
            ),
        ),
        Scenario("stopped", "a resume of a killed run", stopped=True),
        Scenario("approved", "a run that another person has approved", approved=True),
        Scenario("serve", "a scheduled run", words=("serve", "--http", "127.0.0.1:0"), daemon=True),
    )
}
