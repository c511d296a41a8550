"""The public surface for operators and their programs is unchanged: a change to it is made on purpose, and seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.surface import COMMAND, STORED, differences, json_commands, surface

if TYPE_CHECKING:
    from support.world import World


async def test_the_public_surface_is_the_stored_one(world: World) -> None:
    """Help, JSON keys, log events, metrics, the contract's tables and exit codes are those of the stored files."""
    made = await surface(world)
    assert {path.name for path in STORED.iterdir()} == set(made)
    found = differences(made)
    assert not found, f"if this is on purpose, run `{COMMAND}`, and tell users of it in CHANGELOG.md\n{found}"


def test_every_json_document_is_in_the_snapshot() -> None:
    """Each command that takes --json has its keys in the stored file."""
    stored = (STORED / "json_keys.txt").read_text("utf-8").splitlines()
    assert set(json_commands()) <= {line.split(" --")[0] for line in stored}
