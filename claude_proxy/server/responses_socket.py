"""GET responses with an upgrade: requests and their events over one WebSocket.

    client: {"type": "response.create", "stream_id": "a", ...fields of POST responses}
    server: the events of the response, each a text message; with a `stream_id`, each carries it

Messages with one `stream_id`, and those without one, form a lane: they are answered in order, one at a time, and
different lanes at the same time. A response that is not stored can be continued on the connection that made it.
"""

import asyncio
import contextlib
import functools
import logging
from collections import deque

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web
from msgspec import Raw, Struct

from claude_proxy.dialects.base import ErrorReport, StreamedChoice
from claude_proxy.dialects.responses.compaction import since_compaction
from claude_proxy.dialects.responses.dialect import RESPONSES, ResponseRequest
from claude_proxy.dialects.responses.response import FinishedResponse, StreamedResponse
from claude_proxy.errors import InvalidRequest, ProxyError
from claude_proxy.server.bodies import BUDGET
from claude_proxy.server.chat import sending
from claude_proxy.server.concurrency import CONCURRENCY
from claude_proxy.server.exchange import EXCHANGE, Exchange
from claude_proxy.server.failures import Stopping, report
from claude_proxy.server.generation import Generation, own_id
from claude_proxy.server.policy import POLICY
from claude_proxy.server.replies import new_id
from claude_proxy.server.response_store import RESPONSE_STORE, Continued, Memory
from claude_proxy.server.state import STATE
from claude_proxy.transport.sink import Sink, Wait
from claude_proxy.wire.decoding import check_utf8, decode

log = logging.getLogger(__name__)

PING_INTERVAL = 30.0
CLOSE_TIMEOUT = 1.0  # for the client's answer to the closing of the connection
MAX_LANES = 32
MAX_WAITING = 64  # messages of one connection that wait for their lane
# Responses that are not stored and can be continued; their bytes count once for each response that has them.
MAX_REMEMBERED = 16
MAX_REMEMBERED_BYTES = 64 * 1024 * 1024

_encode = msgspec.json.Encoder().encode
_read_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class UpgradeRequired(ProxyError):
    status = 426
    type = InvalidRequest.type
    code = "upgrade_required"

    def __init__(self) -> None:
        super().__init__(
            "GET on this path is for WebSockets; send the request with POST",
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )


async def connect(request: web.Request) -> web.StreamResponse:
    max_size = request.app[POLICY].max_body
    ws = web.WebSocketResponse(timeout=CLOSE_TIMEOUT, heartbeat=PING_INTERVAL, max_msg_size=max_size, compress=False)
    if not ws.can_prepare(request):
        raise UpgradeRequired
    await ws.prepare(request)
    await Socket(request, ws).serve()
    return ws


class _Envelope(Struct):
    """What a message says beside the request itself."""

    type: str
    stream_id: str | None = None
    generate: bool | None = None


_read_envelope = msgspec.json.Decoder(_Envelope).decode


class _Message(Struct):
    data: bytes
    envelope: _Envelope


