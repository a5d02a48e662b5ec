"""Chat's tools and tool choice, and the older `functions`, read into the tool set builder."""

import msgspec
from msgspec import Raw

from claude_proxy.dialects.chat.parts import breakpoint_from
from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.tools import Grammar, ToolChoiceWish, ToolSet
from claude_proxy.translate.web_search import web_search_tool
from claude_proxy.wire import anthropic
from claude_proxy.wire import chat_request as chat
from claude_proxy.wire.decoding import NULL, decode, repaired


class _Typed(msgspec.Struct):
    type: str = "function"
    name: str | None = None
    cache_control: chat.CacheBreakpoint | None = None


_read_typed = msgspec.json.Decoder(_Typed).decode
_read_tool = msgspec.json.Decoder(chat.FunctionTool | chat.CustomTool).decode
_OWN_FIELDS = ("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples")


def read_tools(draft: Draft, request: chat.ChatRequest) -> None:
    """Write `tools` and `tool_choice` of the draft. Raises InvalidRequest that names the tool."""
    tools = ToolSet(draft)
    for index, raw in enumerate(request.tools or ()):
        _add_tool(tools, Raw(repaired(bytes(raw))), f"tools[{index}]")
    for index, function in enumerate(request.functions or ()):
        _add_function(tools, function, f"functions[{index}]")
    if (search := request.web_search_options) is not None:
        param = "web_search_options"
        tools.add_web_search(web_search_tool(search.search_context_size, _location(search), param=param), param=param)
    # The older form has only one `function_call` in a message.
    parallel = request.parallel_tool_calls is not False and not request.functions
    tools.finish(_tool_choice(request), parallel=parallel)


def _add_tool(tools: ToolSet, raw: Raw, param: str) -> None:
    typed = decode(_read_typed, raw, param)
    if typed.type in ("function", "custom"):
        match decode(_read_tool, raw, param):
            case chat.FunctionTool() as tool:
                _add_own_fields(_add_function(tools, tool.function, f"{param}.function"), tool)
            case chat.CustomTool() as tool:
                _add_custom(tools, tool.custom, f"{param}.custom")
    elif _is_anthropic(typed.type):
        tools.add_native(raw, typed.name or typed.type, param=param)
    else:
        raise InvalidRequest(
            f"Unsupported tool type '{typed.type}': Claude has no such tool in Chat Completions.",
            param=f"{param}.type",
            code="unsupported_value",
        )


def _add_function(tools: ToolSet, function: chat.FunctionDefinition, param: str) -> anthropic.Tool:
    return tools.add_function(
        function.name,
        function.parameters,
        description=function.description,
        strict=bool(function.strict),
        param=param,
    )


def _add_own_fields(sent: anthropic.Tool, tool: chat.FunctionTool) -> None:
    """Give `sent` the fields of Anthropic's own that `tool` carries."""
    sent.cache_control = breakpoint_from(tool.cache_control)
    for name in _OWN_FIELDS:
        if (value := getattr(tool, name)) != NULL:
            setattr(sent, name, value)


def _add_custom(tools: ToolSet, custom: chat.CustomDefinition, param: str) -> None:
    given = custom.format.grammar if custom.format else None
    grammar = Grammar(given.syntax, given.definition) if given else None
    tools.add_custom(custom.name, description=custom.description, grammar=grammar, param=param)


def _is_anthropic(type_: str) -> bool:
    """Anthropic's own tools carry the date of their version: `web_search_20260318`."""
    date = type_.rpartition("_")[2]
    return len(date) == 8 and date.isdigit()


def _location(search: chat.WebSearchOptions) -> dict[str, str | None] | None:
    if not search.user_location or not (near := search.user_location.approximate):
        return None
    return {"city": near.city, "region": near.region, "country": near.country, "timezone": near.timezone}


# -------------------------------------------------------------------------------------------------- the choice


def _tool_choice(request: chat.ChatRequest) -> ToolChoiceWish | None:
    match request.tool_choice:
        case None:
            return _former_choice(request.function_call)
        case "auto" | "none" | "required" as mode:
            return ToolChoiceWish(mode)
        case chat.ToolChoiceObject() as choice:
            return _object_choice(choice)
        case other:
            raise InvalidRequest(
                f"Invalid value: '{other}'. Supported values are: 'none', 'auto', and 'required'.",
                param="tool_choice",
                code="invalid_value",
            )


def _former_choice(function_call: str | chat.Named | None) -> ToolChoiceWish | None:
    match function_call:
        case None:
            return None
        case "auto" | "none" as mode:
            return ToolChoiceWish(mode, "function_call")
        case chat.Named(name):
            return ToolChoiceWish("named", "function_call", name)
        case other:
            raise InvalidRequest(
                f"Invalid value: '{other}'. Supported values are: 'none' and 'auto'.",
                param="function_call",
                code="invalid_value",
            )


def _object_choice(choice: chat.ToolChoiceObject) -> ToolChoiceWish:
    match choice:
        case chat.ToolChoiceObject(type="allowed_tools", allowed_tools=chat.AllowedTools() as allowed):
            return _allowed_choice(allowed)
        case chat.ToolChoiceObject(function=chat.Named(name)) | chat.ToolChoiceObject(custom=chat.Named(name)):
            return ToolChoiceWish("named", name=name)
        case chat.ToolChoiceObject(type="auto" | "none" | "required" as mode):
            return ToolChoiceWish(mode)
        case _:
            raise InvalidRequest(
                f"Invalid value: '{choice.type}' is no tool choice, or its tool is missing.",
                param="tool_choice",
                code="invalid_value",
            )


def _allowed_choice(allowed: chat.AllowedTools) -> ToolChoiceWish:
    mode = allowed.mode
    if mode not in ("auto", "required"):
        raise InvalidRequest(
            f"Invalid value: '{mode}'. Supported values are: 'auto' and 'required'.",
            param="tool_choice.allowed_tools.mode",
            code="invalid_value",
        )
    names = tuple(named.name for tool in allowed.tools if (named := tool.function or tool.custom))
    if not names:
        raise InvalidRequest(
            "Invalid 'tool_choice.allowed_tools.tools': no tool is named.",
            param="tool_choice.allowed_tools.tools",
            code="invalid_value",
        )
    return ToolChoiceWish("auto" if mode == "auto" else "required", allowed=names)
