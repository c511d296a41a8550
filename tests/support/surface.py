"""The public surface as text, kept under `tests/acceptance/surface`. `python tests/support/surface.py` writes it
anew.
"""

from __future__ import annotations

import ast
import asyncio
import difflib
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from retention.cli.app import app
from support.postgres import new_database, running_server, template_database
from support.reference import command_names, exit_codes
from support.small_run import small_run
from support.world import make_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from support.small_run import SmallRun
    from support.world import World

ROOT = Path(__file__).parents[2]
STORED = ROOT / "tests" / "acceptance" / "surface"
COMMAND = "python tests/support/surface.py"

EVENTS = frozenset(
    (
        *("run.planned", "run.halted", "run.started", "run.finished", "run.stalled", "run.failed", "run.review"),
        *("run.awaiting_approval", "report.made", "report.failed", "audit.checkpoint"),
        *("round.cancelled", "round.settled", "round.in_doubt", "round.rejected"),
        *("partner.throttled", "partner.unauthorized", "schedule.fired", "schedule.missed"),
    )
)
"""The events that the contract names, as lines of the log or as notifications."""

COLUMNS = {
    "runs": "run_id policy trigger mode scheduled_for as_of requested_by reason evidence approved_by settings overrides"
    " status halt_reason started_at finished_at requested_login plan_digest approved_at approved_login"
    " approval_expires_at rejected_by rejected_at decision_note",
    "cancellations": "id run_id partner market game_id user_id round_id opened_at stake stake_currency"
    " bet_transaction_id state error_code description currency amount transaction_id conflict detail settled_at"
    " attempts resolved_as resolved_by resolved_note resolved_at",
    "attempts": "uuid cancellation_id run_id kind replica claimed_at sent_at replied_at http_status error_code outcome"
    " detail",
    "holds": "hold_id partner market game_id user_id round_id reason created_by created_at until released_at",
    "evidence": "",
    "checkpoints": "checkpoint_id at size root signature",
}
"""The contract's tables, and the columns of each that it names. A table or column that is not made yet is left out."""

_LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
_EVENT = re.compile(r"[a-z]+\.[a-z_]+")
_ON_EVERY_LINE = frozenset({"timestamp", "level", "event"})


def help_texts() -> str:
    """Each `--help`, 80 columns wide."""
    groups = {name.rsplit(" ", 1)[0] for name in command_names() if " " in name}
    return "\n".join(_help(name) for name in ["", *sorted({*command_names(), *groups})])


def _help(name: str) -> str:
    words = [*name.split(), "--help"]
    shown = CliRunner().invoke(app, words, prog_name="retention", env={"COLUMNS": "80"}, terminal_width=80)
    lines = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
    return f"$ retention {' '.join(words)}\n{lines}\n"


def json_commands() -> list[str]:
    """The commands that take --json."""
    return [name for name in command_names() if "--json" in _help(name)]


def json_keys(documents: Mapping[str, Sequence[Any]]) -> str:
    """The path of each key in the documents of each command, with the types of its values."""
    parts = []
    for command, found in documents.items():
        types: dict[str, set[str]] = defaultdict(set)
        for document in found:
            for path, kind in _paths(document, ""):
                types[path].add(kind)
        lines = [f"  {path or '(all of it)'}: {' | '.join(sorted(kinds))}" for path, kinds in sorted(types.items())]
        parts.append("\n".join([command, *lines]) + "\n")
    return "\n".join(parts)


