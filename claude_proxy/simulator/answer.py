"""The answer to a request, whole and before it is sent: content blocks with their deltas, and how it ends.

`Composer` is the model: it speaks, thinks and calls within `max_tokens`, `stop_sequences` and the tools it was
given. `compose` decides what it says: the script if there is one, else an echo.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from claude_proxy.simulator import script, tokens
from claude_proxy.simulator.conversation import Request, blocks, last_user, script_place, texts, tool_names
from claude_proxy.simulator.sample import sample
from claude_proxy.simulator.script import Line
from claude_proxy.simulator.signatures import prefix_of, redact, sign

MARK = "[simulated]"
_ECHO = 2000  # characters of a message that are said back; a long prompt must not become a long answer
_FRAGMENT = 8  # characters of a piece of streamed tool input


@dataclass(frozen=True)
class Delta:
    """One content_block_delta; `tokens` says how long it took to make."""

    value: dict[str, Any]
    tokens: int = 0


@dataclass(frozen=True)
class Block:
    """A content block: as it starts in a stream, its deltas, and as it stands in a whole message."""

    start: dict[str, Any]
    deltas: tuple[Delta, ...]
    whole: dict[str, Any]


@dataclass(frozen=True)
class Direction:
    """Something that happens in the stream between two blocks: ping, cut, error, …"""

    word: str
    text: str = ""


@dataclass
class Answer:
    """What is sent; `steps` are blocks and directions in their order."""

    id: str
    model: str
    steps: list[Block | Direction] = field(default_factory=list)
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    output_tokens: int = 0
    thinking_tokens: int = 0
    searches: int = 0
    chunk: int = 0  # bytes per write; 0 leaves it to the writer
    crlf: bool = False

    @property
    def blocks(self) -> list[Block]:
        return [step for step in self.steps if isinstance(step, Block)]

    def first(self, *words: str) -> Direction | None:
        """The first direction of one of these words."""
        return next((step for step in self.steps if isinstance(step, Direction) and step.word in words), None)


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

    def _spend(self, text: str) -> tuple[str, bool]:
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
        self.answer.steps.append(Block(start, tuple(deltas), whole))
        self._prefix.feed("assistant", whole)

    def direct(self, word: str, text: str = "") -> None:
        self.answer.steps.append(Direction(word, text))

    def say(self, text: str, citations: tuple[dict[str, Any], ...] = ()) -> None:
        """A text block, cut at the first stop sequence."""
        if self._ended:
            return
        found = [(text.find(stop), stop) for stop in self.request.body.get("stop_sequences") or [] if stop in text]
        if found:
            place, stop = min(found)
            said, complete = self._spend(text[:place])
            if complete:
                self._end("stop_sequence", stop)
        else:
            said, _ = self._spend(text)
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

    def think(self, text: str) -> None:
        """A thinking block: signed, and empty if the request or its model omits thinking."""
        if self._ended:
            return
        text, _ = self._spend(text)
        self.answer.thinking_tokens += tokens.count(text)
        display = (self.request.body.get("thinking") or {}).get("display") or self.request.model.display
        shown = "" if display == "omitted" else text
        signature = sign(self.answer.model, shown, self._prefix.digest(), opens=self._opens)
        deltas = [Delta({"type": "thinking_delta", "thinking": piece}, 1) for piece in tokens.split(shown)]
        deltas.append(Delta({"type": "signature_delta", "signature": signature}))
        self._add(
            {"type": "thinking", "thinking": "", "signature": ""},
            iter(deltas),
            {"type": "thinking", "thinking": shown, "signature": signature},
        )

    def redact(self, text: str) -> None:
        if self._ended:
            return
        text, _ = self._spend(text)
        self.answer.thinking_tokens += tokens.count(text)
        data = redact(self.answer.model, text, self._prefix.digest(), opens=self._opens)
        whole = {"type": "redacted_thinking", "data": data}
        self._add(whole, iter(()), whole)

    @property
    def _opens(self) -> bool:
        """Whether nothing but thinking stands in the message yet."""
        return all("thinking" in block.whole["type"] for block in self.answer.blocks)

    def call(self, name: str, value: Any, raw: str | None = None) -> None:
        """A tool_use block; `raw` is the spelling of its input in the stream, if not the usual one."""
        parallel = not self.request.choice.get("disable_parallel_tool_use")
        called = any(block.whole["type"] == "tool_use" for block in self.answer.blocks)
        if self._ended or (called and not parallel):
            return
        spelled = ("" if value == {} else _json(value)) if raw is None else raw
        sent, complete = self._spend(spelled)
        start = {"type": "tool_use", "id": self._tool_id("toolu"), "name": name, "input": {}}
        if complete:
            self.answer.stop_reason = "tool_use"
        self._add(start, _fragments(sent), start | {"input": value if complete else {}})

    def search(self, query: str) -> None:
        """A web search on the server's side: the call, and two results that exist nowhere."""
        if self._ended:
            return
        start = {"type": "server_tool_use", "id": self._tool_id("srvtoolu"), "name": "web_search", "input": {}}
        whole = start | {"input": {"query": query}}
        sent, complete = self._spend(_json(whole["input"]))
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


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _fragments(spelled: str) -> Iterator[Delta]:
    """The pieces of a tool's input; like the real API's, the first is empty and may be the only one."""
    for piece in ["", *(spelled[at : at + _FRAGMENT] for at in range(0, len(spelled), _FRAGMENT))]:
        yield Delta({"type": "input_json_delta", "partial_json": piece}, 1 if piece else 0)


def _result(query: str, number: int) -> dict[str, Any]:
    return {
        "type": "web_search_result",
        "title": f"{MARK} Result {number} for {query}",
        "url": f"https://example.com/simulated/{number}",
        "encrypted_content": f"simulated-{number}",
        "page_age": None,
    }


def compose(request: Request) -> Answer:
    """The answer to `request`, by its script or by echo. Raises a 400 for a script that cannot be played."""
    text, number = script_place(request.messages)
    lines = script.part(script.parse(text), number)
    composer = Composer(request)
    words = {line.word for line in lines}
    if request.thinks and not request.forced and not words & {"thinking", "redacted", "empty", "refusal"}:
        composer.think(f"{MARK} Thinking about: {_shortened(_asked(request), 80)}")
    for line in lines:
        _PLAY[line.word](composer, line)
    if request.forced and not words & _INSTEAD_OF_A_CALL:
        _called(composer)
    elif not words & _CONTENT:
        _echo(composer)
    _finish(composer.answer, lines)
    return composer.answer


# With one of these in the script nothing is said that is not in the script.
_FAULTS = frozenset({"error", "cut", "stall"})
_CALLS = frozenset({"tool", "tools-broken-json"})
_CONTENT = _FAULTS | _CALLS | {"text", "words", "thinking", "redacted", "web_search", "citation", "empty", "refusal"}
_INSTEAD_OF_A_CALL = _FAULTS | _CALLS | {"empty", "refusal", "pause", "stop"}


def _finish(answer: Answer, lines: list[Line]) -> None:
    """What the script says about the end and the way of the answer."""
    for line in lines:
        match line.word:
            case "stop":
                answer.stop_reason = line.names()[0]
            case "pause":
                answer.stop_reason = "pause_turn"
            case "refusal":
                answer.stop_reason = "refusal"
                explanation = line.text or f"{MARK} This request was refused."
                answer.stop_details = {"type": "refusal", "category": None, "explanation": explanation}
            case "chunk":
                answer.chunk = line.number
            case "crlf":
                answer.crlf = True


def _echo(composer: Composer) -> None:
    """The answer without a script."""
    request = composer.request
    output_format = (request.body.get("output_config") or {}).get("format")
    if output_format:
        composer.say(_json(sample(output_format["schema"])))
    elif results := [block for block in blocks(last_user(request.messages)) if block["type"] == "tool_result"]:
        names = tool_names(request.messages)
        said = "; ".join(f"{names[block['tool_use_id']]} -> {_result_text(block)}" for block in results)
        composer.say(_shortened(f"{MARK} Tool results: {said}", _ECHO))
    else:
        composer.say(_shortened(f"{MARK} You said: {_asked(request)}", _ECHO))


