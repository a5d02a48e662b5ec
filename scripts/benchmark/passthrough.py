"""The baseline: a minimal aiohttp reverse proxy. It forwards bytes without translation and without access checks."""

import sys

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

_HOP = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}
_SESSION = web.AppKey("session", ClientSession)


async def forward(request: web.Request) -> web.StreamResponse:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
    session = request.app[_SESSION]
    url = sys.argv[1] + request.path_qs
    async with session.request(request.method, url, data=await request.read(), headers=headers) as upstream:
        kept = {name: value for name, value in upstream.headers.items() if name.lower() not in _HOP}
        if "content-length" in upstream.headers:
            return web.Response(status=upstream.status, body=await upstream.read(), headers=kept)
        response = web.StreamResponse(status=upstream.status, headers=kept)
        await response.prepare(request)
        async for data in upstream.content.iter_any():
            await response.write(data)
        await response.write_eof()
        return response


async def app() -> web.Application:
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application[_SESSION] = ClientSession(
        connector=TCPConnector(limit=0),
        auto_decompress=False,
        timeout=ClientTimeout(total=None),
        cookie_jar=DummyCookieJar(),
    )
    application.router.add_route("*", "/{path:.*}", forward)
    return application


if __name__ == "__main__":
    # python -m scripts.benchmark.passthrough UPSTREAM PORT
    web.run_app(app(), host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None, handler_cancellation=True)
