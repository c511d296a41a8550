"""The HTTP administration of a simulated vendor: other processes read it, register rounds and set faults."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import web

from retention.errors import UsageError
from retention.simulator.faults import parse
from retention.simulator.rounds import Round, dump_json

if TYPE_CHECKING:
    from retention.simulator.server import Simulator

ADMIN = "/_simulator/"
"""The part of a path that leads to the administration."""


def administer(vendor: Simulator, http: web.BaseRequest, body: bytes) -> web.Response:
    """Answer an administration request; peers that are not on the loopback are refused."""
    if http.remote is None or not ip_address(http.remote).is_loopback:
        return web.Response(status=403)
    try:
        match http.method, http.path.rpartition(ADMIN)[2]:
            case "GET", "requests":
                reply: object = [asdict(request) for request in vendor.requests]
            case "GET", "rounds":
                reply = [asdict(one) for one in vendor.rounds.values()]
            case "GET", "figures":
                reply = vendor.figures()
            case "POST", "rounds":
                vendor.register([Round(**row) for row in json.loads(body, parse_float=Decimal)])
                reply = {"rounds": len(vendor.rounds)}
            case "POST", "faults":
                vendor.faults = parse(json.loads(body, parse_float=Decimal), "the request")
                reply = {"faults": len(vendor.faults.faults)}
            case _:
                return web.Response(status=404)
    except (UsageError, ArithmeticError, TypeError, ValueError) as error:
        return web.json_response({"error": str(error)}, status=400)
    return web.Response(text=dump_json(reply), content_type="application/json")
