"""All dialects in which clients ask for answers, with their tables of parameters; which one a body belongs to."""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Raw

from claude_proxy.dialects.base import GeneratingDialect
from claude_proxy.dialects.chat import parameters as chat
from claude_proxy.dialects.chat.dialect import CHAT
from claude_proxy.dialects.completions import parameters as completions
from claude_proxy.dialects.completions.dialect import COMPLETIONS
from claude_proxy.dialects.parameter import Parameter
from claude_proxy.dialects.responses import parameters as responses
from claude_proxy.dialects.responses.dialect import RESPONSES
from claude_proxy.wire.decoding import NULL


class Documented(NamedTuple):
    """A dialect and the fate of each of its parameters."""

    dialect: GeneratingDialect
    parameters: tuple[Parameter, ...]


DIALECTS: Mapping[str, Documented] = {
    "chat": Documented(CHAT, (*chat.PARAMETERS, *chat.EXTENSIONS)),
    "responses": Documented(RESPONSES, (*responses.PARAMETERS, *responses.EXTENSIONS)),
    "completions": Documented(COMPLETIONS, (*completions.PARAMETERS, *completions.EXTENSIONS)),
}


def detect(fields: Mapping[str, Raw]) -> str:
    """The name of the dialect that a body with these fields is in, by the field that holds its prompt."""
    if "messages" in fields:
        return "chat"
    if bytes(fields.get("prompt", NULL))[:1] in (b'"', b"["):
        return "completions"
    others = ("input", "prompt", "previous_response_id", "conversation", "instructions")
    return "responses" if any(name in fields for name in others) else "chat"
