"""`audit verify` names each falsification by the owner of the database."""

from __future__ import annotations

from base64 import b64decode
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import sql
from psycopg.conninfo import make_conninfo
from support.evidence_writer import COVERED
from support.postgres import new_database
from support.recorded_ledger import fill_ledger
from support.tamperings import COLUMNS, PAGE, TAMPERINGS, Tampering, covered_columns, filled

from retention.audit.verify import RowSelection, verify_evidence
from retention.core.evidence.anchors import Anchor
from retention.core.evidence.audit_findings import FindingKind
from retention.core.evidence.checkpoint import Checkpoint, signature_line, verifier_key
from retention.ledger.database import Database, open_database
from retention.wiring.signing import Ed25519Signer, given_keys, own_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from retention.core.evidence.audit_findings import AuditResult
    from retention.core.evidence.checkpoint import Signer
    from retention.core.evidence.signatures import VerifierKey


class Recorded(NamedTuple):
    """A database with a recorded ledger, and the checkpoints that left it."""

    name: str
    anchors: dict[str, set[Anchor]]


@pytest.fixture(scope="module")
def recorded(postgres: str, template: str) -> Iterator[Recorded]:
    """Yield a recorded ledger, to be copied by each test."""
    with new_database(postgres, template) as name:
        with psycopg.connect(make_conninfo(postgres, dbname=name)) as connection:
            checkpoints = fill_ledger(connection)
            ((origin,),) = connection.execute("SELECT origin FROM retention.ledger_key").fetchall()
        yield Recorded(name, {"log": {Anchor(size, b64decode(root), origin) for size, root in checkpoints}})


@pytest.fixture
def copied(postgres: str, recorded: Recorded) -> Iterator[str]:
    """Yield the DSN of a copy of the recorded ledger."""
    with new_database(postgres, recorded.name) as name:
        yield make_conninfo(postgres, dbname=name)


async def verified(dsn: str, anchors: dict[str, set[Anchor]]) -> AuditResult:
    """Verify a ledger whole."""
    async with open_database(lambda: dsn, size=1) as database:
        return await verify_evidence(database, RowSelection(), anchors)


def kinds(result: AuditResult) -> set[FindingKind]:
    """The kinds of a result's findings."""
    return {finding.kind for finding in result.findings.kept}


async def test_an_unaltered_ledger_verifies(copied: str, recorded: Recorded) -> None:
    """All that was recorded fits, with anchors and without, and each covered row is counted."""
    result = await verified(copied, recorded.anchors)
    assert ([], 12, 3, 3) == (result.findings.kept, result.leaves, result.checkpoints, result.anchors)
    assert {"attempts": 5, "cancellations": 4, "holds": 2, "pauses": 2, "runs": 3} == result.rows
    assert (await verified(copied, {})).ok


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda one: one.name)
async def test_a_falsification_is_named(copied: str, recorded: Recorded, tampering: Tampering) -> None:
    """Each falsification is named by its own kinds, with anchors, and without them as the table says."""
    with psycopg.connect(copied) as connection:
        if isinstance(tampering.change, str):
            connection.execute(tampering.change.encode())
        else:
            tampering.change(connection)
    assert tampering.found == kinds(await verified(copied, recorded.anchors))
    assert tampering.alone == kinds(await verified(copied, {}))


@pytest.mark.parametrize(
    ("subject", "where", "column", "value"),
    [
        pytest.param(subject, where, column, value, id=f"{subject}.{column}")
        for (subject, where), columns in COLUMNS.items()
        for column, value in columns.items()
    ],
)
async def test_a_changed_column_is_named(
    copied: str, recorded: Recorded, subject: str, where: str, column: str, value: str
) -> None:
    """Another value of a covered column is found in its row."""
    table = COVERED[subject][0].split()[0]
    with psycopg.connect(copied) as connection:
        connection.execute("SET LOCAL session_replication_role = replica")  # no foreign key stands in an owner's way
        changed = connection.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}".encode())
        assert 1 == changed.rowcount
    found = (await verified(copied, recorded.anchors)).findings.kept
    moved = {FindingKind.ROW_MISSING, FindingKind.ROW_UNRECORDED}
    assert {finding.kind for finding in found} in ({FindingKind.ROW_CHANGED}, moved)
    assert {table.removeprefix("retention.")} == {finding.table for finding in found}


