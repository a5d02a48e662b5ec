"""The service tier that answered, in OpenAI's words, for every dialect."""

from claude_proxy.translate.reply import ReplyReader

_TIERS = {"standard": "default", "priority": "priority", "batch": "default"}


def service_tier(reader: ReplyReader) -> str | None:
    """The tier that served the reply; None where upstream has not said it."""
    if reader.message.usage is not None and reader.message.usage.speed == "fast":
        return "fast"
    return _TIERS.get(reader.message.service_tier or "")
