"""Tools and tool choice of the Responses API, read into the tool set builder."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from claude_proxy.dialects.responses.context import ToolForm
from claude_proxy.dialects.responses.emulated_tools import EMULATED_TOOLS
from claude_proxy.dialects.responses.input_items import flat_name
from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.metadata import pass_through
from claude_proxy.translate.tools import Grammar, ToolChoiceWish, ToolSet, is_native
from claude_proxy.translate.web_search import web_search_tool
from claude_proxy.wire import responses_request as wire
from claude_proxy.wire.decoding import NULL, decode


class _Typed(Struct):
    type: str = "function"
    name: str | None = None


_read_typed = msgspec.json.Decoder(_Typed).decode
_DECODERS = {name: msgspec.json.Decoder(type_).decode for name, type_ in wire.TOOLS.items()}
_OWN_FIELDS = ("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples")


class ToolReader:
    """Reads the tools of one request; `forms` says how a call of each is to be written."""

    def __init__(self, draft: Draft, *, max_tool_calls: int | None) -> None:
        self.forms: dict[str, ToolForm] = {}
        self._draft = draft
        self._tools = ToolSet(draft)
        self._max_tool_calls = max_tool_calls
        self._mcp_servers: list[_McpServer] = []
        self._left_out: set[str] = set()  # types of tools that have no counterpart

    def read(self, tools: Sequence[tuple[Raw, str]]) -> None:
        """Take tools, each with its path."""
        for raw, param in tools:
            self._read_tool(raw, param)

    def finish(self, choice: str | wire.ToolChoice | None, *, parallel: bool) -> None:
        """Write `tools` and `tool_choice` of the draft. The conversation must be finished."""
        if self._mcp_servers:
            pass_through(self._draft, "mcp_servers", Raw(msgspec.json.encode(self._mcp_servers)))
        self._tools.finish(self._choice(choice), parallel=parallel)

    def _read_tool(self, raw: Raw, param: str, namespace: str | None = None) -> None:
        typed = decode(_read_typed, raw, param)
        if (decoder := _DECODERS.get(typed.type)) is not None:
            self._add(typed.type, decode(decoder, raw, param), param, namespace)
        elif typed.type in wire.UNSUPPORTED_TOOLS:
            self._left_out.add(typed.type)
            self._draft.warn(param, f"Claude has no tool of the type '{typed.type}' here, so it was left out")
        elif is_native(typed.type):
            self._tools.add_native(raw, typed.name or typed.type, param=param)
        else:
            raise InvalidRequest(
                f"Invalid value: '{typed.type}'. Supported values are: {', '.join(repr(name) for name in wire.TOOLS)}.",
                param=f"{param}.type",
                code="invalid_value",
            )

    def _add(self, type_: str, tool: wire.Tool, param: str, namespace: str | None) -> None:
        match tool:
            case wire.FunctionTool():
                self._add_function(tool, param, namespace)
            case wire.CustomTool():
                self._add_custom(tool, param, namespace)
            case wire.NamespaceTool():
                for index, raw in enumerate(tool.tools):
                    self._read_tool(raw, f"{param}.tools[{index}]", tool.name)
            case wire.WebSearchTool():
                self._add_search(tool, param)
            case wire.McpTool():
                self._add_mcp(tool, param)
            case wire.ShellTool():
                self._add_emulated(type_, param)

    def _add_function(self, tool: wire.FunctionTool, param: str, namespace: str | None) -> None:
        name = flat_name(tool.name, namespace)
        sent = self._tools.add_function(
            name, tool.parameters, description=tool.description, strict=tool.strict, param=param
        )
        for field in _OWN_FIELDS:
            if (value := getattr(tool, field)) != NULL:
                setattr(sent, field, value)
        self.forms[name] = ToolForm("function", tool.name, namespace)

    def _add_custom(self, tool: wire.CustomTool, param: str, namespace: str | None) -> None:
        name = flat_name(tool.name, namespace)
        format_ = tool.format
        grammar = Grammar(format_.syntax or "", format_.definition) if format_ and format_.definition else None
        self._tools.add_custom(name, description=tool.description, grammar=grammar, param=param)
        self.forms[name] = ToolForm("custom", tool.name, namespace)

    def _add_emulated(self, type_: str, param: str) -> None:
        tool = EMULATED_TOOLS[type_]
        self._tools.add_function(type_, tool.schema, description=tool.description, param=param)
        self._draft.note("emulated", param, f"'{type_}' is sent as a function, and its calls come back as such items")
        self.forms[type_] = ToolForm(type_, type_)

    def _add_search(self, tool: wire.WebSearchTool, param: str) -> None:
        if tool.external_web_access is False:
            self._draft.warn(param, "a search without access to the web does not exist here, so it was left out")
            self._left_out.add("web_search")
            return
        near = tool.user_location
        location = None
        if near is not None:
            location = {"city": near.city, "region": near.region, "country": near.country, "timezone": near.timezone}
        filters = tool.filters or wire.SearchFilters()
        search = web_search_tool(
            tool.search_context_size,
            location,
            allowed=filters.allowed_domains,
            blocked=filters.blocked_domains,
            max_uses=self._max_tool_calls,
            param=param,
        )
        self._tools.add_web_search(search, param=param)

    def _add_mcp(self, tool: wire.McpTool, param: str) -> None:
        """An MCP server goes to Anthropic's MCP connector: its address, and the set of its tools."""
        if tool.server_url is None:
            raise InvalidRequest(
                "Connectors of OpenAI's cannot be reached from here; give the server's `server_url`.",
                param=f"{param}.server_url",
                code="missing_required_parameter",
            )
        if tool.headers != NULL:
            self._draft.warn(f"{param}.headers", "Anthropic's MCP connector takes no headers, only `authorization`")
        if bytes(tool.require_approval) not in (b"null", b'"never"'):
            self._draft.warn(f"{param}.require_approval", "Anthropic's MCP connector asks for no approval")
        self._mcp_servers.append(_McpServer("url", tool.server_url, tool.server_label, tool.authorization))
        self._tools.add_native(_toolset(tool), tool.server_label, param=param)

    # ----------------------------------------------------------------------------------------------- the choice

    def _choice(self, choice: str | wire.ToolChoice | None) -> ToolChoiceWish | None:
        match choice:
            case None:
                return None
            case "auto" | "none" | "required":
                return ToolChoiceWish(choice)
            case wire.ToolChoice(type="allowed_tools"):
                return self._allowed(choice)
            case wire.ToolChoice():
                name = _chosen_name(choice.type, choice.name, choice.namespace)
                if name is None or choice.type in self._left_out:
                    raise InvalidRequest(
                        f"Invalid value: '{choice.type}' is not among the tools that can be chosen here.",
                        param="tool_choice",
                        code="invalid_value",
                    )
                return ToolChoiceWish("named", name=name)
            case other:
                raise InvalidRequest(
                    f"Invalid value: '{other}'. Supported values are: 'none', 'auto', and 'required'.",
                    param="tool_choice",
                    code="invalid_value",
                )

    def _allowed(self, choice: wire.ToolChoice) -> ToolChoiceWish:
        if choice.mode not in ("auto", "required"):
            raise InvalidRequest(
                f"Invalid value: '{choice.mode}'. Supported values are: 'auto' and 'required'.",
                param="tool_choice.mode",
                code="invalid_value",
            )
        names = (_chosen_name(tool.type, tool.name, tool.namespace, tool.server_label) for tool in choice.tools or ())
        allowed = tuple(name for name in names if name is not None)
        if not allowed:
            raise InvalidRequest(
                "Invalid 'tool_choice.tools': no tool is named.", param="tool_choice.tools", code="invalid_value"
            )
        return ToolChoiceWish("auto" if choice.mode == "auto" else "required", allowed=allowed)


