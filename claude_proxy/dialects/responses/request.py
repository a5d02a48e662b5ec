"""A Responses request as a Messages request.

The order of the steps is fixed here, and nowhere else: a step may need what earlier ones have written.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET, Raw, Struct

from claude_proxy.dialects.responses.compaction import SUMMARY_REQUEST, ends_with_trigger, since_compaction
from claude_proxy.dialects.responses.context import ResponseContext, ResponseTranslation
from claude_proxy.dialects.responses.input_items import InputReader
from claude_proxy.dialects.responses.tools import ToolReader
from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.translate.caching import set_caching
from claude_proxy.translate.conversation import Conversation, end_with_user
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.encoding import bound_prefix, encode_request
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.translate.metadata import set_service_tier, set_user
from claude_proxy.translate.models import Model
from claude_proxy.translate.output import set_json_object, set_json_schema, set_verbosity
from claude_proxy.translate.reasoning import ReasoningWish, apply_reasoning, drop_thinking, restore_thinking
from claude_proxy.translate.sampling import set_max_tokens, set_temperature, set_top_p
from claude_proxy.translate.tools import is_native
from claude_proxy.wire import responses_request as wire
from claude_proxy.wire.anthropic import TextBlock
from claude_proxy.wire.decoding import NULL
from claude_proxy.wire.responses_tools import TextFormat

INCLUDABLE = (
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
    "message.output_text.logprobs",
    "message.input_image.image_url",
    "file_search_call.results",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
)
# What has no counterpart, with the reason.
_IGNORED = {
    "access_programs": "OpenAI's access programs do not exist here",
    "background_options": "a run in the background has no options here",
    "context_management": "the conversation is not compacted by itself; use responses/compact",
    "image": "Claude makes no images",
    "moderation": "the Messages API has no moderation to configure",
}


class History(Struct, frozen=True):
    """Items that stand before the request's own: of earlier responses, or of a conversation."""

    items: Sequence[Raw] = ()
    param: str = "previous_response_id"
    compact: bool = False  # a summary of everything is asked for, without tools and form


def to_messages_request(
    request: wire.ResponsesRequest,
    fields: Mapping[str, Raw],
    history: History,
    *,
    unknown: frozenset[str] = frozenset(),
    model: Model,
    options: Options,
    memory: ThinkingMemory | None = None,
    without_thinking: bool = False,
) -> ResponseTranslation:
    """The Messages request to `model` that says what `request` says, behind `history`.

    `fields` are the top-level fields as the client sent them, some of which the response repeats; `unknown` are the
    paths of fields that `request` does not have. References to stored items have been resolved. Raises InvalidRequest
    whose `param` is the path of the fault.
    """
    compact = history.compact
    draft = Draft.begin(model, options)
    _check_support(draft, request, unknown)
    set_max_tokens(draft, request.max_output_tokens, param="max_output_tokens")
    items = _read_input(draft, request, history)
    tools = ToolReader(draft, max_tool_calls=_positive(request.max_tool_calls, "max_tool_calls"))
    tools.read([(tool, f"tools[{index}]") for index, tool in enumerate(request.tools or ())])
    tools.read(items.additional_tools)
    tools.finish("none" if compact else request.tool_choice, parallel=request.parallel_tool_calls is not False)
    text = request.text or wire.TextConfig()
    updated, param = items.text or (text, "text")
    _read_format(draft, None if compact else updated.format, f"{param}.format")
    set_verbosity(draft, text.verbosity, param="text.verbosity")
    if without_thinking:
        drop_thinking(draft)
    else:
        restore_thinking(draft, memory, param="input")
    wish = _reasoning_wish(draft, request.reasoning, items.effort)
    apply_reasoning(draft, wish, without_thinking=without_thinking)
    set_temperature(draft, request.temperature)
    set_top_p(draft, request.top_p)
    set_user(draft, request.safety_identifier or request.user)
    set_service_tier(draft, request.service_tier)
    _read_caching(draft, request)
    end_with_user(draft, param="input")
    prefix = bound_prefix(draft)
    body = encode_request(draft, request.anthropic)
    include = request.include or ()
    return ResponseTranslation(
        body=body,
        model=draft.model,
        choices=1,
        betas=tuple(draft.betas),
        notes=tuple(draft.notes),
        reply=ResponseContext(
            model=request.model if draft.model.instead_of is None else draft.model.id,
            upstream_model=draft.model.id,
            tools=tools.forms,
            include_encrypted_reasoning="reasoning.encrypted_content" in include,
            compact=compact,
            include_search_sources="web_search_call.action.sources" in include,
            echo=_echo(request, fields),
            client_names={sent: name for name, sent in draft.tool_names.items() if sent != name},
            custom_tools=frozenset(draft.custom_tools),
            json_mode=draft.json_mode,
            server_tools=draft.server_tools,
            show_reasoning=draft.show_reasoning and draft.options.reasoning_text,
        ),
        prefix=prefix,
    )


