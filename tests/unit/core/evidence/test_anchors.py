"""Checkpoints are found in every text that leaves the ledger."""

from __future__ import annotations

import json
from base64 import b64encode
from hashlib import sha256

import pytest

from retention.core.evidence.anchors import Anchor, anchors_of_table, find_anchors

ROOT = next(root for at in range(1000) if {"+", "/"} <= {*b64encode(root := sha256(b"%d" % at).digest()).decode()})
"""A root with both signs that a writer may escape."""

TEXT = b64encode(ROOT).decode()
ORIGIN = "retention/6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
CHECKPOINT = {"size": 42, "root": TEXT}
EVENT = {"timestamp": "2026-10-05T03:00:00Z", "event": "audit.checkpoint", "origin": ORIGIN, **CHECKPOINT}
WITH, WITHOUT = Anchor(42, ROOT, ORIGIN), Anchor(42, ROOT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(json.dumps(EVENT), WITH, id="a line of the log"),
        pytest.param(json.dumps(dict(reversed(EVENT.items()))), WITH, id="in another order"),
        pytest.param(json.dumps({"data": {"checkpoint": CHECKPOINT}}), WITHOUT, id="a webhook's body"),
        pytest.param(json.dumps({"checkpoint": CHECKPOINT, "rounds": []}, indent=2), WITHOUT, id="a pretty report"),
        pytest.param(json.dumps({"message": json.dumps(EVENT)}), WITH, id="within a text"),
        pytest.param(
            json.dumps({"log": json.dumps({"message": json.dumps(EVENT)})}), WITH, id="within a text within one"
        ),
        pytest.param(json.dumps(EVENT).replace("/", "\\/"), WITH, id="with slashes escaped"),
        pytest.param(json.dumps(CHECKPOINT).replace("+", "\\u002b").replace("=", "\\u003d"), WITHOUT, id="for HTML"),
        pytest.param(f"{ORIGIN}\n42\n{TEXT}\n\n- {ORIGIN} AAAA\n", WITH, id="a note"),
        pytest.param(f"{ORIGIN}\r\n42\r\n{TEXT}\r\n", WITH, id="a note of another system"),
        pytest.param(json.dumps({"note": f"{ORIGIN}\n42\n{TEXT}\n"}), WITH, id="a note within a text"),
        pytest.param(f'# HELP x\nretention_checkpoint_size{{root="{TEXT}"}} 42\n', WITHOUT, id="metrics"),
        pytest.param(f'retention_checkpoint_size{{a="b",root="{TEXT}"}} 42.0\n', WITHOUT, id="metrics as a float"),
        pytest.param(
            f"02:00 [info] audit.checkpoint  origin={ORIGIN} root={TEXT} size=42\n", WITH, id="a line for people"
        ),
        pytest.param(
            f"\x1b[36mroot\x1b[0m=\x1b[35m{TEXT}\x1b[0m \x1b[36msize\x1b[0m=\x1b[35m42\x1b[0m\n",
            WITHOUT,
            id="in colours",
        ),
    ],
)
def test_a_checkpoint_is_found(text: str, expected: Anchor) -> None:
    """A checkpoint is found in each form in which it is printed, stored or forwarded."""
    assert {expected} == set(find_anchors(text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "",
        json.dumps({"size": 42}) + json.dumps({"root": TEXT}),
        json.dumps({"size": 42, "inner": {"root": TEXT}}),
        json.dumps({"size": 42, "root": TEXT[:-4]}),
        f"size=42\nroot={TEXT}\n",
        f'retention_checkpoint_size{{root="{TEXT}"}} 42.5\n',
        "\x00\xff" * 100,
    ],
)
def test_no_checkpoint_is_made_up(text: str) -> None:
    """A size and a root that do not belong together are no checkpoint."""
    assert [] == [*find_anchors(text.encode())]


def test_each_checkpoint_of_a_log_is_found() -> None:
    """Each of many lines keeps its own size and root."""
    roots = [sha256(b"%d" % at).digest() for at in range(100)]
    lines = (
        json.dumps({"event": "audit.checkpoint", "size": at, "root": b64encode(root).decode()})
        for at, root in enumerate(roots)
    )
    assert [Anchor(at, root) for at, root in enumerate(roots)] == [*find_anchors("\n".join(lines).encode())]


def test_a_table_tells_its_checkpoint_in_each_row() -> None:
    """The two columns of a report are read, also past a cell's guard; rows without them are none."""
    header = ["round_id", "checkpoint_size", "checkpoint_root"]
    rows = [["r1", "42", TEXT], ["r2", "42", f"'{TEXT}"], ["r3", "", ""], ["short"]]
    assert [WITHOUT, WITHOUT] == [*anchors_of_table(header, rows)]
