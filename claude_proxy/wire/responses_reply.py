"""OpenAI's responses as data: the output items, their parts, usage and errors.

Shapes follow `openai.types.responses` of the SDK 3.54. A field that clients demand has no default, so that it is
always written; `UNSET` leaves one out. `Text` may be a JSON string that was never decoded.
"""

from msgspec import UNSET, Raw, Struct, UnsetType

Text = str | Raw


class SummaryText(Struct, tag="summary_text", tag_field="type"):
    text: Text


class ReasoningItem(Struct, tag="reasoning", tag_field="type", omit_defaults=True):
    id: str
    summary: list[SummaryText]
    status: str
    encrypted_content: str | UnsetType = UNSET


class URLCitation(Struct, tag="url_citation", tag_field="type"):
    url: str
    title: str
    start_index: int
    end_index: int


class OutputText(Struct, tag="output_text", tag_field="type"):
    text: Text
    annotations: list[URLCitation]
    logprobs: list[Raw]


class OutputRefusal(Struct, tag="refusal", tag_field="type"):
    refusal: str


class MessageItem(Struct, tag="message", tag_field="type"):
    id: str
    role: str
    status: str
    content: list[OutputText | OutputRefusal]


class FunctionCallItem(Struct, tag="function_call", tag_field="type", omit_defaults=True):
    id: str
    call_id: str
    name: str
    arguments: Text
    status: str
    namespace: str | UnsetType = UNSET


class CustomToolCallItem(Struct, tag="custom_tool_call", tag_field="type", omit_defaults=True):
    id: str
    call_id: str
    name: str
    input: Text
    namespace: str | UnsetType = UNSET


class Source(Struct, tag="url", tag_field="type"):
    url: str


class SearchAction(Struct, tag="search", tag_field="type", omit_defaults=True):
    query: str | UnsetType = UNSET
    queries: list[str] | UnsetType = UNSET
    sources: list[Source] | UnsetType = UNSET


class OpenPageAction(Struct, tag="open_page", tag_field="type", omit_defaults=True):
    url: str | UnsetType = UNSET


class WebSearchCallItem(Struct, tag="web_search_call", tag_field="type"):
    id: str
    status: str
    action: SearchAction | OpenPageAction


class ToolExecutionError(Struct, tag="mcp_tool_execution_error", tag_field="type"):
    content: str


class McpCallItem(Struct, tag="mcp_call", tag_field="type"):
    id: str
    server_label: str
    name: str
    arguments: Text
    output: str | None
    error: ToolExecutionError | None
    status: str


class LocalShellAction(Struct, tag="exec", tag_field="type", omit_defaults=True):
    command: list[str]
    env: dict[str, str]
    timeout_ms: int | UnsetType = UNSET
    working_directory: str | UnsetType = UNSET


class LocalShellCallItem(Struct, tag="local_shell_call", tag_field="type"):
    id: str
    call_id: str
    action: LocalShellAction
    status: str


class ShellAction(Struct):
    commands: list[str]
    timeout_ms: int | None = None
    max_output_length: int | None = None


class ShellCallItem(Struct, tag="shell_call", tag_field="type"):
    id: str
    call_id: str
    action: ShellAction
    status: str


class PatchOperation(Struct, omit_defaults=True):
    type: str  # create_file, update_file, delete_file
    path: str
    diff: str | UnsetType = UNSET


class ApplyPatchCallItem(Struct, tag="apply_patch_call", tag_field="type"):
    id: str
    call_id: str
    operation: PatchOperation
    status: str


class CompactionItem(Struct, tag="compaction", tag_field="type"):
    id: str
    encrypted_content: str


OutputItem = (
    ReasoningItem
    | MessageItem
    | FunctionCallItem
    | CustomToolCallItem
    | WebSearchCallItem
    | McpCallItem
    | LocalShellCallItem
    | ShellCallItem
    | ApplyPatchCallItem
    | CompactionItem
)


class InputTokensDetails(Struct):
    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(Struct):
    reasoning_tokens: int


class ResponseUsage(Struct):
    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(Struct):
    code: str
    message: str


class IncompleteDetails(Struct):
    reason: str  # max_output_tokens, content_filter
