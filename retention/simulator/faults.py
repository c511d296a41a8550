"""The faults of a simulated vendor: read from a TOML file, and chosen for each request by a pure function.

`faults_format.py` documents the keys of the file. A bad file raises a UsageError with place, problem and mend.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import blake2b
from typing import TYPE_CHECKING

from retention.errors import UsageError
from retention.simulator.fault import NO_FAULT, Fault, RequestKey
from retention.simulator.fault_keys import DOCUMENT, check_table, make_fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Faults:
    """All faults of one vendor. The same seed and the same requests give the same strikes.

    The other settings are those of the `Simulator`: each of the two can only make the vendor worse. Delays are in
    seconds.
    """

    seed: int | str = 0
    faults: tuple[Fault, ...] = ()
    idempotent: bool = True
    reverses: bool = False
    names_round: bool = False
    accept_delay: float = 0.0
    handshake_delay: float = 0.0

    @classmethod
    def of(cls, *tables: Mapping[str, object], **others: object) -> Faults:
        """Make faults in Python: each table has the keys of a `[[fault]]`, `others` are the keys before the tables."""
        return parse({**others, "fault": [dict(table) for table in tables]}, "faults")


@dataclass(frozen=True, slots=True)
class FaultCounts:
    """The counts of requests and of strikes since the faults were set."""

    requests: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    strikes: Counter[int] = field(default_factory=Counter)
    round_strikes: Counter[tuple[int, str, str]] = field(default_factory=Counter)

    def add(self, request: RequestKey, number: int | None) -> None:
        """Count a request, and the `number` of the fault that struck it, if any."""
        self.requests[request.call, request.secure_login, request.round_id] += 1
        if number is not None:
            self.strikes[number] += 1
            self.round_strikes[number, request.secure_login, request.round_id] += 1


def pick(faults: Faults, request: RequestKey, counts: FaultCounts) -> tuple[int | None, Fault]:
    """Return the first fault that strikes this request, with its number (from 1) and its jitter drawn.

    Each fault draws for itself: two faults with a share of 0.1 strike two different tenths of the requests.
    """
    nth = counts.requests[request.call, request.secure_login, request.round_id]
    for number, fault in enumerate(faults.faults, 1):
        drawn = (faults.seed, number, request.call, request.round_id, nth)
        if (
            fault.fits(request)
            and counts.strikes[number] < fault.first
            and counts.round_strikes[number, request.secure_login, request.round_id] < fault.first_per_round
            and _draw("share", *drawn) < fault.share
        ):
            return number, replace(fault, delay=fault.delay + fault.jitter * _draw("jitter", *drawn), jitter=0.0)
    return None, NO_FAULT


def _draw(*key: object) -> float:
    """Draw a number from 0 up to 1. Equal keys give equal numbers in every process."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=6).digest(), "big") / 2**48


def load(path: Path) -> Faults:
    """Read a faults file, which is TOML. Raises UsageError."""
    try:
        document = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}): name a file that can") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}): save it as UTF-8") from error
    except ValueError as error:
        raise UsageError(f"{path}: not TOML: {error}: mend that line") from error
    return parse(document, str(path))


def parse(document: object, source: str) -> Faults:
    """Read a TOML or JSON document. Raises UsageError, whose message begins with `source`."""
    if not isinstance(document, dict):
        raise UsageError(f"{source}: not a table: give the keys seed and fault")
    given = check_table({"fault": [], **document}, {**DOCUMENT, "fault": (lambda tables: tables, "")}, source)
    tables = given.pop("fault")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{source}: fault is not a list of tables: start each fault with a line [[fault]]")
    return Faults(faults=tuple(make_fault(table, f"{source}: fault {n}") for n, table in enumerate(tables, 1)), **given)
