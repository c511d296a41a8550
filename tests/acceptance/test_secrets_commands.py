"""Every command there is, asked well and badly, with its secrets from everywhere: none of them is written anywhere."""

from __future__ import annotations

import base64
import html
import itertools
import json
import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from support.forked import start_command
from support.leaky_vendor import ADDRESSES, PASSWORD, arm, gossip, hunted, ledger_of, told
from support.postgres import only_on_our_own
from support.receiver import Receiver
from support.reference import command_names
from support.secret_scan import found
from support.world import SECURE_LOGIN, TOKEN, Running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.world import Done, World

RUN = "RUN_ID"
"""Stands for a run that there is."""

BY = ("--by", "tess")

COMMANDS: dict[str, list[tuple[str, ...]]] = {
    "demo": [("--rounds", "1")],
    "simulate": [("--port", "99999"), ("--faults", "missing.toml")],
    "completion": [("tcsh",)],
    "help": [("nope",)],
    "init": [()],
    "check": [(), ("--json",)],
    "plan": [
        *((), ("--json",), ("nightly", "--market", "MT"), (TOKEN,), ("--older-than", TOKEN), ("--by", "game")),
        *(("--rounds", "-o", "plan.csv"), ("--rounds", "-o", f"{TOKEN}.csv"), ("--rounds", "-o", TOKEN)),
        *(("--compare", RUN, "--rounds"), ("--compare", TOKEN), ("--compare-from", TOKEN)),
    ],
    "run": [
        ("--dry-run", "--json"),
        ("--limit", "2"),
        ("--limit", "1", "--json", "--metrics-file", "run.prom"),
        ("--resume", RUN, "--override", "go on", *BY),
        ("--resume", str(uuid.UUID(int=7))),
    ],
    "cancel": [
        ("--partner", "acme", "--round", "r0", "--round", "r7", "--evidence", "x", *BY),
        ("--partner", "acme", "--round", "r0", "--evidence", "x", "--json", *BY),
        ("--partner", TOKEN, "--round", "r0", "--evidence", "x", *BY),
        ("--from-file", TOKEN, "--evidence", "x", *BY),
    ],
    "serve": [("--http", "nowhere"), ("--http", "203.0.113.7:1")],
    "report": [
        ("--all",),
        ("--all", "--json"),
        ("--all", "--format", "csv", "-o", "report.csv"),
        ("--from", TOKEN),
        ("-o", "nowhere/report.csv"),
        ("--period", "today", "--timezone", "Europe/Malta", "--market", "MT", "--json"),
        ("--period", TOKEN),
        ("--period", "today", "--timezone", TOKEN),
        ("--pseudonymise", "--format", "csv"),
        ("--market", TOKEN),
    ],
    "explain": [("--partner", "acme", "--round", "r0"), ("--partner", "acme", "--round", "r8", "--json")],
    "pause": [(*BY, "--reason", "x"), (*BY, "--reason", "x"), (*BY, "--reason", "x", "--partner", TOKEN)],
    "resume": [BY, BY, (*BY, "--partner", TOKEN)],
    "db migrate": [()],
    "db status": [(), ("--json",)],
    "db sample": [
        (),
        ("--table", "public.rounds"),
        ("--table", "rounds", "-o", "proposal"),
        ("--table", TOKEN),
        ("--table", "public.rounds", "-o", TOKEN),
    ],
    "db sql": [(), ("claim_rounds",), (TOKEN,)],
    "runs list": [(), ("--json",)],
    "runs close": [(RUN, "--by", "tess", "--note", "x"), (RUN, "--by", "tess", "--note", " ")],
    "runs show": [(RUN,), (RUN, "--json"), (str(uuid.UUID(int=7)),)],
    "review list": [(), ("--json",)],
    "review reclose": [BY, ("7", *BY)],
    "review resolve": [
        ("3", "--as", "rejected", "--note", "x", *BY),
        ("3", "--as", "held", "--note", "x", *BY),
        ("4", "--as", TOKEN, "--note", "x", *BY),
    ],
    "hold add": [("--user", "u", "--reason", "x", *BY), ("--user", "u", "--reason", "x", *BY, "--until", TOKEN)],
    "hold list": [(), ("--json",), ("--all",)],
    "hold release": [("1", *BY), ("1", *BY)],
    "approve": [(RUN, *BY), (RUN, "--digest", TOKEN, *BY), (RUN, "--note", TOKEN, *BY)],
    "reject": [(RUN, "--note", "x", *BY), (RUN, "--digest", TOKEN, "--note", "x", *BY)],
    "reconcile": [(), ("--json",), ("--run", RUN), ("--market", TOKEN), ("--from", TOKEN)],
    "find": [("r0",), ("r0", "--json"), (TOKEN,)],
    "ledger status": [(), ("--json",)],
    "audit verify": [(), ("--json",), ("--run", RUN), ("--anchors", TOKEN)],
    "audit export": [("--run", RUN, "-o", "evidence.json"), ("--run", TOKEN, "-o", "evidence.json")],
    "ledger archive": [
        *(("--older-than", TOKEN, "--to", "."), ("--older-than", "3650d", "--to", TOKEN)),
        *(("--older-than", "3650d", "--to", ".", "--dry-run"), ("--older-than", "3650d", "--to", ".", "--json", *BY)),
        ("--older-than", "3650d", "--to", ".", "--as", f"postgresql://ann:{TOKEN}@127.0.0.1/none"),
    ],
    "ledger pseudonymise": [("--user", "nobody", *BY), ("--older-than", TOKEN, *BY), ("--older-than", "3650d", *BY)],
}
"""The commands' arguments, in this order. A secret in an argument is not shown in the error either."""

