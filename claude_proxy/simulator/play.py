"""What the simulator says: the script of the conversation if it has one, else an echo of what it was told."""

from typing import Any

from claude_proxy.simulator import script
from claude_proxy.simulator.answer import MARK, Answer, Composer, spelled_out
from claude_proxy.simulator.conversation import Request, blocks, last_user, script_place, texts, tool_names
from claude_proxy.simulator.sample import sample
from claude_proxy.simulator.script import Line

_ECHO = 2000  # characters of a message that are said back; a long prompt must not become a long answer


def compose(request: Request) -> Answer:
    """The answer to `request`, by its script or by echo. Raises a 400 for a script that cannot be played."""
    text, number = script_place(request.messages)
    lines = script.part(script.parse(text), number)
    composer = Composer(request)
    words = {line.word for line in lines}
    if request.thinks and not request.forced and not words & {"thinking", "redacted", "empty", "refusal"}:
        composer.think(f"{MARK} Thinking about: {_shortened(_asked(request), 80) or 'the script'}")
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
        composer.say(spelled_out(sample(output_format["schema"])))
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
