"""GET /usage: what requests have used, as `claude-proxy usage --json` prints it."""

import time

import msgspec
from aiohttp import web

from claude_proxy.errors import NotFound
from claude_proxy.server.state import STATE
from claude_proxy.server.usage_report import begin_of, grouping, report
from claude_proxy.store import usage as ledger

DEFAULT_SINCE = "7d"


async def usage(request: web.Request) -> web.Response:
    meter = request.app[STATE].meter
    if meter.ledger is None:
        raise NotFound("usage is not recorded: the setting `usage` is off", code="usage_disabled")
    now = time.time()
    since = begin_of(request.query.get("since", DEFAULT_SINCE), now)
    by = grouping(request.query.get("by", "day"))
    await meter.written()
    found = await meter.ledger.read(lambda connection: report(ledger.between(connection, since, now), since, now, by))
    return web.Response(
        body=msgspec.json.encode(found), content_type="application/json", headers={"Cache-Control": "no-store"}
    )
