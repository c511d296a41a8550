"""The help of a group with the whole first paragraph of each command, and arguments without Python's types.

typer's own list cuts the paragraph, and its newer versions put a type such as `<list[int]>` behind an argument's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

from retention.cli.examples import epilog

if TYPE_CHECKING:
    from collections.abc import Iterator


class WholeHelp(TyperGroup):
    """A group of commands whose help shows each command's first paragraph in full, and no types of Python."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, with arguments that are shown by their names alone; None for an unknown name."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            self._add_examples(ctx, cmd_name, command)
        for parameter in command.params if command is not None else ():
            if parameter.param_type_name == "argument":
                parameter.display_type_rich = _no_type  # type: ignore[attr-defined]
        return command

    @staticmethod
    def _add_examples(ctx: Any, name: str, command: Any) -> None:
        """End the help of a command with its examples, once."""
        path = " ".join([*ctx.command_path.split()[1:], name])
        examples = epilog(path)
        if examples and not (command.epilog or "").endswith(examples):
            command.epilog = "\n\n".join(filter(None, (command.epilog, examples)))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands with the first paragraph of their help."""
        rows = list(self._rows(ctx))
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def _rows(self, context: Any) -> Iterator[tuple[str, str]]:
        for name in self.list_commands(context):
            command = self.get_command(context, name)
            if command is not None and not command.hidden:
                yield name, " ".join((command.help or "").split("\n\n")[0].split())


def _no_type(ctx: Any) -> None:
    del ctx