@pytest.mark.parametrize("subject", COVERED)
def test_each_covered_column_has_its_case(subject: str) -> None:
    """The cases above are the columns of the hash: a column that is covered later needs a case, too."""
    cases = {column for (about, _), columns in COLUMNS.items() if about == subject for column in columns}
    assert covered_columns(subject) == cases


def test_the_page_has_the_table() -> None:
    """The falsifications and their names stand in deploy/OPERATIONS.md as they are tested here."""
    page = PAGE.read_text("utf-8")
    assert filled(page) == page


@pytest.fixture
def signers() -> tuple[Ed25519Signer, Ed25519Signer]:
    """Make two keys."""
    one, other = (Ed25519Signer(Ed25519PrivateKey.generate()) for _ in range(2))
    return one, other


class Signed:
    """The checkpoints of a ledger, to be signed by a test. `origin` is the ledger's name."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        with psycopg.connect(dsn) as connection:
            rows = connection.execute(
                "SELECT c.checkpoint_id, k.origin, c.size, c.root FROM retention.checkpoints c, retention.ledger_key k"
            ).fetchall()
        self.origin = rows[0][1]
        self.notes = {number: Checkpoint(origin, size, root).note for number, origin, size, root in rows}

    def by(self, signer: Signer, *numbers: int) -> dict[int, str]:
        """Return the signature of each of these checkpoints."""
        return {number: signature_line(self.notes[number], self.origin, signer) for number in numbers}

    async def found(
        self, lines: Mapping[int, str | None], keys: Sequence[VerifierKey]
    ) -> tuple[int, list[tuple[str | None, str | None]]]:
        """Write these signatures, and verify; returns how many were checked, and each finding's row and detail."""
        with psycopg.connect(self.dsn) as connection:
            for number, line in lines.items():
                connection.execute(
                    "UPDATE retention.checkpoints SET signature = %s WHERE checkpoint_id = %s", [line, number]
                )
        async with open_database(lambda: self.dsn, size=1) as database:
            result = await verify_evidence(database, RowSelection(), {}, keys)
        assert kinds(result) <= {FindingKind.SIGNATURE, FindingKind.KEY_FOREIGN}
        return result.signatures, [(finding.id, finding.detail) for finding in result.findings.kept]


async def test_a_signature_is_checked_with_the_configured_key(
    copied: str, signers: tuple[Ed25519Signer, Ed25519Signer]
) -> None:
    """Signatures of the configured key fit, also where there is none yet; another key's, and one gone, are named."""
    signer, other = signers
    signed, keys = Signed(copied), [own_key(signer)]
    assert (0, []) == await signed.found({}, keys)
    assert (2, []) == await signed.found(signed.by(signer, 2, 3), keys)
    assert (2, [("3", "its signature is another key's")]) == await signed.found(signed.by(other, 3), keys)
    assert (2, [("3", "it has no signature")]) == await signed.found({3: None}, keys)


async def test_a_signature_is_checked_with_a_public_key(
    copied: str, signers: tuple[Ed25519Signer, Ed25519Signer]
) -> None:
    """The line of a public key suffices: a checkpoint that its owner did not sign as it is, is named with the reason."""
    signer, other = signers
    signed = Signed(copied)
    keys = given_keys([verifier_key(signed.origin, signer.public_key)])
    assert (3, []) == await signed.found(signed.by(signer, 1, 2, 3), keys)
    assert (3, [("2", "it has no signature")]) == await signed.found({2: None}, keys)
    assert (3, [("2", "its signature is another key's")]) == await signed.found(signed.by(other, 2), keys)
    first = signed.by(signer, 1)[1]
    assert (3, [("2", "its signature is wrong")]) == await signed.found({2: first}, keys)
    for odd in (f"{first}\n", first.replace("retention/", "Retention/"), "x", ""):
        (finding,) = (await signed.found({**signed.by(signer, 2), 1: odd}, keys))[1]
        assert ("1", True) == (finding[0], finding[1] in {"its signature is no line of a note", OTHER_KEY}), odd


OTHER_KEY = "its signature is another key's"


async def test_each_of_several_keys_may_have_signed(copied: str, signers: tuple[Ed25519Signer, Ed25519Signer]) -> None:
    """After a change of the key, the lines of both keys verify the checkpoints of both."""
    old, new = signers
    signed = Signed(copied)
    lines = signed.by(old, 1, 2) | signed.by(new, 3)
    both = given_keys([verifier_key(signed.origin, one.public_key) for one in (old, new)])
    assert (3, []) == await signed.found(lines, both)
    assert (3, [("1", OTHER_KEY), ("2", OTHER_KEY)]) == await signed.found({}, both[1:])


