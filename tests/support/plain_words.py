"""Counts the words that hide a sentence's subject, in docstrings and comments.

`python -m tests.support.plain_words` prints a table; with packages as arguments it also prints each place in them.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]

LONGEST_SENTENCE = 25
"""Words of a sentence that a reader still takes in at once."""

_AROUND = 6
"""Words that are shown before and after a hit."""

WORST_FILES = 10
"""Files that the table is followed by."""

_HIDING = re.compile(
    r"\b(?:what|whoever|whatever|nobody|somebody|those\s+(?:that|whose)|(?:is|are)\s+(?-i:none)|none\s+that)\b"
    # `whose` and `which` have no noun before them where a sentence or a clause begins, unless it is a question.
    r"|(?:^|(?<=\n\n)|(?<=[.;:]\s)|(?<=\())(?:whose|which)\b(?![^.;]*\?)",
    re.IGNORECASE,
)
"""Of `none` only the word: `None` is a value."""

_WORD = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*")
_CODE = re.compile(r"`[^`]*`|https?://\S+")
_SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)[.!?](?=\s|$)")
_PARAGRAPH_END = re.compile(r"\n\s*\n|\n\s*(?=[-*|] )")
_DIRECTIVE = re.compile(r"#\s*(?:noqa|type:|fmt:|!|pragma)|--\s*include\b")


class Prose(NamedTuple):
    """A docstring, or the comment lines that follow each other; `line` is where it begins."""

    line: int
    text: str
    is_docstring: bool


@dataclass(slots=True)
class Count:
    """Sums over texts. `long_sentences` are those of docstrings."""

    words: int = 0
    hits: int = 0
    long_sentences: int = 0

    def add(self, other: Count) -> None:
        """Add the sums of more texts."""
        self.words += other.words
        self.hits += other.hits
        self.long_sentences += other.long_sentences

    @property
    def rate(self) -> float:
        """Hits per 1,000 words."""
        return 1000 * self.hits / self.words if self.words else 0.0


class Hit(NamedTuple):
    """One hiding word, with the words around it."""

    line: int
    context: str


@dataclass(slots=True)
class Counted:
    """The count of each package and of each file, paths relative to the repository."""

    packages: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))
    files: dict[str, Count] = field(default_factory=lambda: defaultdict(Count))

    def worst(self) -> list[tuple[str, Count]]:
        """The files with the most hits; of equal ones, the shorter first."""
        return sorted(self.files.items(), key=lambda item: (-item[1].hits, item[1].words))[:WORST_FILES]


def python_prose(source: str, *, comments: bool = True) -> Iterator[Prose]:
    """Find the docstrings of a module, also those below attributes, and its comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield Prose(node.lineno, node.value.value, is_docstring=True)
    if comments:
        tokens = tokenize.generate_tokens(io.StringIO(source).readline)
        found = ((token.start, token.string) for token in tokens if token.type == tokenize.COMMENT)
        yield from _joined((line, column, text) for (line, column), text in found)


def sql_prose(source: str) -> Iterator[Prose]:
    """Find the `--` comments of a file of SQL."""
    found = []
    for number, line in enumerate(source.splitlines(), 1):
        bare = re.sub(r"'[^']*'", lambda text: "_" * len(text[0]), line)
        if (column := bare.find("--")) >= 0:
            found.append((number, column, line[column:]))
    yield from _joined(found)


def _joined(comments: Iterable[tuple[int, int, str]]) -> Iterator[Prose]:
    """Join comment lines that stand below each other: a sentence may wrap."""
    begin, last, lines = 0, (0, 0), list[str]()
    for line, column, text in comments:
        if lines and (line, column) != (last[0] + 1, last[1]):
            yield Prose(begin, "\n".join(lines), is_docstring=False)
            lines = []
        if not _DIRECTIVE.match(text):
            begin = begin if lines else line
            lines.append(text.lstrip("#-").strip())
            last = (line, column)
    if lines:
        yield Prose(begin, "\n".join(lines), is_docstring=False)


def hits(prose: Prose) -> list[Hit]:
    """Find the hiding words of a text."""
    text = re.sub(r"[ \t]*\n[ \t]*", "\n", prose.text)
    found = []
    for match in _HIDING.finditer(text):
        before, after = text[: match.start()].split()[-_AROUND:], text[match.end() :].split()[:_AROUND]
        words = [*before, "_".join(["", *match[0].split(), ""]), *after]
        found.append(Hit(prose.line + text[: match.start()].count("\n"), " ".join(words)))
    return found


def count(prose: Prose) -> Count:
    """Count the words, the hiding words and, in a docstring, the sentences that are too long."""
    bare = _CODE.sub("x", prose.text)
    long_sentences = 0
    if prose.is_docstring:
        sentences = (part for text in _PARAGRAPH_END.split(bare) for part in _SENTENCE_END.split(text))
        long_sentences = sum(len(_WORD.findall(sentence)) > LONGEST_SENTENCE for sentence in sentences)
    return Count(len(_WORD.findall(bare)), len(hits(prose)), long_sentences)


def texts(root: Path = ROOT) -> Iterator[tuple[str, Path, list[Prose]]]:
    """Each file with its package and its prose; of tests the docstrings alone."""
    for path in sorted((root / "retention").rglob("*.py")):
        parts = path.relative_to(root / "retention").parts
        yield parts[0] if len(parts) > 1 else "retention", path, list(python_prose(path.read_text("utf-8")))
    for path in sorted((root / "sql").rglob("*.sql")):
        yield "sql", path, list(sql_prose(path.read_text("utf-8")))
    for path in sorted((root / "tests").rglob("*.py")):
        yield "tests", path, list(python_prose(path.read_text("utf-8"), comments=False))


def counted(root: Path = ROOT) -> Counted:
    """Count the whole repository."""
    found = Counted()
    for package, path, prose in texts(root):
        for text in prose:
            one = count(text)
            found.packages[package].add(one)
            found.files[str(path.relative_to(root))].add(one)
    return found


def table(found: Counted) -> str:
    """The counts by package, the sum of product and SQL, and the worst files."""
    total = Count()
    for package, one in found.packages.items():
        if package != "tests":
            total.add(one)
    rows = [*sorted(item for item in found.packages.items() if item[0] not in {"sql", "tests"})]
    rows += [(name, found.packages[name]) for name in ("sql", "tests")]
    rows += [("all but tests", total)]
    lines = [f"{'package':<16}{'words':>8}{'hits':>7}{'rate':>7}{'long sentences':>17}"]
    lines += [f"{name:<16}{one.words:>8}{one.hits:>7}{one.rate:>7.1f}{one.long_sentences:>17}" for name, one in rows]
    lines += ["", "worst files"]
    lines += [f"{name:<48}{one.words:>6}{one.hits:>5}{one.rate:>7.1f}" for name, one in found.worst()]
    return "\n".join(lines)


def places(packages: Iterable[str]) -> Iterator[str]:
    """Each hiding word of these packages or files, with its file and line."""
    wanted = set(packages)
    for package, path, prose in texts():
        name = str(path.relative_to(ROOT))
        if wanted & {package, name}:
            found = sorted(hit for text in prose for hit in hits(text))
            yield from (f"{name}:{hit.line}: {hit.context}" for hit in found)


def main() -> None:
    """Print the table, or the places in the packages that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="a package, sql, tests, or a file's path")
    asked = parser.parse_args().packages
    text = "\n".join(places(asked)) if asked else table(counted())
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