# ------------------------------------------------------------------------------------------------------- the input


def _read_input(draft: Draft, request: wire.ResponsesRequest, history: History) -> InputReader:
    """Write `system` and `messages` of the draft; the reader has the tools and settings that stood among the items."""
    conversation = Conversation(draft, param="input")
    if request.instructions and request.instructions.strip():
        conversation.add_system([TextBlock(request.instructions)], param="instructions")
    reader = InputReader(draft, conversation)
    reader.read(since_compaction(history.items), history.param)
    match request.input:
        case None:
            if not history.items:
                raise InvalidRequest(
                    "Missing required parameter: 'input'.", param="input", code="missing_required_parameter"
                )
        case str() as text:
            conversation.add_user([TextBlock(text)] if text.strip() else [])
        case items:
            reader.read(items[:-1] if ends_with_trigger(items) else items, "input")
    if history.compact:
        conversation.add_user([TextBlock(SUMMARY_REQUEST)])
    conversation.finish()
    return reader


# ------------------------------------------------------------------------------------------------- single parameters


def _check_support(draft: Draft, request: wire.ResponsesRequest, unknown: frozenset[str]) -> None:
    """Refuse what cannot be done, and warn of what has no effect."""
    if request.prompt != NULL:
        raise InvalidRequest(
            "Prompt templates are stored at OpenAI and cannot be read here; send the prompt itself.",
            param="prompt",
            code="unsupported_parameter",
        )
    if request.conversation is not None and request.previous_response_id is not None:
        raise InvalidRequest(
            "Mutually exclusive parameters: 'conversation' and 'previous_response_id'. Provide only one of them.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    for path in sorted(unknown):
        draft.warn(path, "no such parameter is known here")
    for name, reason in _IGNORED.items():
        if getattr(request, name) != NULL:
            draft.warn(name, reason)
    if request.truncation not in (None, "auto", "disabled"):
        raise _unknown_word("truncation", request.truncation, ("auto", "disabled"))
    if request.truncation == "auto":
        draft.warn("truncation", "nothing is cut from a conversation that is too long; the error says so instead")
    for index, name in enumerate(request.include or ()):
        if name not in INCLUDABLE:
            raise _unknown_word(f"include[{index}]", name, INCLUDABLE)
        if name == "message.output_text.logprobs":
            draft.warn(f"include[{index}]", "the Messages API gives no probabilities")
    if request.top_logprobs:
        draft.warn("top_logprobs", "the Messages API gives no probabilities")


def _positive(value: int | None, param: str) -> int | None:
    if value is not None and value < 1:
        raise InvalidRequest(
            f"Invalid value for '{param}': {value} is below the minimum of 1.", param=param, code="invalid_value"
        )
    return value


def _unknown_word(param: str, word: str | None, known: Sequence[str]) -> InvalidRequest:
    words = ", ".join(repr(each) for each in known)
    return InvalidRequest(f"Invalid value: '{word}'. Supported values are: {words}.", param=param, code="invalid_value")


def _read_format(draft: Draft, format_: TextFormat | None, param: str) -> None:
    if format_ is None:
        return
    match format_.type:
        case "text":
            return
        case "json_object":
            set_json_object(draft, param=param)
        case "json_schema":
            set_json_schema(draft, format_.schema, description=format_.description, param=param)
        case other:
            raise _unknown_word(f"{param}.type", other, ("text", "json_object", "json_schema"))


_SUMMARIES = (None, "auto", "concise", "detailed")


def _reasoning_wish(
    draft: Draft, reasoning: wire.Reasoning | None, updated_effort: tuple[str, str] | None
) -> ReasoningWish:
    """What the client wants of the thinking; an update among the items sets the effort after the request does."""
    wish = ReasoningWish(param="reasoning")
    reasoning = reasoning or wire.Reasoning()
    if updated_effort is not None:
        wish.set_effort(updated_effort[0], param=updated_effort[1])
    elif reasoning.effort is not None:
        wish.set_effort(reasoning.effort, param="reasoning.effort")
    for name in ("summary", "generate_summary"):
        if (word := getattr(reasoning, name)) not in _SUMMARIES:
            raise _unknown_word(f"reasoning.{name}", word, ("auto", "concise", "detailed"))
    if reasoning.context not in (None, "auto", "all_turns"):
        draft.warn("reasoning.context", "the model keeps its earlier thinking where it can; nothing else can be set")
    if reasoning.mode not in (None, "standard"):
        draft.warn("reasoning.mode", "there is one mode; use `reasoning.effort`")
    return wish


def _read_caching(draft: Draft, request: wire.ResponsesRequest) -> None:
    options = request.prompt_cache_options or wire.CacheOptions()
    if options.mode not in (None, "implicit", "explicit"):
        draft.warn("prompt_cache_options.mode", f"'{options.mode}' is not known; caching is automatic")
    if options.prewarm:
        draft.warn("prompt_cache_options.prewarm", "a cache is filled by the first request that uses it")
    if options.comparison_response_id is not None:
        draft.warn("prompt_cache_options.comparison_response_id", "caches cannot be compared here")
    if request.prompt_cache_retention not in (None, "in_memory", "in-memory", "24h"):
        draft.warn("prompt_cache_retention", f"'{request.prompt_cache_retention}' is not known: 5 minutes instead")
    set_caching(
        draft,
        automatic=options.mode != "explicit",
        hour=bool(options.ttl) or request.prompt_cache_retention == "24h",
        param="input",
    )


# -------------------------------------------------------------------------------------------------------- the echo

# Fields of the response that repeat the request's, with their values where the request has none.
_ECHOED: dict[str, bytes] = {
    "background": b"false",
    "instructions": b"null",
    "max_output_tokens": b"null",
    "max_tool_calls": b"null",
    "metadata": b"{}",
    "parallel_tool_calls": b"true",
    "previous_response_id": b"null",
    "prompt_cache_key": b"null",
    "safety_identifier": b"null",
    "service_tier": b'"auto"',
    "store": b"true",
    "temperature": b"1.0",
    "tool_choice": b'"auto"',
    "top_logprobs": b"0",
    "top_p": b"1.0",
    "truncation": b'"disabled"',
    "user": b"null",
}


def _echo(request: wire.ResponsesRequest, fields: Mapping[str, Raw]) -> dict[str, Raw]:
    echo = {
        name: fields[name] if name in fields and bytes(fields[name]) != b"null" else Raw(default)
        for name, default in _ECHOED.items()
    }
    given = request.reasoning or wire.Reasoning()
    echo["reasoning"] = _json({"effort": given.effort, "summary": given.summary or given.generate_summary})
    echo["text"] = _json(_echoed_text(request.text))
    echo["tools"] = _json([_echoed_tool(tool) for tool in request.tools or () if not _is_native_tool(tool)])
    if (conversation := request.conversation_id) is not None:
        echo["conversation"] = _json({"id": conversation})
    return {name: _one_line(value) for name, value in echo.items()}


def _one_line(value: Raw) -> Raw:
    """`value` without line ends, which would break the frames of a stream; the client's own JSON may have some."""
    data = bytes(value)
    return Raw(msgspec.json.format(data, indent=-1)) if b"\n" in data or b"\r" in data else value


class _FormatOnly(Struct, omit_defaults=True):
    type: str
    name: str | None = None
    description: str | None = None
    schema: Raw | msgspec.UnsetType = UNSET
    strict: bool | None = None


def _echoed_text(text: wire.TextConfig | None) -> dict[str, object]:
    given = (text.format if text else None) or TextFormat("text")
    schema = UNSET if given.schema == NULL else given.schema
    format_ = _FormatOnly(given.type, given.name, given.description, schema, given.strict)
    return {"format": format_, "verbosity": (text.verbosity if text else None) or "medium"}


class _ToolType(Struct):
    type: str = "function"


_read_tool_type = msgspec.json.Decoder(_ToolType).decode
_read_tool_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def _is_native_tool(tool: Raw) -> bool:
    """Whether `tool` is one of Anthropic's own, which typed clients cannot read in a response."""
    return is_native(_read_tool_type(tool).type)


def _echoed_tool(tool: Raw) -> Raw | dict[str, Raw]:
    """A tool as the client sent it, without secrets; clients demand two fields of a function that may be missing."""
    match _read_tool_type(tool).type:
        case "function":
            defaults = {"type": Raw(b'"function"'), "parameters": Raw(b"null"), "strict": Raw(b"null")}
            return defaults | _read_tool_fields(tool)
        case "mcp":
            fields = _read_tool_fields(tool)
            return {name: value for name, value in fields.items() if name not in ("authorization", "headers")}
        case _:
            return tool


def _json(value: object) -> Raw:
    return Raw(msgspec.json.encode(value))
