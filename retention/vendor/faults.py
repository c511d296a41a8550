"""What goes wrong at the simulated vendor: tables of a TOML file, and the pure choice of one for a request.

A table `[[fault]]` says whom it strikes, and does one thing. The first table that fits a request strikes it. `first`
and `first_per_round` count strikes, not fits: faults with a `first`, one after the other, are a script. Everything
that is wrong with a table is a UsageError that says where, what, and the mend.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

from retention.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Said:
    """A reply as it goes out. `code` is the error code in it, where it has one."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, and for whom. Times are in seconds; the window counts from the server's start.

    `effect`: the call still does its work. `said`: goes out instead of the true reply. `edits`: fields of the true
    reply that are written as another JSON token, or left out where that is None. `ending`: how it ends on the wire.
    """

    call: str = "CancelRound"
    credentials: str = "any"
    round_ids: tuple[str, ...] = ("*",)
    share: float = 1.0
    first: float = math.inf
    first_per_round: float = math.inf
    after_seconds: float = 0.0
    for_seconds: float = math.inf
    delay: float = 0.0
    jitter: float = 0.0
    complete: bool = False
    effect: bool = True
    said: Said | None = None
    edits: Mapping[str, str | None] = field(default_factory=dict)
    ending: Literal["reply", "cut", "half", "hang"] = "reply"

    def fits(self, asked: Asked) -> bool:
        """Whether this is the kind of request that the fault is meant for; shares and counts are not looked at."""
        return (
            self.call in {asked.call, "any"}
            and self.credentials in {asked.credentials, "any"}
            and self.after_seconds <= asked.age < self.after_seconds + self.for_seconds
            and any(fnmatchcase(asked.round_id, pattern) for pattern in self.round_ids)
        )


NO_FAULT = Fault()


@dataclass(frozen=True, slots=True)
class Faults:
    """All that goes wrong at one vendor. The same seed and the same requests give the same strikes."""

    seed: int | str = 0
    faults: tuple[Fault, ...] = ()

    @classmethod
    def of(cls, *tables: Mapping[str, object], seed: int | str = 0) -> Faults:
        """Faults from Python: each table has the keys of a `[[fault]]`."""
        return parse({"seed": seed, "fault": [dict(table) for table in tables]}, "faults")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fault can tell of a request. `credentials` are right or wrong; `age` is the server's, in seconds."""

    call: str
    secure_login: str
    round_id: str
    credentials: str
    age: float


@dataclass(frozen=True, slots=True)
class Tally:
    """What was asked and struck since the faults were set."""

    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    struck: Counter[int] = field(default_factory=Counter)
    struck_round: Counter[tuple[int, str, str]] = field(default_factory=Counter)

    def add(self, asked: Asked, number: int | None) -> None:
        """Count a request, and the fault that struck it, if one did."""
        self.asked[asked.call, asked.secure_login, asked.round_id] += 1
        if number is not None:
            self.struck[number] += 1
            self.struck_round[number, asked.secure_login, asked.round_id] += 1


def pick(faults: Faults, asked: Asked, tally: Tally) -> tuple[int | None, Fault]:
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


def as_json(value: object) -> str:
    """Write JSON in which a Decimal keeps every digit and its exponent."""
    if isinstance(value, dict):
        return as_object({name: as_json(one) for name, one in value.items()})
    if isinstance(value, list):
        return "[" + ", ".join(map(as_json, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def as_object(fields: Mapping[str, str]) -> str:
    """Write a JSON object of fields that are JSON already, valid or not."""
    return "{" + ", ".join(f"{json.dumps(name)}: {one}" for name, one in fields.items()) + "}"


def load(path: Path) -> Faults:
    """Read a TOML file."""
    try:
        document = tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}): name a file that can") from error
    except ValueError as error:
        raise UsageError(f"{path}: not TOML: {error}: mend that line") from error
    return parse(document, str(path))


def parse(document: object, source: str) -> Faults:
    """Read a TOML or JSON document; `source` is its name in what a UsageError says."""
    if not isinstance(document, dict):
        raise UsageError(f"{source}: not a table: give the keys seed and fault")
    _refuse_unknown(document, ("seed", "fault"), source)
    seed, tables = document.get("seed", 0), document.get("fault", [])
    if isinstance(seed, bool) or not isinstance(seed, int | str):
        raise UsageError(f"{source}: seed = {seed!r} cannot be used: give a whole number or a word")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{source}: fault is not a list of tables: start each fault with a line [[fault]]")
    return Faults(seed, tuple(_fault(table, f"{source}: fault {n}") for n, table in enumerate(tables, 1)))


def _fault(table: dict[str, object], where: str) -> Fault:
    _refuse_unknown(table, _KEYS, where)
    given = {key: _checked(key, value, where) for key, value in table.items()}
    actions = [key for key in given if key in _ACTIONS and (key != "body" or "status" not in given)]
    if len(actions) != 1:
        mend = f"make each of {', '.join(actions)} a fault of its own" if actions else f"give {', '.join(_ACTIONS)}"
        raise UsageError(f"{where}: {len(actions)} actions where one is needed: {mend}")
    for key, owners in _EXTRAS.items():
        if key in given and actions[0] not in owners:
            raise UsageError(f"{where}: {key}: goes with {owners}, not with {actions[0]}: leave it out")
    selectors = {key: value for key, value in given.items() if key not in _ACTIONS and key not in _EXTRAS}
    return Fault(**selectors, **_ACTIONS[actions[0]](given))


