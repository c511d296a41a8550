"""The code's guards are in force: the rules about security, and the audit of its dependencies."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

VERDICT = runpy.run_path(str(ROOT / ".ci" / "audit.py"))["verdict"]

BAD = '''"""Bad."""

import hashlib
import os
import pickle
import random
import ssl
import subprocess
import tempfile


def bad(cursor: object, name: str, blob: bytes) -> object:
    """Do all that must not be done."""
    password = "hunter2hunter2"
    cursor.execute(f"SELECT * FROM runs WHERE run_id = '{name}'")
    cursor.execute("DELETE FROM runs WHERE policy = '%s'" % name)
    subprocess.run(f"ls {name}", shell=True)
    os.chmod(name, 0o777)
    open(tempfile.mktemp())
    hashlib.md5(blob)
    ssl._create_unverified_context()
    eval(name)
    try:
        random.random()
    except Exception:
        pass
    return pickle.loads(blob), password
'''
"""Python that each rule named below has something to say about."""

RULES = {"S103", "S105", "S110", "S301", "S306", "S307", "S311", "S323", "S324", "S602", "S608"}

JUSTIFIED = re.compile(r"# noqa: [A-Z0-9, ]*\bS\d+\b[A-Z0-9, ]* - \S.{10,}")

MENDED = {"id": "PYSEC-1", "fix_versions": ["2"]}


def ruff(path: str, text: str) -> set[str]:
    """The rules that a text would break if it stood there."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=json", "--stdin-filename", path, "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    return {finding["code"] for finding in json.loads(done.stdout)}


@pytest.mark.parametrize(
    "path", ["retention/ledger/bad.py", "retention/vendor_api/bad.py", "retention/cli/bad.py", "retention/bad.py"]
)
def test_the_rules_about_security_are_in_force(path: str) -> None:
    """SQL put together from strings, shells, weak hashes, pickles and the like do not pass, wherever in the product."""
    assert set() == RULES - ruff(path, BAD)


def test_each_exception_from_them_is_explained() -> None:
    """A line of the product that switches off a rule about security states the reason."""
    unexplained = [
        f"{path}: {line.strip()}"
        for path in (ROOT / "retention").rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"# noqa(?!:)|# noqa:[A-Z0-9, ]*\bS\d", line) and not JUSTIFIED.search(line)
    ]
    assert [] == unexplained


def test_only_assertions_and_the_demos_make_believe_are_excepted() -> None:
    """In no file of the product is more of these rules switched off than for assertions, and the demo's own secrets."""
    assert RULES - {"S105"} == RULES & ruff("retention/demo/bad.py", BAD)
    assert "S101" not in ruff("retention/bad.py", BAD + "\n    assert password\n")


@pytest.mark.parametrize(
    ("said", "code", "report"),
    [
        ("a 1: PYSEC-1, mended in 2", 1, [{"name": "a", "version": "1", "vulns": [MENDED]}, {"name": "b", "skip_reason": "x"}]),
        ("no known vulnerability in 1 packages; it does not know b", 0, [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "x"}]),
        ("skipped: the vulnerability service cannot be reached", 0, [{"name": "a", "skip_reason": "x"}]),
        ("pip-audit was given no package", 1, []),
    ],
)  # fmt: skip
def test_an_audit_of_no_package_fails(said: str, code: int, report: list[dict[str, Any]]) -> None:
    """A known vulnerability fails, and a service that knew none of the packages is told apart from one that found
    none.
    """
    words, found = VERDICT({"dependencies": report})
    assert (code, said) == (found, words.partition(": it answers")[0])


@pytest.mark.parametrize(
    ("code", "complaint"), [(0, "requests.exceptions.ConnectionError: Max retries"), (1, "KeyError")]
)
def test_an_audit_without_a_report_is_skipped_for_the_network_alone(code: int, complaint: str) -> None:
    """Where the service is out of reach the audit is skipped; any other failure of the tool fails."""
    assert code == VERDICT(None, complaint)[1]
