"""What a chat completion request says about its reply, beside what every dialect's reply needs to know."""

from claude_proxy.translate.draft import ReplyContext, Translation


class ChatReplyContext(ReplyContext, frozen=True, kw_only=True):
    """What is needed to write the reply to one chat completion request."""

    model: str  # the name the client asked for
    include_usage: bool = False
    legacy_functions: bool = False  # calls go into `function_call`, not into `tool_calls`
    echo_service_tier: bool = False


class ChatTranslation(Translation, frozen=True, kw_only=True):
    """A Messages request made from a chat completion request."""

    reply: ChatReplyContext
