"""Tools and tool choice of the Responses API, read into the tool set builder."""

from collections.abc import Iterable, Sequence

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
from claude_proxy.wire import anthropic
from claude_proxy.wire import responses_tools as wire
from claude_proxy.wire.decoding import NULL, decode
from claude_proxy.wire.responses_request import read_known


class _Typed(Struct):
    type: str = "function"
    name: str | None = None


_read_typed = msgspec.json.Decoder(_Typed).decode
_OWN_FIELDS = ("eager_input_streaming", "input_examples")
# What `allowed_callers` may hold: OpenAI's words, of which only one has a counterpart, and Anthropic's own.
_DIRECT, _PROGRAM = "direct", "programmatic"
_FINDER = "tool_search_tool"  # how the types of Anthropic's tools begin that find deferred ones


class ToolReader:
    """Reads the tools of one request; `forms` says how a call of each is to be written."""

    def __init__(self, draft: Draft, *, max_tool_calls: int | None) -> None:
        self.forms: dict[str, ToolForm] = {}
        self._draft = draft
        self._tools = ToolSet(draft)
        self._max_tool_calls = max_tool_calls
        self._mcp_servers: list[_McpServer] = []
        self._left_out: set[str] = set()  # types of tools that have no counterpart
        self._deferred: list[tuple[anthropic.Tool, str]] = []
        self._has_finder = False

    def read(self, tools: Sequence[tuple[Raw, str]]) -> None:
        """Take tools, each with its path."""
        for raw, param in tools:
            self._read_tool(raw, param)

    def finish(self, choice: str | wire.ToolChoice | None, *, parallel: bool) -> None:
        """Write `tools` and `tool_choice` of the draft. The conversation must be finished."""
        self._settle_deferred()
        if self._mcp_servers:
            pass_through(self._draft, "mcp_servers", Raw(msgspec.json.encode(self._mcp_servers)))
        self._tools.finish(self._choice(choice), parallel=parallel)

    def _settle_deferred(self) -> None:
        """Defer tools only where one of Anthropic's own tools can find them: otherwise the model never sees them."""
        for tool, param in self._deferred:
            if self._has_finder:
                tool.defer_loading = Raw(b"true")
            else:
                self._draft.note("changed", f"{param}.defer_loading", "nothing finds deferred tools, so it is not one")

    def _read_tool(self, raw: Raw, param: str, namespace: str | None = None) -> None:
        typed = decode(_read_typed, raw, param)
        if namespace is not None and typed.type not in ("function", "custom"):
            raise _unknown_type(typed.type, param, ("function", "custom"))
        if (type_ := wire.TOOLS.get(typed.type)) is not None:
            tool, unknown = read_known(type_, raw, param)
            for path in unknown:
                self._draft.warn(path, "no such parameter is known here")
            self._add(typed.type, tool, param, namespace)
        elif typed.type in wire.UNSUPPORTED_TOOLS:
            self._leave_out(typed.type, param, f"Claude has no tool of the type '{typed.type}' here")
        elif is_native(typed.type):
            self._has_finder = self._has_finder or typed.type.startswith(_FINDER)
            self._tools.add_native(raw, typed.name or typed.type, param=param)
        else:
            raise _unknown_type(typed.type, param, wire.TOOLS)

    def _leave_out(self, type_: str, param: str, reason: str) -> None:
        self._left_out.add(type_)
        self._draft.warn(param, f"{reason}, so it was left out")

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
                self._add_shell(type_, tool, param)

    def _add_function(self, tool: wire.FunctionTool, param: str, namespace: str | None) -> None:
        name = flat_name(tool.name, namespace)
        sent = self._tools.add_function(
            name, tool.parameters, description=tool.description, strict=tool.strict, param=param
        )
        for field in _OWN_FIELDS:
            if (value := getattr(tool, field)) != NULL:
                setattr(sent, field, value)
        self._set_calling(sent, tool, param)
        self.forms[name] = ToolForm("function", tool.name, namespace)

    def _set_calling(self, sent: anthropic.Tool, tool: wire.FunctionTool | wire.CustomTool, param: str) -> None:
        """Read who may call a tool, when the model gets to see it, and whether its result may come later."""
        own = [caller for caller in tool.allowed_callers or () if caller not in (_DIRECT, _PROGRAM)]
        if own:
            sent.allowed_callers = Raw(msgspec.json.encode(tool.allowed_callers))
        elif tool.allowed_callers == [_PROGRAM]:
            self._draft.warn(f"{param}.allowed_callers", "no program calls tools here, so the model may call it")
        if tool.defer_loading:
            self._deferred.append((sent, param))
        if tool.run_async:
            self._draft.warn(f"{param}.async", "the result of a call must come in the next turn")

    def _add_custom(self, tool: wire.CustomTool, param: str, namespace: str | None) -> None:
        name = flat_name(tool.name, namespace)
        format_ = tool.format
        grammar = Grammar(format_.syntax or "", format_.definition) if format_ and format_.definition else None
        sent = self._tools.add_custom(name, description=tool.description, grammar=grammar, param=param)
        self._set_calling(sent, tool, param)
        self.forms[name] = ToolForm("custom", tool.name, namespace)

    def _add_shell(self, type_: str, tool: wire.ShellTool, param: str) -> None:
        """Add a tool of OpenAI's that runs on the client's machine."""
        environment = tool.environment or wire.ShellEnvironment()
        if environment.type != "local":
            self._leave_out(type_, param, "a shell in a container of OpenAI's does not exist here")
            return
        if environment.skills != NULL:
            self._draft.warn(f"{param}.environment.skills", "skills are not sent; describe them in the instructions")
        if tool.allowed_callers == [_PROGRAM]:
            self._draft.warn(f"{param}.allowed_callers", "no program calls tools here, so the model may call it")
        emulated = EMULATED_TOOLS[type_]
        self._tools.add_function(type_, emulated.schema, description=emulated.description, param=param)
        self._draft.note("emulated", param, f"'{type_}' is sent as a function, and its calls come back as such items")
        self.forms[type_] = ToolForm(type_, type_)

    def _add_search(self, tool: wire.WebSearchTool, param: str) -> None:
        if tool.external_web_access is False:
            self._leave_out("web_search", param, "a search without access to the web does not exist here")
            return
        if beyond := [name for name in tool.search_content_types or () if name != "text"]:
            self._draft.warn(f"{param}.search_content_types", f"a search finds texts only, not {' and '.join(beyond)}")
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
        if tool.server_url is None or tool.tunnel_id is not None:
            raise InvalidRequest(
                "Connectors and tunnels of OpenAI's cannot be reached from here; give the server's `server_url`.",
                param=f"{param}.server_url",
                code="missing_required_parameter",
            )
        if tool.headers != NULL:
            self._draft.warn(f"{param}.headers", "Anthropic's MCP connector takes no headers, only `authorization`")
        if bytes(tool.require_approval) != b'"never"':
            self._draft.warn(f"{param}.require_approval", "Anthropic's MCP connector calls tools without an approval")
        if isinstance(tool.allowed_tools, wire.McpToolNames) and tool.allowed_tools.read_only is not None:
            self._draft.warn(f"{param}.allowed_tools.read_only", "tools can only be chosen by their names")
        if tool.defer_loading:
            self._draft.warn(f"{param}.defer_loading", "no tool finds deferred ones, so all are sent")
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
            case wire.ToolChoice(type="mcp"):
                return self._one_of_server(choice)
            case wire.ToolChoice():
                name = _chosen_name(choice.type, choice.name, choice.namespace)
                if name is None or self._is_left_out(choice.type):
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

    def _is_left_out(self, type_: str) -> bool:
        return ("web_search" if type_.startswith("web_search") else type_) in self._left_out

    def _one_of_server(self, choice: wire.ToolChoice) -> ToolChoiceWish:
        """A call of some tool of one MCP server: which one cannot be said before upstream has asked the server."""
        if choice.name is not None:
            self._draft.warn("tool_choice.name", "one tool of an MCP server cannot be forced, only any of them")
        return ToolChoiceWish("required", allowed=(choice.server_label or "",))

    def _allowed(self, choice: wire.ToolChoice) -> ToolChoiceWish:
        if choice.mode not in ("auto", "required"):
            raise InvalidRequest(
                f"Invalid value: '{choice.mode}'. Supported values are: 'auto' and 'required'.",
                param="tool_choice.mode",
                code="invalid_value",
            )
        given = [tool for tool in choice.tools or () if not self._is_left_out(tool.type)]
        names = (_chosen_name(tool.type, tool.name, tool.namespace, tool.server_label) for tool in given)
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


def _toolset(tool: wire.McpTool) -> Raw:
    """Anthropic's toolset of one server, with only the tools that the client allows, if it says so."""
    toolset: dict[str, object] = {"type": "mcp_toolset", "mcp_server_name": tool.server_label}
    allowed = tool.allowed_tools
    names = allowed.tool_names if isinstance(allowed, wire.McpToolNames) else allowed
    if names is not None:
        toolset["default_config"] = {"enabled": False}
        toolset["configs"] = {name: {"enabled": True} for name in names}
    return Raw(msgspec.json.encode(toolset))


def _unknown_type(type_: str, param: str, known: Iterable[str]) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid value: '{type_}'. Supported values are: {', '.join(repr(name) for name in known)}.",
        param=f"{param}.type",
        code="invalid_value",
    )
