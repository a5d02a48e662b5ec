"""Chat's messages, read into the conversation builder."""

from collections.abc import Iterator, Sequence

from claude_proxy.dialects.chat.parts import breakpoint_from, content_blocks, part_block, result_content
from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.arguments import object_input, text_input
from claude_proxy.translate.content import text_blocks
from claude_proxy.translate.conversation import Conversation
from claude_proxy.translate.draft import Draft
from claude_proxy.wire import chat_messages as chat
from claude_proxy.wire.anthropic import Block, Cacheable, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock
from claude_proxy.wire.decoding import NULL


def read_messages(draft: Draft, messages: Sequence[chat.ChatMessage]) -> None:
    """Write `system` and `messages` of the draft. Raises InvalidRequest that names the message."""
    if not messages:
        raise InvalidRequest(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            param="messages",
            code="empty_array",
        )
    conversation = Conversation(draft, param="messages")
    named = _has_several_names(messages)
    for index, message in enumerate(messages):
        param = f"messages[{index}]"
        match message:
            case chat.SystemMessage() | chat.DeveloperMessage():
                if texts := content_blocks(message.content):
                    _mark_last(texts, message.cache_control)
                    conversation.add_system(texts, param=param)
            case chat.UserMessage():
                if isinstance(message.content, list):
                    _add_results(draft, conversation, message.content, param)
                conversation.add_user(_user_blocks(draft, message, param, named=named))
            case chat.AssistantMessage():
                blocks = _assistant_blocks(draft, conversation, message, param)
                _mark_last(blocks, message.cache_control)
                conversation.add_assistant(blocks, thinking=list(_echoed_thinking(message)))
            case chat.ToolMessage():
                _add_result(draft, conversation, message, param)
            case chat.FunctionMessage():
                content = result_content(draft, message.content, f"{param}.content")
                conversation.add_result_by_name(message.name, content, param=param)
    conversation.finish()


def _has_several_names(messages: Sequence[chat.ChatMessage]) -> bool:
    names = {message.name for message in messages if isinstance(message, chat.UserMessage) and message.name}
    return len(names) > 1


def _mark_last(blocks: Sequence[Block], given: chat.CacheBreakpoint | None) -> None:
    """Put the breakpoint of a whole message, as LiteLLM clients send it, on its last block."""
    if given is not None and blocks and isinstance(last := blocks[-1], Cacheable) and last.cache_control is None:
        last.cache_control = breakpoint_from(given)


def _user_blocks(draft: Draft, message: chat.UserMessage, param: str, *, named: bool) -> list[Block]:
    blocks: list[Block]
    match message.content:
        case None | str():
            blocks = [*text_blocks(message.content)]
        case parts:
            found = [
                part_block(draft, part, f"{param}.content[{index}]")
                for index, part in enumerate(parts)
                if not isinstance(part, chat.ToolResultPart)
            ]
            blocks = [block for block in found if block is not None]
    if named and message.name:
        blocks.insert(0, TextBlock(f"{message.name}:"))
    _mark_last(blocks, message.cache_control)
    return blocks


def _add_results(draft: Draft, conversation: Conversation, parts: list[chat.UserPart], param: str) -> None:
    """Add the tool results that a user message holds in Anthropic's form."""
    for index, part in enumerate(parts):
        if isinstance(part, chat.ToolResultPart):
            where = f"{param}.content[{index}]"
            conversation.add_result(
                part.tool_use_id,
                result_content(draft, part.content, f"{where}.content"),
                is_error=bool(part.is_error),
                control=breakpoint_from(part.cache_control),
                param=where,
            )


def _add_result(draft: Draft, conversation: Conversation, message: chat.ToolMessage, param: str) -> None:
    conversation.add_result(
        message.tool_call_id,
        result_content(draft, message.content, f"{param}.content"),
        is_error=bool(message.is_error),
        control=breakpoint_from(message.cache_control),
        param=param,
    )


def _assistant_blocks(
    draft: Draft, conversation: Conversation, message: chat.AssistantMessage, param: str
) -> list[Block]:
    blocks: list[Block] = []
    match message.content:
        case None | str():
            blocks += text_blocks(message.content)
        case parts:
            for index, part in enumerate(parts):
                where = f"{param}.content[{index}]"
                if isinstance(part, chat.ToolUsePart):
                    blocks.append(_tool_use(draft, conversation, part, where))
                elif isinstance(part, chat.TextPart | chat.RefusalPart):
                    block = part_block(draft, part, where)
                    blocks += [] if block is None else [block]
    blocks += text_blocks(message.refusal)
    if message.audio != NULL:
        draft.warn(f"{param}.audio", "Claude has no audio, so the earlier audio answer was left out")
    for index, call in enumerate(message.tool_calls or ()):
        blocks.append(_tool_call(draft, conversation, call, f"{param}.tool_calls[{index}]"))
    if (former := message.function_call) is not None:
        arguments = object_input(draft, former.arguments, param=f"{param}.function_call.arguments")
        blocks.append(conversation.call_without_id(former.name, arguments))
    return blocks


def _tool_call(draft: Draft, conversation: Conversation, call: chat.ToolCall, param: str) -> ToolUseBlock:
    if call.function is not None:
        arguments = object_input(draft, call.function.arguments, param=f"{param}.function.arguments")
        return conversation.call(call.id, call.function.name, arguments)
    if call.custom is not None:
        return conversation.call(call.id, call.custom.name, text_input(call.custom.input))
    raise InvalidRequest(
        f"Missing required parameter: '{param}.function'.",
        param=f"{param}.function",
        code="missing_required_parameter",
    )


def _tool_use(draft: Draft, conversation: Conversation, part: chat.ToolUsePart, param: str) -> ToolUseBlock:
    input_ = "" if part.input == NULL else bytes(part.input).decode()
    block = conversation.call(part.id, part.name, object_input(draft, input_, param=f"{param}.input"))
    block.cache_control = breakpoint_from(part.cache_control)
    return block


def _echoed_thinking(message: chat.AssistantMessage) -> Iterator[ThinkingBlock | RedactedThinkingBlock]:
    """Signed thinking that the client kept: LiteLLM's `thinking_blocks`, OpenRouter's `reasoning_details`.

    Upstream refuses thinking without a signature; it is left out, a signature is never made up.
    """
    parts: list[chat.AssistantPart] = []
    if message.thinking_blocks:
        parts = list(message.thinking_blocks)
    elif isinstance(message.content, list):
        parts = message.content
    for part in parts:
        if isinstance(part, chat.ThinkingPart) and part.signature:
            yield ThinkingBlock(part.thinking, part.signature)
        elif isinstance(part, chat.RedactedThinkingPart) and part.data:
            yield RedactedThinkingBlock(part.data)
    if message.thinking_blocks:
        return
    for detail in message.reasoning_details or ():
        if detail.type == "reasoning.text" and detail.signature:
            yield ThinkingBlock(detail.text or "", detail.signature)
        elif detail.type == "reasoning.encrypted" and detail.data:
            yield RedactedThinkingBlock(detail.data)