AWAY = [
    *("check", "plan", "run", "report", "runs list", "review list", "db status", "db migrate", "hold list"),
    "serve",
]
"""The commands that are tried where the database refuses the password."""


def test_every_command_is_asked() -> None:
    """A command that is new fails until it is asked for secrets here too."""
    assert set(COMMANDS) == set(command_names())


DRESSES: dict[str, Callable[[str], str]] = {
    "plain": str,
    "URL": lambda text: quote(quote(text, safe="")),
    "JSON": lambda text: json.dumps(text).replace("/", "\\/"),
    "ASCII": lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text),
    "HTML": html.escape,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hexadecimal": lambda text: text.encode().hex(),
}


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("dress", DRESSES)
def test_the_secret_scan_finds_each_encoding(dress: str, before: str) -> None:
    """A secret is found in each encoding and behind each prefix."""
    secret = "t/0k+e&n-9d41"
    text = f"{before}:{DRESSES[dress](before + secret + ' and more')}."
    assert [] != found({"somewhere": text}, {"it": secret})


async def test_no_command_writes_a_secret(world: World) -> None:
    """No output, file, table or message holds a secret, for any command and any source of its secrets."""
    async with Receiver() as receiver:
        world.extra = told(receiver.address)
        plain = world.direct
        arm(world)
        await world.seed(10)
        world.vendor.faults = gossip(world)
        hunt = Hunt(world)
        run = json.loads((await hunt.command("run", "--json", code=4)).out)["run_id"]
        await world.seed(3, prefix="t")
        for name, asked in COMMANDS.items():
            for words in asked:
                await hunt.command(*name.split(), *(run if word == RUN else word for word in words))
        await hunt.command("init", config="fresh.toml", code=0)
        with refusing(plain) as role:
            hunt.environ = {"RETENTION_DATABASE__DSN": make_conninfo(plain, user=role, password=PASSWORD)}
            for name in AWAY:
                await hunt.command(*name.split(), code=2 if name == "check" else 5)
        hunt.environ = {
            f"RETENTION_PARTNERS__ACME__{key}_URL": "https://vendor-4d1f.invalid/secret-path"
            for key in ("API", "CANCEL", "STATUS", "HEALTH", "ROUNDS")
        }
        await world.seed(1, prefix="u")
        await hunt.command("check", code=2)
        await hunt.command("run", code=5)
        hunt.written |= await ledger_of(world)
        hunt.written["messages"] = "\n".join(request.body.decode() for request in receiver.requests)
        hunt.files()

    assert {"report.csv", "run.prom", "fresh.toml"} <= set(hunt.written)
    assert [] == found(hunt.written, {**hunted(world), "the vendor's host": "vendor-4d1f"})


