"""Structured logs to stderr: one event for each transition, and no secret in any of them."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from retention.core.ascii_json import ascii_json
from retention.core.text import printable, printable_lines
from retention.process.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from structlog.typing import FilteringBoundLogger, Processor

    from retention.redaction import Redactor


class _Lines:
    """Writes lines to whatever stderr is at the moment: a progress display puts itself in its place, and lines above.

    A log that nobody reads (`Stream`) stops no run: the evidence is the ledger.
    """

    def msg(self, line: str) -> None:
        """Write a line in one piece, which a stream writes at once."""
        sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = msg


def _stamped(_logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Level, and the moment in UTC, to the microsecond; a traceback, where there is one."""
    event["level"] = method
    event["timestamp"] = f"{datetime.now(UTC).isoformat(timespec='microseconds')[:-6]}Z"
    if "exc_info" in event:
        return structlog.processors.format_exc_info(_logger, method, event)
    return event


def _as_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """One line of ASCII."""
    return ascii_json(event).decode()


def _for_people(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Ids come from elsewhere, and a terminal obeys what is written to it. Of all texts only a traceback has lines."""
    return {
        key: (printable_lines if key == "exception" else printable)(value) if isinstance(value, str) else value
        for key, value in event.items()
    }


def configure(log_format: str, level: str, redactor: Redactor) -> FilteringBoundLogger:
    """A logger that writes to stderr: 'json', 'console', or 'auto' (console on a terminal, else JSON)."""
    console = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    processors: list[Processor] = [
        _stamped,
        redactor,  # after everything that makes text, so that a traceback is read by it as well
        *([_for_people, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())] if console else [_as_json]),
    ]
    if isinstance(sys.stderr, Stream):
        form = processors[2:]

        def dropped(count: int) -> str:
            event: Any = {"event": "log.dropped", "lines": count}
            for step in (_stamped, *form):  # nothing of it is secret
                event = step(None, "warning", event)
            return f"{event}\n"

        sys.stderr.notice = dropped
    # Other libraries log through the standard library, which would write their warnings to stderr unredacted. None of
    # theirs is worth a secret.
    logging.basicConfig(handlers=[logging.NullHandler()])
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
