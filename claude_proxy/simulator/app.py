"""The simulator as an aiohttp application: routes, reply headers, streaming.

It speaks Anthropic's Messages API on /v1/messages, /v1/messages/count_tokens and /v1/models, refuses what the real
one refuses, and makes up its answers: no account, no cost, no Claude. Every reply carries `x-simulated: true`.
A script in the conversation controls the answer, see `claude_proxy.simulator.script`.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from claude_proxy.simulator import api_headers, model_table, request_validation
from claude_proxy.simulator.api_error import ApiError, invalid
from claude_proxy.simulator.composer import Answer
from claude_proxy.simulator.message_events import Fault, Frame, error_of, events, message
from claude_proxy.simulator.options import Options
from claude_proxy.simulator.prompt_cache import PromptCache, input_tokens
from claude_proxy.simulator.responder import compose
from claude_proxy.simulator.script import HttpError, http_error, parse, section
from claude_proxy.simulator.valid_request import Request, find_script

__all__ = ["SENT", "Options", "Sent", "simulator_app"]

MAX_BODY = 32 * 1024 * 1024  # the real API's limit for one request
_WRITE = 4096  # bytes per write, unless a token delay is set
_TRIES = 1024  # failing requests whose attempts are counted

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Sent:
    """A received request."""

    method: str
    path: str  # with its query
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass
class _State:
    """What one simulator remembers between requests."""

    options: Options
    cache: PromptCache = field(default_factory=PromptCache)
    tries: Counter[str] = field(default_factory=Counter)  # attempts of scripted failures
    served: int = 0


SENT: web.AppKey[deque[Sent]] = web.AppKey("sent", deque[Sent])
_STATE: web.AppKey[_State] = web.AppKey("state", _State)
_REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)


def simulator_app(options: Options = Options()) -> web.Application:  # noqa: B008 - frozen
    """The simulator, for any aiohttp runner. Each app has its own prompt cache and counters.

    `app[SENT]` holds the last `options.record` received requests.
    """
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_respond])
    app[SENT] = deque(maxlen=options.record)
    app[_STATE] = _State(options)
    app.add_routes(
        [
            web.head("/", _head_root),
            web.post("/v1/messages", _messages),
            web.post("/v1/messages/count_tokens", _count_tokens),
            web.get("/v1/models", _models, allow_head=False),
            web.get("/v1/models/{id}", _model, allow_head=False),
        ]
    )
    return app


@web.middleware
async def _respond(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Middleware: assigns the request id, records the request, adds latency, and turns errors into replies."""
    state = request.app[_STATE]
    state.served += 1
    request[_REQUEST_ID] = f"req_sim_{state.served:08d}"
    try:
        if request.app[SENT].maxlen:
            await _record(request)
        if state.options.latency:
            await asyncio.sleep(state.options.latency)
        return await handler(request)
    except ApiError as error:
        return _error_response(request, error)
    except web.HTTPRequestEntityTooLarge:
        return _error_response(request, ApiError(413, "Request exceeds the maximum size"))
    except web.HTTPNotFound:
        return _error_response(request, ApiError(404, "Not found"))
    except web.HTTPMethodNotAllowed as exc:
        return _error_response(request, ApiError(405, "Method Not Allowed", headers={"allow": exc.headers["allow"]}))


async def _record(request: web.Request) -> None:
    headers = {name.lower(): value for name, value in request.headers.items()}
    request.app[SENT].append(Sent(request.method, request.path_qs, headers, await request.read()))


def _headers(request: web.Request) -> dict[str, str]:
    return api_headers.answer_headers(request[_REQUEST_ID])


def _error_response(request: web.Request, error: ApiError) -> web.Response:
    body = error.body(request[_REQUEST_ID])
    headers = _headers(request) | {"x-should-retry": "true" if error.status in _RETRYABLE else "false"}
    headers |= error.headers
    return web.Response(status=error.status, body=body, content_type="application/json", headers=headers)


_RETRYABLE = frozenset({408, 409, 429, 500, 502, 503, 504, 529})


