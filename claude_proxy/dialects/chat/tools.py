"""Chat's tools and tool choice, and the older `functions`, read into the tool set builder."""

from typing import TypeVar

import msgspec
from msgspec import Raw

from claude_proxy.dialects.chat.ignored import warn_of_unknown
from claude_proxy.dialects.chat.parts import breakpoint_from
from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.tools import Grammar, ToolChoiceWish, ToolSet, is_native
from claude_proxy.translate.web_search import web_search_tool
from claude_proxy.wire import anthropic
from claude_proxy.wire import chat_request as chat
from claude_proxy.wire.chat_messages import CacheBreakpoint
from claude_proxy.wire.decoding import NULL, decode, repaired
from claude_proxy.wire.known_fields import prune

T = TypeVar("T")


class _Typed(msgspec.Struct):
    """What tells the forms of a tool apart."""

    type: str | None = None
    name: str | None = None
    mcp_server_name: str | None = None
    function: Raw = NULL
    custom: Raw = NULL
    input_schema: Raw = NULL
    cache_control: CacheBreakpoint | None = None


_read_typed = msgspec.json.Decoder(_Typed).decode
_OWN_FIELDS = ("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples")


def read_tools(draft: Draft, request: chat.ChatRequest) -> None:
    """Write `tools` and `tool_choice` of the draft. Raises InvalidRequest that names the tool."""
    tools = ToolSet(draft)
    for index, raw in enumerate(request.tools or ()):
        _add_tool(draft, tools, Raw(repaired(bytes(raw))), f"tools[{index}]")
    for index, function in enumerate(request.functions or ()):
        _add_definition(tools, function, f"functions[{index}]")
    if (search := request.web_search_options) is not None:
        tools.add_web_search(_search_tool(search), param="web_search_options")
    # The older form has only one `function_call` in a message.
    parallel = request.parallel_tool_calls is not False and not request.functions
    tools.finish(_tool_choice(request), parallel=parallel)


def _add_tool(draft: Draft, tools: ToolSet, raw: Raw, param: str) -> None:
    typed = decode(_read_typed, raw, param)
    if typed.type is not None and is_native(typed.type):
        tools.add_native(raw, typed.name or typed.mcp_server_name or typed.type, param=param)
    elif _is_flat_function(typed):
        _add_function(tools, _read(draft, chat.FlatFunctionTool, raw, param), param)
    elif typed.type == "function":
        tool = _read(draft, chat.FunctionTool, raw, param)
        sent = _add_definition(tools, tool.function, f"{param}.function", strict=tool.strict)
        _add_own_fields(sent, tool)
    elif typed.type == "custom" and typed.custom == NULL and typed.name is not None:
        _add_custom(tools, _read(draft, chat.FlatCustomTool, raw, param), param)
    elif typed.type == "custom":
        nested = _read(draft, chat.CustomTool, raw, param)
        _add_custom(tools, nested.custom, f"{param}.custom").cache_control = breakpoint_from(nested.cache_control)
    else:
        raise _unsupported(typed.type, param)


def _read(draft: Draft, type_: type[T], raw: Raw, param: str) -> T:
    """The tool as a `type_`; its unknown fields become warnings."""
    try:
        return msgspec.json.decode(raw, type=type_)
    except (msgspec.MsgspecError, RecursionError):
        pruned, unknown = prune(bytes(raw), type_, param)
    warn_of_unknown(draft, unknown)
    return decode(lambda data: msgspec.json.decode(data, type=type_), pruned, param)


def _is_flat_function(typed: _Typed) -> bool:
    if typed.input_schema != NULL:
        return typed.type in (None, "custom", "function")
    return typed.type == "function" and typed.function == NULL and typed.name is not None


def _unsupported(type_: str | None, param: str) -> InvalidRequest:
    if type_ is None:
        return InvalidRequest(
            f"Missing required parameter: '{param}.type'.", param=f"{param}.type", code="missing_required_parameter"
        )
    return InvalidRequest(
        f"Unsupported tool type '{type_}': Claude has no such tool in Chat Completions.",
        param=f"{param}.type",
        code="unsupported_value",
    )


def _add_definition(
    tools: ToolSet, function: chat.FunctionDefinition, param: str, *, strict: bool | None = None
) -> anthropic.Tool:
    wanted = strict if function.strict is None else function.strict
    sent = tools.add_function(
        function.name, function.parameters, description=function.description, strict=bool(wanted), param=param
    )
    sent.cache_control = breakpoint_from(function.cache_control)
    return sent


def _add_function(tools: ToolSet, tool: chat.FlatFunctionTool, param: str) -> None:
    theirs = tool.input_schema != NULL
    sent = tools.add_function(
        tool.name,
        tool.input_schema if theirs else tool.parameters,
        description=tool.description,
        strict=bool(tool.strict),
        param=param,
        schema_field="input_schema" if theirs else "parameters",
    )
    _add_own_fields(sent, tool)


def _add_own_fields(sent: anthropic.Tool, tool: chat.FunctionTool | chat.FlatFunctionTool) -> None:
    """Give `sent` the fields of Anthropic's own that `tool` carries."""
    sent.cache_control = breakpoint_from(tool.cache_control) or sent.cache_control
    for name in _OWN_FIELDS:
        if (value := getattr(tool, name)) != NULL:
            setattr(sent, name, value)


def _add_custom(tools: ToolSet, custom: chat.CustomDefinition | chat.FlatCustomTool, param: str) -> anthropic.Tool:
    sent = tools.add_custom(custom.name, description=custom.description, grammar=_grammar(custom.format), param=param)
    sent.cache_control = breakpoint_from(custom.cache_control)
    return sent


def _grammar(format_: chat.CustomFormat | None) -> Grammar | None:
    if format_ is None:
        return None
    if (nested := format_.grammar) is not None:
        return Grammar(nested.syntax, nested.definition)
    return Grammar(format_.syntax or "", format_.definition) if format_.definition else None


def _search_tool(search: chat.WebSearchOptions) -> Raw:
    near: chat.UserLocation | chat.UserLocationApproximate | None = search.user_location
    if isinstance(near, chat.UserLocation) and near.approximate is not None:
        near = near.approximate
    location = None
    if near is not None:
        location = {"city": near.city, "region": near.region, "country": near.country, "timezone": near.timezone}
    filters = search.filters or chat.WebSearchFilters()
    return web_search_tool(
        search.search_context_size,
        location if location and any(location.values()) else None,
        allowed=filters.allowed_domains,
        blocked=filters.blocked_domains,
        param="web_search_options",
    )


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
        case chat.ToolChoiceObject(type="function" | "custom" | "tool", name=str(name)):
            return ToolChoiceWish("named", name=name)
        case chat.ToolChoiceObject(type="any"):
            return ToolChoiceWish("required")
        case chat.ToolChoiceObject(type="auto" | "none" | "required" as mode):
            return ToolChoiceWish(mode)
        case _:
            raise InvalidRequest(
                f"Invalid value: '{choice.type}' is not a tool choice, or its tool is missing.",
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
    names = tuple(name for tool in allowed.tools if (name := _allowed_name(tool)))
    if not names:
        raise InvalidRequest(
            "Invalid 'tool_choice.allowed_tools.tools': no tool is named.",
            param="tool_choice.allowed_tools.tools",
            code="invalid_value",
        )
    return ToolChoiceWish("auto" if mode == "auto" else "required", allowed=names)


def _allowed_name(tool: chat.AllowedTool) -> str | None:
    named = tool.function or tool.custom
    return named.name if named else tool.name
