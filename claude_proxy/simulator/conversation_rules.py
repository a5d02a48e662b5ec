"""Rules for messages: roles, empty content, blocks allowed per role, pairing of tool calls and results."""

from collections.abc import Iterator

from claude_proxy.simulator.api_error import invalid
from claude_proxy.simulator.api_headers import NEWER_VERSION
from claude_proxy.simulator.valid_request import Block, Request, blocks, is_server_result, iter_blocks

_ONLY_ASSISTANT = frozenset({"tool_use", "server_tool_use", "thinking", "redacted_thinking"})
_ONLY_USER = frozenset({"tool_result", "image", "search_result", "container_upload"})

LocatedBlock = tuple[int, int, Block]  # index of the message, index in its content, block


def check(request: Request, version: str) -> None:
    messages = request.messages
    if not messages:
        raise invalid("messages: at least one message is required")
    if messages[0]["role"] != "user":
        raise invalid('messages: first message must use the "user" role')
    _texts(request)
    _roles(request, version)
    _system_messages(request)
    _unique_ids(request)
    _tool_results(request)
    _server_results(request)
    _prefill(request)


def _texts(request: Request) -> None:
    system = request.body.get("system") or []
    if not isinstance(system, str):
        _no_empty_text(system, "system")
    last = len(request.messages) - 1
    for number, message in enumerate(request.messages):
        if not blocks(message) and not (number == last and message["role"] == "assistant"):
            what = "all messages must have non-empty content except for the optional final assistant message"
            raise invalid(f"messages.{number}: {what}")
        _no_empty_text(blocks(message), "messages")


def _no_empty_text(content: list[Block], where: str) -> None:
    for block in content:
        inner = block.get("content") if block["type"] == "tool_result" else None
        if isinstance(inner, list):
            _no_empty_text(inner, where)
        if block["type"] != "text":
            continue
        if not block["text"]:
            raise invalid(f"{where}: text content blocks must be non-empty")
        if not block["text"].strip():
            raise invalid(f"{where}: text content blocks must contain non-whitespace text")


def _roles(request: Request, version: str) -> None:
    newer = version == NEWER_VERSION
    for number, index, block in iter_blocks(request.messages):
        kind, role = block["type"], request.messages[number]["role"]
        assistants = kind in _ONLY_ASSISTANT or is_server_result(block)
        if role == "user" and assistants:
            raise invalid(f"messages.{number}: `{kind}` blocks can only be in `assistant` messages")
        if role == "assistant" and (kind in _ONLY_USER or (newer and kind == "document")):
            raise invalid(f"messages.{number}: `{kind}` blocks can only be in `user` messages")
        if newer and role == "user" and kind in {"text", "search_result"}:
            _no_citations(block, f"messages.{number}.content.{index}")


def _no_citations(block: Block, param: str) -> None:
    """The newer API version accepts citations only in assistant messages. (The error text is ours.)"""
    inner = block["content"] if block["type"] == "search_result" else [block]
    if any(text.get("citations") for text in inner):
        raise invalid(f"{param}.{block['type']}.citations: Citations are not permitted in user messages")


def _system_messages(request: Request) -> None:
    """The allowed positions of a system message. (Only the error text about the model is the real API's.)"""
    messages = request.messages
    for number, message in enumerate(messages):
        if message["role"] != "system":
            continue
        if request.model.system_role == "refused":
            raise invalid("role 'system' is not supported on this model")
        before = next(one for one in reversed(messages[:number]) if one["role"] != "system")
        after = next((one["role"] for one in messages[number:] if one["role"] != "system"), "assistant")
        ends_in_result = bool(blocks(before)) and is_server_result(blocks(before)[-1])
        if before["role"] == "assistant" and not ends_in_result:
            raise invalid(f"messages.{number}: role 'system' must directly follow a user message")
        if after != "assistant":
            raise invalid(f"messages.{number}: role 'system' must be last or be followed by an assistant message")


def _unique_ids(request: Request) -> None:
    seen: set[str] = set()
    for number, index, block in iter_blocks(request.messages):
        if block["type"] not in {"tool_use", "server_tool_use", "mcp_tool_use"}:
            continue
        if block["id"] in seen:
            raise invalid(f"messages.{number}.content.{index}: `tool_use` ids must be unique")
        seen.add(block["id"])


