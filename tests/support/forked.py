"""Commands without the price of a start: each is a process of its own, forked from one that has imported everything.

As a program, this module is that process: it reads commands, with the files to run them with, from its standard input.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

import retention

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONGEST = 2**17
"""Bytes of a request, at the most."""

_READ_LATE = ("RETENTION_", "PG", "TMPDIR", "PYTEST_", "SSL_CERT_FILE")
"""Variables of the environment that nothing reads while it is imported, or that are read again in each child."""


_IMPORTED = (
    *("concurrent.futures.thread", "encodings.idna", "encodings.utf_8_sig", "prometheus_client.core"),
    *("pydantic.type_adapter", "typer._adapters", "typer._click.decorators", "uvloop"),
)
"""The modules beside our own that commands import when they run."""


class Forked:
    """A command that runs, with the part of asyncio's own `Process` that the tests use. Not thread-safe."""

    def __init__(self, pid: int, out: int, err: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._out, self._err, self._status = out, err, status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; raises ProcessLookupError where it is known to have ended."""
        if self.returncode is not None:
            raise ProcessLookupError
        with suppress(ProcessLookupError):  # it has ended just now
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Read all that it writes, until it has ended."""
        out, err, _ = await asyncio.gather(_all_of(self._out), _all_of(self._err), self._end())
        return out, err

    async def _end(self) -> None:
        self.returncode = int(await _all_of(self._status))


async def _all_of(descriptor: int) -> bytes:
    """Read a pipe to its end, and close it."""
    reader = asyncio.StreamReader()
    with os.fdopen(descriptor, "rb", buffering=0) as pipe:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            return await reader.read()
        finally:
            transport.close()


class Forker:
    """The process that commands are forked from."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "support.forked"],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
            )

    def start(
        self, words: Sequence[str], folder: Path, environ: Mapping[str, str], instead: Mapping[int, str] | None = None
    ) -> Forked:
        """Start `retention` with these words, in this folder; `environ` is the whole environment.

        `instead`: the descriptors that are not read here; a file's path, or as `_replace` has it.
        """
        asked = json.dumps(
            {"words": [*words], "folder": str(folder), "environ": dict(environ), "instead": instead or {}}
        ).encode()
        ends = [os.pipe() for _ in range(3)]
        socket.send_fds(self._control, [asked], [written for _, written in ends])
        for _, written in ends:
            os.close(written)
        return Forked(int(self._control.recv(64)), *(read for read, _ in ends))

    def close(self) -> None:
        """Fork nothing more."""
        self._control.close()
        self._process.wait()


@functools.cache
def forker() -> Forker:
    """Return this process's own, which ends with it."""
    made = Forker()
    atexit.register(made.close)
    return made


async def start_command(
    *words: str,
    folder: Path,
    environ: Mapping[str, str],
    under: Sequence[str] = (),
    instead: Mapping[int, str] | None = None,
) -> asyncio.subprocess.Process | Forked:
    """Start `retention`, `under` another command that takes it as its last words; `environ` is the whole environment.

    It is forked, unless its environment differs in a variable that the interpreter or a library reads when it is
    imported. `instead`: as `Forker.start` has it, for a forked process.
    """
    if not under and all(name.startswith(_READ_LATE) for name, _ in environ.items() ^ os.environ.items()):
        return forker().start(words, folder, environ, instead)
    assert not instead
    return await asyncio.create_subprocess_exec(
        *(*under, sys.executable, "-m", "retention", *words),
        cwd=folder,
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def _serve(control: socket.socket) -> list[str]:
    """Fork for each request; returns in each child, with the words that it is asked."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    statuses: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ended(statuses)
        if control.fileno() not in ready:
            continue
        message, files, _, _ = socket.recv_fds(control, _LONGEST, 3)
        if not message:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _prepare(json.loads(message), files, [woken, wake, *statuses.values()])
        control.send(str(pid).encode())
        out, err, statuses[pid] = files
        os.close(out)
        os.close(err)


def _tell_ended(statuses: dict[int, int]) -> None:
    """Tell those who wait for children that have ended."""
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with os.fdopen(statuses.pop(pid), "w") as told:
            told.write(str(os.waitstatus_to_exitcode(status)))


def _prepare(asked: dict[str, object], files: Sequence[int], others: Sequence[int]) -> list[str]:
    """Make this process like one that has just been started."""
    out, err, status = files
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, out, err)):
        os.dup2(descriptor, number)
    for descriptor in (nothing, out, err, status, *others):
        os.close(descriptor)
    # Those of before know of other files whether they can seek.
    sys.stdout = os.fdopen(1, "w", encoding=sys.stdout.encoding, closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding=sys.stderr.encoding, errors="backslashreplace", buffering=1, closefd=False)
    os.chdir(str(asked["folder"]))
    environ, words, instead = asked["environ"], asked["words"], asked["instead"]
    assert isinstance(instead, dict)
    for number, what in instead.items():
        _replace(int(number), what)
    assert isinstance(environ, dict)
    assert isinstance(words, list)
    authorities = os.environ.get("SSL_CERT_FILE")
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    if environ.get("SSL_CERT_FILE") != authorities:
        connector = importlib.import_module("aiohttp.connector")
        # It is made when aiohttp is imported; to read a system's authorities takes as long as all else of a command.
        setattr(connector, "_SSL_CONTEXT_VERIFIED", connector._make_ssl_context(verified=True))  # noqa: B010, SLF001
    tempfile.tempdir = None  # caches of the former environment
    return words


def _replace(number: int, what: str) -> None:
    """Make a descriptor `closed`, a `dead` pipe, a `stuck` pipe without a reader, or a file."""
    if what == "closed":
        os.close(number)
        return
    if what in {"dead", "stuck"}:
        read, opened = os.pipe()
        if what == "dead":
            os.close(read)
        else:
            os.set_blocking(opened, False)
            with suppress(BlockingIOError):
                while True:
                    os.write(opened, bytes(select.PIPE_BUF))
            os.set_blocking(opened, True)
    else:
        opened = os.open(what, os.O_RDWR)
    os.dup2(opened, number)
    os.close(opened)


def main() -> None:
    """Answer until there is no more to do; in each child, be the command."""
    for name in _IMPORTED:
        with suppress(ModuleNotFoundError):  # not every version of a library has each of them
            importlib.import_module(name)
    for module in pkgutil.walk_packages(retention.__path__, "retention."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    importlib.import_module("retention.ledger.queries").load_queries()
    _build_commands()
    gc.collect()
    gc.freeze()
    sys.argv = ["retention", *_serve(socket.socket(fileno=os.dup(0)))]
    try:
        importlib.import_module("retention.cli").main()
    except SystemExit as end:
        _leave(end.code)


def _build_commands() -> None:
    """Build the commands' parsers, as each process does by itself from its functions' signatures."""
    module = importlib.import_module("retention.cli.app")
    setattr(module, "app", typer.main.get_command(module.app))  # noqa: B010


def _leave(code: object) -> NoReturn:
    """End as the interpreter ends, but leave its modules alone: to clear them copies all the memory that is shared."""
    assert isinstance(code, int)
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
