"""Hostile replies by the minute: `python tests/chaos/replies.py [--seconds S] [--seed N] [--keep FOLDER]`.

Changes the corpus in a few places at a time, compares the product's reading of each reply with an oracle's reading of
its bytes, and writes one reply of each kind of outcome into a real PostgreSQL. Where atheris is installed, a third of
the time goes to libFuzzer, which looks for replies that take ways through the decoder that no other has taken. Ends
with 1 if a rule was violated.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import itertools
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

sys.path.insert(0, str(Path(__file__).parents[1]))

if TYPE_CHECKING:
    from collections.abc import Sequence

    from support.hostile import Tried
    from support.oracle import Said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60, help="how long; default: 60")
    parser.add_argument("--seed", type=int, default=1, help="of what is changed; default: 1")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where replies of new kinds are written")
    parser.add_argument("--guided", type=Path, metavar="FOLDER", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.guided:
        guided(words.guided, words.seconds, words.seed)
    from support.hostile import Tried, mutated, read_corpus  # noqa: PLC0415 - libFuzzer has to come first

    started = time.monotonic()
    corpus, tried, found = [*read_corpus().values()], Tried(), 0
    with tempfile.TemporaryDirectory() as folder:
        if importlib.util.find_spec("atheris"):
            found = guide(Path(folder), words.seconds / 3, words.seed, corpus)
            corpus += [said for path in Path(folder).iterdir() if (said := _parsed(path.read_bytes())) is not None]
    for said in corpus:
        tried.add(said)
    before = _memory()
    for said in mutated(corpus, words.seed):
        tried.add(said)
        if time.monotonic() - started > words.seconds:
            break
    grown = _memory() - before
    broken = [*dict.fromkeys(word for word, _ in tried.broken), *written_down(tried)]
    print("| replies tried | by coverage | kinds of outcome | slowest, ms | memory grown, MiB | violations |")
    print("|---:|---:|---:|---:|---:|---:|")
    figures = (f"{tried.replies:,}", f"{found:,}", len(tried.kinds), f"{tried.slowest * 1000:.1f}", f"{grown:.1f}")
    print("|", *(f"{figure} |" for figure in (*figures, len(broken))))
    for word in broken:
        print(word)
    for word, said in tried.broken[:20]:
        print(f"  {word}: {said.status} {said.retry_after!r} {said.body[:200]!r}")
    if words.keep:
        keep(words.keep, tried)
    return 1 if broken else 0


def guide(folder: Path, seconds: float, seed: int, corpus: Sequence[Said]) -> int:
    """Let libFuzzer look for replies of new coverage, in a process of its own, which it ends; how many it kept."""
    for number, said in enumerate(corpus):
        (folder / f"{number}").write_bytes(_raw(said))
    known = len(corpus)
    command = (sys.executable, __file__, "--guided", folder, "--seconds", seconds, "--seed", seed)
    with tempfile.TemporaryFile() as told:
        code = subprocess.run([*map(str, command)], stdout=told, stderr=told, check=False).returncode
        if code:
            told.seek(0)
            sys.exit(f"libFuzzer ended with {code}:\n{told.read().decode(errors='replace')[-4000:]}")
    return sum(1 for _ in folder.iterdir()) - known


def guided(folder: Path, seconds: float, seed: int) -> None:
    """Be libFuzzer; does not return. Its finds go to the folder, and the caller judges them."""
    import atheris  # noqa: PLC0415 - an optional tool, and what it instruments is imported below

    with atheris.instrument_imports(include=["retention.core.sending.wire", "retention.core.sending.outcomes"]):
        from support.hostile import CLAIMS, settled, understood  # noqa: PLC0415
        from support.mutator import Mutator  # noqa: PLC0415
    known = [said for path in folder.iterdir() if (said := _parsed(path.read_bytes())) is not None]

    def one(raw: bytes) -> None:
        said = _parsed(raw)
        if said is not None:
            reply = understood(said)
            for claim, treating in CLAIMS[:: len(CLAIMS) // 4]:
                settled(reply, claim, treating)

    def change(raw: bytes, size: int, chance: int) -> bytes:
        said = _parsed(raw)
        if said is None or chance % 3 == 0:
            return bytes(atheris.Mutate(raw, size))
        mutator = Mutator(random.Random(chance), known)
        return (raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + mutator.body(said.body))[:size]

    limits = (f"-max_total_time={max(1, int(seconds))}", f"-seed={seed}", "-max_len=70000", "-print_final_stats=1")
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(folder)], one, custom_mutator=change)
    atheris.Fuzz()


def written_down(tried: Tried) -> list[str]:
    """Write one reply of each kind into a database of its own; return the ones that the ledger refused, or holds
    otherwise.
    """
    from support.postgres import new_database, running_server, template_database  # noqa: PLC0415
    from support.settled_ledger import store  # noqa: PLC0415
    from support.world import make_world  # noqa: PLC0415

    from retention.ledger.database import open_database  # noqa: PLC0415

    async def write(dsn: str, folder: Path) -> list[str]:
        async with make_world(dsn, folder) as world, open_database(lambda: dsn) as database:
            return await store(world, database, [*tried.kinds.values()])

    with (
        running_server() as server,
        template_database(server) as template,
        new_database(server, template) as name,
        tempfile.TemporaryDirectory() as folder,
    ):
        return asyncio.run(write(make_conninfo(server, dbname=name), Path(folder)))


def keep(folder: Path, tried: Tried) -> None:
    """Write one reply of each kind, and each that broke something, to be given a name and a place in the corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    replies = itertools.chain(tried.kinds.values(), (said for _, said in tried.broken))
    for number, said in enumerate(dict.fromkeys(replies)):
        (folder / f"kept-{number:03}.http").write_bytes(_raw(said))


def _raw(said: Said) -> bytes:
    retry_after = "" if said.retry_after is None else f"Retry-After: {said.retry_after}\r\n"
    return f"HTTP/1.1 {said.status} Words\r\n{retry_after}\r\n".encode() + said.body


def _parsed(raw: bytes) -> Said | None:
    from support.hostile import parse  # noqa: PLC0415

    try:
        return parse(raw)
    except AssertionError:  # it has no status line
        return None


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