def _json(request: web.Request, value: object, extra: dict[str, str] | None = None) -> web.Response:
    headers = _headers(request) | (extra or {})
    response = web.Response(body=msgspec.json.encode(value), content_type="application/json", headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        response.enable_compression(web.ContentCoding.gzip)
    return response


async def _head_root(request: web.Request) -> web.Response:
    return web.Response(headers=_headers(request))


async def _read_post(request: web.Request) -> tuple[bytes, str, frozenset[str]]:
    """The body, API version and betas of a POST. Raises an ApiError if its headers are not acceptable."""
    api_headers.authenticate(request.headers, request.app[_STATE].options.api_key)
    version = api_headers.api_version(request.headers)
    betas = api_headers.check_betas(request.headers)
    api_headers.require_json(request.headers)
    return await request.read(), version, betas


# ---------------------------------------------------------------------------------------------------- messages


async def _messages(request: web.Request) -> web.StreamResponse:
    state = request.app[_STATE]
    parsed = request_validation.messages_request(
        *await _read_post(request), adaptive_with_forced_tool=state.options.adaptive_with_forced_tool
    )
    if failure := _scripted_failure(parsed, state):
        return _scripted_error_response(request, failure)
    answer = compose(parsed)
    billed = state.cache.bill(parsed)
    limits = api_headers.limit_headers(request.headers, state.served, state.options.clock())
    if parsed.body.get("stream"):
        return await _stream(request, answer, events(answer, billed, parsed, request[_REQUEST_ID]), limits)
    if fault := answer.first("error", "cut", "stall"):
        if fault.action == "error":
            raise error_of(fault)
        return await _abort_connection(request, Fault(fault.action), web.Response())
    return _json(request, message(answer, billed, parsed), limits)


def _scripted_failure(parsed: Request, state: _State) -> HttpError | None:
    """The HTTP error requested by the script, unless the request has failed `times` times already."""
    text, number = find_script(parsed.messages)
    line = next((line for line in section(parse(text), number) if line.command == "status"), None)
    if line is None:
        return None
    failure = http_error(line)
    if failure.times is None:
        return failure
    if len(state.tries) >= _TRIES:
        state.tries.clear()
    state.tries[text] += 1
    return failure if state.tries[text] <= failure.times else None


def _scripted_error_response(request: web.Request, failure: HttpError) -> web.Response:
    if failure.body_format == "json":
        return _error_response(request, failure.error)
    status = failure.error.status
    html = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"
    body = html if failure.body_format == "html" else ""
    headers = _headers(request) | dict(failure.error.headers)
    return web.Response(status=status, text=body, content_type="text/html", headers=headers)


async def _stream(
    request: web.Request, answer: Answer, frames: Iterable[Frame | Fault], limits: dict[str, str]
) -> web.StreamResponse:
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
    response = web.StreamResponse(headers=_headers(request) | limits | headers)
    await response.prepare(request)
    delay = request.app[_STATE].options.token_delay
    buffer = bytearray()
    for frame in frames:
        if isinstance(frame, Fault):
            await _write(response, buffer, answer.chunk)
            return await _abort_connection(request, frame, response)
        buffer += frame.data
        if len(buffer) >= _WRITE or (delay and frame.tokens):
            await _write(response, buffer, answer.chunk)
        if delay and frame.tokens:
            await asyncio.sleep(delay)
    await _write(response, buffer, answer.chunk)
    await response.write_eof()
    return response


async def _write(response: web.StreamResponse, buffer: bytearray, chunk: int) -> None:
    """Write the buffer; with `chunk`, that many bytes per event loop iteration, so that the client reads pieces."""
    data = bytes(buffer)
    buffer.clear()
    for start in range(0, len(data), chunk or len(data) or 1):
        await response.write(data[start : start + chunk] if chunk else data)
        if chunk:
            await asyncio.sleep(0)


async def _abort_connection(request: web.Request, fault: Fault, response: web.StreamResponse) -> web.StreamResponse:
    """Close the connection in mid-reply; a `stall` waits first."""
    if fault.action == "stall":
        await asyncio.sleep(request.app[_STATE].options.stall)
    if request.transport is not None:
        request.transport.close()
    return response


async def _count_tokens(request: web.Request) -> web.Response:
    options = request.app[_STATE].options
    parsed = request_validation.count_request(
        *await _read_post(request), adaptive_with_forced_tool=options.adaptive_with_forced_tool
    )
    return _json(request, {"input_tokens": input_tokens(parsed)})


# ------------------------------------------------------------------------------------------------------ models


async def _models(request: web.Request) -> web.Response:
    _check_headers(request)
    found = model_table.listed(request.query.getall("lifecycle[]", request.query.getall("lifecycle", _LISTED)))
    ids = [model.id for model in found]
    limit = _limit(request.query.get("limit", "20"))
    if after := request.query.get("after_id"):
        found = found[_index_of(ids, after, "after_id") + 1 :]
        page = found[:limit]
    elif before := request.query.get("before_id"):
        found = found[: _index_of(ids, before, "before_id")]
        page = found[-limit:]
    else:
        page = found[:limit]
    data = [model_table.info(model) for model in page]
    ends = {"first_id": page[0].id, "last_id": page[-1].id} if page else {"first_id": None, "last_id": None}
    return _json(request, {"data": data, "has_more": len(found) > len(page)} | ends)


_LISTED = ("active", "deprecated")
_MAX_LIMIT = 1000  # models in one page
_DIGITS = 9  # longer texts are not converted: Python refuses more than 4,300 digits


def _limit(text: str) -> int:
    if not text.isdecimal():
        raise invalid("limit: Input should be a valid integer, unable to parse string as an integer")
    number = int(text) if len(text) <= _DIGITS else _MAX_LIMIT + 1
    if not 1 <= number <= _MAX_LIMIT:
        bound = "greater than or equal to 1" if number < 1 else f"less than or equal to {_MAX_LIMIT}"
        raise invalid(f"limit: Input should be {bound}")
    return number


def _index_of(ids: list[str], id_: str, name: str) -> int:
    if id_ not in ids:
        raise invalid(f"{name}: `{id_}` is not the id of a model")
    return ids.index(id_)


async def _model(request: web.Request) -> web.Response:
    _check_headers(request)
    name = request.match_info["id"]
    if model := model_table.find_model(name):
        return _json(request, model_table.info(model))
    raise ApiError(404, f"model: {name}")


def _check_headers(request: web.Request) -> None:
    api_headers.authenticate(request.headers, request.app[_STATE].options.api_key)
    api_headers.api_version(request.headers)
    api_headers.check_betas(request.headers)
