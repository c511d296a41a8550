"""What goes wrong at the simulated vendor: a TOML file, and the pure choice of one fault for a request.

`faults_format.py` tells people each key of the file. Everything that is wrong with it is a UsageError that says where,
what, and the mend.
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
from retention.simulator.fault_keys import DOCUMENT, checked, make

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Faults:
    """All that goes wrong at one vendor. The same seed and the same requests give the same strikes.

    The others are as for the `Simulator`, which they make worse and never better. Delays are in seconds.
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
        """Faults from Python: each table has the keys of a `[[fault]]`, `others` are the keys that go before them."""
        return parse({**others, "fault": [dict(table) for table in tables]}, "faults")


@dataclass(frozen=True, slots=True)
class FaultCounts:
    """What was asked and struck since the faults were set."""

    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    struck: Counter[int] = field(default_factory=Counter)
    struck_round: Counter[tuple[int, str, str]] = field(default_factory=Counter)

    def add(self, asked: RequestKey, number: int | None) -> None:
        """Count a request, and the fault that struck it, if one did."""
        self.asked[asked.call, asked.secure_login, asked.round_id] += 1
        if number is not None:
            self.struck[number] += 1
            self.struck_round[number, asked.secure_login, asked.round_id] += 1


def pick(faults: Faults, asked: RequestKey, tally: FaultCounts) -> tuple[int | None, Fault]:
    """Find the first fault that strikes this request: its number from 1, and itself with its jitter drawn.

    Each fault draws for itself: two faults with a share of 0.1 strike two different tenths of the requests.
    """
    nth = tally.asked[asked.call, asked.secure_login, asked.round_id]
    for number, fault in enumerate(faults.faults, 1):
        drawn = (faults.seed, number, asked.call, asked.round_id, nth)
        if (
            fault.fits(asked)
            and tally.struck[number] < fault.first
            and tally.struck_round[number, asked.secure_login, asked.round_id] < fault.first_per_round
            and _draw("share", *drawn) < fault.share
        ):
            return number, replace(fault, delay=fault.delay + fault.jitter * _draw("jitter", *drawn), jitter=0.0)
    return None, NO_FAULT


def _draw(*what: object) -> float:
    """Draw a number from 0 up to 1 that is the same in every process whenever `what` is."""
    return int.from_bytes(blake2b(repr(what).encode(), digest_size=6).digest(), "big") / 2**48


def load(path: Path) -> Faults:
    """Read a TOML file."""
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
    """Read a TOML or JSON document; `source` is its name in what a UsageError says."""
    if not isinstance(document, dict):
        raise UsageError(f"{source}: not a table: give the keys seed and fault")
    given = checked({"fault": [], **document}, {**DOCUMENT, "fault": (lambda tables: tables, "")}, source)
    tables = given.pop("fault")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{source}: fault is not a list of tables: start each fault with a line [[fault]]")
    return Faults(faults=tuple(make(table, f"{source}: fault {n}") for n, table in enumerate(tables, 1)), **given)
