"""The benchmarks, in short: they run, and print their figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a benchmark to its end."""
    return subprocess.run(
        [sys.executable, str(BENCH), *words], capture_output=True, text=True, timeout=500, check=False
    )


@pytest.mark.long
def test_a_benchmark_prints_its_figures() -> None:
    """A small run beside the bare loop ends in a table with a row for each of them, after both were found correct."""
    done = bench("throughput", "--rounds", "300", "--latency", "1", "--in-flight", "20", "--repeat", "1")
    assert 0 == done.returncode, done.stderr
    assert "1 ms, 20 in flight" in done.stdout
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| ")]
    assert ["| ", "| ---", "| retention run", "| bare loop"] == [row[0] for row in rows]
    assert all(float(row[1].replace(",", "")) > 0 for row in rows[2:])


@pytest.mark.parametrize(
    "part",
    [
        "throughput",
        *(
            pytest.param(one, marks=pytest.mark.long)
            for one in ("rivals", "replicas", "rate", "growth", "start", "idle")
        ),
    ],
)
def test_each_benchmark_lists_its_options_in_help(part: str) -> None:
    """Every part that tests/bench/README.md names is there, and lists its options in its help."""
    done = bench(part, "--help")
    assert (0, "") == (done.returncode, done.stderr)
    assert "options:" in done.stdout