def _refuse_unknown(table: dict[str, object], known: Collection[str], where: str) -> None:
    for key in (key for key in table if key not in known):
        near = difflib.get_close_matches(key, known, n=1)
        mend = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"
        raise UsageError(f"{where}: {key}: unknown key: {mend}")


def _checked(key: str, value: object, where: str) -> Any:
    check, wanted = _KEYS[key]
    try:
        return check(value)
    except (TypeError, ValueError, ArithmeticError) as error:  # arithmetic: TOML knows nan, which has no order
        raise UsageError(f"{where}: {key} = {value!r} cannot be used: give {wanted}") from error


def _need(value: object, kinds: Any, fits: Callable[[Any], object] = lambda _: True) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool) or not fits(value):
        raise ValueError
    return value


def _seconds(value: object) -> float:
    if isinstance(value, str):
        number, unit = _need(re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value), re.Match).groups()
        return float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]
    return float(_need(value, _NUMBER, lambda n: 0 <= n < math.inf))


def _headers(value: object) -> dict[str, str]:
    headers = {name.title(): str(_need(one, int | str)) for name, one in _need(value, dict).items()}
    _need("".join((*headers, *headers.values())), str, str.isprintable)
    return headers


def _one_of(*words: str) -> tuple[Callable[[Any], Any], str]:
    return (lambda v: _need(v, str, words.__contains__)), f"one of {', '.join(words)}"


_NUMBER = int | float | Decimal
_COUNT = (lambda v: _need(v, int, lambda n: n >= 1)), "a whole number from 1 up"
_FIELDS = (lambda v: {name: as_json(one) for name, one in _need(v, dict).items()}), 'fields, as { currency = "X" }'
_NAMES = (lambda v: tuple(_need(one, str) for one in _need(v, list, len))), 'a list of texts, as ["one", "two"]'
_TEXT = (lambda v: _need(v, str)), "a text"
_TIME = _seconds, 'seconds, or a text such as "250ms", "2s", "1m"'
_TRUE = (lambda v: _need(v, bool, bool)), "true"

_KEYS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "call": _one_of("CancelRound", "GetRoundStatus", "HealthCheck", "any"),
    "credentials": _one_of("right", "wrong", "any"),
    "round_ids": _NAMES,
    "share": ((lambda v: float(_need(v, _NUMBER, lambda n: 0 <= n <= 1))), "a number from 0 to 1"),
    "first": _COUNT,
    "first_per_round": _COUNT,
    "after_seconds": _TIME,
    "for_seconds": _TIME,
    "status": ((lambda v: _need(v, int, range(200, 600).__contains__)), "an HTTP status from 200 to 599"),
    "headers": (_headers, 'names and texts, as { Retry-After = "2" }'),
    "body": _TEXT,
    "code": ((lambda v: _need(v, int | str)), 'an error code, as "998"'),
    "description": _TEXT,
    "reply": _FIELDS,
    "redirect": ((lambda v: _need(v, str, re.compile(r"https?://[!-~]+").fullmatch)), "an http(s) address"),
    "oversize": _TRUE,
    "effect": ((lambda v: _need(v, bool)), "true or false"),
    "delay": _TIME,
    "jitter": _TIME,
    "cut": _one_of("before", "after", "middle"),
    "hang": _one_of("before", "after"),
    "complete": _TRUE,
    "amount": ((lambda v: str(_need(v, str | _NUMBER))), "what is written for the amount, as a text"),
    "omit": _NAMES,
    "replace": _FIELDS,
}
_EXTRAS = {  # keys that only mean something beside some actions
    "headers": "status",
    "description": "code",
    "jitter": "delay",
    "effect": "status, code, reply, body, redirect, oversize",
}


def _says(given: dict[str, Any], status: int, body: str, *, effect: bool = False, **more: Any) -> dict[str, Any]:
    return {"effect": given.get("effect", effect), "said": Said(status, body.encode(), **more)}


_ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {  # what each makes of a Fault
    "status": lambda g: _says(g, g["status"], g.get("body", ""), headers=g.get("headers", {})),
    "code": lambda g: _says(
        g, 200, as_json({"error": g["code"], "description": g.get("description", "")}), code=str(g["code"])
    ),
    "reply": lambda g: _says(g, 200, as_object(g["reply"]), code=g["reply"].get("error", "").strip('"') or None),
    "body": lambda g: _says(g, 200, g["body"]),
    "redirect": lambda g: _says(g, 307, "", headers={"Location": g["redirect"]}),
    "oversize": lambda g: _says(g, 200, as_json({"error": 0, "description": "x" * 70_000}), effect=True, code="0"),
    "delay": lambda g: {"delay": g["delay"], "jitter": g.get("jitter", 0.0)},
    "cut": lambda g: {"ending": "half" if g["cut"] == "middle" else "cut", "effect": g["cut"] != "before"},
    "hang": lambda g: {"ending": "hang", "effect": g["hang"] == "after"},
    "complete": lambda _: {"complete": True},
    "amount": lambda g: {"edits": {"amount": g["amount"], "betAmount": g["amount"]}},
    "omit": lambda g: {"edits": dict.fromkeys(g["omit"])},
    "replace": lambda g: {"edits": g["replace"]},
}
