"""A validated request, and functions that read its messages."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from claude_proxy.simulator.model_table import Model

Block = dict[str, Any]

# The type of every server tool's result block ends like this: web_search_tool_result, …
SERVER_RESULT = "_tool_result"


@dataclass(frozen=True)
class Request:
    """A request that passed validation."""

    body: dict[str, Any]
    model: Model
    digest: bytes  # of the request; the seed of generated ids
    betas: frozenset[str] = frozenset()
    dropped: list[dict[str, str]] = field(default_factory=list)  # input_transformations
    adaptive_with_forced_tool: bool = False  # see Options

    @property
    def messages(self) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages

    @property
    def tools(self) -> list[dict[str, Any]]:
        return self.body.get("tools") or []

    @property
    def choice(self) -> dict[str, Any]:
        return self.body.get("tool_choice") or {"type": "auto"}

    @property
    def forces_tool(self) -> bool:
        return self.choice["type"] in {"any", "tool"}

    @property
    def thinks(self) -> bool:
        return thinking_is_on(self.body, self.model)


def thinking_is_on(body: dict[str, Any], model: Model) -> bool:
    """Whether thinking is on, by request or by the model's default."""
    thinking = body.get("thinking")
    return model.thinks if thinking is None else thinking["type"] in {"adaptive", "enabled"}


def blocks(message: dict[str, Any]) -> list[Block]:
    """The content of `message` as blocks; a string becomes one text block."""
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def texts(message: dict[str, Any]) -> str:
    """The text blocks of `message`, joined by newlines."""
    return "\n".join(block["text"] for block in blocks(message) if block["type"] == "text")


def is_server_result(block: Block) -> bool:
    return str(block["type"]).endswith(SERVER_RESULT)


def last_user_message(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """The user message that is being answered."""
    return next(message for message in reversed(messages) if message["role"] == "user")


def find_script(messages: list[dict[str, Any]]) -> tuple[str, int]:
    """The text of the last user message with text, and the number of assistant turns since."""
    turns = 0
    previous = ""
    for message in reversed(messages):
        if message["role"] == "user" and (text := texts(message)):
            return text, turns
        if message["role"] == "assistant" and previous != "assistant":
            turns += 1
        previous = message["role"]
    return "", turns


def tool_names(messages: list[dict[str, Any]]) -> dict[str, str]:
    """Tool names by tool_use id."""
    return {block["id"]: block["name"] for _, _, block in iter_blocks(messages) if block["type"] == "tool_use"}


def iter_blocks(messages: list[dict[str, Any]]) -> Iterator[tuple[int, int, Block]]:
    """Every block with the index of its message and its index in the content."""
    for number, message in enumerate(messages):
        for index, block in enumerate(blocks(message)):
            yield number, index, block
