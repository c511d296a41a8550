"""Looks into a simulated vendor from other processes: reads it, registers rounds, sets faults."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from ipaddress import ip_address
from typing import TYPE_CHECKING

from aiohttp import web

from retention.errors import UsageError
from retention.simulator.faults import parse
from retention.simulator.rounds import Round, dump

if TYPE_CHECKING:
    from retention.simulator.server import Simulator

ADMIN = "/_simulator/"
"""What a path has that is meant for here."""


def administer(vendor: Simulator, http: web.BaseRequest, body: bytes) -> web.Response:
    """Let tests in other processes look, register rounds and set faults; nobody but on this machine."""
    if http.remote is None or not ip_address(http.remote).is_loopback:
        return web.Response(status=403)
    try:
        match http.method, http.path.rpartition(ADMIN)[2]:
            case "GET", "requests":
                found: object = [asdict(request) for request in vendor.requests]
            case "GET", "rounds":
                found = [asdict(one) for one in vendor.rounds.values()]
            case "GET", "figures":
                found = vendor.figures()
            case "POST", "rounds":
                vendor.register([Round(**row) for row in json.loads(body, parse_float=Decimal)])
                found = {"rounds": len(vendor.rounds)}
            case "POST", "faults":
                vendor.faults = parse(json.loads(body, parse_float=Decimal), "the request")
                found = {"faults": len(vendor.faults.faults)}
            case _:
                return web.Response(status=404)
    except (UsageError, ArithmeticError, TypeError, ValueError) as error:
        return web.json_response({"error": str(error)}, status=400)
    return web.Response(text=dump(found), content_type="application/json")
