"""Messages for command lines that typer refuses. Typer's own messages partly repeat those of its libraries."""

from __future__ import annotations

from typing import Any

from retention.cli.command import GlobalOptions
from retention.errors import RetentionError


def complaint(error: Any) -> str:
    """Return the parser's error as one line, in the form of all other errors.

    The help that typer shows where no command was given stays help.
    """
    message = _masked(error, _message(error))
    command = error.ctx.command_path if getattr(error, "ctx", None) else "retention"
    return message if message.startswith("Usage:") else f"error: {message.rstrip('.')}; `{command} --help` tells more"


def _masked(error: Any, message: str) -> str:
    """Mask the secrets of the configuration: the message repeats a word that may be one by mistake."""
    context = getattr(error, "ctx", None)
    options = context.find_object(GlobalOptions) if context else None
    if options is None:
        return message
    from retention.wiring.secrets import redactor_of

    try:
        return redactor_of(options.settings()).text(message)
    except RetentionError:  # without a configuration that can be read, no secret is known
        return message


def _message(error: Any) -> str:
    """Return the parser's message, or our own where a validation library made it."""
    details = getattr(error.__cause__, "errors", None)
    if details is None or getattr(error, "param", None) is None:
        return str(error.format_message())
    (detail, *_) = details()
    error.message = _problem(detail)
    return str(error.format_message())


def _problem(detail: Any) -> str:
    """Return the problem of a value, and how to mend it."""
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