def _called(composer: Composer) -> None:
    """The call that tool_choice demands: the named tool, or the first that the caller has to run."""
    choice = composer.request.choice
    callable_tools = [tool for tool in composer.request.tools if "name" in tool]
    tool = next((tool for tool in callable_tools if choice.get("name") in {None, tool["name"]}), None)
    if tool:
        composer.call(tool["name"], sample(tool.get("input_schema", {"type": "object"})))


def _asked(request: Request) -> str:
    """What the last user message says, without script lines; what is not text is named."""
    message = last_user(request.messages)
    rows = [row for row in texts(message).splitlines() if not row.startswith(script.PREFIX)]
    others = [block["type"] for block in blocks(message) if block["type"] not in {"text", "tool_result"}]
    rows += [f"({name})" for name in others]
    return "\n".join(rows)


def _result_text(block: dict[str, Any]) -> str:
    said = texts(block) or ", ".join(f"({inner['type']})" for inner in blocks(block)) or "(nothing)"
    return f"error: {said}" if block.get("is_error") else said


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


# ------------------------------------------------------------------------------------------- playing the script


def _play_text(composer: Composer, line: Line) -> None:
    composer.say(line.text)


def _play_words(composer: Composer, line: Line) -> None:
    composer.say(" ".join(f"word{number}" for number in range(1, line.number + 1)))


def _play_thinking(composer: Composer, line: Line) -> None:
    _demand_thinking(composer, line)
    composer.think(line.text)


def _play_redacted(composer: Composer, line: Line) -> None:
    _demand_thinking(composer, line)
    composer.redact(line.text or "redacted")


def _demand_thinking(composer: Composer, line: Line) -> None:
    if not composer.request.thinks:
        raise script.complaint(f"`{line.word}` needs a request whose thinking is on")


def _play_tool(composer: Composer, line: Line) -> None:
    name, rest = line.names()
    tool = _tool(composer, name)
    value = script.json_argument(rest) if rest else sample(tool.get("input_schema", {"type": "object"}))
    if not isinstance(value, dict):
        raise script.complaint("the input of a tool is a JSON object")
    composer.call(tool["name"], value)


def _play_broken(composer: Composer, line: Line) -> None:
    name, rest = line.names()
    composer.call(_tool(composer, name)["name"], {}, raw=rest)


def _tool(composer: Composer, name: str) -> dict[str, Any]:
    """The tool of the request called `name`; a model cannot call what it was not given."""
    tools = [tool for tool in composer.request.tools if "name" in tool]
    if composer.request.choice["type"] == "none":
        raise script.complaint("tool_choice is none, no tool can be called")
    if name.startswith("#") and name[1:].isdecimal() and 0 < int(name[1:]) <= len(tools):
        return tools[int(name[1:]) - 1]
    found = next((tool for tool in tools if tool["name"] == name), None)
    if found is None:
        known = ", ".join(tool["name"] for tool in tools) or "none"
        raise script.complaint(f"the request has no tool `{name}`; its tools: {known}")
    return found


def _play_search(composer: Composer, line: Line) -> None:
    composer.search(line.text)


def _play_citation(composer: Composer, line: Line) -> None:
    url, *rest = (part.strip() for part in line.text.split("|", 2))
    if len(rest) != 2:
        raise script.complaint("`citation` needs URL | TITLE | TEXT")
    title, text = rest
    location = {"type": "web_search_result_location", "url": url, "title": title, "cited_text": text}
    composer.say(text, (location | {"encrypted_index": "simulated"},))


def _play_direction(composer: Composer, line: Line) -> None:
    composer.direct(line.word, line.text)


def _play_nothing(composer: Composer, line: Line) -> None:
    """For words that have no place in the content."""


_PLAY = {
    "text": _play_text,
    "words": _play_words,
    "thinking": _play_thinking,
    "redacted": _play_redacted,
    "tool": _play_tool,
    "tools-broken-json": _play_broken,
    "web_search": _play_search,
    "citation": _play_citation,
    **dict.fromkeys(("ping", "unknown-event", "restart", "error", "cut", "stall"), _play_direction),
    **dict.fromkeys(("empty", "stop", "refusal", "pause", "status", "chunk", "crlf"), _play_nothing),
}
