"""POST completions: the API before chat, for older tools."""

from aiohttp import web

from claude_proxy.dialects.completions.dialect import COMPLETIONS
from claude_proxy.server.chat import generate


async def completions(request: web.Request) -> web.StreamResponse:
    return await generate(request, COMPLETIONS)
