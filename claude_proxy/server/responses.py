"""POST responses: OpenAI's newer way to ask for an answer."""

from aiohttp import web

from claude_proxy.dialects.responses.dialect import RESPONSES
from claude_proxy.server.chat import generate


async def create(request: web.Request) -> web.StreamResponse:
    return await generate(request, RESPONSES)