class Socket:
    """One connection: its lanes, and the responses that only it can continue."""

    def __init__(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        self._request = request
        self._ws = ws
        self._state = request.app[STATE]
        self._store = request.app[RESPONSE_STORE]
        self._lanes: dict[str | None, deque[_Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._memory: dict[str, Memory] = {}
        self._told_to_stop = asyncio.Event()

    async def serve(self) -> None:
        """Answer messages until the client closes the connection, or the server stops and all lanes are empty."""
        receiving = asyncio.ensure_future(self._receive())
        stopping = asyncio.ensure_future(self._told_to_stop.wait())
        self._state.on_stop.add(self._told_to_stop.set)
        try:
            await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                receiving.cancel()
                while self._tasks:
                    await asyncio.wait(self._tasks)
                await self._ws.close(code=WSCloseCode.GOING_AWAY, message=b"claude-proxy is stopping")
        finally:
            self._state.on_stop.discard(self._told_to_stop.set)
            owned = {receiving, stopping, *self._tasks}
            for task in owned:
                if not task.cancelling():  # at the end of a drain a lane is cancelled already, and says why
                    task.cancel()
            await asyncio.wait(owned)

    async def _receive(self) -> None:
        with contextlib.suppress(ConnectionResetError):
            async for message in self._ws:
                if message.type is WSMsgType.TEXT:
                    await self._take(message.data.encode("utf-8", "surrogatepass"))
                elif message.type is WSMsgType.BINARY:
                    await self._refuse(InvalidRequest("messages must be text", code="invalid_json"), None)

    async def _take(self, data: bytes) -> None:
        try:
            check_utf8(data)
            message = _Message(data, decode(_read_envelope, data))
            self._check(message.envelope)
        except InvalidRequest as exc:
            await self._refuse(exc, _stream_id(data))
            return
        lane = message.envelope.stream_id
        if message.envelope.type == "response.steer":
            await self._send(_steer_failed(data))
            return
        await self._request.app[BUDGET].take(len(data))
        if lane in self._lanes:
            self._lanes[lane].append(message)
            return
        self._lanes[lane] = deque([message])
        task = asyncio.get_running_loop().create_task(self._work(lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _check(self, envelope: _Envelope) -> None:
        """Raise InvalidRequest for a message that no lane may have."""
        if envelope.type not in ("response.create", "response.steer"):
            raise InvalidRequest(
                f"Invalid value: '{envelope.type[:100]}'. Supported values are: 'response.create'.",
                param="type",
                code="invalid_value",
            )
        if envelope.stream_id is not None and not 0 < len(envelope.stream_id) <= 256:
            raise InvalidRequest(
                "Invalid value for 'stream_id': expected 1 to 256 characters.", param="stream_id", code="invalid_value"
            )
        is_new = envelope.stream_id not in self._lanes
        if (is_new and len(self._lanes) >= MAX_LANES) or sum(map(len, self._lanes.values())) >= MAX_WAITING:
            raise InvalidRequest("too many requests wait on this connection", code="too_many_requests")

    async def _work(self, lane: str | None) -> None:
        """Answer the messages of a lane until none is left."""
        waiting = self._lanes[lane]
        try:
            while waiting:
                await self._answer(waiting[0])
                self._request.app[BUDGET].give_back(len(waiting.popleft().data))
        except ConnectionResetError:
            log.debug("the client of a WebSocket has left")
        finally:
            self._request.app[BUDGET].give_back(sum(len(message.data) for message in waiting))
            del self._lanes[lane]

    async def _answer(self, message: _Message) -> None:
        """Answer one message; whatever goes wrong is told to the client."""
        client = self._request[EXCHANGE]
        exchange = Exchange(new_id(), "WS", client.path, client.client, client.dialect, task=asyncio.current_task())
        self._state.begin(exchange)
        stream_id = message.envelope.stream_id
        try:
            async with self._request.app[CONCURRENCY]:
                await self._generate(message, exchange, stream_id)
        except ConnectionResetError:
            exchange.left = True
            raise
        except asyncio.CancelledError:
            if not self._is_stopping():
                exchange.left = True
                raise
            exchange.error = report(Stopping())
            await self._send(_error(exchange.error, stream_id))
        except Exception as exc:  # noqa: BLE001 - `report` logs what is not ours
            exchange.error = report(exc)
            await self._send(_error(exchange.error, stream_id))
        finally:
            exchange.status = exchange.error.status if exchange.error else 200
            self._state.finish(exchange)

    async def _generate(self, message: _Message, exchange: Exchange, stream_id: str | None) -> None:
        ask = _request_in(message.data)
        continued = await self._store.prepare(ask, own_id(exchange), self._memory)
        ask.on_finished = functools.partial(self._keep, continued)
        with Generation(self._state, exchange, ask, sending(self._request)) as generation:
            writer = _Writer(self._ws, stream_id)
            if message.envelope.generate is False:
                await self._prepare_only(generation, writer)
                return
            await generation.begin()
            answer = generation.streamed()
            try:
                await generation.stream(answer, writer)
            except ConnectionResetError:
                raise
            except asyncio.CancelledError:
                if not self._is_stopping():
                    raise
                exchange.error = report(Stopping())
            except Exception as exc:  # noqa: BLE001 - `report` logs what is not ours
                exchange.error = report(exc)
            if exchange.error is not None:
                await writer.end(answer.error_event(exchange.error, exchange.id))
                return
            await generation.drain()

    def _is_stopping(self) -> bool:
        """Whether a cancellation comes from the server's end, and the client is still there to be told."""
        return self._state.stopping and not self._ws.closed

    async def _prepare_only(self, generation: Generation, writer: "_Writer") -> None:
        """Answer with an empty response that later ones can continue."""
        answer = generation.streamed()
        assert isinstance(answer, StreamedResponse)  # noqa: S101 - a ResponseRequest has no other
        await writer.end(answer.begin() + answer.end(None))

    def _keep(self, continued: Continued, finished: FinishedResponse) -> None:
        self._store.keep(continued, finished)
        if self._store.enabled and continued.stored:
            return
        new = [item.json for item in (*continued.input, *finished.output_items())]
        self._memory[finished.id] = Memory(since_compaction([*continued.history, *new]))
        while len(self._memory) > MAX_REMEMBERED or self._remembered_bytes() > MAX_REMEMBERED_BYTES:
            del self._memory[next(iter(self._memory))]

    def _remembered_bytes(self) -> int:
        return sum(len(bytes(item)) for memory in self._memory.values() for item in memory.items)

    async def _refuse(self, error: ProxyError, stream_id: str | None) -> None:
        await self._send(_error(report(error), stream_id))

    async def _send(self, data: bytes) -> None:
        await self._ws.send_frame(data, WSMsgType.TEXT)


class _Writer:
    """A FrameWriter that sends each event as a text message."""

    def __init__(self, ws: web.WebSocketResponse, stream_id: str | None) -> None:
        self._ws = ws
        self._prefix = b"{" if stream_id is None else b'{"stream_id":%b,' % _encode(stream_id)

    def sink(self, choice: StreamedChoice) -> Sink:
        return _SocketSink(self, choice)

    async def end(self, last: bytes) -> None:
        await self.send(last)

    async def send(self, frames: bytes) -> None:
        for frame in frames.split(b"\n\n")[:-1]:
            data = frame.partition(b"\ndata: ")[2]
            await self._ws.send_frame(self._prefix + data[1:], WSMsgType.TEXT)


class _SocketSink:
    """A sink that sends the events of a choice."""

    def __init__(self, writer: _Writer, choice: StreamedChoice) -> None:
        self._writer = writer
        self._choice = choice

    @property
    def over(self) -> bool:
        return self._choice.reader.over

    def feed(self, data: bytes) -> Wait | None:
        frames = self._choice.feed(data)
        return functools.partial(self._writer.send, frames) if frames else None


def _request_in(data: bytes) -> ResponseRequest:
    """The request of a message, without what belongs to the message itself."""
    fields = decode(_read_fields, data)
    for name in ("type", "stream_id", "generate", "stream"):
        fields.pop(name, None)
    ask = RESPONSES.read(_encode(fields))
    ask.stream = True
    if ask.request.background:
        raise InvalidRequest(
            "A response in the background cannot be created over a WebSocket.", param="background", code="invalid_value"
        )
    return ask


def _stream_id(data: bytes) -> str | None:
    """The lane of a message that is refused, if it can be read."""
    try:
        return msgspec.json.decode(data, type=_Envelope).stream_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _error(error: ErrorReport, stream_id: str | None) -> bytes:
    """The event of a request that has no response."""
    detail = {"type": error.type, "code": error.code, "message": error.message, "param": error.param}
    event: dict[str, object] = {"type": "error", "status": error.status, "error": detail}
    return _encode(event if stream_id is None else {**event, "stream_id": stream_id})


class _Steer(Struct):
    input: Raw = Raw(b"[]")
    previous_response_id: str = ""


def _steer_failed(data: bytes) -> bytes:
    """The answer to input for a response that is being generated: a Messages request takes none."""
    try:
        steer = msgspec.json.decode(data, type=_Steer)
    except msgspec.ValidationError:
        steer = _Steer()
    return _encode(
        {
            "type": "response.steer.failed",
            "sequence_number": 0,
            "steer": {"input": steer.input, "previous_response_id": steer.previous_response_id},
            "error": {
                "type": "invalid_request_error",
                "code": "steering_not_supported",
                "message": "a response that is being generated takes no further input; send it with the next request",
            },
        }
    )
