"""Properties of the translation over generated input: every request is said or refused with its place, every cut
of a stream gives the same answer.
"""

import json
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from claude_proxy.dialects.chat.context import ChatReplyContext
from claude_proxy.dialects.chat.fold import CompletionFold, completion
from claude_proxy.dialects.chat.request import to_messages_request
from claude_proxy.dialects.chat.stream import StreamTranslator
from claude_proxy.errors import InvalidRequest
from claude_proxy.options import Options
from claude_proxy.simulator.request_validation import messages_request
from claude_proxy.translate.draft import Translation
from claude_proxy.translate.models import MODELS, SHIPPED, model_for, resolve
from claude_proxy.wire.anthropic import VERSION
from claude_proxy.wire.chat_request import read_chat_request
from claude_proxy.wire.sse import DONE
from tests.dialects.chat.chunks import folded, without_custom
from tests.support.judge import assert_valid_chunk, assert_valid_completion, assert_valid_upstream

bounded = settings(
    derandomize=True, max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None
)

# ---------------------------------------------------------------------------------------------------- a request

TEXT = st.one_of(
    st.sampled_from(["", " ", "\n", "Hi", "x\ud83d", "😀", "\x00", "a@b.example", "{", "null"]),
    st.text('aZ .\n"\\{}é\u2028😀\ud83d\x00', max_size=8),
)
NULL = st.none()
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def maybe(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any of the fields, null among their values."""
    return st.fixed_dictionaries({}, optional={name: value | NULL for name, value in fields.items()})


def with_(fixed: dict[str, Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return maybe(**fields).map(lambda more: {**more, **fixed})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
BREAKPOINT = st.sampled_from([{"mode": "explicit"}, {"mode": "explicit", "ttl": "30m"}])
CONTROL = st.sampled_from(
    [{"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral", "ttl": "5m"}]
)


def text_part(text: str, control: Any, breakpoint_: Any) -> dict[str, Any]:
    part = {"type": "text", "text": text}
    return (
        part
        | ({"cache_control": control} if control else {})
        | ({"prompt_cache_breakpoint": breakpoint_} if breakpoint_ else {})
    )


TEXT_PART = st.builds(text_part, TEXT, NULL | CONTROL, NULL | BREAKPOINT)
IMAGE_PART = st.sampled_from(
    [f"data:image/jpeg;base64,{PNG}", f"data:image/png;base64,{PNG}", "https://example.org/a.png"]
).map(lambda url: {"type": "image_url", "image_url": {"url": url, "detail": "auto"}})
ODD_PART = st.sampled_from(
    [
        {"type": "input_audio", "input_audio": {"data": "x", "format": "wav"}},
        {"type": "image_url", "image_url": {"url": "ftp://x"}},
        {"type": "nothing"},
        {"type": "file", "file": {"file_id": "file-1"}},
        {},
    ]
)
FILE_PART = st.sampled_from(
    [
        {"type": "file", "file": {"file_data": "data:text/plain;base64,SGVsbG8=", "filename": "a.txt"}},
        {"type": "file", "file": {"file_data": "SGVsbG8="}},
    ]
)
USER_PARTS = st.lists(st.one_of(TEXT_PART, TEXT_PART, TEXT_PART, IMAGE_PART, FILE_PART), max_size=3)

NAME = st.sampled_from(["look", "look.up", "größe", "n" * 70, "web_search", "look"])
ID = st.sampled_from(["call_1", "call_2", "toolu_1", "functions.x:0", "é", ""])
ARGUMENTS = (
    st.sampled_from(["{}", "", '{"a": 1}', "[1]", '{"a": ', '"{}"', '"text"', "null", '{"a":"\\ud83d"}', None]) | TEXT
)
CALL = st.one_of(
    st.builds(
        lambda id_, name, text: {"id": id_, "type": "function", "function": {"name": name, "arguments": text}},
        ID,
        NAME,
        ARGUMENTS,
    ),
    st.builds(lambda id_, name, text: {"id": id_, "function": {"name": name, "arguments": text}}, ID, NAME, ARGUMENTS),
    st.builds(lambda id_, text: {"id": id_, "type": "custom", "custom": {"name": "patch", "input": text}}, ID, TEXT),
)
FUNCTION_CALL = st.builds(lambda name, text: {"name": name, "arguments": text}, NAME, ARGUMENTS)

SYSTEM = with_({"role": "system"}, content=TEXT | st.lists(TEXT_PART, max_size=3), name=TEXT)
DEVELOPER = with_({"role": "developer"}, content=TEXT)
USER = with_({"role": "user"}, content=TEXT | USER_PARTS, name=st.sampled_from(["ann", "bob"]))
ASSISTANT = with_(
    {"role": "assistant"},
    content=TEXT | st.lists(TEXT_PART, max_size=2),
    refusal=TEXT,
    tool_calls=st.lists(CALL, max_size=3),
    function_call=FUNCTION_CALL,
    reasoning_content=TEXT,
    audio=st.just({"id": "x"}),
)
TOOL = st.builds(
    lambda id_, content: {"role": "tool", "tool_call_id": id_, "content": content},
    ID,
    TEXT | JSON | st.lists(st.one_of(TEXT_PART, IMAGE_PART), max_size=2),
)
FUNCTION = st.builds(lambda name, content: {"role": "function", "name": name, "content": content}, NAME, TEXT | NULL)
ODD = st.sampled_from(
    [{"role": "critic", "content": "x"}, {}, {"role": "tool"}, {"role": "user", "content": 5}, "text"]
) | ODD_PART.map(lambda part: {"role": "user", "content": [part]})
HISTORY = st.lists(
    st.one_of(USER, USER, ASSISTANT, ASSISTANT, ASSISTANT, TOOL, TOOL, TOOL, SYSTEM, DEVELOPER, FUNCTION), max_size=8
)
BEGUN = HISTORY.map(lambda messages: [{"role": "user", "content": "Hi"}, *messages])

_SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": ["string", "null"]},
            {"type": "integer", "minimum": 0},
            {"enum": ["a", None]},
            {"$ref": "#/$defs/A"},
            {"const": 1},
            {"type": "string", "format": "color"},
            {"type": "boolean", "default": False},
        ]
    ),
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(
            lambda properties: {"type": "object", "properties": properties, "required": [*properties][:1]}
        ),
        inner.map(lambda item: {"type": "array", "items": item, "minItems": 2}),
        st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": branches}),
        st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"oneOf": branches, "description": "d"}),
        st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"allOf": branches}),
    ),
    max_leaves=4,
)
SCHEMA = _SCHEMAS.map(
    lambda schema: {**schema, "$defs": {"A": {"type": "object", "properties": {"x": {"type": "string"}}}}}
)
PARAMETERS: st.SearchStrategy[Any] = st.one_of(
    SCHEMA.filter(lambda schema: schema.get("type", "object") == "object" and "$ref" not in schema), NULL, st.just({})
)
FUNCTION_TOOL = st.builds(
    lambda name, parameters, strict, control: {
        "type": "function",
        "function": {"name": name, "description": "d", "parameters": parameters, "strict": strict},
        **({"cache_control": control} if control else {}),
    },
    NAME,
    PARAMETERS,
    st.booleans() | NULL,
    NULL | CONTROL,
)
CUSTOM_TOOL = st.sampled_from(
    [
        {"type": "custom", "custom": {"name": "patch"}},
        {
            "type": "custom",
            "custom": {
                "name": "patch",
                "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}},
            },
        },
    ]
)
TOOLS = st.lists(st.one_of(FUNCTION_TOOL, FUNCTION_TOOL, CUSTOM_TOOL), max_size=3)
CHOICE = st.one_of(
    st.sampled_from(
        ["auto", "none", "required", "always", {"type": "custom", "custom": {"name": "patch"}}, {"type": "x"}]
    ),
    NAME.map(lambda name: {"type": "function", "function": {"name": name}}),
    NAME.map(
        lambda name: {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": name}}]},
        }
    ),
)
EFFORT = st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"])
BUDGET = st.sampled_from([-1, 0, 1, 1024, 5000, 10**6])
THINKING = st.sampled_from(
    [{"type": "disabled"}, {"type": "adaptive", "display": "omitted"}, {"type": "between_tools"}]
)
FORMAT = st.one_of(
    st.sampled_from([{"type": "text"}, {"type": "json_object"}, {"type": "json_schema"}, {"type": "x"}]),
    SCHEMA.map(lambda schema: {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}),
)
FIELDS = maybe(
    temperature=st.sampled_from([0, 0.5, 1, 1.5, 2, 3, -1]),
    top_p=st.sampled_from([0, 0.5, 0.97, 1, 2]),
    top_k=st.sampled_from([0, 5]),
    max_tokens=st.sampled_from([1, 50, 2000, 64_000, 10**7, 0]),
    max_completion_tokens=st.sampled_from([1, 1025, 10**7]),
    n=st.sampled_from([1, 2, 9]),
    stop=TEXT | st.lists(TEXT | NULL, max_size=5),
    stream=st.booleans(),
    stream_options=maybe(include_usage=st.booleans(), include_obfuscation=st.booleans()),
    tools=TOOLS,
    tool_choice=CHOICE,
    parallel_tool_calls=st.booleans(),
    functions=st.lists(FUNCTION_TOOL.map(lambda tool: tool["function"]), max_size=2),
    function_call=st.sampled_from(["auto", "none", "x", {"name": "look"}]),
    reasoning_effort=EFFORT,
    reasoning=maybe(effort=EFFORT, max_tokens=BUDGET, exclude=st.booleans(), enabled=st.booleans()),
    thinking=with_({"type": "enabled"}, budget_tokens=BUDGET) | THINKING,
    enable_thinking=st.booleans(),
    extra_body=maybe(enable_thinking=st.booleans(), reasoning_effort=EFFORT),
    response_format=FORMAT,
    verbosity=st.sampled_from(["low", "medium", "high", "x"]),
    web_search_options=maybe(search_context_size=st.sampled_from(["low", "high", "x"])),
    service_tier=st.sampled_from(["auto", "default", "priority", "flex", "fast", "x"]),
    user=TEXT,
    safety_identifier=TEXT,
    metadata=JSON,
    seed=st.integers(0, 5),
    logit_bias=st.just({"5": 1}),
    logprobs=st.booleans(),
    modalities=st.sampled_from([["text"], ["text", "audio"]]),
    prompt_cache_options=maybe(mode=st.sampled_from(["explicit", "implicit"]), ttl=st.just("30m")),
    prompt_cache_retention=st.sampled_from(["in_memory", "24h"]),
    cache_control=CONTROL,
    prediction=JSON,
    include_reasoning=st.booleans(),
)
REQUESTS = st.builds(
    lambda model, messages, fields: {"model": model, "messages": messages, **fields},
    st.sampled_from([*MODELS, "claude-opus-99", "sonnet"]),
    st.one_of(*[BEGUN] * 6, HISTORY, st.lists(ODD | USER, max_size=2)),
    FIELDS,
)


@bounded
@given(REQUESTS, st.builds(Options, max_tokens=st.sampled_from([0, 0, 500, 3000]), fast_mode=st.booleans()))
def test_every_request_is_one_that_upstream_takes_or_is_refused_with_its_path(
    request: dict[str, Any], options: Options
):
    translation = _translated(request, options)
    if isinstance(translation, InvalidRequest):
        assert (translation.status, bool(translation.param)) == (400, True)
        return
    assert_valid_upstream(json.loads(translation.body))
    if request["model"] != "claude-opus-99":
        betas = frozenset(translation.betas)
        messages_request(translation.body, VERSION, betas)
    for note in translation.notes:
        assert note.param
        assert note.text


def _translated(request: dict[str, Any], options: Options) -> Translation | InvalidRequest:
    try:
        chat, unknown = read_chat_request(json.dumps(request).encode())
        model = model_for(resolve(chat.model, {}, SHIPPED).id, {})
        return to_messages_request(chat, unknown, model=model, options=options)
    except InvalidRequest as refusal:
        return refusal


# ----------------------------------------------------------------------------------------------------- a stream


def event(type_: str, **fields: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (
        type_.encode(),
        json.dumps({"type": type_, **fields}, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
    )


SAID = st.text('ab .\n"\\{}[]é😀', max_size=6)


def block(kind: str, pieces: list[str], number: int, index: int) -> bytes:
    """The events of one block that is made of `pieces`."""
    starts = {
        "text": {"type": "text", "text": ""},
        "thinking": {"type": "thinking", "thinking": "", "signature": ""},
        "redacted": {"type": "redacted_thinking", "data": "x"},
        "tool": {"type": "tool_use", "id": f"toolu_{number}", "name": "look", "input": {}},
        "custom": {"type": "tool_use", "id": f"toolu_{number}", "name": "patch", "input": {}},
        "server": {"type": "server_tool_use", "id": f"srvtoolu_{number}", "name": "web_search", "input": {}},
        "new": {"type": "brand_new"},
    }
    names = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}
    delta, field = names.get(kind, ("input_json_delta", "partial_json"))
    if kind == "custom":
        written = json.dumps({"input": "".join(pieces)})
        pieces = [written[:11], written[11:13], written[13:]]
    data = event("content_block_start", index=index, content_block=starts[kind])
    for piece in pieces if kind not in ("redacted", "new") else []:
        data += event("content_block_delta", index=index, delta={"type": delta, field: piece})
    if kind == "thinking":
        data += event("content_block_delta", index=index, delta={"type": "signature_delta", "signature": "c2ln"})
    return data + event("content_block_stop", index=index)


KINDS = st.sampled_from(["text", "text", "thinking", "redacted", "tool", "tool", "custom", "server", "new"])
BLOCKS = st.lists(st.tuples(KINDS, st.lists(SAID, max_size=5)), max_size=5)
REASONS = st.sampled_from(["end_turn", "tool_use", "max_tokens", "refusal", "stop_sequence", "new", None])
CONTEXTS = st.builds(
    ChatReplyContext,
    model=st.just("m"),
    include_usage=st.booleans(),
    custom_tools=st.just(frozenset({"patch"})),
    json_mode=st.booleans(),
    stops=st.sampled_from([(), (), ("\n",), (" ", "\n\n")]),
    server_tools=st.booleans(),
    show_reasoning=st.booleans(),
    echo_service_tier=st.booleans(),
)


DRESSES = st.sampled_from([(b"x", b"x"), (b"\n", b"\r\n"), ("é".encode(), b"\\u00e9"), (b'":', b'" :')])


def decoded(frames: bytes) -> list[Any]:
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames.split(b"\n\n")[:-1]]


@bounded
@given(BLOCKS, REASONS, CONTEXTS, st.lists(st.integers(0, 4000), max_size=12), DRESSES)
def test_any_cut_of_a_stream_gives_the_same_answer_and_it_folds_to_the_completion(
    blocks: list[tuple[str, list[str]]],
    reason: str | None,
    context: ChatReplyContext,
    cuts: list[int],
    dress: tuple[bytes, bytes],
):
    usage = {"input_tokens": 3, "output_tokens": 1, "service_tier": "standard"}
    data = event("message_start", message={"id": "msg_1", "model": "m", "usage": usage})
    for number, (kind, pieces) in enumerate(blocks):
        data += block(kind, pieces, number, number)
    data += event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 9}) + event("message_stop")
    data = data.replace(*dress)
    places = [0, *sorted(place % len(data) for place in cuts), len(data)]

    whole, fold = StreamTranslator(context, created=1), CompletionFold(context)
    frames = whole.feed(data)
    whole.close()
    reads = [data[start:end] for start, end in pairwise(places)]
    cut = StreamTranslator(context, created=1)
    assert decoded(b"".join(map(cut.feed, reads))) == decoded(frames)
    for read in reads:
        fold.feed(read)
    fold.close()
    body = json.loads(completion([fold], context, created=1))
    chunks = decoded(frames + whole.end(whole.usage).removesuffix(DONE))
    for chunk in chunks:
        assert_valid_chunk(without_custom(chunk))
    assert_valid_completion(body)
    if not context.include_usage:
        body.pop("usage", None)
    assert folded(chunks) == body
