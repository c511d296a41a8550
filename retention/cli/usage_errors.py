"""What is wrong with a command line, in a line of our own words: the parser's are partly those of its libraries."""

from __future__ import annotations

from typing import Any


def complaint(error: Any) -> str:
    """Tell what the parser has against a command line, as every other error is told.

    The help that comes where no command was given stays help.
    """
    words = _words(error)
    command = error.ctx.command_path if getattr(error, "ctx", None) else "retention"
    return words if words.startswith("Usage:") else f"error: {words.rstrip('.')}; `{command} --help` tells more"


def _words(error: Any) -> str:
    """Say it in the parser's own words, unless a validation library speaks in them."""
    details = getattr(error.__cause__, "errors", None)
    if details is None or getattr(error, "param", None) is None:
        return str(error.format_message())
    (detail, *_) = details()
    error.message = _problem(detail)
    return str(error.format_message())


def _problem(detail: Any) -> str:
    """Tell what is wrong with a value, and what to write instead."""
    value, kind, context = detail["input"], str(detail["type"]), detail.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind.startswith("greater_than"):
        return f"{value} is too small; write {_limit(context)} or more"
    if kind.startswith("less_than"):
        return f"{value} is too large; write {_limit(context)} or less"
    if kind.startswith("int"):
        return f"{value!r} is no whole number; write one, in digits"
    return f"{value!r} cannot be used"


def _limit(context: dict[str, Any]) -> object:
    return next((context[name] for name in ("ge", "gt", "le", "lt") if name in context), "")
