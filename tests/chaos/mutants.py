"""Would the tests notice if a decision were another one? `python tests/chaos/mutants.py [FILE ...]` tries it out.

Each mutant of retention/core/ that mutmut can think of, also in tables and constants, goes through those unit tests
that know the file. A mutant that survives them is printed, unless MUTANTS.md says why its change is invisible. Needs
the extra `mutation`. A mutant is a forked process: its changes to the modules stay in it.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import importlib.abc
import importlib.util
import os
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from mutmut.mutation.file_mutation import create_mutations, deep_replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

TESTS = Path(__file__).parents[1]
CORE = TESTS.parent / "retention" / "core"
EXPLAINED = Path(__file__).with_name("MUTANTS.md")

FILES = (
    *("transitions", "outcomes", "decision", "wire", "pacing", "backoff", "reply_rules", "reply_details"),
    *("rails", "holds", "plan", "eligibility", "overlap", "summary", "discrepancies", "closing"),
    *("cron", "due", "missed", "events", "message", "signature", "text", "model"),
)
KNOWN_BY = {
    "cron": ["test_cron_fields.py", "test_cron.py"],
    "events": ["test_notification_events.py"],
    "holds": ["test_eligibility.py"],
    "message": ["test_notification_message.py"],
    "missed": ["test_missed_reason.py"],
    "model": ["test_transitions.py", "test_wire.py", "test_eligibility.py"],
    "plan": ["test_plan.py", "test_eligibility.py"],
    "reply_details": ["test_decision.py"],
    "reply_rules": ["test_outcomes.py", "test_transitions.py"],
    "signature": ["test_webhook_signature.py"],
    "text": ["test_text.py", "test_notification_message.py"],
}
"""The unit tests that know a file, where they are not all named after it."""

CPU = 15
"""Seconds of a processor that a mutant gets: one that takes more hangs, and counts as killed."""
MEMORY = 4 << 30
"""Bytes of addresses that a mutant gets."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file, as a whole module's text; `change` shows the lines that differ, before and after."""

    module: str
    code: str
    change: str


class _Swap(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another text."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self._mutant.module else None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self._mutant.code, self._mutant.module, "exec"), module.__dict__)


def only(folder: Path, name: str) -> Path:
    """Find the file with that name, in whichever package it is: a name stands once."""
    (path,) = folder.rglob(name)
    return path


def module_of(path: Path) -> str:
    """The dotted name of a file's module."""
    return ".".join(path.relative_to(CORE.parents[1]).with_suffix("").parts)


def mutants(name: str) -> Iterator[Mutant]:
    """Make every mutant of a file of the core."""
    path = only(CORE, f"{name}.py")
    text = path.read_text("utf-8")
    tree, changes, *_ = create_mutations(str(path), text)
    for change in changes:
        code = getattr(deep_replace(tree, change.original_node, change.mutated_node), "code")  # noqa: B009 - a Module
        if code != text:
            yield Mutant(module_of(path), code, _shown(text, code))


def _shown(before: str, after: str) -> str:
    lines = [*difflib.ndiff(before.splitlines(), after.splitlines())]
    old, new = (" ".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return f"`{old}` -> `{new}`".replace("|", "\\|")


def survives(mutant: Mutant, tests: Sequence[str]) -> bool:
    """Run the tests in a process of its own, in which the module is the mutant."""
    child = os.fork()
    if not child:
        _be(mutant, tests)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _be(mutant: Mutant, tests: Sequence[str]) -> None:
    code = 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with tempfile.TemporaryFile() as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        sys.meta_path.insert(0, _Swap(mutant))
        options = ("-n", "0", "-x", "--noconftest", "--hypothesis-seed=0", "--timeout=0", "--tb=no", "--assert=plain")
        code = pytest.main([*options, "-p", "no:cacheprovider", *tests])
    finally:
        os._exit(code)


def tried(name: str, explained: str) -> tuple[int, int, int, int]:
    """Try every mutant of a file: how many there are, were killed, live and are explained, and live and are not."""
    tests = [str(only(TESTS / "unit", test)) for test in KNOWN_BY.get(name, [f"test_{name}.py"])]
    path = only(CORE, f"{name}.py")
    as_it_is = Mutant(module_of(path), path.read_text("utf-8"), "")
    if not survives(as_it_is, tests):
        sys.exit(f"{name}: its tests fail as it is: {' '.join(tests)}")
    made, known, unknown = 0, 0, 0
    for one in mutants(name):
        made += 1
        if survives(one, tests):
            is_known = f"| {name} | {one.change} |" in explained
            known, unknown = known + is_known, unknown + (not is_known)
            if not is_known:
                print(f"| {name} | {one.change} | |", flush=True)
    return made, made - known - unknown, known, unknown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"of {', '.join(FILES)}; default: all")
    words = parser.parse_args()
    explained = EXPLAINED.read_text("utf-8")
    os.chdir(TESTS.parent)
    sys.path.insert(0, str(TESTS))
    for heavy in ("hypothesis.strategies", "aiohttp", "psycopg", "pydantic", "orjson", "structlog", "cronsim"):
        importlib.import_module(heavy)  # in here, so that not every mutant has to
    gc.freeze()
    lines, survived = [], 0
    for name in words.files or FILES:
        started = time.monotonic()
        counts = tried(name, explained)
        survived += counts[-1]
        lines.append(f"| {name}.py | {' | '.join(map(str, counts))} | {time.monotonic() - started:.0f} |")
        print(lines[-1], flush=True)
    print("| file | mutants | killed | explained | survived | seconds |", "|---|---:|---:|---:|---:|---:|", sep="\n")
    print(*lines, sep="\n")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
