"""The systemd units are valid, and their services are exposed as little as they can be."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = sorted((Path(__file__).parents[3] / "deploy" / "systemd").iterdir())

EXPOSURE_MAX = 1.7
"""The highest exposure, from 0 to 10, as systemd-analyze rates it."""


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze; a missing one fails the test."""
    found = shutil.which("systemd-analyze")
    assert found, "systemd-analyze is not there: apt-get install systemd"
    return subprocess.run([found, *words], capture_output=True, text=True, check=False, timeout=60)


def exposure(unit: Path) -> float:
    """The exposure of a service."""
    done = analyze("security", "--offline=true", "--no-pager", unit)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


@pytest.mark.deploy
@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.suffix == ".service"], ids=lambda unit: unit.name)
def test_a_service_is_hardly_exposed(unit: Path, tmp_path: Path) -> None:
    """A service's exposure is at most 1.7; without one of its protections it is higher, and found."""
    assert exposure(unit) <= EXPOSURE_MAX
    weaker = tmp_path / unit.name
    weaker.write_text(unit.read_text("utf-8").replace("NoNewPrivileges=yes\n", "").replace("DynamicUser=yes\n", ""))
    assert exposure(weaker) > EXPOSURE_MAX


@pytest.mark.deploy
def test_the_units_are_valid(tmp_path: Path) -> None:
    """Systemd knows each setting of the units; a misspelt one is found."""
    for unit in UNITS:
        # The command of the units is not on this machine.
        text = unit.read_text("utf-8").replace("/opt/retention/bin/retention", "/bin/true")
        (tmp_path / unit.name).write_text(text, "utf-8")
    done = analyze("verify", "--man=no", *(tmp_path / unit.name for unit in UNITS))
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "retention" in line]
    assert [] == ours
    broken = tmp_path / "retention.service"
    broken.write_text(broken.read_text("utf-8").replace("WatchdogSec=", "WatchdogSecs="), "utf-8")
    assert "'WatchdogSecs' in section" in analyze("verify", "--man=no", broken).stderr
