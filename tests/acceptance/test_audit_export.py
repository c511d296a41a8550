"""`audit export` writes a file that a script of the standard library verifies by itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo
from support.bare_database import run as run_script
from support.bare_database import sample

from retention.simulator.faults import Faults

if TYPE_CHECKING:
    from support.world import World

SCRIPT = Path(__file__).parents[2] / "deploy/verify_evidence.py"


async def verified(folder: Path, *words: str | Path) -> tuple[int, str]:
    """Run the script as others do: without site packages, in a folder with nothing but the export."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", SCRIPT, *words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_an_export_verifies_without_the_ledger(world: World, tmp_path: Path) -> None:
    """Rows, requests and proofs of a run fit by themselves, beside the log, and no more once a byte is another."""
    await world.seed(5)
    world.vendor.faults = Faults.of({"round_ids": ["r1"], "code": "99"})
    run = await world.command("run", "--json", "--by", "ann")
    run_id = run.json["run_id"]
    run_script(world.direct, sample("roles"))
    world.dsn = make_conninfo(world.dsn, options="-c role=retention_report")
    alone = tmp_path / "alone"
    alone.mkdir()
    done = await world.command("audit", "export", "--run", run_id[:8], "-o", str(alone / "run.json"))
    assert (0, "") == (done.code, done.err)
    export = json.loads((alone / "run.json").read_text("utf-8"))
    subjects = [row["subject"] for row in export["rows"]]
    assert (1, 5, True) == (subjects.count("run"), subjects.count("cancellation"), subjects.count("attempt") > 5)
    assert "user-r0" not in (alone / "run.json").read_text("utf-8")
    (alone / "run.log").write_text(run.err, "utf-8")
    assert (0, "OK, and tied to nothing but itself") == _last(await verified(alone, "run.json"))
    assert (0, "OK, and tied to anchor") == _last(await verified(alone, "run.json", "--anchor", "run.log"))
    root = export["checkpoint"]["root"]
    assert (0, "OK, and tied to root") == _last(await verified(alone, "run.json", "--root", root))
    text = (alone / "run.json").read_text("utf-8")
    (alone / "run.json").write_text(text.replace('\\"1.50', '\\"9.50', 1), "utf-8")
    code, out = await verified(alone, "run.json")
    assert (1, True, True) == (code, "NOT OK" in out, "it is not as entry" in out)


async def test_an_export_needs_a_run_and_a_place(world: World) -> None:
    """A run that is not there, and a folder that is not there, are exit 2; no file is left."""
    await world.seed(1)
    await world.command("run", "--json")
    unknown = await world.command("audit", "export", "--run", "0" * 8, "-o", str(world.folder / "x.json"))
    assert (2, True) == (unknown.code, "there is no run" in unknown.err)
    nowhere = await world.command("audit", "export", "--run", "0" * 8, "-o", "/nowhere/x.json")
    assert (2, True) == (nowhere.code, "no place for a file" in nowhere.err)
    assert [] == [*world.folder.glob("*x.json*")]


def _last(result: tuple[int, str]) -> tuple[int, str]:
    code, out = result
    return code, out.splitlines()[-1]
