"""Lists of rounds: each id is data, and a doubtful line is an error that names it."""

from __future__ import annotations

import pytest

from retention.core.planning import round_list
from retention.core.planning.named_rounds import NamedRound
from retention.core.planning.round_list import read_round_list

GOOD: dict[str, tuple[bytes, list[tuple[str, str]]]] = {
    "bare ids": (b"r1\nr2\n", [("acme", "r1"), ("acme", "r2")]),
    "no line end at the end": (b"r1\nr2", [("acme", "r1"), ("acme", "r2")]),
    "CRLF and blank lines": (b"\r\nr1\r\n\r\n  \r\nr2\r\n", [("acme", "r1"), ("acme", "r2")]),
    "old Macs": (b"r1\rr2\r", [("acme", "r1"), ("acme", "r2")]),
    "a byte order mark": (b"\xef\xbb\xbfr1\n", [("acme", "r1")]),
    "a header": (b"round_id\nr1\n", [("acme", "r1")]),
    "a header in capitals": (b" Partner ,ROUND_ID\nacme,r1\n", [("acme", "r1")]),
    "columns the other way round": (b"round_id,partner\nr1,acme\n", [("acme", "r1")]),
    "leading zeros": (b"007\n7\n7.0\n1e3\n", [("acme", "007"), ("acme", "7"), ("acme", "7.0"), ("acme", "1e3")]),
    "blanks": (b" r 1 \n\tr2\n", [("acme", " r 1 "), ("acme", "\tr2")]),
    "quotes": (b'"a,b"\n"say ""no"""\n"two\nlines"\n', [("acme", "a,b"), ("acme", 'say "no"'), ("acme", "two\nlines")]),
    "emoji": ("\U0001f3b0\ne\u0301\n".encode(), [("acme", "\U0001f3b0"), ("acme", "e\u0301")]),
    "a formula": (b"=1+1\n", [("acme", "=1+1")]),
    "the header's word as an id": (b"r1\nround_id\n", [("acme", "r1"), ("acme", "round_id")]),
    "nothing": (b"", []),
    "a header alone": (b"partner,round_id\n", []),
    "twice": (b"r1\nr1\n", [("acme", "r1"), ("acme", "r1")]),
}

BAD: dict[str, tuple[bytes, str]] = {
    "no round id": (b"partner,round_id\nacme,r1\nacme,\n", "line 3: no round id"),
    "another partner": (b"partner,round_id\nother,r1\n", "line 2: partner other, and --partner is acme"),
    "a blank partner": (b"partner,round_id\n\n,r1\n", "line 3: no partner"),
    "two values": (b"r1\nr2,r3\n", "line 2: 2 values, not a round id alone"),
    "one value": (b"partner,round_id\nr1\n", "line 2: 1 values, not 2 as in the header"),
    "three values": (b"partner,round_id\nacme,r1,x\n", "line 2: 3 values, not 2 as in the header"),
    "semicolons": (b"partner;round_id\nacme;r1\n", "line 1: its values are not separated by commas"),
    "tabs": (b"partner\tround_id\nacme\tr1\n", "line 1: its values are not separated by commas"),
    "a report": (b"partner,market,round_id\nacme,MT,r1\n", "line 1: the header is partner,market,round_id; write"),
    "partners alone": (b"partner\nacme\n", "line 1: the header is partner; write"),
    "an open quote": (b'r1\n"r2\nr3\n', "line 2: unexpected end of data"),
    "a quote within": (b'r1\n"r"2\n', "line 2: ',' expected after '\"'"),
    "Latin-1": (b"r1\nr\xe9\n", "line 2: not UTF-8"),
    "UTF-16": ("r1\n".encode("utf-16"), "line 1: not UTF-8"),
    "a long id": (b"r1\n" + b"x" * 2001, "line 2: an id of 2001 characters"),
    "a NUL": (b"r1\nr\x002\n", "line 2: "),
}


@pytest.mark.parametrize("name", GOOD)
def test_each_id_is_taken_as_it_is_written(name: str) -> None:
    """Line ends, quotes, marks and headers are the list's; everything else is the id."""
    content, expected = GOOD[name]
    assert [NamedRound(*one) for one in expected] == read_round_list(content, "acme")


@pytest.mark.parametrize("name", BAD)
def test_a_doubtful_line_is_an_error_that_names_it(name: str) -> None:
    """Nothing is guessed: a list that does not fit is refused at its first bad line."""
    content, said = BAD[name]
    with pytest.raises(ValueError, match=r"^line ") as error:
        read_round_list(content, "acme")
    assert str(error.value).startswith(said)


def test_a_list_of_several_partners_needs_no_partner_of_its_own() -> None:
    """The column `partner` names each round's partner; a list without it needs one."""
    several = b"partner,round_id\nacme,r1\nother,r1\n"
    assert [NamedRound("acme", "r1"), NamedRound("other", "r1")] == read_round_list(several, None)
    with pytest.raises(ValueError, match=r"^line 1: no partner; give --partner"):
        read_round_list(b"r1\n", None)


def test_a_list_names_no_more_than_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that exceeds the limit is named."""
    monkeypatch.setattr(round_list, "MAX_NAMED", 2)
    assert 2 == len(read_round_list(b"r1\nr2\n", "acme"))
    with pytest.raises(ValueError, match=r"^line 3: more than 2 rounds"):
        read_round_list(b"r1\nr2\nr3\n", "acme")
