"""Logs: one line for each event with the contract's keys, and no secret in any of them."""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.log import configure
from retention.process.streams import Stream
from retention.redaction import MASK, SHORTEST, Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOKEN = "t0ken/with+more="
URL = "https://api.secret.example/base"
AWKWARD = 'q"uote\\back é'
SECRETS = ["acme", "abc", TOKEN, URL, f"{URL}/", AWKWARD, "pass", "password-1"]


def redactor(secrets: Callable[[], list[str]] = lambda: SECRETS) -> Redactor:
    """Return a redactor of these secrets; a partner is called acme."""
    return Redactor(secrets, lambda: {"acme", "nightly"})


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers = [*root.handlers]
    yield
    root.handlers[:] = handlers
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the log lines; nothing goes to stdout, and JSON knows no NaN."""

    def refuse(literal: str) -> None:
        raise AssertionError(literal)

    written = capsys.readouterr()
    assert "" == written.out
    return [json.loads(line, parse_constant=refuse) for line in written.err.splitlines()]


@pytest.mark.parametrize("form", ["json", "console"])
def test_dropped_log_lines_are_an_event(monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """The number of dropped lines is an event like any other, in the log's own format."""
    stream = Stream(os.open(os.devnull, os.O_WRONLY), "stderr", closed=False, limit=1, by_line=True)
    monkeypatch.setattr("sys.stderr", stream)
    configure(form, "info", redactor())
    assert stream.notice is not None
    line = stream.notice(7)
    assert line.endswith("\n")
    if form == "json":
        event = json.loads(line)
        assert ("log.dropped", 7, "warning", "Z") == (
            event["event"],
            event["lines"],
            event["level"],
            event["timestamp"][-1],
        )
    else:
        assert "log.dropped" in line
        assert "lines=7" in line
    os.close(stream.fileno())


@pytest.mark.parametrize(
    ("clean", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        (MASK, TOKEN),
        (f"Bearer {MASK}, {MASK}!", f"Bearer {TOKEN}, {TOKEN}!"),
        (f"POST {MASK}v4/CancelRound", f"POST {URL}/v4/CancelRound"),
        ("acme and abc are words", "acme and abc are words"),
        (f"{MASK} and {MASK}", "password-1 and pass"),
        (MASK, AWKWARD),
    ],
)
def test_secrets_are_taken_out_of_text(clean: str, text: str) -> None:
    """Each secret is masked wherever it stands; words too short for one, and the names of partners, stay."""
    assert clean == redactor().text(text)


@pytest.mark.parametrize("order", [1, -1])
def test_a_secret_that_begins_with_another_is_masked_whole(order: int) -> None:
    """In whichever order they are listed, the longest secret wins, and no end of it is left over."""
    assert MASK == redactor(lambda: ["pass", "password-1"][::order]).text("password-1")


@pytest.mark.parametrize(
    "written",
    [repr(AWKWARD), json.dumps(AWKWARD), json.dumps(AWKWARD, ensure_ascii=False), quote(AWKWARD), str([AWKWARD])],
)
def test_a_secret_is_known_in_other_writings(written: str) -> None:
    """Quoted as Python, JSON and URLs do it, a secret is still one."""
    clean = redactor().text(f"said {written}")
    assert MASK in clean
    assert "back" not in clean


def test_the_shortest_secret_is_masked() -> None:
    """A secret of four characters is masked, one of three would take words apart."""
    found = redactor(lambda: ["x" * (SHORTEST - 1), "y" * SHORTEST]).text("xxx yyyy")
    assert f"xxx {MASK}" == found


def test_no_secret_at_all_is_fine() -> None:
    """Without a secret, or with short ones alone, every text stays as it is."""
    assert ["any text"] * 2 == [redactor(list).text("any text"), redactor(lambda: ["a", ""]).text("any text")]


def test_a_secret_that_changes_is_masked_before_and_after() -> None:
    """A new secret is masked at once, and the replaced one still is, since requests in flight may carry it."""
    secrets = ["old-token"]
    found = redactor(lambda: secrets)
    assert f"{MASK} new-token" == found.text("old-token new-token")
    secrets = ["new-token"]
    assert f"{MASK} {MASK}" == found.text("old-token new-token")
    secrets.append("newest-token")
    assert f"{MASK} {MASK}" == found.text("newest-token new-token")


def test_secrets_are_asked_for_once_for_each_event() -> None:
    """A line with many values costs one look at the secrets: a look is a stat(2) for each file."""
    looks = itertools.count()
    found = Redactor(lambda: [f"secret-{next(looks)}"], set)
    found(None, "info", {"event": "x", "one": "a", "two": ["b", {"c": "secret-0"}]})
    assert 1 == next(looks)


@dataclass
class Thing:
    """Something with a repr of its own."""

    token: str


