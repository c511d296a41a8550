"""Sets a process up before it opens anything, and ends it.

Closed or blocked descriptors, masked signals, limits and the locale are inherited; none of them may stop the work. In
a locale other than UTF-8 the process starts itself again with `-X utf8`, before any other import. It does so only
when an argument is UTF-8 beyond ASCII: decoding the arguments again in place would leave paths that cannot be opened.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from retention.errors import UnprintedError, UsageError
from retention.process.streams import (
    LOG_LIMIT_BYTES,
    READER_GONE,
    READER_TIMEOUT_S,
    Stream,
    problem_and_mend,
    problem_text,
)

STDIN, STDOUT, STDERR = range(3)

OPEN_FILES = 4096
"""Descriptors that the process asks for: one for each connection, and a few more."""

LEAST_OPEN_FILES = 32
"""Descriptors without which no run works."""

HELPER_FILES = 3
"""Descriptors of the first process for each helper, at the most: its channel, its output, and one while it starts."""

_told_lines: list[str] = []
"""The lines reported on stderr, for the case that stderr does not work."""

_result_is_for_machine = False
"""Whether a program reads stdout."""


def set_up() -> None:
    """Make descriptors 0 to 2 usable, the outputs a `Stream`, signals unblocked, and raise the limit of open files."""
    _read_arguments_as_utf8()
    closed = _open_closed_descriptors()
    sys.stdin = _stdin()
    sys.stdout = Stream(STDOUT, "stdout", closed=STDOUT in closed, limit=None, by_line=False)
    sys.stdout.blocking = True
    sys.stderr = Stream(STDERR, "stderr", closed=STDERR in closed, limit=LOG_LIMIT_BYTES, by_line=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD})
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # exit statuses of children would be lost
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _allow_files()


def work_comes_first(*, machine: bool) -> None:
    """Let no write block or end the work from now on. `machine`: a program reads stdout."""
    global _result_is_for_machine  # noqa: PLW0603 - there is one stdout
    _result_is_for_machine = machine
    if isinstance(sys.stdout, Stream):
        sys.stdout.blocking = False


def report(line: str) -> None:
    """Report a line to the person at stderr."""
    _told_lines.append(line)
    sys.stderr.write(f"{line}\n")


def finish(code: int) -> int:
    """Write the rest of both streams, and report lost lines once on the stream that works; returns the exit code.

    A command that is only for its output ends with 2 where its output was lost. Any other keeps its exit code.
    """
    out, err = sys.stdout, sys.stderr
    if not isinstance(out, Stream) or not isinstance(err, Stream):
        return code
    printing = out.blocking
    with suppress(UnprintedError):
        out.finish(READER_TIMEOUT_S)
    if out.problem is not None:
        gone = out.problem.errno in READER_GONE
        if not printing:
            report(f"warning: stdout: {problem_text(out.problem)}; the result is not printed, and the exit code holds")
        elif not gone:  # a reader that stops has read enough
            report(f"error: stdout: {problem_and_mend(out.problem)}")
            code = code or UnprintedError.exit_code
    err.finish(READER_TIMEOUT_S)
    if err.lost and out.problem is None and not _result_is_for_machine:
        why = problem_text(err.problem) if err.problem else "no reader takes it"
        out.blocking = False
        out.writelines(f"{line}\n" for line in _told_lines)
        out.write(f"warning: stderr: {why}; lines that are lost: {err.lost}\n")
        out.finish(READER_TIMEOUT_S)
    return code


def _open_closed_descriptors() -> set[int]:
    """Open descriptors 0 to 2 where they are closed: the next file or socket would get the number."""
    closed = set()
    for descriptor in (STDIN, STDOUT, STDERR):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(descriptor)
            found = os.open(os.devnull, os.O_RDWR)
            if found != descriptor:
                os.dup2(found, descriptor)
                os.close(found)
            os.set_inheritable(descriptor, True)
    return closed


def _stdin() -> TextIO:
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="replace")
        return sys.stdin
    return Path(os.devnull).open(encoding="utf-8")  # it was closed, or is a directory


def _read_arguments_as_utf8() -> None:
    """Start again in UTF-8 mode where the locale would garble UTF-8 names and reasons.

    Only where an argument or a variable of ours is UTF-8 beyond ASCII, and before any other import. Decoding the
    arguments again in place would leave paths that cannot be opened.
    """
    if sys.getfilesystemencoding() == "utf-8":
        return
    ours = [value for name, value in os.environ.items() if name.startswith("RETENTION_")]
    words = [os.fsencode(word) for word in (*sys.argv[1:], *ours)]
    if all(word.isascii() for word in words):
        return
    with suppress(UnicodeDecodeError, OSError):  # not UTF-8: the locale knows the encoding better
        for word in words:
            word.decode()
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this very program, with its own arguments


def require_files(helpers: int = 0) -> None:
    """Raise UsageError where too few files may be open: failing connections would look like a dead partner."""
    may, least = resource.getrlimit(resource.RLIMIT_NOFILE)[0], LEAST_OPEN_FILES + HELPER_FILES * helpers
    if may != resource.RLIM_INFINITY and may < least:
        raise UsageError(f"only {may} files may be open at once; allow {least} or more with `ulimit -n`")


def _allow_files() -> None:
    with suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
