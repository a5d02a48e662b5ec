"""Input items of the Responses API as clients send them: strict, with every field of the SDK's types.

Shapes follow `openai.types.responses` of the SDK 3.54. The type of an item may be missing, so items are decoded one by
one, by `ITEMS`. Fields that have no effect are `Raw`: an item that came from a response is sent back with all it had.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from claude_proxy.wire.decoding import NULL
from claude_proxy.wire.responses_tools import TextFormat

# --------------------------------------------------------------------------------------------------- content parts


class Known(Struct, forbid_unknown_fields=True):
    """An object whose unknown fields are refused here and named by the one who decodes it."""


class CacheBreakpoint(Known):
    mode: str | None = None
    ttl: str | None = None


class InputText(Known, tag="input_text", tag_field="type"):
    text: str
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class OutputText(Known, tag="output_text", tag_field="type"):
    text: str
    annotations: Raw = NULL
    logprobs: Raw = NULL


class PlainText(Known, tag="text", tag_field="type"):
    """Not OpenAI's, but sent by clients that keep chat's parts."""

    text: str


class Refusal(Known, tag="refusal", tag_field="type"):
    refusal: str


class InputImage(Known, tag="input_image", tag_field="type"):
    image_url: str | None = None
    file_id: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class InputFile(Known, tag="input_file", tag_field="type"):
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class InputAudio(Known, tag="input_audio", tag_field="type"):
    input_audio: Raw = NULL


Part = InputText | OutputText | PlainText | Refusal | InputImage | InputFile | InputAudio
Content = str | list[Part] | None

# ----------------------------------------------------------------------------------------------------------- items


class _Item(Known, kw_only=True):
    type: str | None = None
    id: str | None = None
    status: Raw = NULL


class _Call(_Item, kw_only=True):
    caller: Raw = NULL


class MessageItem(_Item):
    role: str
    content: Content = None
    phase: Raw = NULL


class FunctionCall(_Call):
    call_id: str
    name: str
    arguments: str | None = None
    namespace: str | None = None
    run_async: Raw = msgspec.field(default=NULL, name="async")


class CustomToolCall(_Call):
    call_id: str
    name: str
    input: str | None = None
    namespace: str | None = None
    run_async: Raw = msgspec.field(default=NULL, name="async")


class CallOutput(_Call):
    """The output of a function or of a custom tool."""

    call_id: str
    output: Content = None
    name: Raw = NULL
    namespace: Raw = NULL


class ReasoningItem(_Item):
    encrypted_content: str | None = None
    summary: Raw = NULL
    content: Raw = NULL


class LocalShellCall(_Item):
    call_id: str
    action: Raw = NULL


class LocalShellCallOutput(_Item):
    output: str
    call_id: str | None = None


class ShellCall(_Call):
    call_id: str
    action: Raw = NULL
    environment: Raw = NULL


class ShellCallOutput(_Call):
    call_id: str
    output: Raw = NULL
    max_output_length: Raw = NULL


class ApplyPatchCall(_Call):
    call_id: str
    operation: Raw = NULL


class ApplyPatchCallOutput(_Call):
    call_id: str
    output: str | None = None


class ItemReference(_Item):
    id: str


class AdditionalTools(_Item):
    tools: list[Raw]
    role: Raw = NULL


class Compaction(_Item):
    encrypted_content: str


class ReasoningUpdate(Known):
    effort: str | None = None


class TextUpdate(Known):
    format: TextFormat | None = None


class ConfigurationUpdate(_Item):
    reasoning: ReasoningUpdate | None = None
    text: TextUpdate | None = None


InputItem = (
    MessageItem
    | FunctionCall
    | CustomToolCall
    | CallOutput
    | ReasoningItem
    | LocalShellCall
    | LocalShellCallOutput
    | ShellCall
    | ShellCallOutput
    | ApplyPatchCall
    | ApplyPatchCallOutput
    | ItemReference
    | AdditionalTools
    | Compaction
    | ConfigurationUpdate
)

ITEMS: Mapping[str, type[InputItem]] = {
    "message": MessageItem,
    "function_call": FunctionCall,
    "custom_tool_call": CustomToolCall,
    "function_call_output": CallOutput,
    "custom_tool_call_output": CallOutput,
    "reasoning": ReasoningItem,
    "local_shell_call": LocalShellCall,
    "local_shell_call_output": LocalShellCallOutput,
    "shell_call": ShellCall,
    "shell_call_output": ShellCallOutput,
    "apply_patch_call": ApplyPatchCall,
    "apply_patch_call_output": ApplyPatchCallOutput,
    "item_reference": ItemReference,
    "additional_tools": AdditionalTools,
    "compaction": Compaction,
    "configuration_update": ConfigurationUpdate,
}
# Items of the history that Claude has no counterpart for: calls of tools that ran at OpenAI or upstream, and results.
LEFT_OUT_ITEMS = frozenset(
    {
        *("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call"),
        *("computer_call", "computer_call_output", "mcp_list_tools", "mcp_call", "mcp_approval_request"),
        *("mcp_approval_response", "tool_search_call", "tool_search_output", "program", "program_output"),
        "compaction_trigger",
    }
)
