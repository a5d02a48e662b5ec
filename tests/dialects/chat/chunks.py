"""What a stream of chunks adds up to, after nothing but OpenAI's description of it: an oracle for our own fold."""

import json
from typing import Any


def without_custom(chunk: Any) -> Any:
    """`chunk` without calls of custom tools, which the SDK's chunk type does not know (its clients do)."""
    chunk = json.loads(json.dumps(chunk))
    for choice in chunk["choices"]:
        calls = choice["delta"].get("tool_calls", [])
        plain = [call for call in calls if "custom" not in call]
        if len(plain) < len(calls):
            del choice["delta"]["tool_calls"]
    return chunk


def folded(received: list[Any]) -> Any:
    """The completion that `received` add up to, after nothing but OpenAI's description of its chunks."""
    message: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "finish_reason": None, "logprobs": None}
    calls: dict[int, Any] = {}
    answer = {key: received[0][key] for key in ("id", "created", "model", "system_fingerprint")}
    answer |= {"object": "chat.completion", "choices": [choice]}
    for chunk in received:
        if chunk.get("usage"):
            answer["usage"] = chunk["usage"]
        if "service_tier" in chunk:
            answer["service_tier"] = chunk["service_tier"]
        for part in chunk["choices"]:
            choice["finish_reason"] = part["finish_reason"] or choice["finish_reason"]
            _add(message, calls, part["delta"])
    if calls:
        message["tool_calls"] = [calls[index] for index in range(len(calls))]
    if (calls or "function_call" in message) and not message["content"]:
        message["content"] = None
    return answer


def _add(message: dict[str, Any], calls: dict[int, Any], delta: dict[str, Any]) -> None:
    for key in ("content", "refusal", "reasoning_content"):
        if delta.get(key) is not None:
            message[key] = (message.get(key) or "") + delta[key]
    for note in delta.get("annotations", []):
        assert note.pop("index") == len(message["annotations"])
        message["annotations"].append(note)
    if "function_call" in delta:
        _join(message.setdefault("function_call", {}), delta["function_call"])
    for call in delta.get("tool_calls", []):
        index = call.pop("index")
        if index not in calls:
            assert index == len(calls)
            assert {"id", "type"} <= call.keys()
            calls[index] = {"id": call["id"], "type": call["type"], call["type"]: {}}
        else:
            assert not {"id", "type"} & call.keys()
        kind = calls[index]["type"]
        _join(calls[index][kind], call[kind])


def _join(mine: dict[str, str], more: dict[str, str]) -> None:
    for key, text in more.items():
        assert key != "name" or "name" not in mine
        mine[key] = mine.get(key, "") + text
