"""`init` writes a configuration from options, variables and answers, and `db migrate` takes the owner's login."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.bare_database import run
from support.forked import start_command
from support.terminal import on_terminal
from support.world import Running

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.world import Done, World

SECRETS = {
    "RETENTION_PARTNERS__ACME__SECURE_LOGIN": "login-5f0c2a",
    "RETENTION_PARTNERS__ACME__API_URL": "https://api.example.invalid",
    "RETENTION_PARTNERS__ACME__TOKEN": "token-9d41c7b2e6",
}

OPTIONS = (
    *("--partner", "acme", "--market", "MT", "--market", "SE", "--older-than", "96h", "--timezone", "Europe/Stockholm"),
    *("--schedule", "30 4 * * *", "--dsn", "postgresql://retention_job@db/operator"),
)


async def retention(folder: Path, *words: str, environ: Mapping[str, str] | None = None) -> Done:
    """Run a command in a folder, with only the given variables of ours in its environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RETENTION_", "PG"))}
    process = await start_command(*words, folder=folder, environ={**inherited, **(environ or {})})
    return await Running(process).ended()


def written(folder: Path) -> dict[str, Any]:
    """The file that `init` wrote."""
    return tomllib.loads((folder / "retention.toml").read_text("utf-8"))


def files(folder: Path) -> list[Path]:
    """The files of a folder."""
    return [*folder.iterdir()]


async def test_options_and_variables_need_no_edit(tmp_path: Path) -> None:
    """With options for the policy and variables for the secrets, the file is complete, loads, and holds no secret."""
    done = await retention(tmp_path, "init", *OPTIONS, environ=SECRETS)
    assert (0, "", False) == (done.code, done.err, "still an example" in done.out)
    document = written(tmp_path)
    policy = document["policies"]["nightly"]
    assert {"dsn": "postgresql://retention_job@db/operator"} == document["database"]
    assert {"rate": 20} == document["partners"]["acme"]
    assert (["MT", "SE"], "96h", "dry_run") == (policy["markets"], policy["open_longer_than"], policy["mode"])
    assert ("30 4 * * *", "Europe/Stockholm") == (policy["schedule"], policy["timezone"])
    # It loads: the database is the first thing that is not there.
    plan = await retention(
        tmp_path, "plan", environ={**SECRETS, "RETENTION_DATABASE__DSN": "postgresql://127.0.0.1:1/x"}
    )
    assert (5, True) == (plan.code, plan.err.startswith("error: the database cannot be reached")), plan.err


