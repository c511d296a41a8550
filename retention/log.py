"""Structured logs on stderr: one event for each transition, without secrets."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
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
    """Writes lines to the current stderr, which a progress display replaces to keep lines above it.

    A log without a reader stops no run (`Stream`): the evidence is in the ledger.
    """

    def msg(self, line: str) -> None:
        """Write a line with its end in one piece, so that the stream writes it at once."""
        sys.stderr.write(line + "\n")

    debug = info = warning = error = critical = msg


def _stamped(_logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the level, the time in UTC to the microsecond, and the traceback of an exception."""
    event["level"] = method
    second, rest_ns = divmod(time.time_ns(), 1_000_000_000)
    event["timestamp"] = f"{_second_text(second)}.{rest_ns // 1000:06d}Z"
    if "exc_info" in event:
        return structlog.processors.format_exc_info(_logger, method, event)
    return event


@lru_cache(maxsize=1)
def _second_text(second: int) -> str:
    """A second of Unix time in UTC: thousands of lines may share it, and a time costs more to write than their JSON."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _as_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """Write the event as one line of ASCII JSON."""
    return ascii_json(event).decode()


def _for_people(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Escape control characters, which a terminal would obey: ids come from outside. Only tracebacks keep line ends."""
    return {
        key: (printable_lines if key == "exception" else printable)(value) if isinstance(value, str) else value
        for key, value in event.items()
    }


@dataclass(frozen=True, slots=True)
class LogForm:
    """The form of a log, as another process needs it to write lines alike. `format`: json or console."""

    format: str
    level: str
    colors: bool


def log_form(log_format: str, level: str) -> LogForm:
    """Return the form of a log to stderr. `log_format`: json, console, or auto (console on a terminal, else json)."""
    colors = sys.stderr.isatty()
    auto = "console" if colors else "json"
    return LogForm(auto if log_format == "auto" else log_format, level, colors)


def configure(log_format: str, level: str, redactor: Redactor, *, colors: bool | None = None) -> FilteringBoundLogger:
    """Return a logger to stderr; `log_format` as `log_form` has it. `colors`: None where stderr decides."""
    console = log_form(log_format, level).format == "console"
    colors = sys.stderr.isatty() if colors is None else colors
    processors: list[Processor] = [
        _stamped,
        redactor,  # after the traceback became text
        *([_for_people, structlog.dev.ConsoleRenderer(colors=colors)] if console else [_as_json]),
    ]
    if isinstance(sys.stderr, Stream):
        form = processors[2:]

        def dropped(count: int) -> str:
            event: Any = {"event": "log.dropped", "lines": count}
            for step in (_stamped, *form):  # it has no secret
                event = step(None, "warning", event)
            return f"{event}\n"

        sys.stderr.notice = dropped
    # Other libraries log through the standard library, which would write their warnings to stderr without redaction.
    logging.basicConfig(handlers=[logging.NullHandler()])
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines,
        cache_logger_on_first_use=False,
    )
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger
