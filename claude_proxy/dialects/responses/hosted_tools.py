"""Output items of tools that OpenAI hosts: those that a function stands for, and those that run upstream."""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from claude_proxy.dialects.responses.context import ToolForm
from claude_proxy.dialects.responses.events import DeltaTemplate
from claude_proxy.dialects.responses.items import GrowingText, OpenCall, Output
from claude_proxy.translate.reply_handler import Block, DeltaBatch
from claude_proxy.wire.responses_reply import (
    ApplyPatchCallItem,
    LocalShellAction,
    LocalShellCallItem,
    McpCallItem,
    OpenPageAction,
    PatchOperation,
    SearchAction,
    ShellAction,
    ShellCallItem,
    Source,
    ToolExecutionError,
    WebSearchCallItem,
)

PATCH_OPERATIONS = ("create_file", "update_file", "delete_file")

# ------------------------------------------------------------------------------------------ tools by emulation


class _LocalShellInput(Struct):
    command: list[str]
    workdir: str | None = None
    timeout_ms: int | None = None
    env: dict[str, str] = {}


class OpenEmulatedCall:
    """A call of a tool that OpenAI has and Claude was given as a function; it is written whole, when it ends."""

    def __init__(self, output: Output, block: Block, form: ToolForm) -> None:
        self._output = output
        self._block = block
        self._form = form
        self._input = GrowingText()

    def add(self, text: str) -> None:
        self._input.add(text)

    def add_batch(self, batch: DeltaBatch) -> None:
        self._input.add_batch(batch)

    def end(self, status: str) -> None:
        try:
            item = self._item(self._input.text.encode())
        except (msgspec.MsgspecError, ValueError):  # other arguments than asked for: the client gets them unchanged
            call = OpenCall(self._output, self._block, ToolForm("function", self._block.name))
            call.add(self._input.text)
            call.end(status)
            return
        index = self._output.add(item)
        self._output.done(index, msgspec.structs.replace(item, status=status))

    def _item(self, data: bytes) -> LocalShellCallItem | ShellCallItem | ApplyPatchCallItem:
        """The item as it is added. Raises for arguments of another form."""
        call_id, status = self._block.id, "in_progress"
        match self._form.kind:
            case "local_shell":
                local = msgspec.json.decode(data, type=_LocalShellInput)
                action = LocalShellAction(local.command, local.env, local.timeout_ms or UNSET, local.workdir or UNSET)
                return LocalShellCallItem(self._output.new_id("lsh"), call_id, action, status)
            case "shell":
                action_of_shell = msgspec.json.decode(data, type=ShellAction)
                return ShellCallItem(self._output.new_id("sh"), call_id, action_of_shell, status)
            case _:
                patch = msgspec.json.decode(data, type=PatchOperation)
                if patch.type == "delete_file":
                    patch.diff = UNSET
                elif patch.type not in PATCH_OPERATIONS or patch.diff is UNSET:
                    raise ValueError(patch.type)
                return ApplyPatchCallItem(self._output.new_id("apc"), call_id, patch, status)


# ------------------------------------------------------------------------------------------ tools that run upstream


class _SearchInput(Struct):
    query: str = ""
    url: str = ""


class _Found(Struct):
    """A page among the results of a search, or the one result of a fetch; an error has another type."""

    type: str = ""
    url: str = ""


_read_search = msgspec.json.Decoder(_SearchInput).decode
_read_found = msgspec.json.Decoder(list[_Found] | _Found).decode


def initial_input(block: Block) -> str:
    """The input that stands in a block's start; empty where it comes in deltas."""
    given = block.start.input
    return "" if isinstance(given, UnsetType) or bytes(given) in (b"{}", b"null") else bytes(given).decode()


