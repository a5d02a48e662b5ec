"""The answer to a request: content blocks with their deltas, and the stop reason.

`Composer` builds it block by block and enforces `max_tokens` and `stop_sequences`. The content is chosen in
`claude_proxy.simulator.responder`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from claude_proxy.simulator import tokens
from claude_proxy.simulator.signatures import prefix_of, redact, sign
from claude_proxy.simulator.valid_request import Request

LABEL = "[simulated]"
_FRAGMENT = 8  # characters per streamed fragment of a tool's input


@dataclass(frozen=True)
class Delta:
    """One content_block_delta; `tokens` is its number of output tokens, used for pacing."""

    value: dict[str, Any]
    tokens: int = 0


@dataclass(frozen=True)
class AnswerBlock:
    """A content block: its content_block_start form, its deltas, and its form in a non-streamed message."""

    start: dict[str, Any]
    deltas: tuple[Delta, ...]
    whole: dict[str, Any]


@dataclass(frozen=True)
class StreamAction:
    """Something other than a block in the stream: ping, cut, error, …"""

    action: str
    text: str = ""


@dataclass
class Answer:
    """A finished answer; `steps` are its blocks and stream actions in order."""

    id: str
    model: str
    steps: list[AnswerBlock | StreamAction] = field(default_factory=list)
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    output_tokens: int = 0
    thinking_tokens: int = 0
    searches: int = 0
    chunk: int = 0  # bytes per write; 0 means no fixed size
    crlf: bool = False

    @property
    def blocks(self) -> list[AnswerBlock]:
        return [step for step in self.steps if isinstance(step, AnswerBlock)]

    def first(self, *actions: str) -> StreamAction | None:
        """The first stream action with one of these names."""
        return next((step for step in self.steps if isinstance(step, StreamAction) and step.action in actions), None)


class Composer:
    """Builds an answer. After max_tokens or a stop sequence has ended it, further content is ignored."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answer = Answer("msg_sim_" + self._id("message"), request.model.id)
        self._left: int = request.body["max_tokens"]
        self._prefix = prefix_of(request.body)
        self._ended = False
        if not self._left:
            self._end("max_tokens")

    def _id(self, what: str) -> str:
        return hashlib.sha256(self.request.digest + what.encode()).hexdigest()[:20]

    def _end(self, reason: str, sequence: str | None = None) -> None:
        self._ended = True
        self.answer.stop_reason = reason
        self.answer.stop_sequence = sequence

    def _take_tokens(self, text: str) -> tuple[str, bool]:
        """The part of `text` within the token limit, and whether that is all of it; if not, the answer ends."""
        pieces = tokens.split(text)
        self.answer.output_tokens += min(len(pieces), self._left)
        if len(pieces) > self._left:
            text = "".join(pieces[: self._left])
            self._left = 0
            self._end("max_tokens")
            return text, False
        self._left -= len(pieces)
        return text, True

    def _add(self, start: dict[str, Any], deltas: Iterator[Delta], whole: dict[str, Any]) -> None:
        self.answer.steps.append(AnswerBlock(start, tuple(deltas), whole))
        self._prefix.feed("assistant", whole)

    def add_action(self, action: str, text: str = "") -> None:
        self.answer.steps.append(StreamAction(action, text))

    def add_text(self, text: str, citations: tuple[dict[str, Any], ...] = ()) -> None:
        """Add a text block, cut at the first stop sequence."""
        if self._ended:
            return
        found = [(text.find(stop), stop) for stop in self.request.body.get("stop_sequences") or [] if stop in text]
        if found:
            pos, stop = min(found)
            said, complete = self._take_tokens(text[:pos])
            if complete:
                self._end("stop_sequence", stop)
        else:
            said, _ = self._take_tokens(text)
        if not said:
            return
        deltas = [Delta({"type": "text_delta", "text": piece}, 1) for piece in tokens.split(said)]
        deltas += [Delta({"type": "citations_delta", "citation": citation}) for citation in citations]
        whole: dict[str, Any] = {"type": "text", "text": said}
        start: dict[str, Any] = {"type": "text", "text": ""}
        if citations:
            whole["citations"] = list(citations)
            start["citations"] = []
        self._add(start, iter(deltas), whole)

    def add_thinking(self, text: str) -> None:
        """Add a signed thinking block; its text is empty if `display` is omitted."""
        if self._ended:
            return
        text, _ = self._take_tokens(text)
        self.answer.thinking_tokens += tokens.count(text)
        display = (self.request.body.get("thinking") or {}).get("display") or self.request.model.display
        shown = "" if display == "omitted" else text
        signature = sign(self.answer.model, shown, self._prefix.digest(), leading=self._is_leading)
        deltas = [Delta({"type": "thinking_delta", "thinking": piece}, 1) for piece in tokens.split(shown)]
        deltas.append(Delta({"type": "signature_delta", "signature": signature}))
        self._add(
            {"type": "thinking", "thinking": "", "signature": ""},
            iter(deltas),
            {"type": "thinking", "thinking": shown, "signature": signature},
        )

    def add_redacted_thinking(self, text: str) -> None:
        if self._ended:
            return
        text, _ = self._take_tokens(text)
        self.answer.thinking_tokens += tokens.count(text)
        data = redact(self.answer.model, text, self._prefix.digest(), leading=self._is_leading)
        whole = {"type": "redacted_thinking", "data": data}
        self._add(whole, iter(()), whole)

    @property
    def _is_leading(self) -> bool:
        """Whether the message contains only thinking blocks so far."""
        return all("thinking" in block.whole["type"] for block in self.answer.blocks)

    def add_tool_use(self, name: str, value: Any, raw: str | None = None) -> None:
        """Add a tool_use block; `raw` replaces the JSON text of its input in the stream."""
        parallel = not self.request.choice.get("disable_parallel_tool_use")
        called = any(block.whole["type"] == "tool_use" for block in self.answer.blocks)
        if self._ended or (called and not parallel):
            return
        json_text = ("" if value == {} else compact_json(value)) if raw is None else raw
        sent, complete = self._take_tokens(json_text)
        start = {"type": "tool_use", "id": self._tool_id("toolu"), "name": name, "input": {}}
        if complete:
            self.answer.stop_reason = "tool_use"
        self._add(start, _fragments(sent), start | {"input": value if complete else {}})

    def add_web_search(self, query: str) -> None:
        """Add a server-side web search: the call, and two made-up results."""
        if self._ended:
            return
        start = {"type": "server_tool_use", "id": self._tool_id("srvtoolu"), "name": "web_search", "input": {}}
        whole = start | {"input": {"query": query}}
        sent, complete = self._take_tokens(compact_json(whole["input"]))
        if not complete:
            self._add(start, _fragments(sent), start)
            return
        self._add(start, _fragments(sent), whole)
        results = [_result(query, number) for number in (1, 2)]
        found = {"type": "web_search_tool_result", "tool_use_id": start["id"], "content": results}
        self._add(found, iter(()), found)
        self.answer.searches += 1

    def _tool_id(self, kind: str) -> str:
        return f"{kind}_sim_{self._id(f'tool {len(self.answer.steps)}')}"


def compact_json(value: Any) -> str:
    """`value` as compact JSON, the form in which a tool's input is streamed."""
    return msgspec.json.encode(value).decode()


def _fragments(json_text: str) -> Iterator[Delta]:
    """The streamed fragments of a tool's input. As in the real API the first one is empty, and may be the only one."""
    for piece in ["", *(json_text[offset : offset + _FRAGMENT] for offset in range(0, len(json_text), _FRAGMENT))]:
        yield Delta({"type": "input_json_delta", "partial_json": piece}, 1 if piece else 0)


def _result(query: str, number: int) -> dict[str, Any]:
    return {
        "type": "web_search_result",
        "title": f"{LABEL} Result {number} for {query}",
        "url": f"https://example.com/simulated/{number}",
        "encrypted_content": f"simulated-{number}",
        "page_age": None,
    }
