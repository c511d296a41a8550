"""A shell completes commands, options, choices and policies, and is shown no error."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("retention")

CONFIGURATION = '[policies.nightly]\n[policies.mga]\n[partners.acme]\ntoken = "token-9d41c7b2e6"\n'

ASK = """
PATH={path}:$PATH
source <(retention completion bash)
COMP_WORDS=({words})
COMP_CWORD=$(({count} - 1))
COMP_LINE="{line}"
_retention_completion retention
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(folder: Path, line: str) -> list[str]:
    """What bash offers for a line whose last word is not finished."""
    words = line.split(" ")
    script = ASK.format(
        path=shlex.quote(str(COMMAND.parent)), words=" ".join(map(shlex.quote, words)), count=len(words), line=line
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RETENTION_")}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert "" == done.stderr
    return [word for word in done.stdout.split("\n") if word]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("retention rep", ["report"]),
        ("retention review re", ["resolve", "reclose"]),
        ("retention report --per", ["--period"]),
        ("retention report --format x", ["xlsx"]),
        ("retention run ", ["nightly", "mga"]),
        ("retention --config other.toml run n", ["nothing"]),
        ("retention plan m", ["mga"]),
        ("retention --config nowhere.toml run n", []),
    ],
)
def test_bash_completes(tmp_path: Path, line: str, offered: list[str]) -> None:
    """Bash completes commands, options, choices, and the policies of the file that --config names."""
    (tmp_path / "retention.toml").write_text(CONFIGURATION, "utf-8")
    (tmp_path / "other.toml").write_text("[policies.nothing]\n", "utf-8")
    assert sorted(offered) == sorted(completed(tmp_path, line))


@pytest.mark.parametrize("text", [None, "[policies", "policies = 3\n", "\x00"], ids=repr)
def test_a_broken_configuration_completes_nothing(tmp_path: Path, text: str | None) -> None:
    """Without a configuration that can be read, bash is offered no policy, and shown no error."""
    if text is not None:
        (tmp_path / "retention.toml").write_text(text, "utf-8")
    assert [] == completed(tmp_path, "retention run ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    """The command prints a script for each shell, and refuses another one."""
    done = subprocess.run([COMMAND, "completion", shell], capture_output=True, text=True, check=False)
    assert (0, "", True) == (done.returncode, done.stderr, "_RETENTION_COMPLETE" in done.stdout)
    assert 2 == subprocess.run([COMMAND, "completion", "tcsh"], capture_output=True, check=False).returncode