@pytest.mark.parametrize(
    "value",
    [
        TOKEN,
        f"before {TOKEN} after",
        [TOKEN],
        (TOKEN, 1),
        {TOKEN},
        {TOKEN: 1},
        {"token": TOKEN},
        {"a": [{"b": ({"c": TOKEN},)}]},
        TOKEN.encode(),
        bytearray(TOKEN.encode()),
        ValueError(TOKEN),
        Thing(TOKEN),
        Thing(AWKWARD),
        {"thing": Thing(AWKWARD)},
        AWKWARD.encode(),
        KeyError(AWKWARD),
    ],
)
def test_no_value_carries_a_secret(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    """A secret at any depth of a logged value is masked."""
    log = configure("json", "info", redactor())
    log.info("round.settled", value=value)
    log.bind(bound=value).warning("round.settled")
    for line in lines(capsys):
        assert MASK in json.dumps(line)
        for secret in (TOKEN, "uote", "back"):
            assert secret not in json.dumps(line)


def test_a_traceback_carries_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither an exception's words nor those of its cause show a secret; where it was raised stays readable."""
    log = configure("json", "info", redactor())

    def fail() -> None:
        try:
            os.environ[AWKWARD]
        except KeyError as error:
            raise RuntimeError("POST " + URL) from error

    try:
        fail()
    except RuntimeError:
        log.exception("bug.found", token=TOKEN)
    (line,) = lines(capsys)
    assert ("bug.found", "error", MASK) == (line["event"], line["level"], line["token"])
    assert f"RuntimeError: POST {MASK}" in line["exception"]
    assert "test_a_traceback_carries_no_secret" in line["exception"]
    assert "KeyError: " in line["exception"]
    assert "uote" not in line["exception"]


def test_a_line_has_the_contracts_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line has a time in UTC, a level and an event, and the values under their own names and types."""
    log = configure("json", "info", redactor())
    values: dict[str, Any] = {"run_id": UUID(int=1), "rounds": 3, "latency_ms": 1.5, "ok": True, "detail": None}
    log.bind(policy="nightly").info("run.started", partner="acme", amount=Decimal("1.50"), states={"held": 2}, **values)
    log.warning("round.in_doubt")
    first, second = lines(capsys)
    for line in (first, second):
        assert 0 <= (datetime.now(UTC) - datetime.fromisoformat(line["timestamp"])).total_seconds() < 60
        assert line["timestamp"].endswith("Z")
        del line["timestamp"]
    expected = {
        "event": "run.started",
        "level": "info",
        "policy": "nightly",
        "partner": "acme",
        "amount": "1.50",
        "run_id": str(UUID(int=1)),
        "rounds": 3,
        "latency_ms": 1.5,
        "ok": True,
        "detail": None,
        "states": {"held": 2},
    }
    assert expected == first
    assert {"event": "round.in_doubt", "level": "warning"} == second


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, [math.nan], "\ud800", "\x00\x1b\n", b"\xff", object()]
)
def test_every_line_is_json(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that JSON cannot write becomes text, and a line stays one line."""
    configure("json", "info", redactor()).info("round.settled", value=value)
    assert 1 == len(lines(capsys))


def test_numbers_stay_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """A count that happens to look like a secret is a count."""
    configure("json", "info", redactor(lambda: ["12345"])).info("run.planned", rounds=12345, words="12345 rounds")
    (line,) = lines(capsys)
    assert (12345, f"{MASK} rounds") == (line["rounds"], line["words"])


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_a_log_level_drops_lower_levels(level: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing below the level that was asked for is written."""
    log = configure("json", level, redactor())
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("x.y")
    levels = ["debug", "info", "warning", "error"]
    assert levels[levels.index(level) :] == [line["level"] for line in lines(capsys)]


def test_auto_is_json_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stderr is no terminal, every line is JSON."""
    configure("auto", "info", redactor()).info("run.started")
    assert ["run.started"] == [line["event"] for line in lines(capsys)]


@pytest.mark.parametrize(("log_format", "terminal"), [("console", False), ("console", True), ("auto", True)])
def test_a_person_gets_words(
    log_format: str, terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal, or where it is asked for, lines are for reading, and a traceback in them holds no secret."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    log = configure(log_format, "info", redactor())
    try:
        int("POST " + URL)
    except ValueError:
        log.exception("bug.found", token=TOKEN, partner="acme")
    written = capsys.readouterr().err
    for expected in ("bug.found", "acme", "ValueError: ", f"POST {MASK}"):
        assert expected in written
    for secret in (TOKEN, URL):
        assert secret not in written
    with pytest.raises(ValueError, match=r"Expecting value|Extra data"):
        json.loads(written)


def test_control_characters_in_log_text_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither an id from elsewhere nor an error's words can drive a terminal or break a line, and tracebacks keep
    theirs.
    """
    log = configure("console", "info", redactor())
    try:
        int("\x1b[2J")
    except ValueError:
        log.exception("bug\x1b[1m", round_id="R\x1b[2J\x07", problem="all\u202e well\nrun.finished", many=["\x1b[0m"])
    written = capsys.readouterr().err
    assert [] == [sign for sign in written if not sign.isprintable() and sign != "\n"]
    assert all(shown in written for shown in ("R\\x1b[2J\\x07", "\nTraceback (most recent call last)"))
    assert not any(line.startswith("run.finished") for line in written.splitlines())


def test_other_libraries_are_not_heard(capsys: pytest.CaptureFixture[str]) -> None:
    """Lines that libraries log through the standard library hold addresses, and never reach stderr."""
    root = logging.getLogger()
    root.handlers[:] = []
    configure("json", "info", redactor())
    logging.getLogger("asyncio").error("cannot connect to %s", URL)
    assert ("", "") == tuple(capsys.readouterr())


@given(st.text(max_size=30), st.sampled_from([TOKEN, URL, AWKWARD]), st.text(max_size=30))
@settings(deadline=None)
def test_no_text_around_a_secret_saves_it(before: str, secret: str, after: str) -> None:
    """A secret is masked between any texts, in each of its forms."""
    for written in (secret, repr(secret)[1:-1], json.dumps(secret)[1:-1]):
        assert written not in redactor().text(before + written + after)