async def test_secrets_may_have_files(tmp_path: Path) -> None:
    """`--token-file` and its like name files in place of the values, and the examples become comments."""
    words = [f"--{name}-file" for name in ("dsn", "owner-dsn", "api-url", "token")]
    done = await retention(tmp_path, "init", *(word for name in words for word in (name, f"/run{name}")))
    document = written(tmp_path)
    assert {"dsn_file": "/run--dsn-file", "owner_dsn_file": "/run--owner-dsn-file"} == document["database"]
    acme = document["partners"]["acme"]
    assert ("/run--token-file", "/run--api-url-file") == (acme.pop("token_file"), acme.pop("api_url_file"))
    assert {"secure_login": "replace-me", "rate": 20} == acme
    lines = (tmp_path / "retention.toml").read_text("utf-8").splitlines()
    named = done.out.split("still an example: ")[1].split("\n")[0]
    assert ["secure_login", "open_longer_than"] == [
        lines[int(one.split("line ")[1].rstrip(")")) - 1].split(" = ")[0] for one in named.split(", ")
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--partner", "a\tb"), "--partner is no name"),
        (("--market", "MT", "--market", ","), "--market has a blank name in it"),
        (("--older-than", "72"), "--older-than "),
        (("--timezone", "Malta/Europe", "--schedule", "@daily"), "--timezone "),
        (("--schedule", "0 3 * *", "--timezone", "UTC"), "--schedule "),
        (("--schedule", "0 3 * * *"), "--schedule goes with --timezone"),
        (("--timezone", "UTC"), "--timezone goes with --schedule"),
        (("--dsn", "db/operator"), "--dsn is not understood by libpq; write postgresql://USER@HOST/DATABASE"),
        (("--dsn", "postgresql://job:hunter2@db/operator"), "--dsn has a password in it"),
        (("--owner-dsn", "host=db password=hunter2"), "--owner-dsn has a password in it"),
        (("--dsn", "host=db", "--dsn-file", "x"), "--dsn and --dsn-file exclude each other"),
        (("--config", "nowhere/x.toml"), "nowhere/x.toml: No such file or directory; name another file with --config"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_a_wrong_option_writes_nothing(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    """A wrong value is refused with its option, its problem and its mend; no file is written, no secret repeated."""
    before, after = (words, ()) if words[0] == "--config" else ((), words)
    done = await retention(tmp_path, *before, "init", *after)
    assert (2, "", True) == (done.code, done.out, done.err.startswith(f"error: {told}")), done.err
    assert "hunter2" not in done.err
    assert [] == files(tmp_path)


async def test_a_terminal_is_asked_for_the_rest(world: World) -> None:
    """On a terminal each missing value is asked for, again after a wrong answer; the token is not shown."""
    path = world.folder / "retention.toml"
    terminal = await on_terminal(
        world, "--config", "fresh.toml", "init", "--partner", "lm", "--schedule", "@daily", "--timezone", "UTC"
    )
    for prompt, answer in (
        ("secureLogin at the vendor: ", "login-1"),
        ("https://...: ", "http://vendor.example"),
        ("would send the token unencrypted", None),
        ("https://...: ", "https://vendor.example/x"),
        ("token (not shown): ", "token-9d41c7b2e6"),
        ("[all]: ", "MT, SE"),
        ("such as 72h: ", ""),
        ("/operator: ", "postgresql://job:hunter2@db/operator"),
        ("[the same]: ", ""),
    ):
        await terminal.until(lambda prompt=prompt: prompt in terminal.screen)  # type: ignore[misc]
        if answer is not None:
            terminal.screen = ""
            terminal.type(f"{answer}\n")
    code, out = await terminal.ended()
    assert (0, True) == (code, "still an example: open_longer_than" in out), terminal.screen
    assert "token-9d41c7b2e6" not in terminal.screen
    document = tomllib.loads(path.with_name("fresh.toml").read_text("utf-8"))
    expected = {
        "secure_login": "login-1",
        "api_url": "https://vendor.example/x",
        "token": "token-9d41c7b2e6",
        "rate": 20,
    }
    assert {"lm": expected} == document["partners"]
    assert {"dsn": "postgresql://job:hunter2@db/operator"} == document["database"]
    assert ["MT", "SE"] == document["policies"]["nightly"]["markets"]


async def test_check_refuses_the_examples_of_the_file(tmp_path: Path) -> None:
    """While secrets are still the file's examples, `check` fails with their keys; it does not once they are given."""
    await retention(tmp_path, "init", "--dsn", "postgresql://127.0.0.1:1/none")
    environ = {name: value for name, value in SECRETS.items() if not name.endswith("API_URL")}
    found = []
    for given in ({}, environ):
        done = await retention(tmp_path, "check", "--json", environ=given)
        found.append([one["message"] for one in done.json["checks"] if "still an example" in one["message"]])
    (message,) = found[0]
    assert message.startswith("partners.acme.secure_login and partners.acme.token: still an example")
    assert [] == found[1]


@pytest.mark.parametrize(("keys", "code"), [("\x03", 130), ("\x04", 2)], ids=["Ctrl-C", "Ctrl-D"])
async def test_a_broken_off_dialogue_writes_nothing(world: World, keys: str, code: int) -> None:
    """Ctrl-C and the end of the input leave no file."""
    terminal = await on_terminal(world, "--config", "fresh.toml", "init")
    await terminal.until(lambda: "[acme]: " in terminal.screen)
    ended = asyncio.create_task(terminal.ended())
    while not ended.done():  # a key that is pressed just before the process reads may be lost
        with contextlib.suppress(OSError):
            terminal.type(keys)
        await asyncio.wait({ended}, timeout=0.5)
    assert (code, "") == await ended, terminal.screen
    assert not (world.folder / "fresh.toml").exists()


async def test_the_owner_migrates_and_the_job_need_not_exist(world: World, tmp_path: Path) -> None:
    """`db migrate` logs in as the owner, by --as or owner_dsn, before there is a role for the job; a login that cannot
    migrate is named, with the other ways.
    """
    owner, database = f"owner_{os.getpid()}", conninfo_to_dict(world.direct)["dbname"]
    name = f"{database}_first"
    run(world.direct, f"CREATE ROLE {owner} LOGIN", f"CREATE DATABASE {name} OWNER {owner}")
    try:
        job = make_conninfo(world.direct, dbname=name, user="no_such_job")
        other = make_conninfo(world.direct, dbname=name, user=owner)
        secrets = {
            **SECRETS,
            "RETENTION_POLICIES__NIGHTLY__OPEN_LONGER_THAN": "72h",
            "RETENTION_POLICIES__NIGHTLY__MAX_ROUNDS": "5",
        }
        environ = {**secrets, "RETENTION_PARTNERS__ACME__RATE": "20", "RETENTION_DATABASE__DSN": job}
        refused = await retention(tmp_path, "db", "migrate", environ=environ)
        assert (5, True) == (refused.code, 'role "no_such_job" does not exist' in refused.err)
        assert (
            "the login is that of database.dsn; correct it, or give the owner's: `retention db migrate --as"
            in refused.err
        )
        by_as = await retention(tmp_path, "db", "migrate", "--as", other, environ=environ)
        assert (0, "") == (by_as.code, by_as.err)
        owned = await retention(tmp_path, "db", "migrate", environ={**environ, "RETENTION_DATABASE__OWNER_DSN": other})
        assert (0, "the schema is current\n") == (owned.code, owned.out)
        there = make_conninfo(world.direct, dbname=name)
        assert [(owner,)] == run(
            there, "SELECT DISTINCT tableowner::text FROM pg_tables WHERE schemaname = 'retention'"
        )
    finally:
        run(world.direct, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {owner}")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--as", "postgresql://owner:hunter2@db/operator"), "--as has a password in it"),
        (("--as", "nonsense"), "--as is not understood by libpq"),
        (("--as", "host=db", "--sql"), "--sql connects to nothing; leave --as out"),
    ],
)
async def test_a_wrong_login_is_refused_before_anything(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    """`--as` with a password, without sense, or beside --sql is refused in one line."""
    done = await retention(
        tmp_path, "db", "migrate", *words, environ={**SECRETS, "RETENTION_PARTNERS__ACME__RATE": "1"}
    )
    assert (2, "", True) == (done.code, done.out, done.err.startswith(f"error: {told}")), done.err
    assert "hunter2" not in done.err


async def test_the_script_needs_no_configuration(tmp_path: Path) -> None:
    """`db migrate --sql` prints the script without a configuration or a database."""
    done = await retention(tmp_path, "db", "migrate", "--sql")
    assert (0, "") == (done.code, done.err)
    assert done.out.startswith("-- The schema `retention` of this version.")