class Hunt:
    """Runs commands, each with its secrets from another place than the one before, and keeps their output."""

    def __init__(self, world: World) -> None:
        self.written: dict[str, str] = {}
        self.environ: dict[str, str] = {}
        self._folder = world.folder
        self._sources = itertools.cycle([*sources(world)])
        self._known = {path for path in world.folder.rglob("*") if path.is_file()}
        self._temporary = world.folder / "temporary"
        self._temporary.mkdir()
        self._formats = itertools.cycle(("json", "console"))

    async def command(self, *words: str, config: str = "", code: int | None = None) -> Done:
        """Run a command that logs all it can; `code`: its exit code, and never that of a bug."""
        path, environ = next(self._sources)
        form = next(self._formats)
        process = await start_command(
            *("--config", config or path, "--log-level", "debug", "--log-format", form, *words),
            folder=self._folder,
            environ={**os.environ, **environ, **self.environ, "TMPDIR": str(self._temporary)},
        )
        done = await Running(process).ended()
        name = f"{len(self.written)}: {path}: {' '.join(words)}"
        self.written |= {f"{name}: stdout": done.out, f"{name}: stderr": done.err}
        assert code in {None, done.code}, f"{name}: {done}"
        assert done.code != 1, f"{name}: {done.err}"
        return done

    def files(self) -> None:
        """Read every file that was not there before, in the working folder and in that for temporary files."""
        for path in {*self._folder.rglob("*")} - self._known:
            if path.is_file():
                self.written[path.name] = path.read_text(errors="replace")


def sources(world: World) -> Iterator[tuple[str, dict[str, str]]]:
    """The places that secrets come from: the configuration, files that it names, and the environment."""
    literal = world.configure()
    yield literal.name, {}
    secrets = {
        "token": TOKEN,
        "secure_login": SECURE_LOGIN,
        "api_url": f"{world.vendor.url}/secret-path",
        **{key: world.vendor.url + path for key, path in ADDRESSES.items()},
        "dsn": world.dsn,
    }
    lines = literal.read_text().splitlines()
    named, bare = [], []
    for line in lines:
        key = line.partition(" = ")[0]
        if key not in secrets:
            named.append(line)
            bare.append(line)
        elif key == "secure_login":
            named.append(line)
        else:
            (world.folder / f"secret-{key}").write_text(secrets[key] + "\n")
            named.append(f'{key}_file = "secret-{key}"')
    for name, text in (("files.toml", named), ("environment.toml", bare)):
        (world.folder / name).write_text("\n".join(text))
    yield "files.toml", {}
    environ = {f"RETENTION_PARTNERS__ACME__{key.upper()}": value for key, value in secrets.items() if key != "dsn"}
    yield "environment.toml", environ | {"RETENTION_DATABASE__DSN": world.dsn}


@contextmanager
def refusing(dsn: str) -> Iterator[str]:
    """A role that the server admits by its password alone, which only the secret file holds."""
    only_on_our_own()
    role = f"guarded_{uuid.uuid4().hex}"
    with psycopg.connect(dsn, autocommit=True) as owner:
        before = owner.execute("SELECT pg_read_file(current_setting('hba_file'))").fetchone()
        assert before is not None

        def write(rules: str) -> None:
            made = owner.execute("SELECT lo_from_bytea(0, convert_to(%s, 'UTF8'))", [rules]).fetchone()
            owner.execute("SELECT lo_export(%s, current_setting('hba_file'))", made)
            owner.execute("SELECT lo_unlink(%s)", made)
            owner.execute("SELECT pg_reload_conf()")

        owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'another'".encode())
        try:
            write(f"local all {role} scram-sha-256\nhost all {role} all scram-sha-256\n{before[0]}")
            while "password authentication failed" not in _refusal(make_conninfo(dsn, user=role, password=PASSWORD)):
                pass
            yield role
        finally:
            write(before[0])
            owner.execute(f"DROP ROLE {role}".encode())


def _refusal(dsn: str) -> str:
    """Why a login is refused; nothing where it is not."""
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError as error:
        return str(error)
    return ""