class OpenSearch:
    """A web search, or the fetching of a page, that runs upstream: done when its result has come."""

    def __init__(self, output: Output, block: Block, *, sources: bool) -> None:
        self._output = output
        self._fetch = block.name == "web_fetch" or block.start.name == "web_fetch"
        self._want_sources = sources
        self._id = output.new_id("ws")
        self._input = GrowingText()
        self._input.add(initial_input(block))
        self._index = output.add(self._item("in_progress", None))
        self._at = {"item_id": self._id, "output_index": self._index}
        output.event("response.web_search_call.in_progress", **self._at)
        output.event("response.web_search_call.searching", **self._at)

    def add(self, text: str) -> None:
        self._input.add(text)

    def finish(self, result: Block) -> None:
        """Take the block with the result."""
        content = result.start.content
        try:
            found = _read_found(content) if isinstance(content, Raw) else _Found("error")
        except msgspec.MsgspecError:
            found = _Found("error")
        if isinstance(found, _Found) and found.type.endswith("error"):
            self._end("failed", None)
            return
        pages = found if isinstance(found, list) else []
        self._end("completed", [Source(page.url) for page in pages if page.url])

    def end(self, status: str) -> None:
        """The response ends without a result."""
        self._end("failed", None)

    def _end(self, status: str, sources: list[Source] | None) -> None:
        if status == "completed":
            self._output.event("response.web_search_call.completed", **self._at)
        self._output.done(self._index, self._item(status, sources))

    def _item(self, status: str, sources: list[Source] | None) -> WebSearchCallItem:
        try:
            asked = _read_search(self._input.text.encode()) if self._input else _SearchInput()
        except msgspec.MsgspecError:
            asked = _SearchInput()
        action: SearchAction | OpenPageAction
        if self._fetch:
            action = OpenPageAction(asked.url or UNSET)
        else:
            action = SearchAction(
                query=asked.query or UNSET,
                queries=[asked.query] if asked.query else UNSET,
                sources=sources if sources is not None and self._want_sources else UNSET,
            )
        return WebSearchCallItem(self._id, status, action)


class _ResultText(Struct):
    text: str = ""


_read_result = msgspec.json.Decoder(list[_ResultText]).decode


class OpenMcpCall:
    """A call of a tool of an MCP server, which runs upstream: done when its result has come."""

    def __init__(self, output: Output, block: Block) -> None:
        self._output = output
        self._block = block
        self._id = output.new_id("mcp")
        self._input = GrowingText()
        self._index = output.add(self._item("in_progress", "", None, None))
        self._at = {"item_id": self._id, "output_index": self._index}
        output.event("response.mcp_call.in_progress", **self._at)
        self._template = DeltaTemplate("response.mcp_call_arguments.delta", **self._at)
        if text := initial_input(block):
            self.add(text)

    def add(self, text: str) -> None:
        self._output.delta(self._template, self._input.add(text))

    def finish(self, result: Block) -> None:
        """Take the block with the result."""
        content = result.start.content
        try:
            text = "".join(part.text for part in _read_result(content)) if isinstance(content, Raw) else ""
        except msgspec.MsgspecError:
            text = bytes(content).decode() if isinstance(content, Raw) else ""
        if result.start.is_error:
            self._end("failed", None, ToolExecutionError(text))
        else:
            self._end("completed", text, None)

    def end(self, status: str) -> None:
        """The response ends without a result."""
        self._end("incomplete", None, None)

    def _end(self, status: str, output: str | None, error: ToolExecutionError | None) -> None:
        if not self._input:
            self.add("{}")
        arguments = Raw(self._input.json)
        self._output.event("response.mcp_call_arguments.done", **self._at, arguments=arguments)
        if status in ("completed", "failed"):
            self._output.event(f"response.mcp_call.{status}", **self._at)
        self._output.done(self._index, self._item(status, arguments, output, error))

    def _item(
        self, status: str, arguments: str | Raw, output: str | None, error: ToolExecutionError | None
    ) -> McpCallItem:
        start = self._block.start
        return McpCallItem(self._id, start.server_name, start.name, arguments, output, error, status)
