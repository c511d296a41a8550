"""`completion`: completes commands, options and the names of policies in a shell."""

from __future__ import annotations

import enum
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from retention.process.this_process import work_comes_first

VARIABLE = "_RETENTION_COMPLETE"
"""The variable by which a shell's script asks for completions."""


class Shell(enum.StrEnum):
    """The shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command("completion")(completion)


def completion(shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="The shell.")]) -> None:
    """Print a script that completes commands, options and policies.

    To have it in each bash, add `source <(retention completion bash)` to ~/.bashrc; in zsh likewise to ~/.zshrc. In
    fish, write the script to ~/.config/fish/completions/retention.fish.
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    work_comes_first(machine=False)
    print(get_completion_script(prog_name="retention", complete_var=VARIABLE, shell=shell.value))


def answer_shell() -> None:
    """Let typer answer a shell that asks for completions, which it does before any command runs."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()


def policy_names(ctx: typer.Context) -> list[str]:
    """List the policies of the configuration's file; none where it cannot be read: a shell shows no errors."""
    from retention.errors import RetentionError
    from retention.settings.files import find_config, read_document

    try:
        given: Any = ctx.find_root().params.get("config")
        path = find_config(Path(given) if given else None, os.environ, Path.cwd())
        policies = read_document(path, str(path)).get("policies") if path else None
    except (RetentionError, OSError):
        return []
    return [*policies] if isinstance(policies, dict) else []
