"""Chooses the content of an answer: runs the script in the conversation, or echoes the user's text."""

from typing import Any

from claude_proxy.simulator import script
from claude_proxy.simulator.composer import LABEL, Answer, Composer, compact_json
from claude_proxy.simulator.schema_sample import sample
from claude_proxy.simulator.script import Line
from claude_proxy.simulator.valid_request import Request, blocks, find_script, last_user_message, texts, tool_names

_ECHO = 2000  # characters echoed; a long prompt must not cause a long answer


def compose(request: Request) -> Answer:
    """The answer to `request`, by script or echo. Raises a 400 for a script that cannot be run."""
    text, number = find_script(request.messages)
    lines = script.section(script.parse(text), number)
    composer = Composer(request)
    commands = {line.command for line in lines}
    if request.thinks and not request.forces_tool and not commands & {"thinking", "redacted", "empty", "refusal"}:
        composer.add_thinking(f"{LABEL} Thinking about: {_truncate(_user_text(request), 80) or 'the script'}")
    for line in lines:
        _HANDLERS[line.command](composer, line)
    if request.forces_tool and not commands & _INSTEAD_OF_A_CALL:
        _add_forced_call(composer)
    elif not commands & _CONTENT:
        _echo(composer)
    _finish(composer.answer, lines)
    return composer.answer


# A script with one of these commands gets no further content.
_FAULTS = frozenset({"error", "cut", "stall"})
_CALLS = frozenset({"tool", "tools-broken-json"})
_CONTENT = _FAULTS | _CALLS | {"text", "words", "thinking", "redacted", "web_search", "citation", "empty", "refusal"}
_INSTEAD_OF_A_CALL = _FAULTS | _CALLS | {"empty", "refusal", "pause", "stop"}


def _finish(answer: Answer, lines: list[Line]) -> None:
    """Apply the commands about the end and the transport of the answer."""
    for line in lines:
        match line.command:
            case "stop":
                answer.stop_reason = line.names()[0]
            case "pause":
                answer.stop_reason = "pause_turn"
            case "refusal":
                answer.stop_reason = "refusal"
                explanation = line.text or f"{LABEL} This request was refused."
                answer.stop_details = {"type": "refusal", "category": None, "explanation": explanation}
            case "chunk":
                answer.chunk = line.number
            case "crlf":
                answer.crlf = True


def _echo(composer: Composer) -> None:
    """Add the content of an answer without a script."""
    request = composer.request
    output_format = (request.body.get("output_config") or {}).get("format")
    if output_format:
        composer.add_text(compact_json(sample(output_format["schema"])))
    elif results := [block for block in blocks(last_user_message(request.messages)) if block["type"] == "tool_result"]:
        names = tool_names(request.messages)
        text = "; ".join(f"{names[block['tool_use_id']]} -> {_result_text(block)}" for block in results)
        composer.add_text(_truncate(f"{LABEL} Tool results: {text}", _ECHO))
    else:
        composer.add_text(_truncate(f"{LABEL} You said: {_user_text(request)}", _ECHO))


def _add_forced_call(composer: Composer) -> None:
    """Add the call that tool_choice forces: the named tool, or the first client tool."""
    choice = composer.request.choice
    callable_tools = [tool for tool in composer.request.tools if "name" in tool]
    tool = next((tool for tool in callable_tools if choice.get("name") in {None, tool["name"]}), None)
    if tool:
        composer.add_tool_use(tool["name"], sample(tool.get("input_schema", {"type": "object"})))


def _user_text(request: Request) -> str:
    """The last user message as text, without script lines; other blocks are named."""
    message = last_user_message(request.messages)
    rows = [row for row in texts(message).splitlines() if not row.startswith(script.PREFIX)]
    others = [block["type"] for block in blocks(message) if block["type"] not in {"text", "tool_result"}]
    rows += [f"({name})" for name in others]
    return "\n".join(rows)


def _result_text(block: dict[str, Any]) -> str:
    text = texts(block) or ", ".join(f"({inner['type']})" for inner in blocks(block)) or "(nothing)"
    return f"error: {text}" if block.get("is_error") else text


def _truncate(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit] + "…"


# ------------------------------------------------------------------------------------------- commands of a script


def _run_text(composer: Composer, line: Line) -> None:
    composer.add_text(line.text)


def _run_words(composer: Composer, line: Line) -> None:
    composer.add_text(
        " ".join(f"word{number}" for number in range(1, min(line.number, composer.request.body["max_tokens"] + 1) + 1))
    )


def _run_thinking(composer: Composer, line: Line) -> None:
    _require_thinking(composer, line)
    composer.add_thinking(line.text)


def _run_redacted(composer: Composer, line: Line) -> None:
    _require_thinking(composer, line)
    composer.add_redacted_thinking(line.text or "redacted")


def _require_thinking(composer: Composer, line: Line) -> None:
    if not composer.request.thinks:
        raise script.script_error(f"`{line.command}` needs a request whose thinking is on")


def _run_tool(composer: Composer, line: Line) -> None:
    name, rest = line.names()
    tool = _find_tool(composer, name)
    value = script.json_argument(rest) if rest else sample(tool.get("input_schema", {"type": "object"}))
    if not isinstance(value, dict):
        raise script.script_error("the input of a tool is a JSON object")
    composer.add_tool_use(tool["name"], value)


def _run_broken_tool(composer: Composer, line: Line) -> None:
    name, rest = line.names()
    composer.add_tool_use(_find_tool(composer, name)["name"], {}, raw=rest)


def _find_tool(composer: Composer, name: str) -> dict[str, Any]:
    """The tool called `name` in the request. Raises a 400 if the request does not define it."""
    tools = [tool for tool in composer.request.tools if "name" in tool]
    if composer.request.choice["type"] == "none":
        raise script.script_error("tool_choice is none, no tool can be called")
    numbered = {f"#{number}": tool for number, tool in enumerate(tools, 1)}
    found = numbered.get(name) or next((tool for tool in tools if tool["name"] == name), None)
    if found is None:
        known = ", ".join(tool["name"] for tool in tools) or "none"
        raise script.script_error(f"the request has no tool `{name}`; its tools: {known}")
    return found


def _run_web_search(composer: Composer, line: Line) -> None:
    composer.add_web_search(line.text)


def _run_citation(composer: Composer, line: Line) -> None:
    url, *rest = (section.strip() for section in line.text.split("|", 2))
    if len(rest) != 2:
        raise script.script_error("`citation` needs URL | TITLE | TEXT")
    title, text = rest
    location = {"type": "web_search_result_location", "url": url, "title": title, "cited_text": text}
    composer.add_text(text, (location | {"encrypted_index": "simulated"},))


def _run_stream_action(composer: Composer, line: Line) -> None:
    composer.add_action(line.command, line.text)


def _run_nothing(composer: Composer, line: Line) -> None:
    """For commands that add no content."""


_HANDLERS = {
    "text": _run_text,
    "words": _run_words,
    "thinking": _run_thinking,
    "redacted": _run_redacted,
    "tool": _run_tool,
    "tools-broken-json": _run_broken_tool,
    "web_search": _run_web_search,
    "citation": _run_citation,
    **dict.fromkeys(("ping", "unknown-event", "restart", "error", "cut", "stall"), _run_stream_action),
    **dict.fromkeys(("empty", "stop", "refusal", "pause", "status", "chunk", "crlf"), _run_nothing),
}
