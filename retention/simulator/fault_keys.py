"""The keys of a faults file: the check of each value, and the fault that each action makes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from retention.core.toml_text import key_text, toml_text
from retention.errors import UsageError
from retention.simulator.fault import CannedReply, Fault, as_json, as_object

if TYPE_CHECKING:
    from collections.abc import Mapping

Keys = dict[str, tuple[Callable[[Any], Any], str]]
"""For each key: the function that checks and reads its value, and a description of allowed values."""


def make_fault(table: dict[str, object], where: str) -> Fault:
    """Make a fault from its table. Raises UsageError, whose message begins with `where`."""
    given = check_table(table, KEYS, where)
    actions = [key for key in given if key in _ACTIONS and (key != "body" or "status" not in given)]
    if len(actions) != 1:
        mend = f"make each of {', '.join(actions)} a fault of its own" if actions else f"give {', '.join(_ACTIONS)}"
        raise UsageError(f"{where}: {len(actions)} actions where one is needed: {mend}")
    for key, owners in _EXTRAS.items():
        if key in given and actions[0] not in owners:
            raise UsageError(f"{where}: {key}: goes with {owners}, not with {actions[0]}: leave it out")
    selectors = {key: value for key, value in given.items() if key not in _ACTIONS and key not in _EXTRAS}
    return Fault(**{**_ACTIONS[actions[0]](given), **selectors})


def check_table(table: Mapping[str, object], keys: Keys, where: str) -> dict[str, Any]:
    """Read the values of a table. Raises UsageError for an unknown key and for a bad value."""
    read: dict[str, Any] = {}
    for key, value in table.items():
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            mend = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(keys)}"
            raise UsageError(f"{where}: {key_text(key)}: unknown key: {mend}")
        check, wanted = keys[key]
        try:
            read[key] = check(value)
        except (TypeError, ValueError, ArithmeticError) as error:  # arithmetic: TOML's nan cannot be compared
            raise UsageError(f"{where}: {key} = {toml_text(value)} cannot be used: give {wanted}") from error
    return read


def _require(value: object, kinds: Any, fits: Callable[[Any], object] = lambda _: True) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is not bool) or not fits(value):
        raise ValueError
    return value


def _seconds(value: object) -> float:
    if isinstance(value, str):
        number, unit = _require(re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value), re.Match).groups()
        value = float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]
    return float(_require(value, _NUMBER, lambda n: 0 <= n <= _YEAR))


def _headers(value: object) -> dict[str, str]:
    headers = {name.title(): str(_require(one, int | str)) for name, one in _require(value, dict).items()}
    _require("".join((*headers, *headers.values())), str, str.isprintable)
    return headers


def _one_of(*words: str) -> tuple[Callable[[Any], Any], str]:
    return (lambda v: _require(v, str, words.__contains__)), f"one of {', '.join(words)}"


_YEAR = 366 * 86_400.0
_NUMBER = int | float | Decimal
_COUNT = (lambda v: _require(v, int, lambda n: n >= 1)), "a whole number from 1 up"
_FIELDS = (lambda v: {name: as_json(one) for name, one in _require(v, dict).items()}), 'fields, as { currency = "X" }'
_NAMES = (lambda v: tuple(_require(one, str) for one in _require(v, list, len))), 'a list of texts, as ["one", "two"]'
_TEXT = (lambda v: _require(v, str)), "a text"
_TIME = _seconds, 'seconds, or a text such as "250ms", "2s", "1m", and at most a year'
_FLAG = (lambda v: _require(v, bool)), "true or false"
_TRUE = (lambda v: _require(v, bool, bool)), "true"

DOCUMENT: Keys = {
    "seed": ((lambda v: _require(v, int | str)), "a whole number or a word"),
    "idempotent": _FLAG,
    "reverses": _FLAG,
    "names_round": _FLAG,
    "accept_delay": _TIME,
    "handshake_delay": _TIME,
}
KEYS: Keys = {
    "call": _one_of("CancelRound", "GetRoundStatus", "GetGameRounds", "HealthCheck", "any"),
    "credentials": _one_of("right", "wrong", "any"),
    "round_ids": _NAMES,
    "share": ((lambda v: float(_require(v, _NUMBER, lambda n: 0 <= n <= 1))), "a number from 0 to 1"),
    "first": _COUNT,
    "first_per_round": _COUNT,
    "after_seconds": _TIME,
    "for_seconds": _TIME,
    "status": ((lambda v: _require(v, int, range(200, 600).__contains__)), "an HTTP status from 200 to 599"),
    "headers": (_headers, 'names and texts, as { Retry-After = "2" }'),
    "body": _TEXT,
    "code": ((lambda v: _require(v, int | str)), 'an error code, as "998"'),
    "description": _TEXT,
    "reply": _FIELDS,
    "redirect": ((lambda v: _require(v, str, re.compile(r"https?://[!-~]+").fullmatch)), "an http(s) address"),
    "oversize": _TRUE,
    "effect": _FLAG,
    "delay": _TIME,
    "jitter": _TIME,
    "stall": _TIME,
    "cut": _one_of("before", "after", "middle"),
    "hang": _one_of("before", "after"),
    "complete": _TRUE,
    "repeat": _TRUE,
    "reverse": _TRUE,
    "other_round": _TRUE,
    "hide": _NAMES,
    "shift": _COUNT,
    "amount": ((lambda v: str(_require(v, str | _NUMBER))), "what is written for the amount, as a text"),
    "winnings": ((lambda v: as_json(_require(v, str | _NUMBER))), "what is written for the winnings, as a text"),
    "omit": _NAMES,
    "replace": _FIELDS,
}
_EXTRAS = {  # keys that need one of these actions beside them
    "headers": "status",
    "description": "code",
    "jitter": "delay",
    "effect": "status, code, reply, body, redirect, oversize",
}


def _reply(given: dict[str, Any], status: int, body: str, *, effect: bool = False, **more: Any) -> dict[str, Any]:
    return {"effect": given.get("effect", effect), "reply": CannedReply(status, body.encode(), **more)}


_ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {  # each action: its fields of a Fault
    "status": lambda g: _reply(g, g["status"], g.get("body", ""), headers=g.get("headers", {})),
    "code": lambda g: _reply(
        g, 200, as_json({"error": g["code"], "description": g.get("description", "")}), code=str(g["code"])
    ),
    "reply": lambda g: _reply(g, 200, as_object(g["reply"]), code=g["reply"].get("error", "").strip('"') or None),
    "body": lambda g: _reply(g, 200, g["body"]),
    "redirect": lambda g: _reply(g, 307, "", headers={"Location": g["redirect"]}),
    "oversize": lambda g: _reply(g, 200, as_json({"error": 0, "description": "x" * 70_000}), effect=True, code="0"),
    "delay": lambda g: {"delay": g["delay"], "jitter": g.get("jitter", 0.0)},
    "cut": lambda g: {"ending": "half" if g["cut"] == "middle" else "cut", "effect": g["cut"] != "before"},
    "hang": lambda g: {"ending": "hang", "effect": g["hang"] == "after"},
    "stall": lambda g: {"stall": g["stall"]},
    "complete": lambda _: {"complete": True},
    "repeat": lambda _: {"repeat": True},
    "reverse": lambda _: {"reverse": True},
    "other_round": lambda _: {"other_round": True},
    "hide": lambda g: {"call": "GetGameRounds", "hide": g["hide"]},
    "shift": lambda g: {"call": "GetGameRounds", "shift": g["shift"]},
    "amount": lambda g: {"edits": {"amount": g["amount"], "betAmount": g["amount"]}},
    "winnings": lambda g: {"call": "GetRoundStatus", "edits": {"winAmount": g["winnings"]}},
    "omit": lambda g: {"edits": dict.fromkeys(g["omit"])},
    "replace": lambda g: {"edits": g["replace"]},
}
