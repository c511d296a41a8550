"""Binary reports are written in flat memory, whatever the number of their rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parents[2]
ALLOWED_MIB = 20
"""Allocators and buffers grow by less than this; the rows of 180,000 rounds are hundreds of MiB."""

PROGRAM = """
import asyncio, sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from support.reports import ROUND, report_of
from retention.render.formats import FORMATS, Format
from retention.render.output import whole_file

async def rows(count):
    for number in range(count):
        names = {"round_id": f"{number:036}", "user_id": f"U-{number}", "uuid": UUID(int=number)}
        yield replace(ROUND, **names, amount=Decimal(number).scaleb(-18), reason=f"a reason of its own {number}" * 5)

async def main(name, count, path):
    with whole_file(Path(path)) as output:
        report = replace(report_of(), rows=rows(count), count=count)
        assert count == await FORMATS[Format(name)].load()(report, output)

asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
status = Path("/proc/self/status").read_text()  # getrusage would tell the peak of the test's own process
print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)
"""


def peak_mib(form: str, count: int, path: Path) -> float:
    """Write a report of so many rounds in a process of its own; return its peak of memory."""
    command = [sys.executable, "-c", PROGRAM, form, str(count), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(SUPPORT)})
    return float(done.stdout)


@pytest.mark.parametrize(
    ("form", "few", "many"),
    [
        ("xlsx", 1_000, 10_000),
        ("parquet", 10_000, 40_000),
        pytest.param("xlsx", 20_000, 200_000, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
        pytest.param("parquet", 20_000, 200_000, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)
def test_memory_stays_flat(tmp_path: Path, form: str, few: int, many: int) -> None:
    """Many times as many rows take no more memory."""
    assert peak_mib(form, many, tmp_path / "many") - peak_mib(form, few, tmp_path / "few") < ALLOWED_MIB