def turns(request: Request) -> Iterator[tuple[str, list[LocatedBlock]]]:
    """The conversation with adjacent messages of one role merged into one turn, as the API reads it."""
    role, content = "", list[LocatedBlock]()
    for number, message in enumerate(request.messages):
        if message["role"] == "system":
            continue
        if message["role"] != role and role:
            yield role, content
            content = []
        role = message["role"]
        content.extend((number, index, block) for index, block in enumerate(blocks(message)))
    yield role, content


def _tool_results(request: Request) -> None:
    """Every tool_use needs its result at the start of the next turn, every result its tool_use in the turn before."""
    open_calls: dict[str, int] = {}
    only_results = False
    for role, content in turns(request):
        if role == "user":
            _check_results(open_calls, content, only_results=only_results)
            open_calls = {}
            continue
        open_calls = {block["id"]: number for number, _, block in content if block["type"] == "tool_use"}
        only_results = bool(open_calls) and bool(_open_server_calls([block for _, _, block in content]))
    _require_no_open_calls(open_calls)


def _check_results(open_calls: dict[str, int], content: list[LocatedBlock], *, only_results: bool) -> None:
    answered: set[str] = set()
    leading = True
    for number, index, block in content:
        if block["type"] != "tool_result":
            leading = False
            continue
        param, id_ = f"messages.{number}.content.{index}", block["tool_use_id"]
        if id_ in answered:
            what = "each tool_use must have a single result. Found multiple `tool_result` blocks with id"
            raise invalid(f"{param}: {what}: {id_}")
        if id_ not in open_calls:
            raise invalid(
                f"{param}: unexpected `tool_use_id` found in `tool_result` blocks: {id_}. Each `tool_result` block "
                "must have a corresponding `tool_use` block in the previous message."
            )
        if leading:
            answered.add(id_)
    _require_no_open_calls({id_: number for id_, number in open_calls.items() if id_ not in answered})
    if only_results and not leading:
        raise invalid(
            f"messages.{content[0][0]}: only `tool_result` blocks may follow a turn with an unanswered server tool use"
        )


def _require_no_open_calls(open_calls: dict[str, int]) -> None:
    if open_calls:
        number = min(open_calls.values())
        raise invalid(
            f"messages.{number}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(open_calls)}. Each `tool_use` block must have a corresponding `tool_result` block in the "
            "next message."
        )


def _open_server_calls(content: list[Block]) -> dict[str, Block]:
    """The server tool uses in `content` without a result there, by id."""
    found = {block["id"]: block for block in content if block["type"] == "server_tool_use"}
    for block in content:
        if is_server_result(block):
            found.pop(block["tool_use_id"], None)
    return found


def _server_results(request: Request) -> None:
    """A server tool's result follows its use; a use without a result is allowed only in a paused turn."""
    used: set[str] = set()
    rows = list(turns(request))
    for turn, (role, content) in enumerate(rows):
        for number, index, block in content:
            if block["type"] in {"server_tool_use", "mcp_tool_use"}:
                used.add(block["id"])
            elif is_server_result(block) and block["tool_use_id"] not in used:
                kind = block["type"]
                raise invalid(
                    f"messages.{number}.content.{index}: unexpected `tool_use_id` found in `{kind}` blocks: "
                    f"{block['tool_use_id']}. Each `{kind}` block must have a corresponding `server_tool_use` block "
                    "before it."
                )
        calls = any(block["type"] == "tool_use" for _, _, block in content)
        paused = turn == len(rows) - 1 or calls
        if role == "assistant" and not paused:
            _require_server_results(content)


def _require_server_results(content: list[LocatedBlock]) -> None:
    for id_, block in _open_server_calls([block for _, _, block in content]).items():
        name = block["name"]
        raise invalid(
            f"messages.{content[0][0]}: `{name}` tool use with id `{id_}` was found without a corresponding "
            f"`{name}_tool_result` block"
        )


def _prefill(request: Request) -> None:
    """A final assistant message is continued if the model supports prefill; a paused turn always is."""
    last = request.messages[-1]
    if last["role"] != "assistant":
        return
    content = blocks(last)
    if content and (content[-1]["type"] == "server_tool_use" or is_server_result(content[-1])):
        return
    if not request.model.prefill:
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    if request.thinks:
        raise invalid("When thinking is enabled, a final `assistant` message must start with a thinking block")
    if content and content[-1]["type"] == "text" and content[-1]["text"] != content[-1]["text"].rstrip():
        raise invalid("messages: final assistant content cannot end with trailing whitespace")
