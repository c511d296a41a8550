"""What a process inherits, put right before anything else is opened: none of it decides what becomes of the work."""

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
from retention.process.streams import GONE, LIMIT, PATIENCE, Stream, problem_text, told

STDIN, STDOUT, STDERR = range(3)

FILES = 4096
"""Descriptors that the process may have open, where the system allows it: connections, and a few more."""

FEWEST_FILES = 32
"""With fewer, a run does not get along."""

_errors: list[str] = []
"""What was told on stderr, for the case that it does not work."""

_machine = False
"""Whether a program reads the result."""


def settle() -> None:
    """Make descriptors 0 to 2 usable, and stdout and stderr such as `Stream` has them."""
    _read_arguments_as_utf8()
    closed = _open_what_is_closed()
    sys.stdin = _stdin()
    sys.stdout = Stream(STDOUT, "stdout", closed=STDOUT in closed, limit=None, by_line=False)
    sys.stdout.waits = True
    sys.stderr = Stream(STDERR, "stderr", closed=STDERR in closed, limit=LIMIT, by_line=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD})
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # the ends of children would be lost
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _allow_files()


def work_comes_first(*, machine: bool) -> None:
    """From now on no write waits, and none that fails ends the work. `machine`: a program reads the result."""
    global _machine  # noqa: PLW0603 - there is one stdout
    _machine = machine
    if isinstance(sys.stdout, Stream):
        sys.stdout.waits = False


def tell(line: str) -> None:
    """Tell on stderr what a person has to know."""
    _errors.append(line)
    sys.stderr.write(f"{line}\n")


def finish(code: int) -> int:
    """Write what is left, tell once what could not be written, where that is still possible; returns the exit code.

    The code is the work's own, unless printing was all the work: then it is 2 where that failed.
    """
    out, err = sys.stdout, sys.stderr
    if not isinstance(out, Stream) or not isinstance(err, Stream):
        return code
    printing = out.waits
    with suppress(UnprintedError):
        out.finish(PATIENCE)
    if out.problem is not None:
        gone = out.problem.errno in GONE
        if not printing:
            tell(f"warning: stdout: {problem_text(out.problem)}; the result is not printed, and the exit code holds")
        elif not gone:  # who stops reading has read enough
            tell(f"error: stdout: {told(out.problem)}")
            code = code or UnprintedError.exit_code
    err.finish(PATIENCE)
    if err.lost and out.problem is None and not _machine:
        why = problem_text(err.problem) if err.problem else "nobody reads it"
        out.waits = False
        out.writelines(f"{line}\n" for line in _errors)
        out.write(f"warning: stderr: {why}; lines that are lost: {err.lost}\n")
        out.finish(PATIENCE)
    return code


def _open_what_is_closed() -> set[int]:
    """Open descriptors 0 to 2 where they are closed: the next file or socket would take the number."""
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
    """Start again in UTF-8 mode where the locale reads UTF-8 as something else: names and reasons would be garbled."""
    if sys.getfilesystemencoding() == "utf-8":
        return
    ours = [value for name, value in os.environ.items() if name.startswith("RETENTION_")]
    words = [os.fsencode(word) for word in (*sys.argv[1:], *ours)]
    if all(word.isascii() for word in words):
        return
    with suppress(UnicodeDecodeError, OSError):  # of another encoding after all, which the locale knows better
        for word in words:
            word.decode()
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - this very program, with its own words


def require_files() -> None:
    """Raise UsageError where too few files may be open: a connection that fails for that looks like a dead partner."""
    may = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if may != resource.RLIM_INFINITY and may < FEWEST_FILES:
        raise UsageError(f"only {may} files may be open at once; allow {FEWEST_FILES} or more with `ulimit -n`")


def _allow_files() -> None:
    with suppress(OSError, ValueError):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
