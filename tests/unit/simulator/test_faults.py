"""The choice of a fault for a request, and the errors of a faults file."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from retention.errors import UsageError
from retention.simulator.fault import NO_FAULT, RequestKey
from retention.simulator.fault_keys import DOCUMENT, KEYS
from retention.simulator.faults import FaultCounts, Faults, load, pick
from retention.simulator.faults_format import FORMAT

if TYPE_CHECKING:
    from pathlib import Path

ASKED = RequestKey(call="CancelRound", secure_login="acme", round_id="R-1", credentials="right", age=10.0)


def struck(faults: Faults, requests: list[RequestKey]) -> list[int | None]:
    """Send requests in turn, as to the simulator; return the number of the fault that struck each request."""
    tally, numbers = FaultCounts(), []
    for asked in requests:
        number, _ = pick(faults, asked, tally)
        tally.add(asked, number)
        numbers.append(number)
    return numbers


def test_without_faults_no_request_is_struck() -> None:
    """Without tables no fault strikes, and the empty fault changes nothing."""
    assert (None, NO_FAULT) == pick(Faults(), ASKED, FaultCounts())


def test_the_first_fault_that_fits_strikes() -> None:
    """Of several faults that fit a request, the first table strikes."""
    faults = Faults.of({"code": "1", "round_ids": ["X-*"]}, {"code": "2"}, {"code": "3"})

    assert [2] == struck(faults, [ASKED])


@pytest.mark.parametrize(
    ("selector", "change", "strikes"),
    [
        ({}, {}, True),
        ({}, {"call": "GetRoundStatus"}, False),
        ({"call": "GetRoundStatus"}, {"call": "GetRoundStatus"}, True),
        ({"call": "any"}, {"call": "HealthCheck"}, True),
        ({"round_ids": ["A", "R-?"]}, {}, True),
        ({"round_ids": ["r-1"]}, {}, False),
        ({"credentials": "wrong"}, {}, False),
        ({"credentials": "wrong"}, {"credentials": "wrong"}, True),
        ({"after_seconds": 10, "for_seconds": "1m"}, {}, True),
        ({"after_seconds": 10.5}, {}, False),
        ({"for_seconds": 10}, {}, False),
        ({"share": 1}, {}, True),
        ({"share": 0}, {}, False),
    ],
)
def test_selectors_limit_a_fault_to_its_requests(
    selector: dict[str, object], change: dict[str, str], *, strikes: bool
) -> None:
    """Each selector admits the named requests and no others."""
    faults = Faults.of({"complete": True, **selector})

    assert [1 if strikes else None] == struck(faults, [replace(ASKED, **change)])  # type: ignore[arg-type]


def test_faults_with_a_first_are_a_script() -> None:
    """`first` counts strikes, so the second table begins once the first one is used up."""
    faults = Faults.of({"code": "998", "first": 2}, {"cut": "after", "first": 1})

    assert [1, 1, 2, None] == struck(faults, [ASKED] * 4)


def test_first_per_round_counts_each_round_for_itself() -> None:
    """Each round of each partner has its own count of strikes."""
    others = [replace(ASKED, round_id="R-2"), replace(ASKED, secure_login="other")]
    faults = Faults.of({"code": "998", "first_per_round": 1})

    assert [1, None, 1, 1, None] == struck(faults, [ASKED, ASKED, *others, ASKED])


def test_a_share_is_the_same_in_every_run_of_a_seed() -> None:
    """Equal seeds strike equal rounds, another seed strikes others, and both strike about the given share."""
    rounds = [replace(ASKED, round_id=f"R-{n}") for n in range(5000)]
    first, again, other = (
        struck(Faults.of({"code": "998", "share": 0.1}, seed=seed), rounds) for seed in (1, 1, "other")
    )

    assert first == again
    assert first != other
    assert 400 < first.count(1) < 600
    assert 400 < other.count(1) < 600


def test_a_share_is_drawn_anew_for_each_request_and_fault() -> None:
    """Later requests of a round and later faults draw shares of their own."""
    faults = Faults.of({"code": "1", "share": 0.5}, {"code": "2", "share": 0.5})

    assert {1, 2, None} == set(struck(faults, [ASKED] * 50))


def test_jitter_adds_a_reproducible_delay() -> None:
    """A delay grows by up to its jitter, and by the same amount in every run."""
    faults = Faults.of({"delay": "250ms", "jitter": 0.5})
    rounds = [replace(ASKED, round_id=f"R-{n}") for n in range(100)]
    delays = [pick(faults, asked, FaultCounts())[1].delay for asked in rounds]

    assert all(0.25 <= delay < 0.75 for delay in delays)
    assert len(set(delays)) == 100
    assert delays == [pick(faults, asked, FaultCounts())[1].delay for asked in rounds]


def test_a_faults_file_gives_its_faults_in_order(tmp_path: Path) -> None:
    """A TOML file gives its seed, and its faults in order."""
    path = tmp_path / "faults.toml"
    path.write_text('seed = 7\n[[fault]]\nstatus = 503\nheaders = { retry-after = 2 }\n[[fault]]\nomit = ["amount"]\n')
    faults = load(path)

    assert faults.seed == 7
    assert [True, False] == [fault.reply is not None for fault in faults.faults]
    assert faults.faults[0].reply is not None
    assert {"Retry-After": "2"} == faults.faults[0].reply.headers
    assert {"amount": None} == faults.faults[1].edits


def test_a_faults_file_sets_the_vendors_properties(tmp_path: Path) -> None:
    """Keys before the faults set properties for all requests and connections."""
    path = tmp_path / "faults.toml"
    path.write_text(
        'idempotent = false\nreverses = true\nnames_round = true\naccept_delay = "250ms"\nhandshake_delay = 2\n'
    )

    assert load(path) == Faults(
        idempotent=False, reverses=True, names_round=True, accept_delay=0.25, handshake_delay=2.0
    )


def test_winnings_strike_status_probes_unless_told_otherwise() -> None:
    """A fault with winnings strikes GetRoundStatus by default; another call may be named."""
    calls = [Faults.of({"winnings": "1", **more}).faults[0].call for more in ({}, {"call": "any"})]

    assert ["GetRoundStatus", "any"] == calls


@pytest.mark.parametrize("action", [{"hide": ["R-1"]}, {"shift": 1}])
def test_a_fault_of_pages_strikes_lists_unless_told(action: dict[str, object]) -> None:
    """Only the list of rounds has pages, so such a fault needs no name of a call."""
    calls = [Faults.of({**action, **more}).faults[0].call for more in ({}, {"call": "any"})]

    assert ["GetGameRounds", "any"] == calls


def test_the_help_documents_every_key_of_a_faults_file() -> None:
    """The format in `simulate --help` has each key of a file and of a fault, in lines that fit a terminal."""
    told = set(re.findall(r"(?:^ +| a | with )(\w+) = ", FORMAT, re.MULTILINE))

    assert told == DOCUMENT.keys() | KEYS.keys()
    assert [] == [line for line in FORMAT.splitlines() if len(line) > 78]


def test_each_example_of_the_help_is_valid(tmp_path: Path) -> None:
    """Each example line of the format is valid, each action as a fault of its own."""
    before, _, faults = FORMAT.partition("Each fault is")
    lines = [re.match(r'  (\w+ = (?:".*?"|\{.*?\}|\[.*?\]|[\w.]+))', line) for line in before.splitlines()]
    path = tmp_path / "faults.toml"
    path.write_text("\n".join(found[1] for found in lines if found))
    assert load(path).seed == 7

    selectors, _, actions = faults.partition("What it does instead")
    for line in re.findall(r'^  (\w+ = (?:".*?"|\{.*?\}|\[.*?\]|[\w.]+))', actions, re.MULTILINE):
        path.write_text(f"[[fault]]\n{line}\n")
        assert 1 == len(load(path).faults), line
    for line in re.findall(r'^  (\w+ = (?:".*?"|\[.*?\]|[\w.]+))', selectors, re.MULTILINE):
        path.write_text(f"[[fault]]\ncomplete = true\n{line}\n")
        assert 1 == len(load(path).faults), line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("idempotent = 0", "idempotent = 0 cannot be used: give true or false"),
        ("accept_delay = -1", "accept_delay = -1 cannot be used: give seconds"),
        ("handshake_dely = 1", "handshake_dely: unknown key: did you mean handshake_delay?"),
        ("[[fault]]\nrepeat = false", "fault 1: repeat = false cannot be used: give true"),
        (
            "[[fault]]\nreverse = true\nrepeat = true",
            "fault 1: 2 actions where one is needed: make each of reverse, rep",
        ),
        ('[[fault]]\nstall = "long"', 'fault 1: stall = "long" cannot be used: give seconds'),
        ("[[fault]]\nstall = 1\njitter = 1", "fault 1: jitter: goes with delay, not with stall: leave it out"),
        ("[[fault]]\nwinnings = []", "fault 1: winnings = [] cannot be used: give what is written for the winnings"),
        ('[[fault]]\nother_round = "R"', 'fault 1: other_round = "R" cannot be used: give true'),
        ("[[fault]", "not TOML"),
        ("sed = 1", "sed: unknown key: did you mean seed?"),
        ("seed = true", "seed = true cannot be used: give a whole number or a word"),
        ("fault = 1", "fault is not a list of tables: start each fault with a line [[fault]]"),
        ("[[fault]]\nfirst = 1", "fault 1: 0 actions where one is needed: give status, code"),
        ('[[fault]]\ncut = "after"\nhang = "after"', "fault 1: 2 actions where one is needed: make each of cut, hang"),
        ('[[fault]]\ncode = "1"\n[[fault]]\nstatsu = 1', "fault 2: statsu: unknown key: did you mean status?"),
        ("[[fault]]\nzzz = 1", "fault 1: zzz: unknown key: the keys are call, credentials"),
        ('[[fault]]\ncode = "1"\njitter = 1', "fault 1: jitter: goes with delay, not with code: leave it out"),
        ('[[fault]]\ncut = "after"\neffect = true', "fault 1: effect: goes with status, code"),
        ('[[fault]]\ncall = "Cancel"', 'fault 1: call = "Cancel" cannot be used: give one of CancelRound'),
        ('[[fault]]\ncredentials = "bad"', 'fault 1: credentials = "bad" cannot be used: give one of right'),
        ("[[fault]]\nround_ids = []", "fault 1: round_ids = [] cannot be used: give a list of texts"),
        ("[[fault]]\nshare = 1.5", "share = 1.5 cannot be used: give a number from 0 to 1"),
        ("[[fault]]\nshare = nan", "share = nan cannot be used"),
        ("[[fault]]\nfirst = 0", "first = 0 cannot be used: give a whole number from 1 up"),
        ("[[fault]]\nfirst_per_round = true", "first_per_round = true cannot be used"),
        ("[[fault]]\nafter_seconds = -1", "after_seconds = -1 cannot be used: give seconds"),
        ("[[fault]]\nfor_seconds = inf", "for_seconds = inf cannot be used"),
        ("[[fault]]\nstatus = 99", "status = 99 cannot be used: give an HTTP status from 200 to 599"),
        ('[[fault]]\nstatus = 503\nheaders = { A = "1\\n" }', 'headers = { A = "1\\n" } cannot be used: give names'),
        ("[[fault]]\nbody = 1", "body = 1 cannot be used: give a text"),
        ("[[fault]]\ncode = 1.5", "code = 1.5 cannot be used: give an error code"),
        ("[[fault]]\nreply = { error = 1979-05-27 }", "reply = { error = 1979-05-27 } cannot be used"),
        ('[[fault]]\nredirect = "ftp://x"', 'redirect = "ftp://x" cannot be used: give an http(s) address'),
        ("[[fault]]\noversize = false", "oversize = false cannot be used: give true"),
        ('[[fault]]\ndelay = "2 days"', 'delay = "2 days" cannot be used: give seconds, or a text'),
        ('[[fault]]\ncut = "now"', 'cut = "now" cannot be used: give one of before, after, middle'),
        ('[[fault]]\nhang = "middle"', 'hang = "middle" cannot be used: give one of before, after'),
        ("[[fault]]\ncomplete = 1", "complete = 1 cannot be used: give true"),
        ("[[fault]]\namount = []", "amount = [] cannot be used: give what is written"),
        ('[[fault]]\nomit = "amount"', 'omit = "amount" cannot be used: give a list of texts'),
        ("[[fault]]\nreplace = 1", "replace = 1 cannot be used: give fields"),
    ],
)
def test_a_bad_faults_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """The error names the file, the fault, the key, the problem and the mend."""
    path = tmp_path / "faults.toml"
    path.write_text(text)

    with pytest.raises(UsageError, match=re.escape(f"{path}: ") + ".*" + re.escape(words)):
        load(path)


def test_a_missing_faults_file_is_refused(tmp_path: Path) -> None:
    """The error for a missing file names the file."""
    with pytest.raises(UsageError, match=r"none\.toml: cannot be read \(No such file or directory\)"):
        load(tmp_path / "none.toml")
