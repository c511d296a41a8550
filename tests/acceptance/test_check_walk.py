"""The first day: from an empty database and a file of `init` to green, by nothing but the mends that `check` prints."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from support.bare_database import run, sample_table
from support.forked import start_command
from support.postgres import new_database, only_on_our_own
from support.world import TOKEN, Running

from retention.simulator.server import Simulator

if TYPE_CHECKING:
    from pathlib import Path

    from support.world import Done

ROWS = (
    "INSERT INTO casino.game_rounds (id, account, vendor_round_id, vendor_user_id, market, state, opened_at, currency,"
    " stake, bet_transaction_id) SELECT i, 'acme', 'R-' || i, 'user-' || i, 'MT',"
    " CASE WHEN i %% 100 = 0 THEN 'open' ELSE 'completed' END, now() - i * interval '1 min', 'EUR', 1.5, 'bet-' || i"
    " FROM generate_series(1, 20000) i"
).replace("%%", "%")

LOGIN = "casino-4711-login"
STEPS = 4
"""Mends until green: the schema, the files of the sample, psql, the partner's login."""


class Person:
    """Does what a line says, and nothing else: commands as they stand, with the one table and folder filled in."""

    def __init__(self, folder: Path, owner: str) -> None:
        self.folder, self.owner = folder, owner
        self.steps: list[str] = []

    async def retention(self, *words: str) -> Done:
        """Run one command, with no variable of ours in its environment."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("RETENTION_", "PG"))}
        process = await start_command(
            "--config", str(self.folder / "retention.toml"), *words, folder=self.folder, environ=environ
        )
        return await Running(process).ended()

    async def mend(self, message: str) -> None:
        """Follow one message: its commands in their order, else the keys of the file that it names."""
        commands = [one for one in re.findall(r"`retention ([^`]*)`", message) if not one.startswith("check")]
        if commands:
            for command in commands:
                words = command.replace("SCHEMA.TABLE", "casino.game_rounds").replace("DIR", str(self.folder / "sql"))
                await self._do(words)
        elif "secure_login" in message:
            self.steps.append("edit secure_login")
            file = self.folder / "retention.toml"
            text = file.read_text("utf-8")
            file.write_text(re.sub(r'^secure_login = ".*"', f'secure_login = "{LOGIN}"', text, flags=re.MULTILINE))
        else:
            pytest.fail(f"no mend that can be typed: {message}")

    async def _do(self, words: str) -> None:
        """Run a command, and psql where the command says so."""
        self.steps.append(f"retention {words}")
        done = await self.retention(*shlex.split(words))
        assert 0 == done.code, done.err
        for then in re.findall(r"run (psql .*?\.sql)", done.err + done.out):
            self.steps.append(then)
            process = await asyncio.create_subprocess_exec(
                *shlex.split(then),
                "-d",
                self.owner,
                "-q",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await process.communicate()
            assert 0 == process.returncode, said.decode()


async def test_the_mends_of_check_lead_to_green(postgres: str, tmp_path: Path) -> None:
    """Each failing line's mend is done as it stands, one a round, and after four steps `check` is green."""
    only_on_our_own()
    with new_database(postgres, "template1") as name:
        owner = make_conninfo(postgres, dbname=name)
        run(owner, "CREATE SCHEMA casino", sample_table(), ROWS, "ANALYZE casino.game_rounds")
        person = Person(tmp_path, owner)
        async with Simulator(secure_login=LOGIN, token=TOKEN) as vendor:
            (tmp_path / "url").write_text(f"{vendor.url}/secret-path")
            (tmp_path / "token").write_text(TOKEN)
            at = f"/{name}?host={quote(str(conninfo_to_dict(owner)['host']), safe='')}"
            made = await person.retention(
                *("init", "--partner", "acme", "--older-than", "72h", "--timezone", "Europe/Malta"),
                *("--schedule", "0 3 * * *", "--dsn", f"postgresql://retention_job@{at}"),
                *("--owner-dsn", f"postgresql://{conninfo_to_dict(owner)['user']}@{at}"),
                *("--api-url-file", str(tmp_path / "url"), "--token-file", str(tmp_path / "token")),
            )
            assert 0 == made.code, made.err
            done = await person.retention("check", "--json")
            while done.code:
                assert len(person.steps) < STEPS, person.steps
                await person.mend(next(one["message"] for one in done.json["checks"] if not one["ok"]))
                done = await person.retention("check", "--json")
            plan = await person.retention("plan", "--json")
    odd = [one["name"] for one in done.json["checks"] if not one["ok"] or one["warning"]]
    assert {*odd} <= {"durability"}  # the tests' own server
    assert (0, 157) == (plan.code, plan.json["rounds"])
    assert STEPS == len(person.steps), person.steps
