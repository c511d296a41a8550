#!/usr/bin/env python3
"""Verify an archived month: python3 -I verify_archive.py PROOF [--anchor FILE | --root ROOT] [--key K]

PROOF is the month's proof, such as ledger-2026-01-proof.json, with the month's other files beside it.
Needs Python 3.9, and verify_evidence.py beside this script. It checks that
  - each file has the hash that the proof says;
  - the hashes of the month's entries, with those before and after them, lead to the root of the proof's checkpoint;
  - the checkpoint is the one of --anchor (any text with its root) or of --root, and its signature is one of --key;
  - with pyarrow installed, each entry in its file has its hash, and each row is as its newest entry in the file says.

A proof proves itself alone: a forger could make a whole one. --anchor and --key tie it to the ledger. Exit 0, or 1.
"""

import argparse
import json
import sys
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from verify_evidence import checkpoint_problems, once

try:
    from pyarrow import parquet
except ImportError:  # the files are then checked by their hashes alone
    parquet = None

FORM = "retention archive 1"


def tree_of(size, hashes, leaves):
    """The size and root of a tree, of the hashes of its largest whole subtrees and the leaves after them."""
    if len(hashes) != sum(int(digit) for digit in f"{size:b}"):
        raise ValueError("its frontier is of another size")
    for leaf in leaves:
        joined, whole = leaf, size
        while whole & 1:
            joined, whole = sha256(b"\x01" + hashes.pop() + joined).digest(), whole >> 1
        hashes.append(joined)
        size += 1
    root = hashes.pop() if hashes else sha256(b"").digest()
    while hashes:
        root = sha256(b"\x01" + hashes.pop() + root).digest()
    return size, root


def file_problems(proof, folder):
    """Yield each file that is missing, or not the one of the proof. Raises OSError."""
    needed = {"cancellations", "attempts", *(["evidence"] if proof["leaves"] else [])}
    yield from (
        f"{table}: the proof names no file" for table in sorted(needed - {one["table"] for one in proof["files"]})
    )
    for one in proof["files"]:
        hashed = sha256()
        with (folder / Path(one["name"]).name).open("rb") as file:
            for part in iter(lambda read=file.read: read(1 << 20), b""):
                hashed.update(part)
        if hashed.hexdigest() != one["sha256"]:
            yield f"{one['name']}: it is not the file of the proof"


def row_problems(names, folder, first, leaves):
    """Yield each entry that is not the one of its leaf, and each row that is not as an entry recorded it."""
    newest = {}
    for one in names.values():
        if parquet.ParquetFile(folder / Path(one["name"]).name).metadata.num_rows != one["rows"]:
            yield f"{one['name']}: it does not have the {one['rows']} rows of the proof"
    for entry in rows_of(folder, names.get("evidence")):
        place, where = entry["leaf"] - first, f"entry {entry['entry_id']}"
        if not 0 <= place < len(leaves) or sha256(b"\x00" + entry["body"].encode()).digest() != leaves[place]:
            yield f"{where}: it is not the one of leaf {entry['leaf']}"
        for subject, hashes in json.loads(entry["body"])["rows"].items():
            newest.update({(subject, number): (value, where) for number, value in hashes.items()})
    for subject, table, key in (("cancellation", "cancellations", "id"), ("attempt", "attempts", "uuid")):
        for row in rows_of(folder, names.get(table)):
            value, where = newest.get((subject, str(row[key])), (None, None))  # None: another month's entry names it
            if value not in {None, b64encode(sha256(row["text"].encode()).digest()).decode()}:
                yield f"{subject} {row[key]}: it is not as {where} recorded it"


def rows_of(folder, described):
    """Yield the rows of a file of Parquet."""
    if described is not None:
        for batch in parquet.ParquetFile(folder / Path(described["name"]).name).iter_batches():
            yield from batch.to_pylist()


def problems(proof, folder, anchor, root, key):
    """Yield each thing that does not fit. Raises OSError, and ValueError and the like for a file of another form."""
    begin, point = proof["before"] or {"size": 0, "frontier": []}, proof["checkpoint"]
    leaves, before = ([b64decode(one) for one in some] for some in (proof["leaves"], begin["frontier"]))
    broken = list(file_problems(proof, folder))
    yield from broken
    if point is None:
        if (proof["format"], leaves) != (FORM, []) or (anchor, root) != (None, None):
            yield "checkpoint: the proof has none"
    else:
        yield from checkpoint_problems(proof, anchor, root, key, FORM)
        if tree_of(begin["size"], before, leaves) != (point["size"], b64decode(point["root"])):
            yield "checkpoint: the leaves do not lead to its root"
    if parquet is not None and not broken:
        yield from row_problems({one["table"]: one for one in proof["files"]}, folder, begin["size"], leaves)


def main():
    """Verify the proof of the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("file", "--anchor", "--root", "--key"):
        parser.add_argument(name)
    asked, lines = parser.parse_args(), []
    try:
        proof = json.loads(Path(asked.file).read_text("utf-8"), object_pairs_hook=once)
        anchor = None if asked.anchor is None else Path(asked.anchor).read_text("utf-8", "replace")
        key = proof["public_key"] if asked.key is None else asked.key
        point = proof["checkpoint"] or {"size": "none", "root": ""}
        counts = ", ".join(f"{one['rows']} {one['table']}" for one in proof["files"])
        lines += [f"{proof['archive']} of ledger {proof['origin']}", f"checkpoint {point['size']} {point['root']}"]
        lines.append(counts)
        lines += [] if parquet else ["pyarrow is not installed, so the files are checked by their hashes alone"]
        found = [*problems(proof, Path(asked.file).parent, anchor, asked.root, key)]
    except OSError as error:
        found = [f"{error.filename}: it cannot be read: {error.strerror}"]
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        found = [f"{asked.file}: not the proof of an archived month: {type(error).__name__} {error}"]
    tied = [name for name in ("anchor", "root", "key") if getattr(asked, name) is not None]
    lines += ["NOT OK", *found] if found else [f"OK, and tied to {' and '.join(tied) or 'nothing but itself'}"]
    for line in lines:  # signs that could change what a terminal shows, or that it cannot show, are escaped
        print("".join(sign if " " <= sign <= "~" else ascii(sign)[1:-1] for sign in line), flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
