"""`run --metrics-file`: every series exists on failure as on success, so absence is never the signal."""

from __future__ import annotations

import re
import shutil
import signal
import stat
from typing import TYPE_CHECKING

import pytest
from support.samples import figures, last_ends, of_policy, waiting

from retention.core.model import ReviewWhy
from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.world import Done, World

AWAY = "postgresql://127.0.0.1:1/none"
REVIEWS = {f'retention_review_rounds{{policy="nightly",why="{why}"}}' for why in ReviewWhy}
ALWAYS = REVIEWS | {
    *(f'retention_run_last_{name}{{policy="nightly"}}' for name in ("exit_code", "finished_timestamp_seconds")),
    'retention_run_last_success_timestamp_seconds{policy="nightly"}',
    'retention_ledger_last_read_timestamp_seconds{policy="nightly"}',
    'retention_schedule_missed_total{policy="nightly"}',
    'retention_request_seconds_count{partner="acme"}',
    'retention_rate_wait_seconds_total{partner="acme"}',
}
"""The series in a file of a policy without runs, from its configuration alone."""


def prom(world: World) -> Path:
    """Return the path of the file that the collector reads."""
    return world.folder / "retention.prom"


def read(world: World) -> dict[str, float]:
    """Read the file's samples; the root of the newest checkpoint is another after each run."""
    return figures(re.sub('root="[^"]+"', 'root="R"', prom(world).read_text("utf-8")))


async def run(world: World, *words: str, policy: str | None = "nightly") -> Done:
    """Run a policy with the metrics file."""
    named = [policy] if policy else []
    return await world.command("run", *named, "--yes", "--metrics-file", str(prom(world)), *words)


async def test_every_ending_of_a_run_leaves_the_same_series(world: World) -> None:
    """The file has the same series after each ending, with the exit code.

    Endings: success, doubt, halt, refused options, no vendor, no database, SIGTERM, dry run.
    """
    world.partner |= {"status_probe": False, "max_attempts": 1, "rate": 100}
    world.policy["max_failure_ratio"] = 1.0
    await world.seed(3)
    assert 0 == (await run(world)).code
    expected = {*read(world)}
    assert expected >= ALWAYS

    async def leaves(code: int, done: Done, reviews: dict[str, float]) -> None:
        found = read(world)
        assert expected == {*found}, done.err
        assert (code, code, reviews) == (done.code, of_policy(found, "run_last_exit_code"), waiting(found)), done.err
        ends = (
            of_policy(found, "run_last_finished_timestamp_seconds"),
            of_policy(found, "run_last_success_timestamp_seconds"),
        )
        assert pytest.approx(await last_ends(world), abs=0.001) == ends

    await leaves(0, await run(world), {})
    world.vendor.faults = Faults.of({"first": 1, "hang": "after"})
    world.partner["timeout"] = "1s"
    await world.seed(1, prefix="doubt")
    await leaves(4, await run(world), {"in_doubt": 1.0})
    world.partner["timeout"] = "10s"
    await world.seed(5, prefix="many")
    world.policy["max_rounds"] = 4
    halted = await run(world)
    assert "max_rounds" in halted.out
    await leaves(3, halted, {"in_doubt": 1.0})
    await leaves(2, await run(world, "--reason", " "), {"in_doubt": 1.0})
    await leaves(2, await run(world, "--market", "XX"), {"in_doubt": 1.0})
    await leaves(0, await run(world, "--dry-run"), {"in_doubt": 1.0})
    world.policy["max_rounds"] = 100
    async with world.locked("retention.runs"):
        stopped = await world.start("run", "--yes", "--metrics-file", str(prom(world)))
        await world.until_waiting()
        stopped.signal(signal.SIGTERM)
        done = await stopped.ended()
    await leaves(143, done, {"in_doubt": 1.0})
    address, world.dsn = world.dsn, AWAY
    await leaves(5, await run(world), {"in_doubt": 1.0})
    world.dsn = address
    await world.vendor.down()
    failed = await run(world)
    await leaves(5, failed, {"in_doubt": 1.0})
    assert [("failed",)] == await world.sql("SELECT status FROM retention.runs ORDER BY as_of DESC LIMIT 1")


@pytest.mark.parametrize("before", [None, "# TYPE x\nno metrics {", "\udcff"])
async def test_unknown_metrics_are_zero(world: World, before: str | None) -> None:
    """Without the database and without a readable old file, all promised series are 0."""
    if before is not None:
        prom(world).write_text(before, "utf-8", errors="surrogateescape")
    world.dsn = AWAY
    world.policy |= {"markets": ["MT"], "max_amount": {"EUR": "50"}}
    assert 5 == (await run(world)).code
    found = read(world)
    assert {*found} >= ALWAYS | {
        'retention_stale_rounds{market="MT",policy="nightly"}',
        'retention_rounds_total{market="MT",outcome="in_doubt",partner="acme",policy="nightly"}',
        'retention_refund_amount_total{currency="EUR",partner="acme"}',
    }
    assert 5.0 == found.pop('retention_run_last_exit_code{policy="nightly"}')
    assert {0.0} == {*found.values()}


