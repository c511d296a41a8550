"""The list of threats cannot rot: what it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def rows() -> dict[str, tuple[str, str]]:
    """What stops each threat, and which tests show it."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    section = text[text.index("## Threats") :]
    section = section[: section.index("\n## ")]
    cells = [re.split(r" *\| *", line)[1:-1] for line in section.splitlines() if line.startswith("| ")]
    return {who: (stops, shown) for who, stops, shown in cells[1:]}


def test_there_are_threats() -> None:
    """The table is found and read: a change of its form does not leave the other tests without anything to look at."""
    assert len(rows()) > 20


@pytest.mark.parametrize("who", rows())
def test_a_threat_names_tests_that_exist(who: str) -> None:
    """Each threat names at least one test, and each that it names stands where it says; or it says why there is none."""
    stops, shown = rows()[who]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", shown)
    assert named or ("no test: " in shown and "Nothing of ours" in stops)
    assert [] == [f"{path}::{name}" for path, name in named if name not in names_in(path)]


@pytest.mark.parametrize("who", rows())
def test_what_stops_a_threat_is_there(who: str) -> None:
    """Each file that is named as what stops a threat exists."""
    paths = re.findall(r"`((?:retention|sql|\.ci|deploy)/[\w./-]+|pyproject\.toml)`", rows()[who][0])
    assert [] == [path for path in paths if not (ROOT / path).exists()]


def names_in(path: str) -> set[str]:
    """The names of a file's tests; none where there is no such file."""
    file = ROOT / path
    if not file.exists():
        return set()
    found = ast.walk(ast.parse(file.read_text("utf-8")))
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_page_of_results_names_tests_that_exist() -> None:
    """Each test and file that the page of results names for a defect is there."""
    page = (ROOT / "tests/chaos/README.md").read_text("utf-8")
    tests = set(re.findall(r"`(test_\w+)`", page))
    everywhere = set[str]().union(*(names_in(str(path)) for path in (ROOT / "tests").rglob("test_*.py")))
    assert len(tests) > 8
    assert set() == tests - everywhere
    assert [] == [path for path in re.findall(r"`(tests/[\w/]+\.py)`", page) if not (ROOT / path).exists()]
