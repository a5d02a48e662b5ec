"""OpenAI's legacy completions as data. Shapes follow `openai.types.completion` of the SDK 3.54."""

from msgspec import UNSET, Struct, UnsetType

from claude_proxy.wire.chat_reply import CompletionUsage


class TextChoice(Struct):
    text: str
    index: int
    logprobs: None
    finish_reason: str | None


class Completion(Struct, omit_defaults=True):
    id: str
    object: str
    created: int
    model: str
    choices: list[TextChoice]
    usage: CompletionUsage | UnsetType | None = UNSET
