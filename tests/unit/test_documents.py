"""The documents cannot rot: their length, links, paths, tests, commands and tables are held to the code."""

from __future__ import annotations

import ast
import functools
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import typer.main
from support.reference import PAGES, REFERENCE, ROOT, TABLES, TEMPLATE, described, filled, filled_template

from retention.cli.app import app
from retention.core.model import State
from retention.settings.model import Settings

DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text("utf-8")
    for place in ("*.md", "deploy/**/*.md", "sql/**/*.md", "tests/**/*.md")
    for path in sorted(ROOT.glob(place))
}

PATH = re.compile(r"`((?:retention|sql|tests|deploy|\.ci)/[\w./-]+|pyproject\.toml)(?:::(\w+))?`")
"""A file or folder of ours, with the test in it that is meant."""

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def code_spans(text: str) -> list[str]:
    """The text between single backticks, and the lines of `sh` blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", prose)


def shown_commands() -> set[str]:
    """Each command of ours in a document, without the word `retention`."""
    found = {span.removeprefix("retention ") for text in DOCUMENTS.values() for span in code_spans(text)}
    commands = {re.sub(r"^(--[\w-]+ \S+ )*", "", span) for span in found}
    return {span for span in commands if " " in span and span.split()[0] in COMMANDS and "|" not in span}


def complete_commands() -> list[str]:
    """The commands that readers copy: those of `sh` blocks and of tables, without the generated ones."""
    spans = [
        span
        for name in ("README.md", "deploy/OPERATIONS.md", "deploy/RUNBOOK.md")
        for line in DOCUMENTS[name].splitlines()
        for span in (re.findall(r"`(retention [^`]+)`", line) if line.startswith("| ") else [line])
        if span.startswith("retention ")
    ]
    return [*dict.fromkeys(span.partition(" 2>> ")[0] for span in spans if "COMMAND" not in span)]


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words begin with, and its arguments."""
    command, rest = COMMANDS[words[0]], words[1:]
    while hasattr(command, "commands") and rest:
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@functools.cache
def names_in(path: str) -> set[str]:
    """The names of the tests in a file; empty where there is no such file."""
    file = ROOT / path
    found = ast.walk(ast.parse(file.read_text("utf-8"))) if file.is_file() else ()
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@functools.cache
def help_of(script: str) -> str:
    """The help text of a script of tests/."""
    return subprocess.run(
        [sys.executable, str(ROOT / script), "--help"], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(("name", "words"), [("README.md", 1_200), ("CONTRIBUTING.md", 1_500)])
def test_a_document_is_read_in_minutes(name: str, words: int) -> None:
    """README takes five minutes to read, and CONTRIBUTING not much more."""
    assert len(DOCUMENTS[name].split()) <= words


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_link_is_dead(name: str) -> None:
    """Each relative link leads to a file or folder, and its anchor to a heading."""
    dead = []
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", DOCUMENTS[name]):
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        if not file.exists() or (anchor and anchor not in anchors(file.read_text("utf-8"))):
            dead.append(target)
    assert [] == dead


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "CHANGELOG.md"])
def test_each_named_path_and_test_exists(name: str) -> None:
    """Each file, folder and test that a document names is there."""
    named = [found for found in PATH.findall(DOCUMENTS[name]) if "FOLDER" not in found[0] and "NAME" not in found[0]]
    assert [] == [path for path, _ in named if not (ROOT / path).exists()]
    assert [] == [f"{path}::{test}" for path, test in named if test and test not in names_in(path)]


def test_each_rule_has_its_module_and_its_test() -> None:
    """Each row of the map of rules names a module, a statement where it has one, and a test."""
    section = DOCUMENTS["CONTRIBUTING.md"].partition("## Rules\n")[2].partition("\n## ")[0]
    rows = [re.split(r" *\| *", line)[1:-1] for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 25
    for rule, module, statement, test in rows:
        assert re.fullmatch(r"`retention/[\w/]+\.py`", module), rule
        assert re.fullmatch(r"(`sql/queries/[\w/]+\.sql`)?", statement), rule
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", test), rule


def test_each_shown_command_exists() -> None:
    """Each command in a document is a command of ours, and has the options that are shown with it."""
    assert len(shown_commands()) > 30
    wrong = []
    for shown in sorted(shown_commands()):
        command, rest = command_of(shown.replace("...", "").replace("[", "").replace("]", "").split())
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        wrong += [f"{shown}: {word}" for word in rest if re.match(r"--?[a-z]", word) and word not in {*known, "--help"}]
    assert [] == wrong


@pytest.mark.parametrize("shown", complete_commands())
def test_a_command_to_copy_parses(shown: str) -> None:
    """Each command that readers are to copy has all that it needs, and each option takes its value."""
    words = shlex.split(shown.replace("RUN_ID", "01234567"), comments=True)[1:]
    if words != ["simulate", "--help"]:
        command, rest = command_of(words)
        command.make_context(words[0], rest)


def test_each_shown_script_exists() -> None:
    """Each script of tests/ that a document runs is there, and knows the options that are shown with it."""
    shown = {span for text in DOCUMENTS.values() for span in code_spans(text) if re.search(r"python tests/", span)}
    assert len(shown) > 8
    wrong = []
    for span in shown:
        script, *rest = span.partition("python ")[2].split()
        assert (ROOT / script).exists(), span
        options = re.findall(r"--[a-z][\w-]*", " ".join(rest))
        wrong += [f"{span}: {option}" for option in options if option not in help_of(script)]
    assert [] == wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_of_a_page_match_the_code(page: Any) -> None:
    """Commands, options, configuration keys, exit codes, vendor codes and metrics stand on the pages as in the code."""
    text = page.read_text("utf-8")
    assert filled(page, text) == text, "run `python tests/support/reference.py`"


def test_the_configuration_file_explains_each_key() -> None:
    """The comment above each key in the file of `init` is the key's meaning."""
    text = TEMPLATE.read_text("utf-8")
    assert filled_template(text) == text, "run `python tests/support/reference.py`"


@pytest.mark.parametrize("model", TABLES.values(), ids=TABLES)
def test_each_key_has_a_meaning_a_unit_and_a_default(model: Any) -> None:
    """A key has a sentence for its meaning, a unit where it is a bare number, and words for a default that is None."""
    for key, field, says in described(model):
        assert says.meaning.endswith("."), key
        assert says.unit or "per second" in str(field.description) or "number" not in str(field.description), key
        assert says.default or field.is_required() or field.get_default(call_default_factory=True) is not None, key
    tables = set(TABLES) if model is Settings else set()
    assert {key for key, _, _ in described(model)} == set(model.model_fields) - {"name"} - tables


def test_each_state_is_explained() -> None:
    """The table of states has each state of a cancellation, and no other."""
    section = REFERENCE.read_text("utf-8").partition("## States of a round\n")[2].partition("\n## ")[0]
    first = " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    assert sorted(State) == sorted(re.findall(r"`(\w+)`", first))


def test_the_readme_quotes_figures_that_were_measured() -> None:
    """Each figure about speed in the README stands in a table of tests/bench/README.md."""
    section = DOCUMENTS["README.md"].partition("## Speed\n")[2].partition("\n## ")[0]
    figures = re.findall(r"\d[\d,]*\.\d+|\d[\d,]+\d", section)
    assert len(figures) > 5
    assert [] == [figure for figure in figures if figure not in DOCUMENTS["tests/bench/README.md"]]
