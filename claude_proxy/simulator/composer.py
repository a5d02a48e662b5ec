"""The answer to a request, whole and before it is sent: content blocks with their deltas, and how it ends.

`Composer` is the model's mouth: it speaks, thinks and calls within `max_tokens` and `stop_sequences`. What it says
is decided in `claude_proxy.simulator.responder`.
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
_FRAGMENT = 8  # characters of a piece of streamed tool input


@dataclass(frozen=True)
class Delta:
    """One content_block_delta; `tokens` says how long it took to make."""

    value: dict[str, Any]
    tokens: int = 0


@dataclass(frozen=True)
class AnswerBlock:
    """A content block: as it starts in a stream, its deltas, and as it stands in a whole message."""

    start: dict[str, Any]
    deltas: tuple[Delta, ...]
    whole: dict[str, Any]


@dataclass(frozen=True)
class StreamAction:
    """Something that happens in the stream between two blocks: ping, cut, error, …"""

    action: str
    text: str = ""


@dataclass
class Answer:
    """What is sent; `steps` are blocks and directions in their order."""

    id: str
    model: str
    steps: list[AnswerBlock | StreamAction] = field(default_factory=list)
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    output_tokens: int = 0
    thinking_tokens: int = 0
    searches: int = 0
    chunk: int = 0  # bytes per write; 0 leaves it to the writer
    crlf: bool = False

    @property
    def blocks(self) -> list[AnswerBlock]:
        return [step for step in self.steps if isinstance(step, AnswerBlock)]

    def first(self, *actions: str) -> StreamAction | None:
        """The first direction of one of these words."""
        return next((step for step in self.steps if isinstance(step, StreamAction) and step.action in actions), None)


class Composer:
    """Writes an answer. Once a limit or a stop sequence has ended it, nothing more can be added."""

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
        """As much of `text` as may still be made, and whether that is all of it; if not, the answer ends."""
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
        """A text block, cut at the first stop sequence."""
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
        """A thinking block: signed, and empty if the request or its model omits thinking."""
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
        """Whether nothing but thinking stands in the message yet."""
        return all("thinking" in block.whole["type"] for block in self.answer.blocks)

    def add_tool_use(self, name: str, value: Any, raw: str | None = None) -> None:
        """A tool_use block; `raw` is the spelling of its input in the stream, if not the usual one."""
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
        """A web search on the server's side: the call, and two results that exist nowhere."""
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
    """`value` as JSON, compact: how a tool's input is streamed."""
    return msgspec.json.encode(value).decode()


def _fragments(json_text: str) -> Iterator[Delta]:
    """The pieces of a tool's input; like the real API's, the first is empty and may be the only one."""
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
