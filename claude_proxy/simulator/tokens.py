"""The simulator's tokenizer: a token is a word with the space before it; long words are several tokens.

No real tokenizer counts like this. What matters is that every count is a function of the text, that the pieces
join to the text again, and that more text is more tokens.
"""

import re
from typing import Any

import msgspec

_TOKEN = re.compile(r"\s*\S{1,16}|\s+")
IMAGE = 1600  # about the real API's count for a large image
PDF = 3000


def split(text: str) -> list[str]:
    """The tokens of `text`; joined they give `text` again."""
    return _TOKEN.findall(text)


def count(text: str) -> int:
    return sum(1 for _ in _TOKEN.finditer(text))


def count_value(value: Any) -> int:
    """Tokens of a JSON value in its encoded form."""
    return count(msgspec.json.encode(value).decode())


def count_block(block: dict[str, Any]) -> int:
    """Tokens of one content block of a request."""
    match block["type"]:
        case "text":
            return count(block["text"])
        case "image":
            return IMAGE
        case "document":
            return _count_document(block["source"])
        case "tool_result":
            content = block.get("content") or ""
            inside = count(content) if isinstance(content, str) else sum(map(count_block, content))
            return 4 + inside
        case _:
            return count_value({key: value for key, value in block.items() if key != "cache_control"})


def _count_document(source: dict[str, Any]) -> int:
    if source["type"] == "text":
        return count(source["data"])
    if source["type"] == "content":
        content = source["content"]
        return count(content) if isinstance(content, str) else sum(map(count_block, content))
    return PDF
