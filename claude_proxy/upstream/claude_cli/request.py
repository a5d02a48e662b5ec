"""A Messages request as what a process of the Claude CLI is told. Pure.

The model, the system prompt and the messages go where the CLI has a place for them; every other field goes into
CLAUDE_CODE_EXTRA_BODY, which the CLI merges into the body of its request. Nothing is on the command line.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw, Struct

from claude_proxy.errors import InvalidRequest

INITIALIZE, SETTINGS = "initialize", "settings"  # ids of our control requests

# Fields that have a place of their own, are the CLI's to set, or are cache marks: it sets three of the four allowed.
_NOT_EXTRA = frozenset({"model", "messages", "system", "stream", "metadata", "cache_control"})
# Behind a text that begins with `/`: the CLI runs a command only where that is the last text, and drops a blank one.
_GUARD = Raw(b'{"type":"text","text":" "}')
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode


class Step(Struct, frozen=True):
    """Lines to write, and what to wait for before the next step: so many results, and replies to control requests."""

    lines: tuple[bytes, ...]
    results: int = 0
    controls: frozenset[str] = frozenset()


class CliRequest(Struct, frozen=True):
    """The steps of one request; with the last one the CLI asks upstream. `model` is as the Messages request has it."""

    model: str
    steps: tuple[Step, ...]


class _Message(Struct):
    role: str
    content: Raw


class _Type(Struct):
    type: str = ""


class _Text(Struct):
    text: str = ""


def cli_request(body: bytes, betas: Sequence[str], *, model_by_setting: bool) -> CliRequest:
    """The request in `body`. Raises InvalidRequest for what the CLI cannot carry at all."""
    try:
        fields = _decode_fields(body)
        model = msgspec.json.decode(fields["model"], type=str)
        messages = msgspec.json.decode(fields["messages"], type=list[_Message])
        first = Step(
            tuple(_preparation(fields, model, betas, model_by_setting)), controls=frozenset((INITIALIZE, SETTINGS))
        )
        return CliRequest(model, (first, *_conversation(messages, model)))
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError):
        raise InvalidRequest("the request is no Messages request that the Claude CLI can be given") from None


def request_model(body: bytes) -> str:
    """The model that `body` names; empty if it names none."""
    try:
        return msgspec.json.decode(_decode_fields(body)["model"], type=str)
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError):
        return ""


def _preparation(fields: dict[str, Raw], model: str, betas: Sequence[str], model_by_setting: bool) -> Iterable[bytes]:
    extra = {name: value for name, value in fields.items() if name not in _NOT_EXTRA}
    if "tools" in extra:
        tools = msgspec.json.decode(extra["tools"], type=list[Raw])
        extra["tools"] = Raw(_encode([_without_cache_mark(tool) for tool in tools]))
    environment = {"CLAUDE_CODE_EXTRA_BODY": _encode(extra).decode()}
    if betas:
        environment["ANTHROPIC_BETAS"] = ",".join(betas)
    settings: dict[str, object] = {"env": environment}
    if model_by_setting:
        settings["model"] = model
    yield _control(INITIALIZE, {"subtype": "initialize", "systemPrompt": _system_text(fields.get("system"))})
    yield _control(SETTINGS, {"subtype": "apply_flag_settings", "settings": settings})


def _system_text(system: Raw | None) -> str:
    """The system prompt as one text; the CLI takes one only. An empty one keeps the CLI's own out."""
    if system is None:
        return ""
    value = msgspec.json.decode(system, type=str | list[_Text] | None)
    if value is None or isinstance(value, str):
        return value or ""
    return "\n\n".join([block.text for block in value if block.text])


def _conversation(messages: list[_Message], model: str) -> Iterable[Step]:
    """One step for each user turn, with the assistant's turns before it.

    The CLI must have taken in a turn before the next one comes, or it mixes their order.
    """
    lines: list[bytes] = []
    turns = list(_merged(messages))
    if not turns or turns[-1][0] != "user":
        raise InvalidRequest("the Claude CLI cannot go on with a message of the assistant's", param="messages")
    for number, (role, blocks) in enumerate(turns):
        if role == "assistant":
            lines.append(_assistant_line(blocks, model, number))
        elif role == "user":
            is_last = number == len(turns) - 1
            lines.append(_user_line(blocks, is_last=is_last))
            yield Step(tuple(lines), results=0 if is_last else 1)
            lines = []
        else:
            raise InvalidRequest(f"the Claude CLI takes no messages of the role '{role}'", param="messages")


def _merged(messages: list[_Message]) -> Iterable[tuple[str, list[Raw]]]:
    """The turns: neighbours of one role are one, since the CLI would join them with line breaks."""
    role, blocks = "", list[Raw]()
    for message in messages:
        if message.role != role:
            if blocks:
                yield role, blocks
            role, blocks = message.role, []
        blocks.extend(_blocks(message.content))
    if blocks:
        yield role, blocks


def _blocks(content: Raw) -> list[Raw]:
    if bytes(content).lstrip()[:1] == b'"':
        return [Raw(_encode({"type": "text", "text": msgspec.json.decode(content, type=str)}))]
    return [_without_cache_mark(block) for block in msgspec.json.decode(content, type=list[Raw])]


def _without_cache_mark(block: Raw) -> Raw:
    """`block`, or the tool, without its cache mark and those within its content."""
    if b"cache_control" not in bytes(block):
        return block
    fields = _decode_fields(block)
    fields.pop("cache_control", None)
    if (content := fields.get("content")) is not None and bytes(content).lstrip()[:1] == b"[":
        fields["content"] = Raw(
            _encode([_without_cache_mark(each) for each in msgspec.json.decode(content, type=list[Raw])])
        )
    return Raw(_encode(fields))


def _user_line(blocks: list[Raw], *, is_last: bool) -> bytes:
    if any(msgspec.json.decode(block, type=_Type).type == "text" for block in blocks):
        blocks = [*blocks, _GUARD]
    line = {
        "type": "user",
        "message": {"role": "user", "content": blocks},
        "parent_tool_use_id": None,
        "session_id": "",
    }
    return _encode(line if is_last else {**line, "shouldQuery": False})


def _assistant_line(blocks: list[Raw], model: str, number: int) -> bytes:
    # Each needs an id of its own, or turns are joined; and the model, or its thinking is left out.
    message = {"role": "assistant", "type": "message", "id": f"msg_{number}", "model": model, "content": blocks}
    return _encode({"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": ""})


def _control(id_: str, request: dict[str, object]) -> bytes:
    return _encode({"type": "control_request", "request_id": id_, "request": request})
