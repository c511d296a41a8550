"""The script that verifies an export alone: known vectors, a golden export, and falsified ones."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).with_name("golden_export.json")
SCRIPT = runpy.run_path(str(ROOT / "deploy/verify_evidence.py"))

EMPTY, LEAVES = (
    b"",
    [
        bytes.fromhex(text)
        for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
    ],
)
"""The entries of the tree that certificate-transparency's tests use."""

ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)  # fmt: skip
"""The root of the tree of the first entry, of the first two, and so on."""

PROOFS = {
    (0, 8): ("96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"),
    (5, 8): ("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
             "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
             "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): ("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
             "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
             "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
}  # fmt: skip

SIGNATURES = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
]  # fmt: skip
"""Key, message and signature of RFC 8032, 7.1."""


@pytest.mark.parametrize("place", PROOFS, ids=str)
def test_known_proofs_lead_to_known_roots(place: tuple[int, int]) -> None:
    """Proofs of certificate-transparency's tests lead to its roots, and to no root from another place."""
    index, size = place
    leaf, proof = sha256(b"\x00" + LEAVES[index]).digest(), [bytes.fromhex(one) for one in PROOFS[place]]
    assert ROOTS[size - 1] == SCRIPT["root_of"](leaf, index, size, proof).hex()
    for other in range(size):
        found = SCRIPT["root_of"](leaf, other, size, proof)
        assert other == index or found is None or ROOTS[size - 1] != found.hex()
    assert None is SCRIPT["root_of"](leaf, size, size, proof)
    assert None is SCRIPT["root_of"](leaf, index, size, [*proof, proof[0]])
    assert None is SCRIPT["root_of"](leaf, index, size, proof[:-1])


@pytest.mark.parametrize(("key", "message", "signature"), SIGNATURES)
def test_known_signatures_are_right(key: str, message: str, signature: str) -> None:
    """The vectors of RFC 8032 verify; with a flipped bit, or the scalar beyond the group's order, they do not."""
    public, text, sign = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert SCRIPT["signed"](public, text, sign)
    assert not SCRIPT["signed"](public, text + b"x", sign)
    assert not SCRIPT["signed"](public, text, sign[:32] + bytes([sign[32] ^ 1]) + sign[33:])
    beyond = int.from_bytes(sign[32:], "little") + SCRIPT["L"]
    assert not SCRIPT["signed"](public, text, sign[:32] + beyond.to_bytes(32, "little"))
    assert not SCRIPT["signed"](public, text, sign[:63])


