"""A chat completion request as a Messages request: the front of this room.

chat, unknown = read_chat_request(body)
translation = to_messages_request(chat, unknown, model=model, options=options, memory=memory)
"""

import msgspec
from msgspec import Raw

from claude_proxy.dialects.chat.context import ChatReplyContext, ChatTranslation
from claude_proxy.dialects.chat.parameters import EXTENSIONS, PARAMETERS
from claude_proxy.options import Options
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.memory import ThinkingMemory, is_thinking, prefix_of
from claude_proxy.translate.messages import end_with_user
from claude_proxy.translate.models import Model
from claude_proxy.wire import anthropic
from claude_proxy.wire import chat_request as openai
from claude_proxy.wire.decoding import NULL, decode, repaired

_STEPS = tuple(parameter.apply for parameter in (*PARAMETERS, *EXTENSIONS) if parameter.apply is not None)


def to_messages_request(
    chat: openai.ChatRequest,
    unknown: frozenset[str] = frozenset(),
    *,
    model: Model,
    options: Options,
    memory: ThinkingMemory | None = None,
    without_thinking: bool = False,
) -> ChatTranslation:
    """The Messages request that says what `chat` says to `model`.

    `unknown` are top-level keys that `chat` has no field for. `memory` gives back the thinking of earlier tool
    turns; `without_thinking` leaves all earlier thinking out, for the retry after upstream refused some.
    Raises InvalidRequest whose `param` names the place.
    """
    body = anthropic.MessagesRequest(model=model.id, max_tokens=0, messages=[], stream=True)
    draft = Draft(chat, model, options, body, memory=None if without_thinking else memory)
    if model.instead_of is not None:
        draft.warn("model", f"{model.instead_of} is retired; {model.id} answers in its place")
    for name in sorted(unknown):
        draft.warn(name, "no such parameter is known here")
    for apply in _STEPS:
        apply(draft)
    if without_thinking:
        _drop_thinking(draft)
    thinking = isinstance(body.thinking, anthropic.Thinking) and body.thinking.type in ("adaptive", "enabled")
    formatted = body.output_config is not None and body.output_config.format is not None
    end_with_user(draft, prefill=model.prefill and not thinking and not formatted)
    return _finished(draft)


def _drop_thinking(draft: Draft) -> None:
    """Leave out what the client sent of earlier thinking; every turn has something else as well."""
    for message in draft.body.messages:
        message.content = [block for block in message.content if not is_thinking(block)]


def _finished(draft: Draft) -> ChatTranslation:
    chat, body = draft.chat, draft.body
    prefix = prefix_of(body) if draft.model.binds_thinking and body.tools else b""
    data = msgspec.json.encode(body)
    if draft.extra_fields:
        data = _with_fields(data, draft.extra_fields)
    if chat.anthropic != NULL:
        data = _merged(data, chat.anthropic)
        draft.note("mapped", "anthropic", "merged into the request, last")
    return ChatTranslation(
        body=data,
        model=draft.model,
        choices=chat.n or 1,
        betas=tuple(draft.betas),
        notes=tuple(draft.notes),
        reply=ChatReplyContext(
            model=chat.model if draft.model.instead_of is None else draft.model.id,
            include_usage=bool(chat.stream_options and chat.stream_options.include_usage),
            client_names={sent: name for name, sent in draft.tool_names.items() if sent != name},
            custom_tools=frozenset(draft.custom_tools),
            legacy_functions=draft.legacy_functions,
            json_mode=draft.json_mode,
            stops=draft.stops,
            server_tools=draft.server_tools or chat.anthropic != NULL,
            show_reasoning=draft.show_reasoning and draft.options.reasoning_text,
            echo_service_tier=chat.service_tier is not None,
        ),
        prefix=prefix,
    )


def _with_fields(data: bytes, fields: dict[str, Raw]) -> bytes:
    whole = msgspec.json.decode(data, type=dict[str, Raw])
    return msgspec.json.encode({**whole, **fields})


_read_object = msgspec.json.Decoder(dict[str, object]).decode


def _merged(data: bytes, extension: Raw) -> bytes:
    """`data` with the client's own fields merged in, objects key by key; the answer stays streamed.

    `null` takes a field away that stands here, so that everything can be overridden.
    """
    theirs = decode(_read_object, repaired(bytes(extension)), "anthropic")
    theirs.pop("stream", None)
    return msgspec.json.encode(_deep_merged(_read_object(data), theirs))


def _deep_merged(ours: dict[str, object], theirs: dict[str, object]) -> dict[str, object]:
    merged = dict(ours)
    for key, value in theirs.items():
        if value is None:
            merged.pop(key, None)
            continue
        mine = merged.get(key)
        both = isinstance(mine, dict) and isinstance(value, dict)
        merged[key] = _deep_merged(mine, value) if both else value  # type: ignore[arg-type] # `both` says so
    return merged