async def test_the_metrics_of_other_policies_stay(world: World) -> None:
    """A run keeps the series of another configured policy in the shared file.

    Series of policies and partners that are no longer configured go.
    """
    world.policies = {"weekly": {"markets": ["SE"]}, "gone": {"markets": ["GB"]}}
    world.policy["markets"] = ["MT"]
    await world.seed(2)
    await world.seed(3, market="SE", prefix="se")
    for policy in ("gone", "nightly", "weekly"):
        assert 0 == (await run(world, policy=policy)).code
    assert {"gone", "nightly", "weekly"} == {
        name.partition('policy="')[2].partition('"')[0] for name in read(world)
    } - {""}
    del world.policies["gone"]
    world.dsn = AWAY
    before = read(world)
    assert 5 == (await run(world, policy="weekly")).code
    after = read(world)
    counts = {name for name in before if 'policy="weekly"' in name and "_total" in name}
    assert 3.0 == before['retention_rounds_total{market="SE",outcome="cancelled",partner="acme",policy="weekly"}']
    assert {name for name in before if 'policy="gone"' not in name} == {*after}
    assert {0.0} == {after[name] for name in counts}
    changed = {name for name in after if after[name] != before[name] and "partner" not in name}
    assert {'retention_run_last_exit_code{policy="weekly"}'} == changed


async def test_a_resumed_run_writes_the_metrics_of_its_policy(world: World) -> None:
    """`run --resume` writes the series of the run's policy, and without the database those of the policies in the file.

    Refused options name no policy, so no series is written.
    """
    world.policies = {"weekly": {"markets": ["SE"]}}
    world.policy |= {"markets": ["MT"], "max_rounds": 1}
    await world.seed(2)
    halted = await run(world, "--json")
    run_id = halted.json["run_id"]
    prom(world).unlink()
    resume = ("--resume", run_id, "--by", "ann")
    assert 2 == (await run(world, *resume, "--override", " ", policy=None)).code
    assert not prom(world).exists()
    assert 3 == (await run(world, *resume, policy=None)).code
    assert 3.0 == of_policy(read(world), "run_last_exit_code")
    assert not [name for name in read(world) if "weekly" in name]
    assert 0 == (await run(world, *resume, "--override", "fine", policy=None)).code
    succeeded = of_policy(read(world), "run_last_success_timestamp_seconds")
    assert pytest.approx(await last_ends(world), abs=0.001) == (succeeded, succeeded)
    world.dsn = AWAY
    assert 5 == (await run(world, *resume, policy=None)).code
    assert (5.0, succeeded) == (
        of_policy(read(world), "run_last_exit_code"),
        of_policy(read(world), "run_last_success_timestamp_seconds"),
    )


async def test_a_dry_run_counts_as_success_only_in_dry_run_mode(world: World) -> None:
    """A dry run is a success for a policy whose mode is dry_run, but not for an enforcing one.

    An enforcing run is always a success.
    """
    await world.seed(1)
    assert 0 == (await run(world, "--dry-run")).code
    found = read(world)
    assert of_policy(found, "run_last_finished_timestamp_seconds") > 0
    assert 0 == of_policy(found, "run_last_success_timestamp_seconds")
    world.policy["mode"] = "dry_run"
    assert 0 == (await run(world)).code
    dry = of_policy(read(world), "run_last_success_timestamp_seconds")
    assert dry > of_policy(found, "run_last_finished_timestamp_seconds")
    assert 0 == (await run(world, "--enforce")).code
    assert of_policy(read(world), "run_last_success_timestamp_seconds") > dry


def _folder(world: World) -> str:
    (world.folder / "metrics.prom").mkdir()
    return "is a directory; name a file in it"


def _device(world: World) -> str:
    (world.folder / "metrics.prom").symlink_to("/dev/null")
    return "is no regular file, and would be replaced by one; name another file"


@pytest.mark.parametrize("lay", [_folder, _device])
async def test_a_directory_as_metrics_file_is_refused_at_once(world: World, lay: Callable[[World], str]) -> None:
    """A directory or a device in the file's place is refused before the run begins."""
    problem = lay(world)
    path = world.folder / "metrics.prom"
    done = await world.command("run", "--metrics-file", str(path))
    assert (2, f"error: --metrics-file {path}: {problem}\n") == (done.code, done.err)


async def test_an_unwritable_metrics_file_keeps_the_exit_code(world: World) -> None:
    """Where the file's folder is gone at the end, one line says so, and the exit code is the run's."""
    await world.seed(1)
    folder = world.folder / "collector"
    folder.mkdir()
    async with world.locked("retention.runs"):
        running = await world.start("run", "--yes", "--metrics-file", str(folder / "run.prom"))
        await world.until_waiting()
        shutil.rmtree(folder)
    done = await running.ended()
    assert 0 == done.code
    assert f"error: --metrics-file {folder / 'run.prom'}: No such file or directory" in done.err


async def test_the_collector_can_read_the_metrics_file(world: World) -> None:
    """All users may read a new file, and an old one keeps its mode.

    A link stays a link, and no temporary file remains.
    """
    await world.seed(1)
    folder = world.folder / "collector"
    folder.mkdir()
    file = folder / "run.prom"
    prom(world).symlink_to(file)
    assert 0 == (await run(world)).code
    assert 0o644 == stat.S_IMODE(file.stat().st_mode)
    file.chmod(0o640)
    assert 0 == (await run(world)).code
    assert 0o640 == stat.S_IMODE(file.stat().st_mode)
    assert ["run.prom"] == [path.name for path in folder.iterdir()]
    assert prom(world).is_symlink()
