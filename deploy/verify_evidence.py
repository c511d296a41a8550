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
import json
import os
import sys
from base64 import b64decode, b64encode
from hashlib import sha256, sha512
from pathlib import Path

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D, BASE = -121665 * pow(121666, -1, P) % P, b"\x58" + b"\x66" * 31


def add(one, two):
    """Add two points of the curve. The law has no exceptions: no divisor is 0 for points of this curve."""
    (a, b), (c, d) = one, two
    product = D * a * b * c * d
    return (a * d + b * c) * pow(1 + product, -1, P) % P, (b * d + a * c) * pow(1 - product, -1, P) % P


def times(number, point):
    """Multiply a point."""
    rest = times(number >> 1, add(point, point)) if number else (0, 1)
    return add(rest, point) if number & 1 else rest


def point_of(text):
    """Read a point of 32 bytes. Raises ValueError."""
    y = int.from_bytes(text, "little") & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != square:
        raise ValueError("not a point")
    return (P - x if x & 1 != text[31] >> 7 else x), y


def signed(key, message, signature):
    """Whether a signature of Ed25519 is right (RFC 8032)."""
    scalar = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or scalar >= L:
        return False
    hashed = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % L
    return times(scalar, point_of(BASE)) == add(point_of(signature[:32]), times(hashed, point_of(key)))


def root_of(leaf, index, size, proof):
    """The root that an inclusion proof leads to (RFC 6962, 2.1.1), or None. A proof's last hash is beneath the root."""
    if size < 2 or not proof:
        return leaf if (index, size, len(proof)) == (0, 1, 0) else None
    left = 1 << (size - 1).bit_length() - 1
    if index < left:
        pair = root_of(leaf, index, left, proof[:-1]), proof[-1]
    else:
        pair = proof[-1], root_of(leaf, index - left, size - left, proof[:-1])
    return None if None in pair else sha256(b"\x01" + b"".join(pair)).digest()


def once(pairs, what="a key"):
    """Make an object of its pairs. Raises ValueError where a key comes twice: another reader could take the other."""
    if len(pairs) > len(dict(pairs)):
        raise ValueError(f"{what} comes twice")
    return dict(pairs)


def checkpoint_problems(export, anchor, root, key, form="retention evidence 1"):
    """Yield each thing that does not fit in the head. Raises ValueError for a file of another form."""
    origin, point = export["origin"], export["checkpoint"]
    if (export["format"], type(point["size"])) != (form, int):
        raise ValueError("its format is another one, or its size is no whole number")
    if point["note"] != f"{origin}\n{point['size']}\n{point['root']}\n":
        yield "checkpoint: its note has another name, size or root"
    if root not in {None, point["root"]}:
        yield f"checkpoint: its root is {point['root']}, not {root}"
    if anchor is not None and point["root"] not in anchor.replace("\\/", "/"):
        yield f"checkpoint: the anchor does not have its root {point['root']}"
    if key is not None:
        line, name = (point["signature"] or "").split(" "), key.split("+", 2)
        if (len(line), len(name), len(name[-1])) != (3, 3, 44) or not name[0] == line[1] == origin:
            yield "checkpoint: it has no signature of this key"
        elif not signed(b64decode(name[2])[1:], point["note"].encode(), b64decode(line[2])[4:]):
            yield "checkpoint: its signature is wrong"


def row_problems(export):
    """Yield each entry and each row that does not fit, and each row that is not there."""
    newest, point = {("run", export["run_id"]): (None, "the file's head")}, export["checkpoint"]
    for entry in sorted(export["entries"], key=lambda one: (one["leaf"] is None, one["leaf"], one["entry_id"])):
        where, leaf = f"entry {entry['entry_id']}", sha256(b"\x00" + entry["body"].encode()).digest()
        if type(entry["leaf"]) is not int:
            yield f"{where}: no checkpoint contains it yet; export the run again"
        elif root_of(leaf, entry["leaf"], point["size"], [*map(b64decode, entry["proof"])]) != b64decode(point["root"]):
            yield f"{where}: its proof does not lead to the checkpoint's root"
        for subject, hashes in (body := json.loads(entry["body"]))["rows"].items():
            named = None if body.get("kind") == "left" else where  # an archive has these rows
            newest.update({(subject, number): (value, named) for number, value in hashes.items()})
    rows = once([((row["subject"], row["id"]), row["text"]) for row in export["rows"]], "a row")
    for about in sorted({*rows, *newest}):
        (value, where), name = newest.get(about, (None, None)), " ".join(about)
        if about not in rows:
            yield from [f"{name}: {where} names it, and the file does not have it"] if where else []
        elif tuple(json.loads(rows[about])[:2]) != about:
            yield f"{name}: its text is another row's"
        elif value is None:
            yield f"{name}: no entry names it"
        elif b64encode(sha256(rows[about].encode()).digest()).decode() != value:
            yield f"{name}: it is not as {where} recorded it"


def main():
    """Verify the file of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("file", "--anchor", "--root", "--key"):
        parser.add_argument(name)
    asked, lines = parser.parse_args(), []
    try:
        export = json.loads(Path(path := asked.file).read_text("utf-8"), object_pairs_hook=once)
        anchor = None if asked.anchor is None else Path(path := asked.anchor).read_text("utf-8", "replace")
        point, key = export["checkpoint"], export["public_key"] if asked.key is None else asked.key
        counts = f"{len(export['rows'])} rows, {len(export['entries'])} entries, checkpoint {point['size']}"
        lines += [f"run {export['run_id']} of ledger {export['origin']}", f"{counts} {point['root']}"]
        found = [*checkpoint_problems(export, anchor, asked.root, key), *row_problems(export)]
    except OSError as error:
        found = [f"{path}: it cannot be read: {error.strerror}"]
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        found = [f"{asked.file}: not an export of `retention audit export`: {type(error).__name__} {error}"]
    tied = [name for name in ("anchor", "root", "key") if getattr(asked, name) is not None]
    lines += ["NOT OK", *found] if found else [f"OK, and tied to {' and '.join(tied) or 'nothing but itself'}"]
    try:
        for line in lines:  # signs that could change what a terminal shows, or that it cannot show, are escaped
            print("".join(sign if " " <= sign <= "~" else ascii(sign)[1:-1] for sign in line), flush=True)
    except BrokenPipeError:  # the reader has left, as `head` does; Python's own flush at the end must not fail too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
