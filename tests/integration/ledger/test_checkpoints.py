"""Checkpoints of a real ledger: complete, gap-free and never forked, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest
from support.evidence import tree_problems, unplaced_entries, unproven_rows

from retention.core.evidence.checkpoint import key_id, parse_signature_line
from retention.ledger import evidence as module
from retention.ledger.database import open_database
from retention.ledger.evidence import Evidence
from retention.ledger.holds import Holds

ED25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")

if TYPE_CHECKING:
    from retention.ledger.database import Database

ADD = "INSERT INTO retention.evidence (kind, body) VALUES ('trial', %s)"


async def add_hold(database: Database) -> None:
    """A decision with its evidence."""
    await Holds(database).add_hold("acme", None, None, None, None, "a trial", "ann", None)


def add_entry(dsn: str, body: str = "{}") -> None:
    """An entry of another process."""
    with psycopg.connect(dsn) as connection:
        connection.execute(ADD, [body])


async def test_a_checkpoint_covers_all_entries(database: Database, direct_dsn: str) -> None:
    """Each checkpoint has all entries so far, in their order; without a new entry there is no new checkpoint."""
    evidence = Evidence(database)
    assert await evidence.make_checkpoint() is None
    assert await evidence.newest_checkpoint() is None
    made = None
    for size in (1, 2, 3):
        await add_hold(database)
        made = await evidence.make_checkpoint()
        assert made is not None
        assert (size, None) == (made.size, made.signature)
        assert made == await evidence.newest_checkpoint()
        assert await evidence.make_checkpoint() is None
    assert made is not None
    assert made.origin.startswith("retention/")
    assert [] == tree_problems(direct_dsn) == unproven_rows(direct_dsn)


async def test_a_checkpoint_is_signed(database: Database) -> None:
    """With a key, the note's signature line is recorded, in the ledger's name, and holds."""
    key = ED25519.Ed25519PrivateKey.generate()

    class Signer:
        public_key = key.public_key().public_bytes_raw()

        def sign(self, message: bytes) -> bytes:
            return bytes(key.sign(message))

    await add_hold(database)
    made = await Evidence(database, Signer()).make_checkpoint()
    assert made is not None
    assert made.signature is not None
    name, identity, signature = parse_signature_line(made.signature)
    assert (made.origin, key_id(made.origin, Signer.public_key)) == (name, identity)
    ED25519.Ed25519PublicKey.from_public_bytes(Signer.public_key).verify(signature, made.note.encode())


async def test_entries_are_placed_once_while_many_write(
    database_dsn: str, direct_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight processes make checkpoints while others write: each entry gets one place, and all roots are one tree's."""
    monkeypatch.setattr(module, "PLACED_AT_ONCE", 7)

    async with open_database(lambda: database_dsn, size=16) as database:
        written = asyncio.Event()

        async def write() -> None:
            for _ in range(25):
                await add_hold(database)

        async def checkpoint(number: int) -> None:
            while not written.is_set():
                await Evidence(database).make_checkpoint(wait=number % 2 == 0)

        makers = [asyncio.create_task(checkpoint(number)) for number in range(8)]
        await asyncio.gather(*(write() for _ in range(8)))
        written.set()
        await asyncio.gather(*makers)
        await Evidence(database).make_checkpoint()
        newest = await Evidence(database).newest_checkpoint()

    assert newest is not None
    assert 200 == newest.size
    assert 0 == unplaced_entries(direct_dsn)
    assert [] == tree_problems(direct_dsn)


async def test_an_entry_that_commits_late_gets_the_next_place(database: Database, direct_dsn: str) -> None:
    """An entry that was written before others and commits after their checkpoint is placed by the next one."""
    evidence = Evidence(database)
    with psycopg.connect(direct_dsn) as late:
        late.execute(ADD, ["{}"])
        add_entry(direct_dsn)
        first = await evidence.make_checkpoint()
        add_entry(direct_dsn)
        second = await evidence.make_checkpoint()
        late.commit()
    third = await evidence.make_checkpoint()
    assert [1, 2, 3] == [made and made.size for made in (first, second, third)]
    assert 0 == unplaced_entries(direct_dsn)
    assert [] == tree_problems(direct_dsn)


async def test_a_restored_ledger_loses_no_entry(database: Database, direct_dsn: str) -> None:
    """On another server the numbers of transactions begin anew: all entries without a place are looked for."""
    evidence = Evidence(database)
    add_entry(direct_dsn)
    await evidence.make_checkpoint()
    with psycopg.connect(direct_dsn) as owner:
        owner.execute("UPDATE retention.checkpoints SET server = 1, placed_before = '999999999999'")
    add_entry(direct_dsn)
    made = await evidence.make_checkpoint()
    add_entry(direct_dsn)
    again = await evidence.make_checkpoint()
    assert [2, 3] == [one and one.size for one in (made, again)]
    assert [] == tree_problems(direct_dsn)


async def test_a_mark_of_a_later_transaction_hides_no_entry(database: Database, direct_dsn: str) -> None:
    """A checkpoint that claims to have placed what is not written yet keeps no later entry out of the tree."""
    evidence = Evidence(database)
    add_entry(direct_dsn)
    await evidence.make_checkpoint()
    with psycopg.connect(direct_dsn) as owner:
        owner.execute("UPDATE retention.checkpoints SET placed_before = '999999999999'")
    add_entry(direct_dsn)
    made = await evidence.make_checkpoint()
    assert (2, 0) == (made and made.size, unplaced_entries(direct_dsn))
    assert [] == tree_problems(direct_dsn)


async def test_without_waiting_another_process_goes_first(database: Database, direct_dsn: str) -> None:
    """A checkpoint that does not wait leaves the turn to the process that has it."""
    add_entry(direct_dsn)
    async with database.transaction() as transaction:
        assert (await transaction.row("evidence/lock_checkpoints", wait=True)).locked
        assert await Evidence(database).make_checkpoint(wait=False) is None
    assert await Evidence(database).make_checkpoint(wait=False) is not None


KILLED = """
import asyncio, os, signal, sys
from retention.ledger import database as module
from retention.ledger.database import Transaction, open_database
from retention.ledger.evidence import Evidence

dsn, point = sys.argv[1:]
rows = Transaction.rows

async def killed(self, name, **values):
    found = await rows(self, name, **values)
    if name == point:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

Transaction.rows = killed

async def main():
    async with open_database(lambda: dsn) as database:
        await Evidence(database).make_checkpoint()
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize(("point", "sizes"), [
    ("evidence/lock_checkpoints", [5]),
    ("evidence/get_frontier", [5]),
    ("evidence/place_entries", [5]),
    ("evidence/insert_checkpoint", [5]),
    ("after its commit", [4, 5]),
])  # fmt: skip
async def test_a_killed_process_leaves_all_or_nothing(
    database: Database, database_dsn: str, direct_dsn: str, point: str, sizes: list[int]
) -> None:
    """A process that is killed within a checkpoint leaves no part of it, and the next process goes on."""
    for _ in range(4):
        add_entry(direct_dsn)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, database_dsn, point)
    assert -signal.SIGKILL == await process.wait()
    add_entry(direct_dsn)
    assert await Evidence(database).make_checkpoint() is not None
    with psycopg.connect(direct_dsn) as connection:
        found = connection.execute("SELECT size FROM retention.checkpoints ORDER BY checkpoint_id").fetchall()
    assert sizes == [size for (size,) in found]
    assert 0 == unplaced_entries(direct_dsn)
    assert [] == tree_problems(direct_dsn)
