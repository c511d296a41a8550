"""Checkpoints leave the database: in the log, in results, reports, metrics and notifications, signed where asked."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from support.evidence import tree_problems, unplaced_entries, unproven_rows
from support.samples import figures

from retention.core.evidence.checkpoint import Checkpoint, key_id, parse_signature_line, parse_verifier_key

if TYPE_CHECKING:
    from support.world import Done, World

ED25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
SERIALIZATION = pytest.importorskip("cryptography.hazmat.primitives.serialization")

REFUSE = """
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON retention.evidence_leaves EXECUTE FUNCTION public.refuse();
"""


async def newest(world: World) -> dict[str, Any]:
    """The newest checkpoint in the ledger, as documents have it."""
    (row,) = await world.sql("SELECT size, root FROM retention.checkpoints ORDER BY checkpoint_id DESC LIMIT 1")
    return {"size": row.size, "root": row.root}


def checkpoints(done: Done) -> list[dict[str, Any]]:
    """The checkpoints that the command has logged."""
    return [event for event in done.events if event["event"] == "audit.checkpoint"]


async def test_a_runs_checkpoint_leaves_the_database(world: World) -> None:
    """The checkpoint at a run's end covers all of its evidence, and stands in log, result, metrics and reports."""
    await world.seed(3)
    prom = world.folder / "retention.prom"
    done = await world.command("run", "nightly", "--yes", "--json", "--metrics-file", str(prom))
    assert 0 == done.code, done.err
    expected = await newest(world)
    assert expected == done.json["checkpoint"]
    (event,) = checkpoints(done)
    assert expected == {"size": event["size"], "root": event["root"]}
    assert event["origin"].startswith("retention/")
    assert {"origin", "size", "root", "checkpoint_id"} < event.keys()
    assert expected["size"] == figures(prom.read_text())[f'retention_checkpoint_size{{root="{expected["root"]}"}}']
    shown = await world.command("runs", "show", done.json["run_id"], "--json")
    assert expected == shown.json["checkpoint"]
    assert expected == (await world.command("report", "--json")).json["checkpoint"]
    rows = [*csv.DictReader(io.StringIO((await world.command("report", "--format", "csv")).out))]
    assert 3 * [(str(expected["size"]), expected["root"])] == [
        (row["checkpoint_size"], row["checkpoint_root"].removeprefix("'")) for row in rows
    ]
    assert 0 == unplaced_entries(world.direct)
    assert [] == tree_problems(world.direct) == unproven_rows(world.direct)


@pytest.mark.parametrize("ending", ["halted", "dry run", "failed", "closed"])
async def test_each_end_of_a_run_has_its_checkpoint(world: World, ending: str) -> None:
    """However a run ends, its evidence has its place in a checkpoint before the command is over."""
    await world.seed(3)
    world.partner |= {"max_attempts": 1}
    if ending == "halted":
        world.policy["max_rounds"] = 2
    if ending == "failed":
        await world.vendor.down()
    done = await world.command("run", "nightly", "--yes", "--json", *(["--dry-run"] if ending == "dry run" else []))
    assert {"halted": 3, "dry run": 0, "failed": 5, "closed": 0}[ending] == done.code, done.err
    assert (await newest(world)) == done.json["checkpoint"]
    assert 0 == unplaced_entries(world.direct)
    assert [] == unproven_rows(world.direct)


async def test_each_decision_has_its_checkpoint(world: World) -> None:
    """After each decision of a person its evidence has a place, and the log tells the checkpoint."""
    await world.seed(1)
    world.policy["max_rounds"] = 1
    await world.seed(2, prefix="more")
    halted = await world.command("run", "nightly", "--yes", "--json")
    run_id = halted.json["run_id"]
    for words in (
        ("hold", "add", "--round", "r0", "--user", "user-r0", "--reason", "a complaint", "--by", "ann"),
        ("hold", "release", "1", "--by", "ann"),
        ("pause", "--partner", "acme", "--reason", "maintenance", "--by", "ann"),
        ("resume", "--partner", "acme", "--by", "ann"),
        ("runs", "close", run_id, "--note", "not tonight", "--by", "ann"),
    ):
        done = await world.command(*words)
        assert 0 == done.code, done.err
        (event,) = checkpoints(done)
        assert await newest(world) == {"size": event["size"], "root": event["root"]}
        assert 0 == unplaced_entries(world.direct)
    bodies = [json.loads(row.body) for row in await world.sql("SELECT body FROM retention.evidence ORDER BY entry_id")]
    kinds = ["planned", "halted", "hold_added", "hold_released", "paused", "resumed", "called_off"]
    assert kinds == [body["kind"] for body in bodies]
    assert {"by": "ann", "note": "a complaint"} == bodies[2]["facts"]
    assert "user-r0" not in json.dumps(bodies)
    assert [] == tree_problems(world.direct) == unproven_rows(world.direct)


async def test_a_checkpoint_that_fails_undoes_no_decision(world: World) -> None:
    """Where no checkpoint can be made, decision and run stand with a warning; the next checkpoint has their entries."""
    await world.seed(1)
    await world.seed(1, prefix="se", market="SE")
    await world.sql(REFUSE)
    held = await world.command("hold", "add", "--market", "SE", "--reason", "a complaint", "--by", "ann")
    done = await world.command("run", "nightly", "--yes", "--json")
    assert (0, 0) == (held.code, done.code), held.err + done.err
    assert done.json["checkpoint"] is None
    for one in (held, done):
        (warning,) = [event for event in one.events if event["event"] == "audit.checkpoint_failed"]
        assert ("warning", "the disk is full") == (warning["level"], warning["problem"])
    await world.sql("DROP TRIGGER refuse ON retention.evidence_leaves")
    assert 1 == len(checkpoints(await world.command("hold", "release", "1", "--by", "ann")))
    assert 0 == unplaced_entries(world.direct)
    assert [] == tree_problems(world.direct)


