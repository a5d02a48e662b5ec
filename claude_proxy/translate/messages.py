"""The conversation: OpenAI's messages as the turns that the Messages API takes.

Upstream is strict where OpenAI is not, and histories are dirty. What holds at the end:

- `system` and `developer` texts stand in `system`, or between turns where the model honours them there;
- turns alternate, begin with the user's and hold no blank text;
- every tool call is answered in the very next turn, first in it, in the order of the calls;
- call ids are unique and of upstream's alphabet, tool inputs are JSON objects.

Source of the rules: Anthropic's "Messages API" and "Tool use" pages, and the texts of its 400s.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Raw, Struct

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.draft import Draft
from claude_proxy.translate.names import tool_name
from claude_proxy.translate.pairing import Calls, Turn
from claude_proxy.translate.parts import ResultContent, part_block, result_content, text_blocks
from claude_proxy.wire import anthropic
from claude_proxy.wire import chat_request as openai
from claude_proxy.wire.anthropic import (
    Block,
    RedactedThinkingBlock,
    TextBlock,
    ThinkingBlock,
    ToolUseBlock,
)
from claude_proxy.wire.decoding import NULL, repaired

# Upstream refuses a turn without text; a lone full stop says the least.
PLACEHOLDER = "."
CONTINUE = "Continue."


class _Conversation(Struct):
    """The turns so far, and their calls."""

    draft: Draft
    calls: Calls
    system: list[TextBlock] = []
    turns: list[Turn] = []
    standing: list[tuple[str, list[TextBlock]]] = []  # since the last turn of the user's

    def append(self, role: str, blocks: Iterable[Block]) -> None:
        """Add blocks to the last turn if it is `role`'s, else begin a new turn."""
        if role == "user":
            self._hoist_system()
        if not self.turns or self.turns[-1].role != role:
            self.turns.append(Turn(role))
        self.turns[-1].blocks.extend(blocks)

    def add_system(self, blocks: list[TextBlock], place: str) -> None:
        """Add system texts where they stand if the model honours them there, else at the top."""
        native = self.draft.model.system_messages and not self.calls.waiting
        if native and self.turns and self.turns[-1].role != "assistant":
            self.append("system", [TextBlock(block.text) for block in blocks])
            self.standing.append((place, blocks))
            return
        self.system.extend(blocks)
        if self.turns:
            self._warn_of_move(place)

    def _hoist_system(self) -> None:
        """Take back a turn of the system's that the user's would follow: only the assistant's may."""
        if self.turns and self.turns[-1].role == "system":
            self.turns.pop()
            for place, blocks in self.standing:
                self.system.extend(blocks)
                self._warn_of_move(place)
        self.standing.clear()

    def _warn_of_move(self, place: str) -> None:
        self.draft.warn(place, "a later system message was moved to the top: it cannot stand here")


def translate_messages(draft: Draft) -> None:
    """Fill `draft.body.system` and `draft.body.messages`. Raises InvalidRequest naming the message."""
    messages = draft.chat.messages
    if not messages:
        raise InvalidRequest(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            param="messages",
            code="empty_array",
        )
    conversation = _Conversation(draft, Calls(draft))
    named = _several_names(messages)
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        match message:
            case openai.SystemMessage() | openai.DeveloperMessage():
                if texts := text_blocks(message.content):
                    conversation.add_system(texts, place)
            case openai.UserMessage():
                conversation.append("user", _user_blocks(message, place, named=named))
            case openai.AssistantMessage():
                _assistant(conversation, message, place)
            case openai.ToolMessage():
                _tool_result(conversation, message, place)
            case openai.FunctionMessage():
                _function_result(conversation, message, place)
    _finish(conversation)


