"""The tool set builder: functions, custom tools, Anthropic's own tools, and the choice among them.

Source: Anthropic's "Define tools" page; the limits of strict tools are from its "Structured outputs" page.
"""

import re
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.names import tool_name
from claude_proxy.translate.schema import complexity
from claude_proxy.translate.schema_merge import Unsupported
from claude_proxy.translate.tool_schema import input_schema, strict_input_schema
from claude_proxy.wire import anthropic
from claude_proxy.wire.anthropic import ToolChoice

# Over all strict tools of a request together; more is refused as too complex.
MAX_STRICT_TOOLS = 20
MAX_OPTIONAL = 24
MAX_UNIONS = 16
CUSTOM_INPUT = Raw(
    b'{"type":"object","properties":{"input":{"type":"string","description":"The whole input, as plain text."}},'
    b'"required":["input"]}'
)
# The history uses tools, so upstream wants `tools` in the request; `tool_choice` none forbids to call this one.
_FORMER = anthropic.Tool(
    name="former_tools",
    description="Stands for the tools that were used earlier in this conversation. It cannot be called.",
    input_schema=Raw(b'{"type":"object","properties":{}}'),
)


@dataclass(frozen=True)
class ToolChoiceWish:
    """Which tool the client wants to be called; names are the client's."""

    mode: Literal["auto", "none", "required", "named"]
    param: str = "tool_choice"
    name: str | None = None  # with mode "named"
    allowed: tuple[str, ...] = ()  # the only tools that may be called; empty for all


@dataclass(frozen=True)
class Grammar:
    """The grammar that a custom tool's input has to follow."""

    syntax: str
    definition: str


@dataclass(frozen=True)
class _Entry:
    """A tool as it goes upstream, beside the name its client knows."""

    client_name: str
    tool: anthropic.Tool | Raw
    loose_schema: Raw | None = None  # the schema of a strict tool for the case that it cannot be strict
    strict_by_default: bool = False  # the client did not ask for it


# Anthropic's own tools carry the date of their version, `web_search_20260318`, with a few exceptions.
_NATIVE = re.compile(r".*_\d{8}|mcp_toolset|tool_search_tool_\w+")


def is_native(type_: str) -> bool:
    """Whether a tool of this type is Anthropic's own."""
    return _NATIVE.fullmatch(type_) is not None