@pytest.mark.parametrize("form", ["raw", "pem"])
async def test_checkpoints_are_signed(world: World, form: str) -> None:
    """With a key the log's signature holds under the key that `check` shows, and the key itself is shown nowhere."""
    await world.seed(1)
    key = ED25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(SERIALIZATION.Encoding.PEM, SERIALIZATION.PrivateFormat.PKCS8, SERIALIZATION.NoEncryption())
    (world.folder / "signing.key").write_bytes(key.private_bytes_raw() if form == "raw" else pem)
    world.extra = '[evidence]\nsigning_key_file = "signing.key"\n'
    done = await world.command("hold", "add", "--market", "MT", "--reason", "a complaint", "--by", "ann")
    (event,) = checkpoints(done)
    checked = await world.command("check", "--json")
    (line,) = [one["message"] for one in checked.json["checks"] if one["name"] == "evidence"]
    origin, public_key = parse_verifier_key(line.rpartition(" ")[2])
    assert event["origin"] == origin
    name, identity, signature = parse_signature_line(event["signature"])
    assert (origin, key_id(origin, public_key)) == (name, identity)
    note = Checkpoint(event["origin"], event["size"], event["root"]).note
    ED25519.Ed25519PublicKey.from_public_bytes(public_key).verify(signature, note.encode())
    assert pem.decode().splitlines()[1] not in done.err + checked.out + checked.err


@pytest.mark.parametrize(("content", "problem"), [
    (b"not a key", "is no Ed25519 key"),
    (b"-----BEGIN PRIVATE KEY-----\naGVsbG8=\n-----END PRIVATE KEY-----\n", "is no Ed25519 key"),
    (None, "cannot be read (No such file or directory)"),
])  # fmt: skip
async def test_a_bad_key_is_refused_before_anything(world: World, content: bytes | None, problem: str) -> None:
    """A key that cannot be read ends the command with 2 before it connects, and `check` says so, too."""
    if content is not None:
        (world.folder / "signing.key").write_bytes(content)
    world.extra = '[evidence]\nsigning_key_file = "signing.key"\n'
    checked = await world.command("check")
    assert 2 == checked.code
    assert problem in checked.out
    world.dsn = "postgresql://127.0.0.1:1/none"
    done = await world.command("run", "nightly")
    assert 2 == done.code
    assert f"evidence.signing_key_file: {world.folder / 'signing.key'} {problem}" in done.err


async def test_a_public_key_verifies_the_checkpoints(world: World) -> None:
    """The line that `check` shows verifies the signatures where the private key is not, and an unsigned one is named."""
    await world.seed(1)
    (world.folder / "signing.key").write_bytes(ED25519.Ed25519PrivateKey.generate().private_bytes_raw())
    world.extra = '[evidence]\nsigning_key_file = "signing.key"\n'
    assert 0 == (await world.command("run", "nightly", "--yes")).code
    checked = await world.command("check", "--json")
    (line,) = [one["message"] for one in checked.json["checks"] if one["name"] == "evidence"]
    key = line.rpartition(" ")[2]
    world.extra = ""
    done = await world.command("audit", "verify", "--json", "--key", key)
    assert (0, True, True) == (done.code, done.json["ok"], done.json["checkpoints"]["signatures"] > 0), done.out
    assert 0 == (await world.command("hold", "add", "--market", "MT", "--reason", "x", "--by", "ann")).code
    (row,) = await world.sql("SELECT max(checkpoint_id) AS number FROM retention.checkpoints")
    found = await world.command("audit", "verify", "--json", "--key", key)
    told = [(one["kind"], one["id"], one["detail"]) for one in found.json["findings"]]
    assert (4, [("signature", str(row.number), "it has no signature")]) == (found.code, told)


GOOD_KEY = "retention/x+1a80f29d+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"


@pytest.mark.parametrize("key", ["x", GOOD_KEY[:-1], GOOD_KEY.replace("+1a", "+2a"), GOOD_KEY.replace("/x", "/y")])
async def test_a_bad_public_key_is_refused_before_a_connection(world: World, key: str) -> None:
    """A key that is no line of a public key, or has lost a sign, is exit 2 before any connection."""
    world.dsn = "postgresql://127.0.0.1:1/none"
    done = await world.command("audit", "verify", "--key", key)
    assert (2, "") == (done.code, done.out)
    assert "error: --key: not the line of an Ed25519 public key" in done.err


async def test_a_public_key_needs_the_extra(world: World) -> None:
    """Without the extra `evidence`, --key says that it needs it, before any connection."""
    absent = world.folder / "absent" / "cryptography"
    absent.mkdir(parents=True)
    (absent / "__init__.py").write_text("raise ImportError('absent')\n", "utf-8")
    world.dsn = "postgresql://127.0.0.1:1/none"
    done = await world.command("audit", "verify", "--key", GOOD_KEY, environ={"PYTHONPATH": str(absent.parent)})
    assert (2, "error: --key needs the extra `evidence`; pip install 'retention[evidence]'\n") == (done.code, done.err)
