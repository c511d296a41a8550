"""The files of an archived month are proved, with the ledger and without it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from support.archiving import aged, archive, offline

if TYPE_CHECKING:
    from support.world import World


async def test_the_proof_verifies_without_the_ledger(world: World) -> None:
    """The script checks a month's files, with pyarrow and without; a checkpoint that the ledger printed ties them."""
    folder = aged(world)
    assert 0 == (await archive(world, folder)).code
    proof = folder / "ledger-2024-01-proof.json"
    root = json.loads(proof.read_text("utf-8"))["checkpoint"]["root"]
    code, out = offline(proof, "--root", root)
    assert (0, True, True) == (code, "OK, and tied to root" in out, "alone" not in out), out
    code, out = offline(proof, python=(sys.executable, "-I", "-S"))
    assert (0, True) == (code, "by their hashes alone" in out), out
    code, out = offline(proof, "--root", "A" * 43 + "=")
    assert (1, True) == (code, "checkpoint: its root is" in out)


async def test_a_changed_file_is_found_with_the_ledger_and_without(world: World) -> None:
    """A file with one other byte, and a file that is gone, are named by `audit verify --archives` and by the script."""
    folder = aged(world)
    assert 0 == (await archive(world, folder)).code
    whole = await world.command("audit", "verify", "--archives", str(folder), "--json")
    assert (0, 8) == (whole.code, whole.json["archived"]["files_read"]), whole.out
    changed, gone = folder / "ledger-2024-01-cancellations.parquet", folder / "ledger-2024-02-attempts.parquet"
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    gone.unlink()
    found = await world.command("audit", "verify", "--archives", str(folder), "--json")
    assert 4 == found.code
    assert {("archive_changed", "2024-01"), ("archive_missing", "2024-02")} == {
        (one["kind"], one["id"]) for one in found.json["findings"]
    }
    assert (1, True) == (offline(folder / "ledger-2024-01-proof.json")[0], str(changed) in found.out)
    assert 1 == offline(folder / "ledger-2024-02-proof.json")[0]
    nowhere = await world.command("audit", "verify", "--archives", str(folder / "absent"))
    assert (2, True) == (nowhere.code, "--archives" in nowhere.err)


async def test_a_proof_that_names_too_little_is_found(world: World) -> None:
    """A proof without one of its files, or with another number of rows, and a file of no bytes are each named."""
    folder = aged(world, "2024-01")
    assert 0 == (await archive(world, folder)).code
    proof, rounds = folder / "ledger-2024-01-proof.json", folder / "ledger-2024-01-cancellations.parquet"
    whole = json.loads(proof.read_text("utf-8"))
    for table in ("cancellations", "attempts", "evidence"):
        fewer = [one for one in whole["files"] if one["table"] != table]
        proof.write_text(json.dumps(whole | {"files": fewer}), "utf-8")
        code, out = offline(proof)
        assert (1, True) == (code, f"{table}: the proof names no file" in out), out
    proof.write_text(json.dumps(whole | {"files": [one | {"rows": 2} for one in whole["files"]]}), "utf-8")
    code, out = offline(proof)
    assert (1, True) == (code, f"{rounds.name}: it does not have the 2 rows" in out), out
    proof.write_text(json.dumps(whole), "utf-8")
    rounds.write_bytes(b"")
    code, out = offline(proof)
    assert (1, True) == (code, f"{rounds.name}: it is not the file of the proof" in out), out


async def test_deleted_entries_are_no_archive(world: World) -> None:
    """Whoever deletes a month's entries and rows, and adds a row to the archives, is found: no evidence tells of it."""
    folder = aged(world, "2024-01", "2024-02")
    assert 0 == (await archive(world, folder)).code
    assert 0 == (await world.command("audit", "verify")).code
    await world.sql(
        "INSERT INTO retention.archives SELECT 'x', '2023-12', 1, 0, 9e17, 0, 5, files, runs, NULL, first_at, last_at,"
        " 'eve', now() FROM retention.archives WHERE name = '2024-01'"
    )
    await world.sql("DELETE FROM retention.evidence WHERE kind = 'kept'")
    found = await world.command("audit", "verify", "--json")
    kinds = {one["kind"] for one in found.json["findings"]}
    assert {"entry_missing", "row_unrecorded"} <= kinds, kinds