async def test_a_given_key_demands_a_signature(copied: str, signers: tuple[Ed25519Signer, Ed25519Signer]) -> None:
    """Who gives a key learns that no checkpoint is signed, and that the key is another ledger's."""
    signed, public_key = Signed(copied), signers[0].public_key
    own, foreign = (verifier_key(name, public_key) for name in (signed.origin, "retention/another"))
    assert (0, [(None, "no checkpoint has a signature")]) == await signed.found({}, given_keys([own]))
    told = [(None, "the key of retention/another")]
    assert (0, told) == await signed.found({}, given_keys([foreign]))
    assert (0, told) == await signed.found(signed.by(signers[0], 1, 2, 3), given_keys([foreign]))
    assert (3, told) == await signed.found({}, given_keys([own, foreign]))


TRIES = 100
"""Flips of one value before another one is taken: few texts beside an empty list are JSON."""


async def flip_bytes(dsn: str, flips: int, seed: int) -> list[str]:
    """Flip one bit of one byte of a covered value, one after the other; returns the flips that were not found."""
    random, missed = Random(seed), []
    cells = [
        (COVERED[subject][0].split()[0], COVERED[subject][1].split(".")[1], where, column)
        for (subject, _) in COLUMNS
        for column in sorted(covered_columns(subject))
        for where in [COVERED[subject][3].partition(".")[2] or "true"]
    ]
    async with open_database(lambda: dsn, size=1) as database:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            _drop_checks(connection)
            done = 0
            while done < flips:
                found = await _flip(connection, database, random, *random.choice(cells))
                done += found is not None
                missed += found or []
            assert (await verify_evidence(database, RowSelection(), {})).ok
    return missed


async def _flip(
    connection: psycopg.Connection[Any],
    database: Database,
    random: Random,
    table: str,
    key: str,
    where: str,
    column: str,
) -> list[str] | None:
    """Flip a bit of a value's text in a row by chance; a text that is no value of the column is flipped again.

    Returns None for a value that no flip makes another value of its type.
    """
    names = {"table": sql.SQL(table), "key": sql.Identifier(key), "column": sql.Identifier(column)}
    rows = connection.execute(
        sql.SQL("SELECT ctid::text, {column}::text FROM {table} WHERE " + where + " ORDER BY {key}").format(**names)
    ).fetchall()
    at, before = random.choice(rows)
    update = sql.SQL(
        "UPDATE {table} SET {column} = %s WHERE ctid = %s::tid RETURNING ctid::text, {column}::text"
    ).format(**names)
    for _ in range(TRIES):
        after = _flipped(random, before)
        try:
            ((now, written),) = connection.execute(update, [after, at]).fetchall()
        except psycopg.Error:
            continue
        if written != before:
            break
        at = now
    else:
        return None
    found = await verify_evidence(database, RowSelection(), {})
    connection.execute(update, [before, now])
    return [] if not found.ok else [f"{table}.{column}: {before!r} became {written!r}"]


def _flipped(random: Random, text: str | None) -> str:
    """Flip a bit of a text's bytes; an absent text becomes one of a single sign."""
    if text in {"true", "false"}:
        return "false" if text == "true" else "true"
    raw = bytearray((text or "").encode())
    if not raw:
        return random.choice("0123456789tf{")
    raw[random.randrange(len(raw))] ^= 1 << random.randrange(7)
    return raw.decode(errors="ignore")


def _drop_checks(connection: psycopg.Connection[Any]) -> None:
    """Take away every rule of the tables that could refuse a falsified value."""
    rules = connection.execute(
        "SELECT conrelid::regclass::text, conname FROM pg_constraint"
        " WHERE connamespace = 'retention'::regnamespace AND contype = 'c' AND coninhcount = 0"
    ).fetchall()
    for table, name in rules:
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.SQL(table), sql.Identifier(name)))


async def test_a_flipped_byte_is_found(copied: str) -> None:
    """Each of 300 flipped bits of covered values is found, and all fits once they are flipped back."""
    assert [] == await flip_bytes(copied, 300, seed=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_ten_thousand_flipped_bytes_are_found(copied: str) -> None:
    """Each of 10,000 flipped bits of covered values is found."""
    assert [] == await flip_bytes(copied, 10_000, seed=2)
