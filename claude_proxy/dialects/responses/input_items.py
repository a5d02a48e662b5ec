"""Input items of the Responses API, read into the conversation builder."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from claude_proxy.dialects.responses.encrypted import unseal, unseal_summary
from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.arguments import object_input, text_input
from claude_proxy.translate.content import PartBlock, ResultContent, cache_control, text_blocks
from claude_proxy.translate.conversation import Conversation
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.media import FileInput, document_block, image_block
from claude_proxy.wire import responses_items as wire
from claude_proxy.wire.anthropic import (
    Block,
    CacheControl,
    DocumentBlock,
    FileSource,
    ImageBlock,
    TextBlock,
    UrlSource,
)
from claude_proxy.wire.decoding import NULL, decode
from claude_proxy.wire.responses_request import read_known

ROLES = ("user", "assistant", "system", "developer")


class _Head(Struct):
    """What tells an item's type: a message and a reference may leave it out."""

    type: str | None = None
    role: str | None = None
    id: str | None = None

    @property
    def item_type(self) -> str:
        if self.type is None:
            return "item_reference" if self.role is None and self.id is not None else "message"
        return self.type


_read_head = msgspec.json.Decoder(_Head).decode
# Items that are left out without a warning: what they told the model stands in the messages beside them.
_SILENTLY_LEFT_OUT = ("web_search_call", "mcp_list_tools")


def check_item(raw: Raw, param: str) -> None:
    """Raise InvalidRequest, which names the place, unless `raw` is an item that can be kept."""
    type_ = decode(_read_head, raw, param).item_type
    if type_ in wire.LEFT_OUT_ITEMS:
        return
    item, _ = read_known(_item_type(type_, param), raw, param)
    match item:
        case wire.MessageItem(role=role) if role not in ROLES:
            raise _unknown_role(role, param)
        case wire.ItemReference(id=id_):
            raise InvalidRequest(f"Item with id '{id_}' not found.", param=param, code="not_found")


def _item_type(type_: str, param: str) -> type[wire.InputItem]:
    if (item_type := wire.ITEMS.get(type_)) is not None:
        return item_type
    known = ", ".join(repr(name) for name in wire.ITEMS)
    raise InvalidRequest(
        f"Invalid value: '{type_}'. Supported values are: {known}.", param=f"{param}.type", code="invalid_value"
    )


def _unknown_role(role: str, param: str) -> InvalidRequest:
    known = ", ".join(repr(name) for name in ROLES)
    return InvalidRequest(
        f"Invalid value: '{role}'. Supported values are: {known}.", param=f"{param}.role", code="invalid_value"
    )