def ran(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Run the script's main; returns its exit code and output."""
    monkeypatch.setattr(sys, "argv", ["verify_evidence.py", *words])
    code = SCRIPT["main"]()
    return code, capsys.readouterr().out


def test_the_golden_export_verifies(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An export of an earlier day verifies still: its form does not change unnoticed."""
    key = json.loads(GOLDEN.read_text("utf-8"))["public_key"]
    code, out = ran(monkeypatch, capsys, str(GOLDEN), "--key", key)
    assert (0, "OK, and tied to key") == (code, out.splitlines()[-1])
    code, out = ran(monkeypatch, capsys, str(GOLDEN), "--root", "A" * 43 + "=")
    assert (1, True) == (code, "not AAAA" in out)


def _row(export: Any, subject: str) -> Any:
    return next(row for row in export["rows"] if row["subject"] == subject)


def _change_text(export: Any) -> None:
    row = _row(export, "attempt")
    row["text"] = row["text"].replace("as told", "as Told")


def _swap_texts(export: Any) -> None:
    one, other = [row for row in export["rows"] if row["subject"] == "attempt"][:2]
    one["text"], other["text"] = other["text"], one["text"]


def _rewrite_entry(export: Any) -> None:
    """Change a row, and its hash in the entry."""
    row = _row(export, "attempt")
    before = b64encode(sha256(row["text"].encode()).digest()).decode()
    _change_text(export)
    after = b64encode(sha256(_row(export, "attempt")["text"].encode()).digest()).decode()
    for entry in export["entries"]:
        entry["body"] = entry["body"].replace(before, after)


def _move(export: Any) -> None:
    export["entries"][0]["leaf"] += 1


def _drop_row(export: Any) -> None:
    export["rows"].remove(_row(export, "cancellation"))


def _drop_run(export: Any) -> None:
    export["rows"].remove(_row(export, "run"))
    export["entries"] = [entry for entry in export["entries"] if '"run" : {' not in entry["body"]]


def _drop_newest(export: Any) -> None:
    del export["entries"][-1]


def _unplace(export: Any) -> None:
    export["entries"][0]["leaf"] = None


def _note(export: Any) -> None:
    export["checkpoint"]["note"] = export["checkpoint"]["note"].replace("\n12\n", "\n13\n")


def _root(export: Any) -> None:
    other = "A" * 43 + "="
    export["checkpoint"] |= {"root": other, "note": f"{export['origin']}\n12\n{other}\n"}


def _unsign(export: Any) -> None:
    export["checkpoint"]["signature"] = None


def _forget(export: Any) -> None:
    del export["checkpoint"]


def _add_false_row(export: Any) -> None:
    """Put a false row before the true one of the same id."""
    row = _row(export, "attempt")
    export["rows"].insert(0, {**row, "text": row["text"].replace("as told", "as Told")})


def _break_key(export: Any) -> None:
    """Shorten the key that a signature is checked with."""
    export["public_key"] = export["public_key"].rpartition("+")[0] + "+AQ=="


def _break_size(export: Any) -> None:
    size = float(export["checkpoint"]["size"])
    export["checkpoint"] |= {
        "size": size, "note": f"{export['origin']}\n{size}\n{export['checkpoint']['root']}\n"}  # fmt: skip


def _break_place(export: Any) -> None:
    export["entries"][0]["leaf"] = False


def _break_name(export: Any) -> None:
    """Name a row by half of a character."""
    _row(export, "attempt")["id"] = "\ud800\n\x1b[2JOK"


def _other_format(export: Any) -> None:
    export["format"] = "retention evidence 0"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_add_false_row, "a row comes twice"),
        (_break_key, "it has no signature of this key"),
        (_break_size, "its size is no whole number"),
        (_break_place, "no checkpoint contains it yet"),
        (_break_name, "attempt \\ud800\\n\\x1b[2JOK: its text is another row's"),
        (_other_format, "its format is another one"),
        (_change_text, "it is not as entry"),
        (_swap_texts, "its text is another row's"),
        (_rewrite_entry, "its proof does not lead to the checkpoint's root"),
        (_move, "its proof does not lead to the checkpoint's root"),
        (_drop_row, "the file does not have it"),
        (_drop_run, "the file does not have it"),
        (_drop_newest, "it is not as entry"),
        (_unplace, "no checkpoint contains it yet"),
        (_note, "its note has another name, size or root"),
        (_root, "its signature is wrong"),
        (_unsign, "it has no signature of this key"),
        (_forget, "not an export of `retention audit export`"),
    ],
)
def test_a_falsified_export_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    change: Callable[[Any], None],
    expected: str,
) -> None:
    """Each falsification of an export is exit 1, and named."""
    export = json.loads(GOLDEN.read_text("utf-8"))
    change(export)
    path = tmp_path / "export.json"
    path.write_text(json.dumps(export), "utf-8")
    code, out = ran(monkeypatch, capsys, str(path))
    assert (1, True) == (code, expected in out), out


def test_a_key_that_comes_twice_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An export that another reader of JSON could read otherwise does not verify."""
    path = tmp_path / "export.json"
    path.write_text(GOLDEN.read_text("utf-8").replace('"rows": [', '"rows": [], "rows": [', 1), "utf-8")
    code, out = ran(monkeypatch, capsys, str(path))
    assert (1, True) == (code, "a key comes twice" in out), out


@pytest.mark.parametrize("name", ["nowhere.log", ""])
def test_an_anchor_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """An anchor's file that is not there is named as itself, and an empty name ties an export to nothing."""
    code, out = ran(monkeypatch, capsys, str(GOLDEN), "--anchor", name)
    assert (1, True) == (code, out.splitlines()[-1].startswith(f"{name}: it cannot be read: ")), out
    assert "not an export" not in out


@pytest.mark.parametrize("change", [lambda _: "", lambda key: key[:-1], lambda key: key + "A", lambda key: key + "!"])
def test_a_bad_key_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], change: Callable[[str], str]
) -> None:
    """A bad --key, an empty one too, is named: neither the file nor its own key, which a forger could write, is blamed."""
    key = json.loads(GOLDEN.read_text("utf-8"))["public_key"]
    code, out = ran(monkeypatch, capsys, str(GOLDEN), "--key", change(key))
    assert (1, "checkpoint: it has no signature of this key") == (code, out.splitlines()[-1])


@pytest.mark.parametrize(("root", "code"), [([], 0), (["--root", "x"], 1)])
def test_a_reader_that_leaves_changes_no_verdict(root: list[str], code: int) -> None:
    """A closed pipe gives no traceback, and the exit code is the verdict still."""
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-I", str(ROOT / "deploy/verify_evidence.py"), str(GOLDEN), *root]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (code, b"") == (done.returncode, done.stderr)


@pytest.mark.parametrize(("script", "more"), [("verify_evidence", set()), ("verify_archive", {"verify_evidence"})])
def test_the_script_is_short(script: str, more: set[str]) -> None:
    """Those who do not trust us can read all of it: at most 150 lines, and only the standard library."""
    text = (ROOT / f"deploy/{script}.py").read_text("utf-8")
    assert len(text.splitlines()) <= 150
    names = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert names - more <= sys.stdlib_module_names
