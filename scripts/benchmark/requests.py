"""The same request in both dialects of the benchmark, and the verification of its reply."""

import json
from typing import Any, Literal

from scripts.benchmark import script
from scripts.benchmark.load import Answer

Dialect = Literal["openai", "anthropic"]

_QUESTION = "Why is the sky blue?"

_SCHEMA = {
    "type": "object",
    "properties": {"path": {"type": "string", "description": "where to"}, "content": {"type": "string"}},
    "required": ["path", "content"],
}


class Wrong(Exception):
    """A reply that is incomplete or wrong."""


def request(dialect: Dialect, port: int, *, stream: bool, kind: str = "text", big: bool = False) -> bytes:
    """A whole HTTP request; `big` is about 1 MB: 400 messages with tool calls and results, 20 tools.

    The kind `responses` asks the Responses API, and upstream for text.
    """
    body: dict[str, object] = {"model": script.MODEL, "stream": stream}
    if kind == "responses" and dialect == "openai":
        path = "/openai/v1/responses"
        body |= {"input": _QUESTION, "max_output_tokens": 4096, "store": False}
    else:
        path = "/v1/messages" if dialect == "anthropic" else "/openai/v1/chat/completions"
        body["max_tokens"] = 4096
        body["messages"] = _conversation(dialect) if big else [{"role": "user", "content": _QUESTION}]
    if big or kind == "tool":
        body["tools"] = [_tool(dialect, index) for index in range(20 if big else 1)]
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\naccept: */*\r\n"
        f"authorization: Bearer none\r\nx-api-key: none\r\nanthropic-version: 2023-06-01\r\nuser-agent: bench\r\n"
        f"content-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def _tool(dialect: Dialect, index: int) -> dict[str, object]:
    name = script.TOOL if index == 0 else f"{script.TOOL}_{index}"
    about = {"name": name, "description": "Writes a file. " * 10}
    if dialect == "anthropic":
        return about | {"input_schema": _SCHEMA}
    return {"type": "function", "function": about | {"parameters": _SCHEMA}}


def _conversation(dialect: Dialect) -> list[dict[str, object]]:
    """100 turns of four messages: a question, a call, its result, an answer."""
    messages: list[dict[str, object]] = []
    text = 'Some prose with "quotes", a line\nbreak and an é. ' * 50
    arguments = {"path": "a/b/c.txt", "content": text}
    for turn in range(100):
        call = f"toolu_{turn:04d}"
        messages.append({"role": "user", "content": f"{turn}: {text}"})
        if dialect == "anthropic":
            use = {"type": "tool_use", "id": call, "name": script.TOOL, "input": arguments}
            result = {"type": "tool_result", "tool_use_id": call, "content": text}
            messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
        else:
            function = {"name": script.TOOL, "arguments": json.dumps(arguments)}
            calls = [{"id": call, "type": "function", "function": function}]
            messages.append({"role": "assistant", "content": None, "tool_calls": calls})
            messages.append({"role": "tool", "tool_call_id": call, "content": text})
        messages.append({"role": "assistant", "content": text})
    return [*messages[:-1], {"role": "user", "content": "And now?"}]


def verify(answer: Answer, dialect: Dialect, *, stream: bool, kind: str, count: int) -> None:
    """Raise Wrong unless `answer` is complete and holds exactly the `count` tokens of `kind` upstream has sent."""
    if answer.status != 200:
        raise Wrong(f"status {answer.status}: {answer.body[:300]!r}")
    if not stream:
        got = _whole(json.loads(answer.body), dialect)
    elif dialect == "openai" and kind == "responses":
        got = _responses_stream(answer.body)
    elif dialect == "openai":
        got = _openai_stream(answer.body, kind)
    else:
        got = _anthropic_stream(answer.body, kind)
    if kind == "timed":
        if len(answer.delays) != count or got.count("@") != count:
            raise Wrong(f"{len(answer.delays)} timed tokens, {got.count('@')} in the text; {count} were sent")
    elif got != "".join(script.tokens("text" if kind == "responses" else kind, count)):
        raise Wrong(f"the answer of {count} tokens reads {got[:100]!r}… ({len(got)} characters)")


def _whole(body: Any, dialect: Dialect) -> str:
    return str(body["content"][0]["text"] if dialect == "anthropic" else body["choices"][0]["message"]["content"])


def _openai_stream(body: bytes, kind: str) -> str:
    *frames, done, rest = body.split(b"\n\n")
    if done != b"data: [DONE]" or rest:
        raise Wrong(f"the stream ends with {body[-200:]!r}")
    pieces: list[str] = []
    reasons = []
    for frame in frames:
        if frame.startswith(b":"):
            continue
        for choice in json.loads(frame.removeprefix(b"data: "))["choices"]:
            delta = choice["delta"]
            reasons += [choice["finish_reason"]] if choice["finish_reason"] else []
            match kind:
                case "tool":
                    pieces += [call["function"].get("arguments") or "" for call in delta.get("tool_calls") or ()]
                case "thinking":
                    pieces.append(delta.get("reasoning_content") or "")
                case _:
                    pieces.append(delta.get("content") or "")
    if reasons != ["tool_calls" if kind == "tool" else "stop"]:
        raise Wrong(f"finish reasons {reasons}")
    return "".join(pieces)


def _responses_stream(body: bytes) -> str:
    *frames, rest = body.split(b"\n\n")
    events = [json.loads(frame.partition(b"\ndata: ")[2]) for frame in frames]
    if rest or events[-1]["type"] != "response.completed":
        raise Wrong(f"the stream ends with {body[-200:]!r}")
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def _anthropic_stream(body: bytes, kind: str) -> str:
    *frames, last, _ = body.split(b"\n\n")
    if not last.startswith(b"event: message_stop\n"):
        raise Wrong(f"the stream ends with {body[-200:]!r}")
    field = {"tool": "partial_json", "thinking": "thinking"}.get(kind, "text")
    events = [json.loads(frame.partition(b"\ndata: ")[2]) for frame in frames]
    return "".join(event.get("delta", {}).get(field, "") for event in events)