def _chosen_name(type_: str, name: str | None, namespace: str | None, label: str | None = None) -> str | None:
    """The name in the tool set of a tool that is chosen by its type."""
    if type_ in ("function", "custom"):
        return flat_name(name, namespace) if name else None
    if type_.startswith("web_search"):
        return "web_search"
    if type_ == "mcp":
        return label
    return type_ if type_ in EMULATED_TOOLS else None


class _McpServer(Struct, omit_defaults=True):
    type: str
    url: str
    name: str
    authorization_token: str | None = None


class _AllowedTools(Struct):
    tool_names: list[str] = []


def _toolset(tool: wire.McpTool) -> Raw:
    """Anthropic's toolset of one server, with only the tools that the client allows, if it says so."""
    toolset: dict[str, object] = {"type": "mcp_toolset", "mcp_server_name": tool.server_label}
    if tool.allowed_tools != NULL:
        data = bytes(tool.allowed_tools)
        names = (
            msgspec.json.decode(data, type=list[str])
            if data.lstrip().startswith(b"[")
            else msgspec.json.decode(data, type=_AllowedTools).tool_names
        )
        if names:
            toolset["default_config"] = {"enabled": False}
            toolset["configs"] = {name: {"enabled": True} for name in names}
    return Raw(msgspec.json.encode(toolset))
