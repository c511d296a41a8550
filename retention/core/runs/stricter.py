"""Changes that make a policy stricter. A run that was planned under the milder policy does not resume by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from retention.core.text import decimal_text, format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PolicyRecord = Mapping[str, Any]
"""The keys and values of a policy in the configuration."""


def stricter_settings(before: PolicyRecord, now: PolicyRecord | None) -> list[str]:
    """List the settings that are stricter `now` (None: the policy is gone) than `before`.

    `partners` of both are the names that the policy selects.
    """
    if now is None:
        return ["the policy is not configured any more"]
    idle = set() if now.get("max_amount") else {"max_amount_unknown"}
    idle |= set() if now.get("requires_approval") else {"approval", "approval_expires"}
    checks = {key: check for key, check in _CHECKS.items() if key not in idle}
    found = [words for key, check in checks.items() if (words := check(key, before.get(key), now.get(key)))]
    return [*found, *_amounts(before.get("max_amount") or {}, now.get("max_amount") or {})]


def _higher(key: str, before: Any, now: Any) -> str | None:
    return _changed(key, before, now) if now is not None and (before is None or now > before) else None


def _lower(key: str, before: Any, now: Any) -> str | None:
    return _changed(key, before, now) if now is not None and (before is None or now < before) else None


def _narrower(key: str, before: Sequence[str] | None, now: Sequence[str] | None) -> str | None:
    narrower = now is not None and (before is None or not {*before} <= {*now})
    return _changed(key, before, now) if narrower else None


def _wider(key: str, before: Sequence[str] | None, now: Sequence[str] | None) -> str | None:
    return _changed(key, before, now) if not {*(now or ())} <= {*(before or ())} else None


def _becomes(word: object) -> Callable[[str, Any, Any], str | None]:
    return lambda key, before, now: _changed(key, before, now) if now == word != before else None


_CHECKS: Mapping[str, Callable[[str, Any, Any], str | None]] = {
    "mode": _becomes("dry_run"),
    "open_longer_than": _higher,
    "idle_longer_than": _higher,
    "partners": _narrower,
    "markets": _narrower,
    "games": _narrower,
    "exclude_markets": _wider,
    "exclude_games": _wider,
    "max_rounds": _lower,
    "max_amount_unknown": _lower,
    "max_surge": _lower,
    "max_drift": _lower,
    "max_failure_ratio": _lower,
    "max_conflicts": _lower,
    "deadline": _lower,
    "winnings": _becomes("review"),
    "requires_approval": _becomes(True),
    "approval": _becomes("authenticated"),
    "approval_expires": _lower,
}


def _amounts(before: Mapping[str, Decimal], now: Mapping[str, Decimal]) -> Iterator[str]:
    for currency, limit in sorted(now.items()):
        if currency not in before or limit < before[currency]:
            yield _changed(f"max_amount of {currency}", before.get(currency), limit)


def _changed(key: str, before: Any, now: Any) -> str:
    return f"{key} was {_shown(before)}, is {_shown(now)}"


def _shown(value: Any) -> str:
    match value:
        case None:
            return "not set"
        case str():
            return value
        case Decimal():
            return decimal_text(value)
        case timedelta():
            return format_duration(value)
        case Sequence():
            return ", ".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
