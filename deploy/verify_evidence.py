#!/usr/bin/env python3
"""Verify a file of `retention audit export`: python3 -I verify_evidence.py FILE [--anchor FILE | --root ROOT] [--key K]

Needs Python 3.9 and nothing else. It checks that

  - the text of each row has the hash that the newest entry naming the row has recorded;
  - each entry is in the tree, by its inclusion proof (RFC 6962), and no row that an entry of the run names is left out;
  - the checkpoint is the one of --anchor (any text with its root: a log, a report, a message) or of --root;
  - the checkpoint's signature (Ed25519, C2SP signed-note) is one of --key, where a key is given or in the file.

A file proves itself alone: a forger could make a whole one. --anchor and --key tie it to the ledger. An older state of
a row, without the entries of the newer one, verifies too: ask the ledger's owner for a new export. Exit 0, or 1.
"""

import argparse
import hashlib
import json
import sys
from base64 import b64decode, b64encode

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(one, two):
    """Add two points of the curve in extended coordinates."""
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % P, (one[1] + one[0]) * (two[1] + two[0]) % P
    c, d = 2 * one[3] * two[3] * D % P, 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    """Multiply a point."""
    total = (0, 1, 1, 0)
    while number:
        total = add(total, point) if number & 1 else total
        point, number = add(point, point), number >> 1
    return total


def point_of(text):
    """Read a point of 32 bytes. Raises ValueError."""
    y = int.from_bytes(text, "little") & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square:
        raise ValueError("not a point")
    x = P - x if x & 1 != text[31] >> 7 else x
    return x, y, 1, x * y % P


def signed(key, message, signature):
    """Whether a signature of Ed25519 is right (RFC 8032)."""
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or scalar >= L:
        return False
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left = times(scalar, point_of((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")))
    right = add(point_of(signature[:32]), times(hashed, point_of(key)))
    return all((left[n] * right[2] - right[n] * left[2]) % P == 0 for n in (0, 1))


def root_of(leaf, index, size, proof):
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2), or None."""
    last, root = size - 1, leaf
    if not 0 <= index < size:
        return None
    for beside in proof:
        if last == 0:
            return None
        pair = beside + root if index & 1 or index == last else root + beside
        while index == last and not index & 1 and index:
            index, last = index >> 1, last >> 1
        root, index, last = hashlib.sha256(b"\x01" + pair).digest(), index >> 1, last >> 1
    return root if last == 0 else None


def once(pairs):
    """Make an object of JSON. Raises ValueError where a key comes twice: another reader could take the other value."""
    if len(pairs) > len(dict(pairs)):
        raise ValueError("a key comes twice")
    return dict(pairs)


def show(line):
    """Print a line; signs that could change what a terminal shows, or that it cannot show, are escaped."""
    print("".join(sign if " " <= sign <= "~" else ascii(sign)[1:-1] for sign in line))


def checkpoint_problems(origin, point, anchor, root, key):
    """Yield each thing that does not fit in the checkpoint."""
    if point["note"] != f"{origin}\n{point['size']}\n{point['root']}\n":
        yield "checkpoint: its note has another name, size or root"
    if root not in {None, point["root"]}:
        yield f"checkpoint: its root is {point['root']}, not {root}"
    if anchor is not None and point["root"] not in anchor.replace("\\/", "/"):
        yield f"checkpoint: the anchor does not have its root {point['root']}"
    if key is not None:
        line, (name, _, encoded) = (point["signature"] or "").split(" "), key.split("+", 2)
        if name != origin or len(line) != 3 or line[1] != origin:
            yield "checkpoint: it has no signature of this key"
        elif not signed(b64decode(encoded)[1:], point["note"].encode(), b64decode(line[2])[4:]):
            yield "checkpoint: its signature is wrong"


def row_problems(export):
    """Yield each entry and each row that does not fit, and each row that is not there."""
    newest, point = {}, export["checkpoint"]
    for entry in sorted(export["entries"], key=lambda one: (one["leaf"] is None, one["leaf"], one["entry_id"])):
        where, body = f"entry {entry['entry_id']}", json.loads(entry["body"])
        leaf = hashlib.sha256(b"\x00" + entry["body"].encode()).digest()
        if type(entry["leaf"]) is not int:
            yield f"{where}: no checkpoint contains it yet; export the run again"
        elif root_of(leaf, entry["leaf"], point["size"], map(b64decode, entry["proof"])) != b64decode(point["root"]):
            yield f"{where}: its proof does not lead to the checkpoint's root"
        for subject, hashes in body["rows"].items():
            ours = body["run"] == export["run_id"]
            newest.update({(subject, number): (value, where, ours) for number, value in hashes.items()})
    rows = {(row["subject"], row["id"]): row["text"] for row in export["rows"]}
    for about, text in rows.items():
        value, where, _ = newest.get(about, (None, None, None))
        if tuple(json.loads(text)[:2]) != about:
            yield f"{' '.join(about)}: its text is another row's"
        elif value is None:
            yield f"{' '.join(about)}: no entry names it"
        elif b64encode(hashlib.sha256(text.encode()).digest()).decode() != value:
            yield f"{' '.join(about)}: it is not as {where} recorded it"
    newest.setdefault(("run", export["run_id"]), (None, "nothing", True))
    for about in sorted(about for about, (_, _, ours) in newest.items() if ours and about not in rows):
        yield f"{' '.join(about)}: {newest[about][1]} names it, and the file does not have it"


def read(path):
    """Read an export. Raises ValueError, or another error of a wrong type, for a file that is none."""
    with open(path, encoding="utf-8") as file:
        export = json.load(file, object_pairs_hook=once)
    if export["format"] != "retention evidence 1":
        raise ValueError("its format is another one")
    if len({(row["subject"], row["id"]) for row in export["rows"]}) < len(export["rows"]):
        raise ValueError("a row comes twice")
    if type(export["checkpoint"]["size"]) is not int:
        raise ValueError("its size is no whole number")
    return export


def main():
    """Verify the file of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("file", "--anchor", "--root", "--key"):
        parser.add_argument(name)
    asked = parser.parse_args()
    try:
        export = read(asked.file)
        with open(asked.anchor or asked.file, encoding="utf-8", errors="replace") as file:
            anchor = file.read() if asked.anchor else None
        point, key = export["checkpoint"], asked.key or export["public_key"]
        show(f"run {export['run_id']} of ledger {export['origin']}")
        counts = f"{len(export['rows'])} rows, {len(export['entries'])} entries"
        show(f"{counts}, checkpoint {point['size']} {point['root']}")
        found = [*checkpoint_problems(export["origin"], point, anchor, asked.root, key), *row_problems(export)]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        found = [f"{asked.file}: not an export of `retention audit export`: {type(error).__name__} {error}"]
    tied = [name for name in ("anchor", "root", "key") if getattr(asked, name) is not None]
    for line in ["NOT OK", *found] if found else [f"OK, and tied to {' and '.join(tied) or 'nothing but itself'}"]:
        show(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
