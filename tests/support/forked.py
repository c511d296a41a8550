"""Many commands for the price of one start: each is a process of its own, forked from one that has imported everything.

As a program, it reads `{"words": [...], "environ": {...}}` line by line and answers `{"code": ..., "out": ..., "err": ...}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

# What commands import when they run: here it is imported once.
import retention.check
import retention.daemon.daemon
import retention.demo.story
import retention.vendor.client
import retention.wiring  # noqa: F401
from retention.cli import app as _app  # noqa: F401
from retention.cli import main as retention_command
from support.world import Done

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_LINE = 2**24
"""Bytes that an answer may have."""


class Forked:
    """Runs commands in a folder, one after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def command(self, *words: str, environ: Mapping[str, str] | None = None) -> Done:
        """Run a command to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._turn:
            self._process.stdin.write(json.dumps({"words": words, "environ": environ or {}}).encode() + b"\n")
            told = json.loads(await self._process.stdout.readline())
        return Done(told["code"], told["out"], told["err"])


@asynccontextmanager
async def forking(folder: Path) -> AsyncIterator[Forked]:
    """Yield what runs commands in that folder."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.forked"),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LINE,
    )
    try:
        yield Forked(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def main() -> None:
    """Answer until there is no more to do."""
    for line in sys.stdin:
        asked = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                _be(asked, out.fileno(), err.fileno())
            _, status = os.waitpid(child, 0)
            written = []
            for file in (out, err):
                file.seek(0)
                written.append(file.read().decode())
        answer = {"code": os.waitstatus_to_exitcode(status), "out": written[0], "err": written[1]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _be(asked: dict[str, Any], out: int, err: int) -> None:
    """Be the command."""
    code = 1
    try:
        for number, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out), (2, err)):
            os.dup2(file, number)
        os.environ.update(asked["environ"])
        tempfile.tempdir = None  # what was found out before the environment was this one
        sys.argv = ["retention", *asked["words"]]
        retention_command()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0
    except BaseException:  # noqa: BLE001 - it goes where Python itself would write it
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
