"""Does an environment hold a package with a known vulnerability? `audit.py PYTHON_OF_IT [OPTION_OF_PIP_AUDIT ...]`.

pip-audit is put into an environment of its own. It says that nothing was found, and exits with 0, where the service
knew none of the packages: so its words are not taken for an answer, and what was really looked at is counted.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

OUT_OF_REACH = "skipped: the vulnerability service cannot be reached"

_NETWORK = re.compile(r"ConnectionError|Timeout|timed out|Max retries|resolve|unreachable|ProxyError", re.IGNORECASE)


def main(python: str, *options: str) -> int:
    """Audit what that interpreter has installed; returns the exit code."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        own = folder / "venv" / "bin"
        if (installed := _run(own / "pip", "install", "-q", "pip-audit")).returncode:
            print(f"skipped: pip-audit cannot be installed\n{installed.stderr}")
            return 0
        listed = _run(python, "-m", "pip", "list", "--format=freeze", "--exclude", "retention", "--exclude", "pip")
        (folder / "pins").write_text(listed.stdout, "utf-8")
        words = ("--no-deps", "--disable-pip", "--progress-spinner=off", "--timeout=10", "-f", "json")
        report = folder / "report.json"
        done = _run(own / "pip-audit", "-r", str(folder / "pins"), *words, "-o", str(report), *options)
        said, code = verdict(json.loads(report.read_text("utf-8")) if report.exists() else None, done.stderr)
    print(said)
    return code


def verdict(report: dict[str, Any] | None, complaint: str = "") -> tuple[str, int]:
    """What a report of pip-audit, or its complaint where it made none, comes to: words, and an exit code."""
    if report is None:
        return (OUT_OF_REACH, 0) if _NETWORK.search(complaint) else (f"pip-audit failed\n{complaint}", 1)
    packages = report["dependencies"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    found = [
        f"{package['name']} {package['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none'}"
        for package in packages
        for one in package.get("vulns", ())
    ]
    if found:
        return "\n".join(found), 1
    if not packages:
        return "pip-audit was given no package", 1
    if len(unknown) == len(packages):
        return f"{OUT_OF_REACH}: it answers, but knows none of the {len(packages)} packages", 0
    rest = f"; it does not know {', '.join(unknown)}" if unknown else ""
    return f"no known vulnerability in {len(packages) - len(unknown)} packages{rest}", 0


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - all words are our own


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
