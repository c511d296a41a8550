"""Inherited properties of a process do not change the result of its work."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest
from support.replica import schedule

if TYPE_CHECKING:
    from support.world import Done, World

SHELL = ("bash", "-c")

STREAMS: dict[str, tuple[dict[int, str], str, str]] = {
    # the descriptor, the text on stdout, and on stderr
    "no stdin": ({0: "closed"}, "", ""),
    "no stdout": ({1: "closed"}, "", "warning: stdout: not open for writing; "),
    "no stderr": ({2: "closed"}, "warning: stderr: not open for writing; ", ""),
    "nothing at all": ({0: "closed", 1: "closed", 2: "closed"}, "", ""),
    "a full disk for stdout": ({1: "/dev/full"}, "", "warning: stdout: No space left on device; "),
    "a full disk for stderr": ({2: "/dev/full"}, "warning: stderr: No space left on device; ", ""),
    "a reader of stdout that went away": ({1: "dead"}, "", "warning: stdout: Broken pipe; "),
    "a reader of stderr that went away": ({2: "dead"}, "warning: stderr: Broken pipe; ", ""),
    "a reader of stderr that does not read": ({2: "stuck"}, "warning: stderr: no reader takes it; ", ""),
    "a reader of stdout that does not read": ({1: "stuck"}, "", "warning: stdout: no reader takes it; "),
}


async def test_the_outcome_of_a_run_is_its_works(world: World) -> None:
    """With descriptors closed, full or not read, a run cancels all rounds, exits with its own code and writes its
    metrics. Text that could not be printed is reported once where possible.
    """
    for number, _ in enumerate(STREAMS):
        await world.seed(3, prefix=f"{number}-", market=f"M{number}")
    world.configure()

    async def run(number: int) -> Done:
        instead = [*STREAMS.values()][number][0]
        return await world.command(
            "run", "--market", f"M{number}", "--metrics-file", f"{number}.prom", "--yes", instead=instead
        )

    ended = await asyncio.gather(*map(run, range(len(STREAMS))))
    assert dict.fromkeys(STREAMS, 0) == dict(zip(STREAMS, [done.code for done in ended], strict=True))
    assert {"cancelled"} == {*(await world.states()).values()}
    assert 3 * len(STREAMS) == len(world.cancels)
    for number, (done, (instead, on_stdout, on_stderr)) in enumerate(zip(ended, STREAMS.values(), strict=True)):
        told = [line for line in (done.out + done.err).splitlines() if line.startswith("warning: ")]
        assert [words for words in (on_stdout, on_stderr) if words] == [
            line[: len(on_stdout or on_stderr)] for line in told
        ]
        assert on_stdout in done.out
        assert on_stderr in done.err
        assert ("cancelled" in done.out) == (1 not in instead)
        assert "retention_run_last_exit_code" in (world.folder / f"{number}.prom").read_text()


PRINTING = {
    "plan": ("plan", "--rounds"),
    "report": ("report",),
    "explain": ("explain", "--partner", "acme", "--round", "r0"),
    "runs list": ("runs", "list", "--json"),
    "review list": ("review", "list"),
    "hold list": ("hold", "list"),
    "check": ("check",),
    "db status": ("db", "status"),
    "db sample": ("db", "sample"),
    "db sql": ("db", "sql"),
    "help": ("--help",),
    "help of a command": ("run", "--help"),
    "version": ("--version",),
}


@pytest.mark.parametrize(
    ("what", "code", "problem"),
    [
        ("dead", 0, ""),
        ("/dev/full", 2, "error: stdout: No space left on device; free some space there, or print elsewhere\n"),
        ("closed", 2, "error: stdout: not open for writing; print elsewhere\n"),
    ],
)
async def test_a_printing_command_exits_2_where_stdout_is_lost(
    world: World, what: str, code: int, problem: str
) -> None:
    """A reader that went away has read enough; anything else is one line and exit code 2, never a traceback."""
    await world.seed(2)
    ended = await asyncio.gather(*(world.command(*words, instead={1: what}) for words in PRINTING.values()))
    assert dict.fromkeys(PRINTING, (code, problem)) == {
        name: (done.code, done.err) for name, done in zip(PRINTING, ended, strict=True)
    }


async def test_a_writing_command_exits_0_where_stdout_is_lost(world: World) -> None:
    """A hold stands, a pause is made and ended, a configuration is written: exit code 0, even if the output is lost."""
    await world.seed(1)
    commands: list[tuple[tuple[str, ...], dict[int, str]]] = [
        (("hold", "add", "--round", "r0", "--by", "ann", "--reason", "x"), {1: "/dev/full"}),
        (("pause", "--by", "ann", "--reason", "x"), {1: "dead", 2: "dead"}),
        (("resume", "--by", "ann"), {1: "/dev/full", 2: "/dev/full"}),
        (("db", "migrate"), {1: "dead"}),
        (("--config", "new.toml", "init"), {1: "closed"}),
    ]
    for words, instead in commands:
        done = await world.command(*words, instead=instead)
        assert (words, 0) == (words, done.code), done.err
    assert (world.folder / "new.toml").read_text()
    assert [(1,)] == await world.sql("SELECT count(*) FROM retention.holds")


async def test_json_output_stays_json_where_stderr_is_lost(world: World) -> None:
    """Where stderr is lost, `--json` stays JSON, and the result of a command for people begins with its error."""
    run = await world.command("run", "--json", instead={2: "/dev/full"})
    assert (0, "finished") == (run.code, run.json["status"])
    wrong = await world.command("plan", "nigthly", instead={2: "closed"})
    assert 2 == wrong.code
    assert wrong.out.startswith("error: there is no policy 'nigthly'")


async def test_real_processes_with_closed_descriptors(world: World) -> None:
    """As the shell starts them: `<&-`, `>&-`, `2>&-`, all three, and a pipe whose reader is gone. Also with an empty
    environment, ignored signals, and a low limit of open files.
    """
    await world.seed(2)
    pipeline = (*SHELL, '"$0" "$@" | true; exit ${PIPESTATUS[0]}')
    started = {
        "0": world.command("run", "--yes", "--metrics-file", "m", under=(*SHELL, 'umask 777; exec "$0" "$@" <&-')),
        "all": world.command("check", under=(*SHELL, 'exec "$0" "$@" <&- >&- 2>&-')),
        "pipe": world.command("runs", "list", under=pipeline),
        "bare": world.command(
            "plan", under=(*SHELL, 'trap "" INT TERM HUP CHLD; ulimit -n 40; umask 777; exec env -i "$0" "$@"')
        ),
    }
    started["few files"] = world.command("plan", under=(*SHELL, 'ulimit -n 14; exec "$0" "$@"'))
    ended = dict(zip(started, await asyncio.gather(*started.values()), strict=True))
    assert {"0": 0, "all": 2, "pipe": 0, "bare": 0, "few files": 2} == {
        name: done.code for name, done in ended.items()
    }, ended
    assert ["", ""] == [ended[name].err for name in ("pipe", "bare")]
    few = "error: only 14 files may be open at once; allow 32 or more with `ulimit -n`\n"
    assert few == ended["few files"].err
    assert {"cancelled"} == {*(await world.states()).values()}
    assert 0o644 == (world.folder / "m").stat().st_mode & 0o777


@pytest.mark.parametrize(
    "environ",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"},
    ],
)
async def test_words_in_any_alphabet_are_recorded_under_any_locale(world: World, environ: dict[str, str]) -> None:
    """Under every inherited locale and encoding, words of the command line are recorded and printed as they are."""
    done = await world.command("hold", "add", "--user", "ξ", "--by", "Ἄννα", "--reason", "αίτημα 81", environ=environ)
    assert (0, "") == (done.code, done.said.replace("warning: the hold matches no round that is open now\n", ""))
    assert [("ξ", "Ἄννα", "αίτημα 81")] == await world.sql("SELECT user_id, created_by, reason FROM retention.holds")
    assert "αίτημα 81" in (await world.command("hold", "list")).out


async def test_a_deleted_current_folder_leaves_the_configuration_readable(world: World) -> None:
    """Where the current folder is gone, a configuration with a whole name is read all the same."""
    under = (*SHELL, 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"')
    done = await world.command("runs", "list", under=under)
    assert (0, "") == (done.code, done.err)


async def test_a_file_on_a_full_disk_is_not_half_written(world: World) -> None:
    """`report -o` and `--metrics-file` where no space is left: reported with the file's name, and no half-written file
    stays.
    """
    await world.seed(300)
    limited = (*SHELL, 'ulimit -f 1; exec "$0" "$@"')
    none = (*SHELL, 'ulimit -f 0; exec "$0" "$@"')
    run = await world.command("run", "--yes", "--metrics-file", "all.prom", under=none)
    assert (0, True) == (run.code, "error: --metrics-file all.prom: File too large" in run.err)
    report, init = await asyncio.gather(
        world.command("report", "--format", "json", "-o", "report.json", under=limited),
        world.command("--config", "new.toml", "init", under=none),
    )
    assert (2, "error: new.toml: File too large; name another file with --config\n") == (init.code, init.err)
    assert (2, "error: report.json: File too large; free some space there, or name another file\n") == (
        report.code,
        report.err,
    )
    assert ["retention.toml"] == [file.name for file in world.folder.iterdir()]


async def test_a_stuck_reader_of_the_log_stops_no_daemon(world: World) -> None:
    """While the log of `serve` is not read, a due run is made and finished, and a stop is obeyed."""
    await world.seed(40)
    await schedule(world)
    daemon = await world.start("serve", "--http", "127.0.0.1:0", instead={1: "stuck", 2: "stuck"})
    await daemon.until(world.vendor, lambda: len(world.cancels) == 40)
    await world.until_settled(40)
    daemon.signal(signal.SIGTERM)
    assert 143 == (await daemon.ended()).code
