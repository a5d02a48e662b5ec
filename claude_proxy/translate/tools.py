"""Tools and the choice among them: functions, custom tools, and the older `functions`.

Source: Anthropic's "Define tools" page; the limits of strict tools are from its "Structured outputs" page.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.names import tool_name
from claude_proxy.translate.parts import cache_control
from claude_proxy.translate.schema import Unsupported, complexity, input_schema, strict_input_schema
from claude_proxy.wire import anthropic
from claude_proxy.wire import chat_request as openai
from claude_proxy.wire.anthropic import ToolChoice
from claude_proxy.wire.decoding import NULL, decode, repaired

# Over all strict tools of a request together; more is refused as too complex.
MAX_STRICT_TOOLS = 20
MAX_OPTIONAL = 24
MAX_UNIONS = 16
CUSTOM_INPUT = Raw(
    b'{"type":"object","properties":{"input":{"type":"string","description":"The whole input, as plain text."}},'
    b'"required":["input"]}'
)
# Some turn of the history used tools, so upstream wants to see `tools`; nothing may call this one.
_FORMER = anthropic.Tool(
    name="former_tools",
    description="Stands for the tools that were used earlier in this conversation. It cannot be called.",
    input_schema=Raw(b'{"type":"object","properties":{}}'),
)
_WEB_SEARCH_USES = {"low": 1, "medium": 5, "high": 10}


class _Typed(msgspec.Struct):
    type: str = "function"
    name: str | None = None
    cache_control: openai.CacheBreakpoint | None = None


_read_typed = msgspec.json.Decoder(_Typed).decode
_read_tool = msgspec.json.Decoder(openai.FunctionTool | openai.CustomTool).decode


@dataclass(frozen=True)
class _Sent:
    """A tool as it goes upstream, beside the name its client knows."""

    client_name: str
    tool: anthropic.Tool | Raw
    loose_schema: Raw | None = None  # a strict tool's schema as it goes when it cannot be strict


def translate_tools(draft: Draft) -> None:
    """Fill `draft.body.tools` and `draft.body.tool_choice`. Raises InvalidRequest naming the tool."""
    chat = draft.chat
    if not (chat.tools or chat.functions or chat.web_search_options):
        _without_tools(draft)
        return
    sent = _unique(draft, [*_tools(draft), *_functions(draft)])
    _bound_strict(draft, sent)
    if (search := _web_search(draft)) is not None:
        if any(item.client_name == "web_search" for item in sent):
            draft.warn("web_search_options", "a tool of the request has the name 'web_search'; that one was sent")
        else:
            sent.append(_Sent("web_search", search))
    if not sent:
        _without_tools(draft)
        return
    draft.body.tools = [item.tool for item in sent]
    choice, param = _wanted_choice(chat)
    if choice is not None:
        _apply_choice(draft, choice, param, sent)
    if chat.parallel_tool_calls is False or draft.legacy_functions:  # the older form has room for one call
        wanted = draft.body.tool_choice or ToolChoice("auto")
        if wanted.type != "none":
            draft.body.tool_choice = msgspec.structs.replace(wanted, disable_parallel_tool_use=True)


def _without_tools(draft: Draft) -> None:
    if draft.chat.tool_choice not in (None, "none", "auto"):
        draft.warn("tool_choice", "there are no tools to choose from, so it was left out")
    used = (
        block
        for message in draft.body.messages
        for block in message.content
        if isinstance(block, anthropic.ToolUseBlock | anthropic.ToolResultBlock)
    )
    if any(True for _ in used):
        draft.body.tools = [_FORMER]
        draft.body.tool_choice = ToolChoice("none")
        draft.note("changed", "tools", "the history uses tools and the request has none: a placeholder was sent")


# ---------------------------------------------------------------------------------------------- the tools sent


def _tools(draft: Draft) -> Iterator[_Sent]:
    for index, raw in enumerate(draft.chat.tools or ()):
        place = f"tools[{index}]"
        raw = Raw(repaired(bytes(raw)))  # noqa: PLW2901 - the same tool, its text made sound
        typed = decode(_read_typed, raw, place)
        if typed.type in ("function", "custom"):
            match decode(_read_tool, raw, place):
                case openai.FunctionTool() as tool:
                    item = _function(draft, tool.function, f"{place}.function")
                    _extend(item.tool, tool)
                    yield item
                case openai.CustomTool() as tool:
                    yield _custom(draft, tool.custom, f"{place}.custom")
        elif _is_anthropic(typed.type):
            draft.note("mapped", place, "a tool of Anthropic's own, passed on as it is")
            draft.server_tools = True
            yield _Sent(typed.name or typed.type, raw)
        else:
            raise InvalidRequest(
                f"Unsupported tool type '{typed.type}': Claude has no such tool in Chat Completions.",
                param=f"{place}.type",
                code="unsupported_value",
            )


_EXTENSIONS = ("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples")


def _extend(sent: anthropic.Tool | Raw, tool: openai.FunctionTool) -> None:
    """Give `sent` the fields of Anthropic's own that `tool` carries."""
    if isinstance(sent, anthropic.Tool):
        sent.cache_control = cache_control(tool.cache_control)
        for name in _EXTENSIONS:
            if (value := getattr(tool, name)) != NULL:
                setattr(sent, name, value)


