"""The package is replaced, or gone, under a process that has requests in flight."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.invariants import violations

import retention

if TYPE_CHECKING:
    from support.world import World

ROOT = Path(retention.__file__).parents[1]


def copy(folder: Path) -> Path:
    """A checkout of our own, to be taken away."""
    for name in ("retention", "sql"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("stop", [False, pytest.param(True, marks=pytest.mark.long)], ids=["to its end", "stopped"])
async def test_a_run_whose_package_is_gone_settles(world: World, tmp_path: Path, stop: bool) -> None:
    """A run loads all of its modules before its first request: no file is missed, no reply is lost, and metrics are
    written.
    """
    await world.seed(60)
    world.partner["rate"] = 40
    package = copy(tmp_path / "package")
    metrics = tmp_path / "run.prom"
    words = ("run", "nightly", "--json", "--metrics-file", str(metrics))
    process = await world.start(*words, environ={"PYTHONPATH": str(package)})
    await process.until(world.vendor, lambda: len(world.cancels) > 3)
    shutil.rmtree(package)
    if stop:
        process.signal(signal.SIGTERM)
    done = await process.ended()
    assert (143 if stop else 0) == done.code, done.err
    assert "Traceback" not in done.err
    assert len(world.cancels) == done.json["states"]["cancelled"]
    assert "retention_run_last_exit_code{" in metrics.read_text("utf-8")
    assert [] == await violations(world)


@pytest.mark.long
async def test_a_daemon_whose_package_is_gone_settles(world: World, tmp_path: Path) -> None:
    """`serve` goes on with its run, and drains, though its package is gone."""
    await world.seed(60)
    world.partner["rate"] = 40
    world.policy |= {"schedule": "* * * * *", "timezone": "UTC", "catch_up": "6h"}
    await world.sql(
        "INSERT INTO retention.schedules"
        " VALUES ('nightly', '* * * * *', 'UTC', date_trunc('minute', now()) - interval '1 minute')"
    )
    package = copy(tmp_path / "package")
    process = await world.start("serve", "--http", "127.0.0.1:0", environ={"PYTHONPATH": str(package)})
    await process.until(world.vendor, lambda: len(world.cancels) > 3)
    shutil.rmtree(package)
    await world.until_settled(60)
    process.signal(signal.SIGTERM)
    done = await process.ended()
    assert 143 == done.code, done.err
    assert "Traceback" not in done.err
    assert [] == await violations(world)
