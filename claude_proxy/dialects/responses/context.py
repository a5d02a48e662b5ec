"""What a Responses request says about its reply, beside what every dialect's reply needs to know."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Raw, Struct

from claude_proxy.translate.draft import ReplyContext, Translation


class ToolForm(Struct, frozen=True):
    """How a call of one tool is written: which kind of item it is, and the name that the client knows."""

    kind: str = "function"  # function, custom, local_shell, shell, apply_patch
    name: str = ""
    namespace: str | None = None


class ResponseContext(ReplyContext, frozen=True, kw_only=True):
    """What is needed to write the response to one request."""

    model: str  # the name that the client asked for
    upstream_model: str  # the one that signs the thinking
    tools: Mapping[str, ToolForm] = MappingProxyType(
        {}
    )  # by the name under which the middle knows them; others are functions
    include_encrypted_reasoning: bool = False
    include_search_sources: bool = False
    compact: bool = False  # the reply is a summary
    echo: Mapping[str, Raw] = MappingProxyType({})  # fields of the response that repeat the request


class ResponseTranslation(Translation, frozen=True, kw_only=True):
    """A Messages request made from a Responses request."""

    reply: ResponseContext