def _is_anthropic(type_: str) -> bool:
    """Anthropic's own tools carry the date of their version: `web_search_20260318`."""
    date = type_.rpartition("_")[2]
    return len(date) == 8 and date.isdigit()


def _functions(draft: Draft) -> Iterator[_Sent]:
    for index, function in enumerate(draft.chat.functions or ()):
        draft.legacy_functions = True
        yield _function(draft, function, f"functions[{index}]")


def _function(draft: Draft, function: openai.FunctionDefinition, place: str) -> _Sent:
    try:
        schema, change = input_schema(function.parameters)
    except msgspec.MsgspecError:
        raise InvalidRequest(
            f"Invalid type for '{place}.parameters': expected a JSON Schema object.",
            param=f"{place}.parameters",
            code="invalid_type",
        ) from None
    if change:
        draft.note("changed", f"{place}.parameters", change)
    strict, loose = None, schema
    if function.strict:
        try:
            schema, strict = strict_input_schema(schema), True
        except Unsupported as exc:
            draft.warn(f"{place}.strict", f"the schema cannot be enforced ({exc}), so the tool was sent without it")
    tool = anthropic.Tool(_name(draft, function.name, place), schema, function.description or None, strict)
    return _Sent(function.name, tool, loose)


def _name(draft: Draft, name: str, place: str) -> str:
    if not name:
        raise InvalidRequest(f"Invalid '{place}.name': empty string.", param=f"{place}.name", code="invalid_value")
    sent = draft.tool_names[name] = tool_name(name)
    if sent != name:
        draft.note("changed", f"{place}.name", f"'{name}' was sent as '{sent}', and comes back as it was")
    return sent


def _custom(draft: Draft, custom: openai.CustomDefinition, place: str) -> _Sent:
    description = custom.description or ""
    if custom.format and custom.format.grammar:
        grammar = custom.format.grammar
        draft.warn(f"{place}.format", "Claude cannot be held to a grammar; it was put into the tool's description")
        description += f"\n\nThe input must follow this {grammar.syntax} grammar:\n{grammar.definition}"
    draft.custom_tools.add(custom.name)
    draft.note("emulated", place, "a custom tool is sent as a function with one text, and comes back as it was")
    return _Sent(
        custom.name, anthropic.Tool(_name(draft, custom.name, place), CUSTOM_INPUT, description.strip() or None)
    )


def _unique(draft: Draft, tools: list[_Sent]) -> list[_Sent]:
    """Upstream refuses two tools of one name; the later one is what a client added last."""
    last = {item.client_name: item for item in tools}
    if len(last) < len(tools):
        draft.warn("tools", "of several tools with one name only the last was sent")
    return list(last.values())


def _bound_strict(draft: Draft, tools: list[_Sent]) -> None:
    """Keep tools strict, in order, as long as upstream's limits on all of them together allow it."""
    strict = optional = unions = 0
    for item in tools:
        tool = item.tool
        if not isinstance(tool, anthropic.Tool) or not tool.strict or item.loose_schema is None:
            continue
        more_optional, more_unions = complexity(tool.input_schema)
        if (
            strict < MAX_STRICT_TOOLS
            and optional + more_optional <= MAX_OPTIONAL
            and unions + more_unions <= MAX_UNIONS
        ):
            strict, optional, unions = strict + 1, optional + more_optional, unions + more_unions
            continue
        tool.strict, tool.input_schema = None, item.loose_schema
        draft.warn("tools", f"'{item.client_name}' is beyond what can be strict in one request; it was sent without it")


class _SearchTool(msgspec.Struct, omit_defaults=True):
    type: str
    name: str
    allowed_callers: list[str]
    max_uses: int
    user_location: dict[str, str] | None = None


