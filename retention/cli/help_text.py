"""The help of a group with the whole first paragraph of each command; typer's own list cuts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterator


class WholeHelp(TyperGroup):
    """A group of commands whose help shows each command's first paragraph in full."""

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
