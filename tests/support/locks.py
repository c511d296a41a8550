"""The locks of deploy/. `python tests/support/locks.py` resolves them anew, with the extra `deploy`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

RUN_LOCK, BUILD_LOCK = ROOT / "deploy" / "requirements.lock", ROOT / "deploy" / "build.lock"

EXTRAS = ("evidence", "notify", "parquet", "xlsx")
"""The extras of a production image."""

HEAD = "# Made by `python tests/support/locks.py`: {what}, each with the hashes of its files.\n"

OPTIONS = (
    *("--universal", "--generate-hashes", "--python-version", "3.11"),
    *("--no-header", "--no-annotate", "--no-config", "--quiet"),
)


def resolve(source: str, *words: str) -> str:
    """Resolve requirements with hashes, for every Python that is supported and every platform."""
    command = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS, *words, "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def main() -> None:
    """Write both locks."""
    project = f"retention[{','.join(EXTRAS)}] @ {ROOT.as_uri()}\ncertifi!=2026.10.19.post1\n"  # it has no source
    text = resolve(project, "--no-emit-package", "retention")
    RUN_LOCK.write_text(HEAD.format(what="what a production image runs") + text, "utf-8")
    BUILD_LOCK.write_text(HEAD.format(what="what builds the wheel") + resolve("hatchling>=1.27\n"), "utf-8")


if __name__ == "__main__":
    main()
