"""Chat's messages, read into the conversation builder."""

from collections.abc import Iterator, Sequence

from claude_proxy.dialects.chat.parts import content_blocks, part_block, result_content
from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.arguments import object_input, text_input
from claude_proxy.translate.content import text_blocks
from claude_proxy.translate.conversation import Conversation
from claude_proxy.translate.draft import Draft
from claude_proxy.wire import chat_request as chat
from claude_proxy.wire.anthropic import Block, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock
from claude_proxy.wire.decoding import NULL


def read_messages(draft: Draft, messages: Sequence[chat.ChatMessage]) -> None:
    """Write `system` and `messages` of the draft. Raises InvalidRequest that names the message."""
    if not messages:
        raise InvalidRequest(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            param="messages",
            code="empty_array",
        )
    conversation = Conversation(draft)
    named = _has_several_names(messages)
    for index, message in enumerate(messages):
        param = f"messages[{index}]"
        match message:
            case chat.SystemMessage() | chat.DeveloperMessage():
                if texts := content_blocks(message.content):
                    conversation.add_system(texts, param=param)
            case chat.UserMessage():
                conversation.add_user(_user_blocks(message, param, named=named))
            case chat.AssistantMessage():
                blocks = _assistant_blocks(draft, conversation, message, param)
                conversation.add_assistant(blocks, thinking=list(_echoed_thinking(message)))
            case chat.ToolMessage():
                content = result_content(draft, message.content, f"{param}.content")
                conversation.add_result(message.tool_call_id, content, param=param)
            case chat.FunctionMessage():
                content = result_content(draft, message.content, f"{param}.content")
                conversation.add_result_by_name(message.name, content, param=param)
    conversation.finish(param="messages")


def _has_several_names(messages: Sequence[chat.ChatMessage]) -> bool:
    names = {message.name for message in messages if isinstance(message, chat.UserMessage) and message.name}
    return len(names) > 1


def _user_blocks(message: chat.UserMessage, param: str, *, named: bool) -> list[Block]:
    blocks: list[Block]
    match message.content:
        case None | str():
            blocks = [*text_blocks(message.content)]
        case parts:
            found = [part_block(part, f"{param}.content[{index}]") for index, part in enumerate(parts)]
            blocks = [block for block in found if block is not None]
    if named and message.name:
        blocks.insert(0, TextBlock(f"{message.name}:"))
    return blocks


def _assistant_blocks(
    draft: Draft, conversation: Conversation, message: chat.AssistantMessage, param: str
) -> list[Block]:
    blocks: list[Block] = []
    match message.content:
        case None | str():
            blocks += text_blocks(message.content)
        case parts:
            texts = (part for part in parts if isinstance(part, chat.TextPart | chat.RefusalPart))
            blocks += [block for block in (part_block(part, param) for part in texts) if block is not None]
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