class ToolSet:
    """The tools of one request. Add all of them, then call `finish` once; `param` is always the tool's path."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._entries: list[_Entry] = []
        self._search: tuple[Raw, str] | None = None  # the web search tool, and the parameter that asked for it

    # ------------------------------------------------------------------------------------------------ tools

    def add_function(
        self,
        name: str,
        schema: Raw,
        *,
        description: str | None = None,
        strict: bool | None = False,
        param: str,
        schema_field: str = "parameters",
    ) -> anthropic.Tool:
        """Add a function; the tool returned may be given fields of Anthropic's own. Raises InvalidRequest.

        `schema` stands in the field `schema_field` of the client's tool. With `strict` None the tool is strict if that
        is possible: the default of a dialect, whose failure needs no warning.
        """
        schema_param = f"{param}.{schema_field}"
        try:
            schema, change = input_schema(schema)
        except msgspec.MsgspecError:
            raise InvalidRequest(
                f"Invalid type for '{schema_param}': expected a JSON Schema object.",
                param=schema_param,
                code="invalid_type",
            ) from None
        if change:
            self._draft.note("changed", schema_param, change)
        enforced, loose = None, schema
        if strict is not False:
            try:
                schema, enforced = strict_input_schema(schema), True
            except Unsupported as exc:
                if strict:
                    self._draft.warn(
                        f"{param}.strict", f"the schema cannot be enforced ({exc}), so the tool was sent without it"
                    )
        tool = anthropic.Tool(self._sent_name(name, param), schema, description or None, enforced)
        self._entries.append(_Entry(name, tool, loose, strict_by_default=strict is None))
        return tool

    def add_custom(
        self, name: str, *, description: str | None = None, grammar: Grammar | None = None, param: str
    ) -> anthropic.Tool:
        """Add a tool whose input is free text: it is sent as a function with one text."""
        text = description or ""
        if grammar is not None:
            self._draft.warn(
                f"{param}.format", "Claude cannot enforce a grammar; it was added to the tool's description"
            )
            text += f"\n\nThe input must follow this {grammar.syntax} grammar:\n{grammar.definition}"
        self._draft.custom_tools.add(name)
        self._draft.note(
            "emulated", param, "a custom tool is sent as a function with one text; the reply has a custom call"
        )
        tool = anthropic.Tool(self._sent_name(name, param), CUSTOM_INPUT, text.strip() or None)
        self._entries.append(_Entry(name, tool))
        return tool

    def add_native(self, tool: Raw, name: str, *, param: str) -> None:
        """Add a tool of Anthropic's own byte for byte; it may run upstream, so the reply may hold its blocks."""
        self._draft.note("mapped", param, "a tool of Anthropic's own, sent unchanged")
        self._draft.server_tools = True
        self._entries.append(_Entry(name, tool))

    def add_web_search(self, tool: Raw, *, param: str) -> None:
        """Add Anthropic's web search, unless a tool of the client has its name."""
        self._draft.server_tools = True
        self._draft.note("mapped", param, "Anthropic's web search; citations come back as annotations")
        self._search = tool, param

    def _sent_name(self, name: str, param: str) -> str:
        if not name:
            raise InvalidRequest(f"Invalid '{param}.name': empty string.", param=f"{param}.name", code="invalid_value")
        sent = self._draft.tool_names[name] = tool_name(name)
        if sent != name:
            self._draft.note(
                "changed", f"{param}.name", f"'{name}' was sent as '{sent}'; the reply has the client's name"
            )
        return sent

    # ---------------------------------------------------------------------------------------------- the end

    def finish(self, choice: ToolChoiceWish | None = None, *, parallel: bool = True, param: str = "tools") -> None:
        """Write `tools` and `tool_choice` of the draft; `param` names all tools together.

        The conversation must be finished: what its history holds decides what is sent when there are no tools.
        """
        entries = self._unique(param)
        self._bound_strict(entries, param)
        if self._search is not None:
            search, search_param = self._search
            if any(entry.client_name == "web_search" for entry in entries):
                self._draft.warn(search_param, "a tool of the request has the name 'web_search'; that one was sent")
            else:
                entries.append(_Entry("web_search", search))
        if not entries:
            self._finish_without_tools(choice, param)
            return
        body = self._draft.body
        body.tools = [entry.tool for entry in entries]
        if choice is not None:
            self._choose(choice, entries)
        if not parallel:
            sent = body.tool_choice or ToolChoice("auto")
            if sent.type != "none":
                body.tool_choice = msgspec.structs.replace(sent, disable_parallel_tool_use=True)

    def _finish_without_tools(self, choice: ToolChoiceWish | None, param: str) -> None:
        draft = self._draft
        if choice is not None and choice.mode not in ("none", "auto"):
            draft.warn(choice.param, "there are no tools to choose from, so it was left out")
        if _uses_tools(draft.body.messages):
            draft.body.tools = [_FORMER]
            draft.body.tool_choice = ToolChoice("none")
            draft.note("changed", param, "the history uses tools and the request has none: a placeholder tool was sent")

    def _unique(self, param: str) -> list[_Entry]:
        """Upstream refuses two tools of one name; the last one is kept, the one that the client added last."""
        last = {entry.client_name: entry for entry in self._entries}
        if len(last) < len(self._entries):
            self._draft.warn(param, "of several tools with one name only the last was sent")
        return list(last.values())

    def _bound_strict(self, entries: list[_Entry], param: str) -> None:
        """Keep tools strict, in order, as long as upstream's limits on all of them together allow it."""
        strict = optional = unions = 0
        for entry in entries:
            tool = entry.tool
            if not isinstance(tool, anthropic.Tool) or not tool.strict or entry.loose_schema is None:
                continue
            more_optional, more_unions = complexity(tool.input_schema)
            if (
                strict < MAX_STRICT_TOOLS
                and optional + more_optional <= MAX_OPTIONAL
                and unions + more_unions <= MAX_UNIONS
            ):
                strict, optional, unions = strict + 1, optional + more_optional, unions + more_unions
                continue
            tool.strict, tool.input_schema = None, entry.loose_schema
            if entry.strict_by_default:
                continue
            self._draft.warn(
                param, f"'{entry.client_name}' was sent without `strict`: the strict tools of one request are limited"
            )

    # ------------------------------------------------------------------------------------------- the choice

    def _choose(self, choice: ToolChoiceWish, entries: list[_Entry]) -> None:
        names = {entry.client_name for entry in entries}
        unknown = {name for name in (choice.name, *choice.allowed) if name} - names
        if unknown:
            raise InvalidRequest(
                f"'{min(unknown)}' is not among the tools of this request.", param=choice.param, code="invalid_value"
            )
        body = self._draft.body
        if choice.allowed:
            body.tools = [entry.tool for entry in entries if entry.client_name in choice.allowed]
            self._draft.note("changed", choice.param, "only the allowed tools were sent")
        match choice.mode:
            case "auto" | "none":
                body.tool_choice = ToolChoice(choice.mode)
            case _ if self._draft.model.forced_tools == "refused":
                self._soften(choice, entries)
            case "required":
                body.tool_choice = ToolChoice("any")
            case "named":
                body.tool_choice = ToolChoice("tool", self._name_of(choice))

    def _name_of(self, choice: ToolChoiceWish) -> str:
        name = choice.name or ""
        return self._draft.tool_names.get(name, name)

    def _soften(self, choice: ToolChoiceWish, entries: list[_Entry]) -> None:
        """For a model that refuses a forced tool: offer only the named tool, and ask for a call in the prompt."""
        body = self._draft.body
        body.tool_choice = ToolChoice("auto")
        if choice.mode == "named":
            body.tools = [entry.tool for entry in entries if entry.client_name == choice.name]
            self._draft.add_system(f"Call the tool {self._name_of(choice)} now.")
        else:
            self._draft.add_system("Call one of the tools now.")
        self._draft.warn(
            choice.param,
            f"{self._draft.model.id} cannot be forced to call a tool; the prompt asks for the call instead",
        )


def _uses_tools(messages: list[anthropic.Message]) -> bool:
    for message in messages:
        for block in message.content:
            if isinstance(block, (anthropic.ToolUseBlock, anthropic.ToolResultBlock)):
                return True
    return False