class InputReader:
    """Reads the items of one request, in order, into `conversation`.

    `param` is the path of an item: items of the history that the server keeps have `previous_response_id`'s.
    """

    def __init__(self, draft: Draft, conversation: Conversation) -> None:
        self.additional_tools: list[tuple[Raw, str]] = []
        self.effort: tuple[str, str] | None = None  # of the last configuration update, with its param
        self.text: tuple[wire.TextUpdate, str] | None = None
        self._draft = draft
        self._conversation = conversation
        self._thinking: list[Block] = []  # from reasoning items, until the assistant's next block
        self._local_shell_calls: dict[str, str] = {}  # item id -> call id

    def read(self, items: Sequence[Raw], param: str) -> None:
        for index, raw in enumerate(items):
            self._read_item(raw, f"{param}[{index}]")

    def _read_item(self, raw: Raw, param: str) -> None:
        type_ = decode(_read_head, raw, param).item_type
        if type_ in wire.LEFT_OUT_ITEMS:
            if type_ not in _SILENTLY_LEFT_OUT:
                self._draft.warn(param, f"an item of type '{type_}' has no counterpart, so it was left out")
            return
        item, unknown = read_known(_item_type(type_, param), raw, param)
        for path in unknown:
            self._draft.warn(path, "no such parameter is known here")
        self._take(item, param)

    def _take(self, item: wire.InputItem, param: str) -> None:
        match item:
            case wire.MessageItem():
                self._message(item, param)
            case wire.ReasoningItem():
                self._reasoning(item)
            case wire.AdditionalTools():
                tools = f"{param}.tools"
                self.additional_tools += [(tool, f"{tools}[{index}]") for index, tool in enumerate(item.tools)]
            case wire.Compaction():
                self._compaction(item, param)
            case wire.ConfigurationUpdate():
                self._update(item, param)
            case wire.ItemReference():
                raise InvalidRequest(f"Item with id '{item.id}' not found.", param=param, code="not_found")
            case wire.CallOutput() | wire.LocalShellCallOutput() | wire.ShellCallOutput() | wire.ApplyPatchCallOutput():
                self._output_item(item, param)
            case _:
                self._call_item(item, param)

    def _call_item(self, item: wire.InputItem, param: str) -> None:
        """Take a call of a tool."""
        match item:
            case wire.FunctionCall():
                arguments = object_input(self._draft, item.arguments, param=f"{param}.arguments")
                self._call(item.call_id, flat_name(item.name, item.namespace), arguments)
            case wire.CustomToolCall():
                self._call(item.call_id, flat_name(item.name, item.namespace), text_input(item.input))
            case wire.LocalShellCall():
                self._local_shell_calls[item.id or ""] = item.call_id
                self._call(item.call_id, "local_shell", self._object(item.action, f"{param}.action"))
            case wire.ShellCall():
                self._call(item.call_id, "shell", self._object(item.action, f"{param}.action"))
            case wire.ApplyPatchCall():
                self._call(item.call_id, "apply_patch", self._object(item.operation, f"{param}.operation"))

    def _output_item(self, item: wire.InputItem, param: str) -> None:
        """Take the output of a call."""
        match item:
            case wire.CallOutput():
                self._result(item.call_id, self._content(item.output, f"{param}.output"), param)
            case wire.LocalShellCallOutput():
                given = item.call_id or item.id or ""
                self._result(self._local_shell_calls.get(given, given), item.output or None, param)
            case wire.ShellCallOutput():
                output = None if item.output == NULL else bytes(item.output).decode()
                self._result(item.call_id, output, param)
            case wire.ApplyPatchCallOutput():
                failed = bytes(item.status) == b'"failed"'
                output = item.output or ("failed" if failed else "completed")
                self._result(item.call_id, output, param, is_error=failed)

    # ------------------------------------------------------------------------------------------------- messages

    def _message(self, item: wire.MessageItem, param: str) -> None:
        content = f"{param}.content"
        match item.role:
            case "user":
                self._thinking.clear()
                self._conversation.add_user(self._blocks(item.content, content))
            case "assistant":
                self._assistant(self._blocks(item.content, content))
            case "system" | "developer":
                self._thinking.clear()
                texts = [block for block in self._blocks(item.content, content) if isinstance(block, TextBlock)]
                if texts:
                    self._conversation.add_system(texts, param=param)
            case role:
                raise _unknown_role(role, param)

    def _assistant(self, blocks: Sequence[Block]) -> None:
        """Add to the assistant's turn, behind the thinking that stood before."""
        if blocks:
            self._conversation.add_assistant([*self._thinking, *blocks])
            self._thinking.clear()

    def _reasoning(self, item: wire.ReasoningItem) -> None:
        """Keep signed thinking for the block that follows; thinking of another model, or without ours, is left out."""
        sealed = unseal(item.encrypted_content) if item.encrypted_content else None
        if sealed is not None and sealed.model == self._draft.model.id:
            self._thinking += sealed.blocks

    def _compaction(self, item: wire.Compaction, param: str) -> None:
        summary = unseal_summary(item.encrypted_content)
        if summary is None:
            self._draft.warn(param, "a compaction that was not made here cannot be read, so it was left out")
            return
        self._thinking.clear()
        self._conversation.add_user(list(summary.texts))

    def _update(self, item: wire.ConfigurationUpdate, param: str) -> None:
        """Keep what an update sets: each setting stays in effect until a later update replaces it."""
        if item.reasoning is not None and item.reasoning.effort is not None:
            self.effort = item.reasoning.effort, f"{param}.reasoning.effort"
        if item.text is not None:
            self.text = item.text, f"{param}.text"

    # ------------------------------------------------------------------------------------------ calls and results

    def _call(self, call_id: str, name: str, input_: Raw) -> None:
        self._assistant([self._conversation.call(call_id, name, input_)])

    def _result(self, call_id: str, content: ResultContent, param: str, *, is_error: bool = False) -> None:
        self._thinking.clear()
        self._conversation.add_result(call_id, content, is_error=is_error, param=param)

    def _object(self, value: Raw, param: str) -> Raw:
        return object_input(self._draft, None if value == NULL else bytes(value).decode(), param=param)

    def _content(self, content: wire.Content, param: str) -> ResultContent:
        if content is None or isinstance(content, str):
            return content if content and content.strip() else None
        return self._blocks(content, param) or None

    # --------------------------------------------------------------------------------------------------- parts

    def _blocks(self, content: wire.Content, param: str) -> list[PartBlock]:
        if content is None or isinstance(content, str):
            return list(text_blocks(content))
        found = (self._block(part, f"{param}[{index}]") for index, part in enumerate(content))
        return [block for block in found if block is not None]

    def _block(self, part: wire.Part, param: str) -> PartBlock | None:
        match part:
            case wire.InputText(text, mark):
                return TextBlock(text, _breakpoint(mark)) if text.strip() else None
            case wire.OutputText(text) | wire.PlainText(text) | wire.Refusal(text):
                return TextBlock(text) if text.strip() else None
            case wire.InputImage():
                return self._image(part, param)
            case wire.InputFile():
                return self._file(part, param)
            case wire.InputAudio():
                self._draft.warn(param, "Claude has no audio input, so it was left out")
                return None

    def _image(self, part: wire.InputImage, param: str) -> ImageBlock:
        if part.image_url is not None:
            image = image_block(part.image_url, f"{param}.image_url")
        elif part.file_id is not None:
            image = ImageBlock(FileSource(_file_id(part.file_id, param)))
        else:
            raise _missing(f"{param}.image_url")
        image.cache_control = _breakpoint(part.prompt_cache_breakpoint)
        return image

    def _file(self, part: wire.InputFile, param: str) -> ImageBlock | DocumentBlock:
        document: ImageBlock | DocumentBlock
        if part.file_url is not None and part.file_data is None:
            if not part.file_url.lower().startswith("https://"):
                raise InvalidRequest(
                    "The file address must be an https link.", param=f"{param}.file_url", code="invalid_value"
                )
            document = DocumentBlock(UrlSource(part.file_url), title=part.filename)
        elif part.file_data is None and part.file_id is None:
            raise _missing(f"{param}.file_data")
        else:
            document = document_block(FileInput(part.file_data, part.file_id, part.filename), param)
        document.cache_control = _breakpoint(part.prompt_cache_breakpoint)
        return document


def flat_name(name: str, namespace: str | None) -> str:
    """The name under which a tool of a namespace is sent."""
    return f"{namespace}__{name}" if namespace else name


def _breakpoint(mark: wire.CacheBreakpoint | None) -> CacheControl | None:
    return None if mark is None else cache_control(mark.ttl)


def _file_id(file_id: str, param: str) -> str:
    if file_id.startswith("file-"):
        raise InvalidRequest(
            f"The file '{file_id}' is stored at OpenAI and cannot be read here; send its data.",
            param=f"{param}.file_id",
            code="unsupported_value",
        )
    return file_id


def _missing(param: str) -> InvalidRequest:
    return InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def referenced_id(item: Raw) -> str | None:
    """The id that a reference names; None for any other item. Its type may be missing: an id alone is a reference."""
    try:
        head = _read_head(item)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):  # the reader will say what is wrong with it
        return None
    return head.id if head.item_type == "item_reference" else None