def end_with_user(draft: Draft, *, prefill: bool) -> None:
    """Settle a last turn of the assistant's: continued where the model takes it, else answered "Continue."."""
    last = draft.body.messages[-1]
    if last.role != "assistant":
        return
    if prefill:
        text = last.content[-1]
        if isinstance(text, TextBlock):
            text.text = text.text.rstrip()  # "final assistant content cannot end with trailing whitespace"
        return
    draft.body.messages.append(anthropic.Message("user", [TextBlock(CONTINUE)]))
    draft.warn(
        "messages",
        f"{draft.model.id} does not continue a last assistant message here, so '{CONTINUE}' was added after it",
    )


# -------------------------------------------------------------------------------------------------- each role


def _several_names(messages: Sequence[openai.ChatMessage]) -> bool:
    names = {message.name for message in messages if isinstance(message, openai.UserMessage) and message.name}
    return len(names) > 1


def _user_blocks(message: openai.UserMessage, place: str, *, named: bool) -> list[Block]:
    blocks: list[Block]
    match message.content:
        case None | str():
            blocks = [*text_blocks(message.content)]
        case parts:
            found = [part_block(part, f"{place}.content[{index}]") for index, part in enumerate(parts)]
            blocks = [block for block in found if block is not None]
    if named and message.name:
        blocks.insert(0, TextBlock(f"{message.name}:"))
    return blocks


def _assistant(conversation: _Conversation, message: openai.AssistantMessage, place: str) -> None:
    thinking = list(_echoed_thinking(message))
    blocks: list[Block] = []
    match message.content:
        case None | str():
            blocks += text_blocks(message.content)
        case parts:
            texts = (part for part in parts if isinstance(part, openai.TextPart | openai.RefusalPart))
            blocks += [block for block in (part_block(part, place) for part in texts) if block is not None]
    blocks += text_blocks(message.refusal)
    if message.audio != NULL:
        conversation.draft.warn(f"{place}.audio", "Claude has no audio, so the earlier audio answer was left out")
    for index, call in enumerate(message.tool_calls or ()):
        blocks.append(_tool_use(conversation, call, f"{place}.tool_calls[{index}]"))
    if message.function_call:
        blocks.append(_function_use(conversation, message.function_call, f"{place}.function_call"))
    if not blocks:
        return
    begins = not conversation.turns or conversation.turns[-1].role != "assistant"
    conversation.append("assistant", [*thinking, *blocks] if begins else blocks)


def _echoed_thinking(message: openai.AssistantMessage) -> Iterator[ThinkingBlock | RedactedThinkingBlock]:
    """Signed thinking that the client kept: LiteLLM's `thinking_blocks`, OpenRouter's `reasoning_details`.

    Thinking without a signature is no thinking to upstream; it is left out, never made up.
    """
    parts: list[openai.AssistantPart] = []
    if message.thinking_blocks:
        parts = list(message.thinking_blocks)
    elif isinstance(message.content, list):
        parts = message.content
    for part in parts:
        if isinstance(part, openai.ThinkingPart) and part.signature:
            yield ThinkingBlock(part.thinking, part.signature)
        elif isinstance(part, openai.RedactedThinkingPart) and part.data:
            yield RedactedThinkingBlock(part.data)
    if message.thinking_blocks:
        return
    for detail in message.reasoning_details or ():
        if detail.type == "reasoning.text" and detail.signature:
            yield ThinkingBlock(detail.text or "", detail.signature)
        elif detail.type == "reasoning.encrypted" and detail.data:
            yield RedactedThinkingBlock(detail.data)


def _tool_use(conversation: _Conversation, call: openai.ToolCall, place: str) -> ToolUseBlock:
    if call.function is not None:
        name = call.function.name
        input_ = _arguments(conversation.draft, call.function.arguments, f"{place}.function.arguments")
    elif call.custom is not None:
        name = call.custom.name
        input_ = Raw(msgspec.json.encode({"input": call.custom.input or ""}))
    else:
        raise InvalidRequest(
            f"Missing required parameter: '{place}.function'.",
            param=f"{place}.function",
            code="missing_required_parameter",
        )
    return ToolUseBlock(conversation.calls.begin(call.id), _sent_name(conversation.draft, name), input_)


