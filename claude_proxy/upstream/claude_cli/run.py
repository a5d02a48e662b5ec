"""One request in one process of the Claude CLI, as a Reply.

    preparing -> answering -> ended
        \\____________\\____-> failed

preparing: the steps of the request are written, each after the CLI has taken in the one before. answering: begins
with the first event. The process is killed at the stop reason, before the CLI can go on with a request of its own
(it would after `max_tokens`, after a tool call, after a refusal), and when the reply is closed.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import UNSET

from claude_proxy.errors import UpstreamDisconnected
from claude_proxy.redaction import redactor
from claude_proxy.transport.reply import HTTPReply
from claude_proxy.upstream.claude_cli.output import (
    MESSAGE_STOP,
    Failure,
    Line,
    RateLimitInfo,
    event_frame,
    failure,
    read_event_head,
    read_line,
)
from claude_proxy.upstream.claude_cli.process import Process
from claude_proxy.upstream.claude_cli.request import CliRequest, Step

log = logging.getLogger(__name__)

# Until the CLI has begun to answer it may be renewing its login, and a refresh token is single-use: a process that
# is killed between using and storing it logs the user out. `renewal_grace` is how long it may go on then.


class Run:
    """Writes `request` into `process` and its answer into `reply`.

    `on_begin` is called with the first event. What the CLI tells about the plan's limits becomes headers.
    """

    def __init__(
        self,
        process: Process,
        request: CliRequest,
        *,
        first_byte_timeout: float,
        read_timeout: float,
        renewal_grace: float = 0.0,
        on_begin: Callable[[], None] = lambda: None,
    ) -> None:
        self.reply = HTTPReply(self, first_byte_timeout=first_byte_timeout, read_timeout=read_timeout)
        self._state: Literal["preparing", "answering", "ended"] = "preparing"
        self._process = process
        self._model = request.model
        self._steps = deque(request.steps)
        self._step = Step(())
        self._results = 0  # still to come in this step
        self._controls: set[str] = set()  # control requests without a reply in this step
        self._error_word: str | None = None
        self._retry_after: float | None = None
        self._limits: RateLimitInfo | None = None
        self._renewal_grace = renewal_grace
        self._on_begin = on_begin

    def start(self) -> None:
        self._process.consumer = self
        self._next_step()

    # --------------------------------------------------------------------------------- called by the reply

    def pause_reading(self) -> None:
        self._process.pause_reading()

    def resume_reading(self) -> None:
        self._process.resume_reading()

    def release(self) -> None:
        self._process.end(after=self._renewal_grace if self._state == "preparing" else 0.0)
        self._state = "ended"

    # ------------------------------------------------------------------------------- called by the process

    def on_line(self, line: bytes) -> None:
        read = read_line(line)
        if read is None or self._state == "ended":
            return
        match read.type:
            case "stream_event":
                self._on_event(read)
            case "control_response":
                self._on_control_response(read)
            case "control_request":
                self._refuse_control_request(read)
            case "assistant" if read.error is not None:
                self._error_word = read.error
            case "rate_limit_event" if read.rate_limit_info is not None:
                self._limits = read.rate_limit_info
            case "system" if read.subtype == "api_retry" and read.retry_delay_ms is not None:
                self._retry_after = read.retry_delay_ms / 1000
            case "result":
                self._on_result(read)

    def on_exit(self, code: int | None, stderr: str) -> None:
        if self._state == "ended":
            return
        if stderr:
            log.warning("the Claude CLI ended with %s: %s", code, " ".join(stderr.split())[:500])
        self._state = "ended"
        self.reply.fail(UpstreamDisconnected(f"the Claude CLI ended before its answer was whole (exit code {code})"))

    # ----------------------------------------------------------------------------------------------- steps

    def _next_step(self) -> None:
        if not self._steps:
            return
        self._step = self._steps.popleft()
        self._results, self._controls = self._step.results, set(self._step.controls)
        self._process.write(self._step.lines)

    def _proceed(self) -> None:
        if not self._results and not self._controls:
            self._next_step()

    def _on_control_response(self, line: Line) -> None:
        response = line.response
        if response is None or response.request_id not in self._controls:
            return
        self._controls.discard(response.request_id)
        if response.subtype == "success":
            self._proceed()
        else:
            text = redactor.redact(response.error)[:500]
            self._fail(Failure(500, f"the Claude CLI did not accept the settings of this request: {text}"))

    def _refuse_control_request(self, line: Line) -> None:
        """The CLI asks for a permission, a hook or a tool: there is nothing of the kind here."""
        response = {"subtype": "error", "request_id": line.request_id, "error": "not available"}
        self._process.write([msgspec.json.encode({"type": "control_response", "response": response})])

    def _on_result(self, line: Line) -> None:
        if self._state == "preparing" and self._results and not line.is_error:
            self._results -= 1
            self._proceed()
            return
        if line.is_error and line.subtype == "success":
            self._fail(failure(line, self._error_word, model=self._model))
        else:
            self._fail(Failure(500, f"the Claude CLI ended without an answer ({line.subtype})"))

    # ---------------------------------------------------------------------------------------------- answer

    def _on_event(self, line: Line) -> None:
        if line.event is UNSET or self._steps:
            return
        try:
            head = read_event_head(line.event)
        except msgspec.MsgspecError:
            return
        if head.type == "message_stop" or (head.type == "message_start" and self._state == "answering"):
            self._cut()
            return
        if self._state == "preparing":
            self._state = "answering"
            limits = self._limits.headers if self._limits else {}
            self.reply.begin(200, {"content-type": "text/event-stream", **limits})
            self._on_begin()
        frame = event_frame(head, line.event)
        if not head.ends_message:
            self.reply.receive(frame)
            return
        self._end_process()
        self.reply.receive(frame + MESSAGE_STOP)  # which is all that can follow
        self.reply.finish()

    def _cut(self) -> None:
        """The answer has no stop reason: upstream broke it off, and the CLI would ask for the rest in its own words."""
        self._end_process()
        self.reply.fail(UpstreamDisconnected("upstream ended its answer before it was whole"))

    def _fail(self, failed: Failure) -> None:
        """Give the error to the client: as a status while no event has arrived, else as an event."""
        began = self._state == "answering"
        self._end_process()
        failed = Failure(failed.status, redactor.redact(failed.message))
        if began:
            self.reply.receive(failed.frame)
        else:
            self.reply.begin(failed.status, {"content-type": "application/json", **self._error_headers(failed.status)})
            self.reply.receive(failed.body)
        self.reply.finish()

    def _error_headers(self, status: int) -> dict[str, str]:
        headers = dict(self._limits.headers) if self._limits else {}
        if status in (429, 503, 529) and self._retry_after is not None:
            headers["retry-after"] = str(round(self._retry_after))
        return headers

    def _end_process(self) -> None:
        self._state = "ended"
        self._process.end()