def _web_search(draft: Draft) -> Raw | None:
    options = draft.chat.web_search_options
    if options is None:
        return None
    size = options.search_context_size or "medium"
    if size not in _WEB_SEARCH_USES:
        raise InvalidRequest(
            f"Invalid value: '{size}'. Supported values are: 'low', 'medium', and 'high'.",
            param="web_search_options.search_context_size",
            code="invalid_value",
        )
    location = None
    if options.user_location and (place := options.user_location.approximate):
        told = {"city": place.city, "region": place.region, "country": place.country, "timezone": place.timezone}
        location = {"type": "approximate", **{key: value for key, value in told.items() if value}}
    draft.server_tools = True
    draft.note("mapped", "web_search_options", "Anthropic's web search; citations come back as annotations")
    # Called from code, which is the newer default, results come back without citations: hence "direct".
    tool = _SearchTool("web_search_20260318", "web_search", ["direct"], _WEB_SEARCH_USES[size], location)
    return Raw(msgspec.json.encode(tool))


# -------------------------------------------------------------------------------------------------- the choice


@dataclass(frozen=True)
class _Choice:
    mode: str  # auto, none, required, named
    name: str | None = None
    allowed: tuple[str, ...] = ()


def _wanted_choice(chat: openai.ChatRequest) -> tuple[_Choice | None, str]:
    match chat.tool_choice:
        case None:
            return _legacy_choice(chat.function_call), "function_call"
        case "auto" | "none" | "required" as mode:
            return _Choice(mode), "tool_choice"
        case openai.ToolChoiceObject() as choice:
            return _object_choice(choice), "tool_choice"
        case other:
            raise InvalidRequest(
                f"Invalid value: '{other}'. Supported values are: 'none', 'auto', and 'required'.",
                param="tool_choice",
                code="invalid_value",
            )


def _legacy_choice(function_call: str | openai.Named | None) -> _Choice | None:
    match function_call:
        case None:
            return None
        case "auto" | "none" as mode:
            return _Choice(mode)
        case openai.Named(name):
            return _Choice("named", name)
        case other:
            raise InvalidRequest(
                f"Invalid value: '{other}'. Supported values are: 'none' and 'auto'.",
                param="function_call",
                code="invalid_value",
            )


def _object_choice(choice: openai.ToolChoiceObject) -> _Choice:
    match choice:
        case openai.ToolChoiceObject(type="allowed_tools", allowed_tools=openai.AllowedTools(mode, tools)):
            if mode not in ("auto", "required"):
                raise InvalidRequest(
                    f"Invalid value: '{mode}'. Supported values are: 'auto' and 'required'.",
                    param="tool_choice.allowed_tools.mode",
                    code="invalid_value",
                )
            allowed = tuple(named.name for tool in tools if (named := tool.function or tool.custom))
            if not allowed:
                raise InvalidRequest(
                    "Invalid 'tool_choice.allowed_tools.tools': no tool is named.",
                    param="tool_choice.allowed_tools.tools",
                    code="invalid_value",
                )
            return _Choice(mode, allowed=allowed)
        case openai.ToolChoiceObject(function=openai.Named(name)) | openai.ToolChoiceObject(custom=openai.Named(name)):
            return _Choice("named", name)
        case openai.ToolChoiceObject(type="auto" | "none" | "required" as mode):
            return _Choice(mode)
        case _:
            raise InvalidRequest(
                f"Invalid value: '{choice.type}' is no tool choice, or its tool is missing.",
                param="tool_choice",
                code="invalid_value",
            )


def _apply_choice(draft: Draft, choice: _Choice, param: str, sent: list[_Sent]) -> None:
    names = {item.client_name for item in sent}
    unknown = {name for name in (choice.name, *choice.allowed) if name} - names
    if unknown:
        raise InvalidRequest(
            f"'{min(unknown)}' is not among the tools of this request.", param=param, code="invalid_value"
        )
    if choice.allowed:
        draft.body.tools = [item.tool for item in sent if item.client_name in choice.allowed]
        draft.note("changed", param, "only the allowed tools were sent")
    match choice.mode:
        case "auto" | "none":
            draft.body.tool_choice = ToolChoice(choice.mode)
        case _ if draft.model.forced_tools == "refused":
            _soften(draft, choice, param, sent)
        case "required":
            draft.body.tool_choice = ToolChoice("any")
        case _:
            draft.body.tool_choice = ToolChoice("tool", _sent_name(draft, choice.name))


def _sent_name(draft: Draft, name: str | None) -> str:
    return draft.tool_names.get(name or "", name or "")


def _soften(draft: Draft, choice: _Choice, param: str, sent: list[_Sent]) -> None:
    """Some models refuse to be forced: offer the one tool, and ask."""
    draft.body.tool_choice = ToolChoice("auto")
    if choice.mode == "named":
        draft.body.tools = [item.tool for item in sent if item.client_name == choice.name]
        draft.add_system(f"Call the tool {_sent_name(draft, choice.name)} now.")
    else:
        draft.add_system("Call one of the tools now.")
    draft.warn(param, f"{draft.model.id} cannot be forced to call a tool; it was asked to")