def _function_use(conversation: _Conversation, call: openai.FunctionCall, place: str) -> ToolUseBlock:
    input_ = _arguments(conversation.draft, call.arguments, f"{place}.arguments")
    sent = conversation.calls.begin_function(call.name)
    return ToolUseBlock(sent, _sent_name(conversation.draft, call.name), input_)


def _sent_name(draft: Draft, name: str) -> str:
    sent = draft.tool_names[name] = tool_name(name)
    return sent


def _arguments(draft: Draft, arguments: str | None, place: str) -> Raw:
    """The call's arguments as they were written, if they are a JSON object; else wrapped in one."""
    text = (arguments or "").strip()
    if not text:
        return Raw(b"{}")
    data = repaired(text.encode())
    try:
        _read_object(data)
    except (msgspec.MsgspecError, RecursionError):
        inner = _text_in(data)
        if inner is not None and inner.strip() != text:
            return _arguments(draft, inner, place)
    else:
        return Raw(data)
    draft.warn(place, 'these arguments are no JSON object; they were sent as {"_raw": "…"}')
    return Raw(msgspec.json.encode({"_raw": text}))


_read_object = msgspec.json.Decoder(dict[str, Raw]).decode
_read_text = msgspec.json.Decoder(str).decode


def _text_in(data: bytes) -> str | None:
    """The text of a JSON string: arguments that a client encoded twice."""
    try:
        return _read_text(data)
    except msgspec.MsgspecError:
        return None


def _tool_result(conversation: _Conversation, message: openai.ToolMessage, place: str) -> None:
    id_, calls = message.tool_call_id, conversation.calls
    content = result_content(conversation.draft, message.content, f"{place}.content")
    if calls.answer(id_, content):
        conversation.append("user", ())  # what follows in the history follows the result
    elif calls.was_answered(id_):
        conversation.draft.warn(place, f"a second result for the call '{id_}' was left out")
    else:
        _orphan(conversation, id_, content, place)


def _function_result(conversation: _Conversation, message: openai.FunctionMessage, place: str) -> None:
    content = result_content(conversation.draft, message.content, f"{place}.content")
    if conversation.calls.answer_function(message.name, content):
        conversation.append("user", ())
    else:
        _orphan(conversation, message.name, content, place)


def _orphan(conversation: _Conversation, id_: str, content: ResultContent, place: str) -> None:
    conversation.draft.warn(place, f"no call '{id_}' precedes this result, so it was sent as text")
    blocks: list[Block] = [TextBlock(f"[tool result {id_}]")]
    blocks += text_blocks(content) if isinstance(content, str) else content or []
    conversation.append("user", blocks)


# ------------------------------------------------------------------------------------------------- at the end


def _finish(conversation: _Conversation) -> None:
    draft = conversation.draft
    turns = conversation.calls.placed(conversation.turns) or [Turn("user", [_last_system(conversation)])]
    if turns[0].role == "assistant":
        draft.note(
            "changed", "messages", f"the conversation began with the assistant: a user's '{PLACEHOLDER}' was put first"
        )
        turns.insert(0, Turn("user", [TextBlock(PLACEHOLDER)]))
    for turn in turns:
        if not turn.blocks:
            turn.blocks.append(TextBlock(PLACEHOLDER))
            draft.note("changed", "messages", f"an empty user message was sent as '{PLACEHOLDER}'")
    draft.body.system = conversation.system or None
    draft.body.messages = [anthropic.Message(turn.role, turn.blocks) for turn in turns]


def _last_system(conversation: _Conversation) -> Block:
    if not conversation.system:
        raise InvalidRequest("No message has any content.", param="messages", code="invalid_value")
    conversation.draft.note("changed", "messages", "the last system message was sent as the user's: there is no other")
    return conversation.system.pop()