def _paths(value: Any, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            yield path, "object"
            for key, item in value.items():
                yield from _paths(item, f"{path}.{key if re.fullmatch(r'[A-Za-z_]+', key) else '*'}".lstrip("."))
        case list():
            yield path, "list"
            for item in value:
                yield from _paths(item, f"{path}[]")
        case str():
            yield path, _text_type(value)
        case _:
            yield path, "null" if value is None else type(value).__name__


def _text_type(text: str) -> str:
    shapes = {
        "uuid": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "time in UTC": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
        "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d",
        "number as text": r"-?\d+(\.\d+)?",
    }
    return next((name for name, shape in shapes.items() if re.fullmatch(shape, text)), "text")


def log_events(seen: Iterable[Mapping[str, Any]]) -> str:
    """The contract's events, with the keys that the source or a line of the small run gives them; then all others."""
    keys = _logged()
    for line in seen:
        if line["event"] in EVENTS:
            keys[line["event"]] |= line.keys()
    shown = {event: ", ".join(sorted(found - _ON_EVERY_LINE)) for event, found in keys.items()}
    lines = [f"{event}: {shown[event]}".rstrip(": ") for event in sorted(EVENTS & keys.keys())]
    return "\n".join(["# events of the contract, with their keys", *lines, "", *_others(keys)]) + "\n"


def _others(keys: Iterable[str]) -> list[str]:
    return ["# other events, which may be renamed on purpose", *sorted(set(keys) - EVENTS)]


def _logged() -> defaultdict[str, set[str]]:
    """Each event in the source, with the keywords of the calls that log it; of any module, under any name."""
    keys: defaultdict[str, set[str]] = defaultdict(set)
    texts: set[str] = set()
    for path in sorted((ROOT / "retention").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _logs(node.func) and node.args:
                for event in _literals(node.args[0]):
                    keys[event] |= {word.arg for word in node.keywords if word.arg and word.arg != "exc_info"}
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _EVENT.fullmatch(node.value):
                texts.add(node.value)
    # An event that a table or a variable holds is a text of the same shape and of a family that is logged elsewhere.
    families = {event.split(".")[0] for event in keys if "." in event}
    for event in texts:
        if event in EVENTS or event.split(".")[0] in families:
            keys[event] |= set()
    return keys


def _logs(function: ast.expr) -> bool:
    match function:
        case ast.Attribute(value=ast.Name(id=name) | ast.Attribute(attr=name), attr=level):
            return level in _LEVELS and name.strip("_") in {"log", "logger"}
        case _:
            return False


def _literals(event: ast.expr) -> list[str]:
    match event:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.IfExp(body=first, orelse=second):
            return [*_literals(first), *_literals(second)]
        case _:
            return []


def metrics(text: str) -> str:
    """The name, type and labels of each metric in a file for Prometheus."""
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    labels: dict[str, str] = {}
    for name, found in re.findall(r"^(\w+?)(?:_bucket|_count|_sum)?\{(.*)\} ", text, re.MULTILINE):
        if name in types:
            labels.setdefault(name, ",".join(label for label in re.findall(r'(?:^|,)(\w+)="', found) if label != "le"))
    return "\n".join(f"{name}{{{labels.get(name, '')}}} {kind}" for name, kind in sorted(types.items())) + "\n"


async def tables(world: World) -> str:
    """The contract's columns with type and known values, its unique keys, and the operator's objects."""
    parts = []
    for table, names in COLUMNS.items():
        columns = await world.sql(
            """
            SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, pg_get_constraintdef(c.oid) AS check
            FROM pg_attribute a
            LEFT JOIN pg_constraint c ON c.conrelid = a.attrelid AND c.contype = 'c' AND c.conkey = ARRAY[a.attnum]
                AND pg_get_constraintdef(c.oid) LIKE '%%ANY (ARRAY[%%'
            WHERE a.attrelid = to_regclass('retention.' || %(table)s) AND a.attnum > 0 AND NOT a.attisdropped
                AND a.attname = ANY (%(names)s)
            ORDER BY array_position(%(names)s, a.attname::text)
            """,
            table=table,
            names=names.split(),
        )
        keys = await world.sql(
            """
            SELECT array_agg(a.attname::text ORDER BY k.at) AS columns
            FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, at)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
            WHERE i.indrelid = to_regclass('retention.' || %(table)s) AND i.indisunique AND i.indpred IS NULL
            GROUP BY i.indexrelid HAVING bool_and(a.attname = ANY (%(names)s)) ORDER BY 1
            """,
            table=table,
            names=names.split(),
        )
        if columns:
            lines = [f"  {name} {kind}{_values(check)}" for name, kind, check in columns]
            parts.append("\n".join([f"table retention.{table}", *lines, *_unique([key for (key,) in keys])]) + "\n")
    return "\n".join([*parts, *_operator_objects()])


def _unique(keys: Sequence[Sequence[str]]) -> list[str]:
    """The unique keys, without the ones that another key implies."""
    return [f"  unique ({', '.join(key)})" for key in keys if not any(set(other) < set(key) for other in keys)]


def _values(check: str | None) -> str:
    found = sorted(re.findall(r"'(\w+)'", check or ""))
    return f" in ({', '.join(found)})" if found else ""


def _operator_objects() -> Iterator[str]:
    folder = ROOT / "sql" / "operator"
    view = (folder / "open_rounds.sql").read_text("utf-8")
    (name,) = re.findall(r"^CREATE OR REPLACE VIEW (\S+)", view, re.MULTILINE)
    columns = re.findall(r"^ +\S+ +AS (\w+),?$", view, re.MULTILINE)
    yield "\n".join([f"view {name}", *(f"  {column}" for column in columns)]) + "\n"
    function = (folder / "close_rounds.sql").read_text("utf-8")
    (name,) = re.findall(r"^CREATE OR REPLACE FUNCTION (\S+)\($", function, re.MULTILINE)
    arguments = re.findall(r"^ +(p_\w+) +(\S+?),?$", function, re.MULTILINE)
    (returned,) = re.findall(r"^RETURNS (.+)$", function, re.MULTILINE)
    yield "\n".join([f"function {name}", *map("  {0[0]} {0[1]}".format, arguments), f"  returns {returned}"]) + "\n"


def codes(seen: Mapping[str, int]) -> str:
    """Every exit code, then those of the commands of the small run."""
    known = re.findall(r"^\| (\d+) \|", exit_codes(), re.MULTILINE)
    return "\n".join([f"known: {', '.join(known)}", "", *(f"{line}: {code}" for line, code in seen.items())]) + "\n"


async def surface(world: World) -> dict[str, str]:
    """The text of each file, from the source and from the commands on a small world."""
    done: SmallRun = await small_run(world)
    return {
        "help.txt": help_texts(),
        "json_keys.txt": json_keys(done.documents),
        "log_events.txt": log_events(done.events),
        "metrics.txt": metrics(done.metrics),
        "tables.txt": await tables(world),
        "exit_codes.txt": codes(done.codes),
    }


def differences(made: Mapping[str, str]) -> str:
    """The differences from the stored files; empty without any."""
    lines: list[str] = []
    for name, text in made.items():
        path = STORED / name
        stored = path.read_text("utf-8") if path.exists() else ""
        lines += difflib.unified_diff(
            stored.splitlines(), text.splitlines(), f"{name} (stored)", name, lineterm="", n=2
        )
    return "\n".join(lines)


async def _write(dsn: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with make_world(dsn, Path(folder)) as world:
            for name, text in (await surface(world)).items():
                (STORED / name).write_text(text, "utf-8")


def main() -> None:
    """Write every file anew."""
    STORED.mkdir(exist_ok=True)
    with (
        running_server() as server,
        template_database(server) as template,
        new_database(server, template) as name,
    ):
        asyncio.run(_write(make_conninfo(server, dbname=name)))


if __name__ == "__main__":
    main()
