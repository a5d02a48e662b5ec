"""A chat completion request as a Messages request.

chat, unknown = read_chat_request(body)
translation = to_messages_request(chat, unknown, model=model, options=options, memory=memory)

The order of the steps is fixed here, and nowhere else: a step may need what earlier ones have written.
"""

from claude_proxy.dialects.chat.context import ChatReplyContext, ChatTranslation
from claude_proxy.dialects.chat.ignored import warn_of_ignored, warn_of_unknown
from claude_proxy.dialects.chat.messages import read_messages
from claude_proxy.dialects.chat.parts import breakpoint_from
from claude_proxy.dialects.chat.reasoning import reasoning_wish
from claude_proxy.dialects.chat.tools import read_tools
from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.translate.caching import set_caching
from claude_proxy.translate.conversation import end_with_user
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.encoding import bound_prefix, encode_request
from claude_proxy.translate.memory import ThinkingMemory
from claude_proxy.translate.metadata import pass_through, set_service_tier, set_user
from claude_proxy.translate.models import Model
from claude_proxy.translate.output import set_json_object, set_json_schema, set_verbosity
from claude_proxy.translate.reasoning import apply_reasoning, drop_thinking, restore_thinking
from claude_proxy.translate.sampling import set_max_tokens, set_stop, set_temperature, set_top_k, set_top_p
from claude_proxy.wire.chat_request import CacheOptions, ChatRequest, JSONSchemaFormat
from claude_proxy.wire.decoding import NULL

# Fields of Anthropic's own that clients send at the top level.
_PASSED_THROUGH = ("container", "context_management", "inference_geo", "mcp_servers", "speed")


def to_messages_request(
    chat: ChatRequest,
    unknown: frozenset[str] = frozenset(),
    *,
    model: Model,
    options: Options,
    memory: ThinkingMemory | None = None,
    without_thinking: bool = False,
) -> ChatTranslation:
    """The Messages request to `model` that says what `chat` says.

    `unknown` are the paths of fields that `chat` does not have. `memory` gives back the thinking of earlier tool
    turns; `without_thinking` leaves all earlier thinking out, for the retry after upstream refused some.
    Raises InvalidRequest whose `param` is the path of the fault.
    """
    draft = Draft.begin(model, options)
    warn_of_unknown(draft, unknown)
    _read_max_tokens(draft, chat)
    read_messages(draft, chat.messages)
    read_tools(draft, chat)
    _read_response_format(draft, chat)
    set_verbosity(draft, chat.verbosity)
    if without_thinking:
        drop_thinking(draft)
    else:
        restore_thinking(draft, memory, param="messages")
    apply_reasoning(draft, reasoning_wish(chat), without_thinking=without_thinking)
    set_temperature(draft, chat.temperature)
    set_top_p(draft, chat.top_p)
    _check_n(draft, chat.n)
    set_stop(draft, [chat.stop] if isinstance(chat.stop, str) else chat.stop or [])
    set_user(draft, chat.safety_identifier or chat.user)
    set_service_tier(draft, chat.service_tier)
    _read_caching(draft, chat)
    warn_of_ignored(draft, chat)
    set_top_k(draft, chat.top_k)
    for name in _PASSED_THROUGH:
        if (value := getattr(chat, name)) != NULL:
            pass_through(draft, name, value)
    end_with_user(draft, param="messages")
    return _translation(draft, chat)


def _read_max_tokens(draft: Draft, chat: ChatRequest) -> None:
    if chat.max_completion_tokens is None:
        set_max_tokens(draft, chat.max_tokens, param="max_tokens")
    else:
        set_max_tokens(draft, chat.max_completion_tokens, param="max_completion_tokens")


def _read_response_format(draft: Draft, chat: ChatRequest) -> None:
    if chat.response_format is None:
        return
    match chat.response_format.type:
        case "text":
            return
        case "json_object" if chat.response_format.schema != NULL:
            set_json_schema(draft, chat.response_format.schema, param="response_format")
        case "json_object":
            set_json_object(draft, param="response_format")
        case "json_schema":
            format_ = chat.response_format.json_schema or JSONSchemaFormat()
            param = "response_format.json_schema"
            set_json_schema(draft, format_.schema, description=format_.description, param=param)
        case other:
            raise InvalidRequest(
                f"Invalid value: '{other}'. Supported values are: 'text', 'json_object', and 'json_schema'.",
                param="response_format.type",
                code="invalid_value",
            )


def _check_n(draft: Draft, n: int | None) -> None:
    most = draft.options.max_choices
    if n is None:
        return
    if not 1 <= n <= most:
        raise InvalidRequest(f"Invalid 'n': {n} is not between 1 and {most}.", param="n", code="invalid_value")
    if n > 1:
        draft.note("emulated", "n", f"{n} requests are sent; their usage is summed")


def _read_caching(draft: Draft, chat: ChatRequest) -> None:
    options = chat.prompt_cache_options or CacheOptions()
    if options.mode not in (None, "implicit", "explicit", "off"):
        draft.warn("prompt_cache_options.mode", f"'{options.mode}' is not known; caching is automatic")
    if chat.prompt_cache_retention not in (None, "in_memory", "in-memory", "24h"):
        draft.warn("prompt_cache_retention", f"'{chat.prompt_cache_retention}' is not known: 5 minutes instead")
    set_caching(
        draft,
        control=breakpoint_from(chat.cache_control),
        automatic=options.mode not in ("explicit", "off"),
        hour=bool(options.ttl) or chat.prompt_cache_retention == "24h",
        param="messages",
    )


def _translation(draft: Draft, chat: ChatRequest) -> ChatTranslation:
    prefix = bound_prefix(draft)
    body = encode_request(draft, chat.anthropic)
    return ChatTranslation(
        body=body,
        model=draft.model,
        choices=chat.n or 1,
        betas=tuple(draft.betas),
        notes=tuple(draft.notes),
        reply=ChatReplyContext(
            model=chat.model if draft.model.instead_of is None else draft.model.id,
            include_usage=bool(chat.stream_options and chat.stream_options.include_usage),
            client_names={sent: name for name, sent in draft.tool_names.items() if sent != name},
            custom_tools=frozenset(draft.custom_tools),
            legacy_functions=bool(chat.functions),
            json_mode=draft.json_mode,
            stops=draft.stops,
            server_tools=draft.server_tools,
            show_reasoning=draft.show_reasoning and draft.options.reasoning_text,
            echo_service_tier=chat.service_tier is not None,
        ),
        prefix=prefix,
    )
