"""OpenAI's endpoints without a counterpart: a 404 with the reason, never a 5xx, which a client would retry."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from claude_proxy.errors import NotFound

# path below the API's root -> why it does not exist here, and what to do instead
UNSUPPORTED: dict[str, tuple[str, str]] = {
    "embeddings": ("Anthropic offers no embeddings", "point the tool's embeddings at another provider"),
    "audio": ("Anthropic offers no audio", "point the tool's speech features at another provider"),
    "images": ("Anthropic makes no images", "point the tool's image features at another provider"),
    "videos": ("Anthropic makes no videos", "point the tool's video features at another provider"),
    "moderations": ("Anthropic offers no moderation endpoint", "ask a model to classify the text"),
    "files": ("claude-proxy keeps no files", "put images and documents into the message, as a data URL"),
    "uploads": ("claude-proxy keeps no files", "put images and documents into the message, as a data URL"),
    "vector_stores": ("claude-proxy keeps no files", "put documents into the message"),
    "containers": ("claude-proxy runs no code", "give the model tools of your own"),
    "fine_tuning": ("Anthropic's API offers no fine-tuning", "put examples into the system message"),
    "evals": ("claude-proxy runs no evaluations", "call chat/completions from an evaluation tool"),
    "batches": ("claude-proxy keeps no batches", "send the requests one by one"),
    "assistants": ("claude-proxy keeps no assistants", "use chat/completions"),
    "threads": ("claude-proxy keeps no threads", "use chat/completions and send the whole conversation"),
    "realtime": ("Anthropic offers no realtime API", "use chat/completions with `stream`"),
}


def unsupported(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler for everything at and below `name`."""
    reason, instead = UNSUPPORTED[name]

    async def refuse(request: web.Request) -> web.StreamResponse:
        raise NotFound(f"{request.path} is not supported: {reason}", code="unsupported_endpoint", hint=instead)

    return refuse
