"""The undocumented parts of aiohttp that the way to the vendor uses."""

from __future__ import annotations

import asyncio
import inspect
import tomllib
from pathlib import Path

import aiohttp
from aiohttp import connector
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from packaging.requirements import Requirement

from retention.vendor_api.reply_protocol import ReplyProtocol

OVERRIDDEN = {"data_received", "connection_lost"}
USED = {"abort", "closed", "is_connected", "read", "set_response_params", "should_close"}


def test_aiohttp_has_the_parts_that_are_used() -> None:
    """A new version without one of the undocumented parts fails here, by its name."""
    assert OVERRIDDEN == {name for name in vars(ReplyProtocol) if name in dir(ResponseHandler) and name[0] != "_"}
    assert OVERRIDDEN | USED <= {*dir(ResponseHandler)}
    assert {"protocol", "close"} <= {*dir(connector.Connection)}
    assert {"read_until_eof", "auto_decompress"} <= {*inspect.signature(ResponseHandler.set_response_params).parameters}
    assert ["self", "req", "traces", "timeout"] == [*inspect.signature(aiohttp.BaseConnector.connect).parameters]
    assert ["self", "method", "url"] == [*inspect.signature(ClientRequest.__init__).parameters][:3]


async def test_a_connector_makes_protocols_by_its_factory() -> None:
    """The connector has the factory that is replaced, and a protocol has the loop that it was made for."""
    made = aiohttp.TCPConnector()
    try:
        protocol = vars(made)["_factory"]()
        assert type(protocol) is ResponseHandler
        assert asyncio.get_running_loop() is ResponseHandler.__mro__[1].__dict__["_loop"].__get__(protocol)
    finally:
        await made.close()


def test_aiohttp_is_bound_to_the_minor_version_that_is_known() -> None:
    """The package refuses another minor version of aiohttp, whose insides may differ."""
    document = tomllib.loads(Path(__file__).parents[2].joinpath("pyproject.toml").read_text("utf-8"))
    (bound,) = [one for one in map(Requirement, document["project"]["dependencies"]) if one.name == "aiohttp"]
    major, minor = aiohttp.__version__.split(".")[:2]
    assert bound.specifier.contains(aiohttp.__version__)
    assert not bound.specifier.contains(f"{major}.{int(minor) + 1}.0")
