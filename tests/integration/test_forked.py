"""A forked command is like one that has been started."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from support.forked import forker, start_command
from support.world import Running

if TYPE_CHECKING:
    from pathlib import Path

ASKED = {
    "a version": ("--version",),
    "a mistake": ("no-such-command",),
    "a file": ("--config", "here.toml", "db", "migrate"),
    "a long text": ("run", "--help"),
}


@pytest.mark.parametrize("asked", ASKED)
async def test_a_forked_command_answers_as_a_started_one(
    tmp_path: Path, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is forked or started, a command's words, folder and environment lead to the same output and exit
    code.
    """
    (tmp_path / "here.toml").write_text("[database]\ndsn = 1\n")
    monkeypatch.setenv("COLUMNS", "70")
    environ = {**os.environ, "RETENTION_LOG_LEVEL": "error"}
    forked = await Running(await start_command(*ASKED[asked], folder=tmp_path, environ=environ)).ended()
    under = ("nice", "-n", "0")
    started = await Running(await start_command(*ASKED[asked], folder=tmp_path, environ=environ, under=under)).ended()
    assert forked == started
    assert forked.out or forked.err


async def test_a_forked_command_is_a_process_of_its_own(tmp_path: Path) -> None:
    """It dies of a signal, which its end tells, while others that were forked go on."""
    first, second = [Running(forker().start(["simulate", "--port", "0"], tmp_path, os.environ)) for _ in range(2)]
    first.signal(signal.SIGKILL)
    assert -signal.SIGKILL == (await first.ended()).code
    assert not second.over
    second.signal(signal.SIGTERM)
    await second.gone()
    assert second.over
