"""Every OpenAI parameter and its fate: the one table that translates, and that README and `explain` print.

The rows are applied in order: what a later row needs (the messages, whether the model thinks) stands by then. A
row without a function is applied together with the row it names, or has nothing to do.
"""

import hashlib

from msgspec import Raw

from claude_proxy.errors import InvalidRequest
from claude_proxy.translate.caching import translate_caching
from claude_proxy.translate.draft import Draft, Parameter
from claude_proxy.translate.messages import translate_messages
from claude_proxy.translate.output import translate_response_format, translate_verbosity
from claude_proxy.translate.reasoning import translate_reasoning
from claude_proxy.translate.tools import translate_tools
from claude_proxy.wire.anthropic import Metadata
from claude_proxy.wire.decoding import NULL, repaired


def _max_tokens(draft: Draft) -> None:
    chat = draft.chat
    param = "max_tokens" if chat.max_completion_tokens is None else "max_completion_tokens"
    wanted = chat.max_tokens if chat.max_completion_tokens is None else chat.max_completion_tokens
    limit = draft.model.max_tokens
    cap = draft.options.max_tokens
    if wanted is None:
        draft.body.max_tokens = min(limit, cap) if cap else limit
        return
    if wanted <= 0:
        raise InvalidRequest(
            f"Invalid value for '{param}': {wanted} is below the minimum of 1.", param=param, code="invalid_value"
        )
    if cap and wanted > cap:
        draft.warn(param, f"{wanted} is above the configured bound: {cap} instead")
        wanted = cap
    if wanted > limit:
        draft.warn(param, f"{wanted} is above what {draft.model.id} can answer: {limit} instead")
        wanted = limit
    draft.body.max_tokens = wanted


def _thinks(draft: Draft) -> bool:
    thinking = draft.body.thinking
    return draft.model.thinks if thinking is None else getattr(thinking, "type", "") in ("adaptive", "enabled")


def _temperature(draft: Draft) -> None:
    value = draft.chat.temperature
    if value is None:
        return
    if not 0 <= value <= 2:
        raise InvalidRequest(
            f"Invalid 'temperature': {value} is not between 0 and 2.", param="temperature", code="invalid_value"
        )
    if value == 1:
        return  # the default of both sides
    if not draft.model.sampling:
        draft.warn("temperature", f"{draft.model.id} takes no temperature")
    elif _thinks(draft):
        draft.warn("temperature", "a model that thinks takes no temperature")
    else:
        draft.body.temperature = min(value, 1.0)
        if value > 1:
            draft.note("changed", "temperature", f"{value:g} was sent as 1, the most that Claude takes")


def _top_p(draft: Draft) -> None:
    value = draft.chat.top_p
    if value is None:
        return
    if not 0 <= value <= 1:
        raise InvalidRequest(f"Invalid 'top_p': {value} is not between 0 and 1.", param="top_p", code="invalid_value")
    if value == 1:
        return
    if not draft.model.sampling:
        draft.warn("top_p", f"{draft.model.id} takes no top_p")
    elif draft.body.temperature is not None:
        draft.warn("top_p", f"{draft.model.id} takes temperature or top_p, not both; temperature was sent")
    elif _thinks(draft) and value < 0.95:
        draft.warn("top_p", "a model that thinks takes top_p only from 0.95 up")
    else:
        draft.body.top_p = value


def _top_k(draft: Draft) -> None:
    value = draft.chat.top_k
    if value is None or value <= 0:
        return
    if draft.model.sampling and not _thinks(draft):
        draft.body.top_k = value
    else:
        draft.warn("top_k", f"{draft.model.id} takes no top_k here")


def _n(draft: Draft) -> None:
    n, most = draft.chat.n, draft.options.max_choices
    if n is None:
        return
    if not 1 <= n <= most:
        raise InvalidRequest(f"Invalid 'n': {n} is not between 1 and {most}.", param="n", code="invalid_value")
    if n > 1:
        draft.note("emulated", "n", f"{n} requests are sent; their usage is summed")


def _stop(draft: Draft) -> None:
    stop = draft.chat.stop
    texts = [text for text in ([stop] if isinstance(stop, str) else stop or []) if text]
    draft.stops = tuple(text for text in texts if not text.strip())
    if draft.stops:
        draft.note("emulated", "stop", "upstream refuses blank stop texts; they are looked for in the answer here")
    draft.body.stop_sequences = [text for text in texts if text.strip()] or None


def _user(draft: Draft) -> None:
    """Upstream wants an opaque id and refuses what looks like an e-mail address: a hash is always opaque."""
    who = draft.chat.safety_identifier or draft.chat.user
    if who:
        digest = hashlib.sha256(who.encode("utf-8", "surrogatepass")).hexdigest()
        draft.body.metadata = Metadata(digest)


_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")


def _service_tier(draft: Draft) -> None:
    match draft.chat.service_tier:
        case None | "auto":
            return
        case "default":
            draft.body.service_tier = "standard_only"
        case "priority":
            draft.body.service_tier = "auto"
        case "fast" if draft.model.fast and draft.options.fast_mode:
            draft.body.speed = "fast"
        case "fast" if draft.model.fast:
            draft.warn("service_tier", "fast costs more, and the setting `fast_mode` does not allow it")
        case "flex" | "scale" | "fast" as tier:
            draft.warn("service_tier", f"'{tier}' does not exist for {draft.model.id}")
        case other:
            raise InvalidRequest(
                f"Invalid value: '{other}'. Supported values are: {', '.join(repr(tier) for tier in _TIERS)}.",
                param="service_tier",
                code="invalid_value",
            )


def _modalities(draft: Draft) -> None:
    if "audio" in (draft.chat.modalities or ()):
        raise InvalidRequest("Claude answers in text only.", param="modalities", code="unsupported_value")


def _penalties(draft: Draft) -> None:
    for name in ("frequency_penalty", "presence_penalty"):
        value: float | None = getattr(draft.chat, name)
        if value:
            draft.warn(name, "the Messages API has no penalties")


def _logprobs(draft: Draft) -> None:
    if draft.chat.logprobs:
        draft.warn("logprobs", "the Messages API gives no probabilities")
    if draft.chat.top_logprobs:
        draft.warn("top_logprobs", "the Messages API gives no probabilities")


def _logit_bias(draft: Draft) -> None:
    if draft.chat.logit_bias:
        draft.warn("logit_bias", "the Messages API has no token biases")


def _seed(draft: Draft) -> None:
    if draft.chat.seed is not None:
        draft.warn("seed", "the Messages API has no seed")


def _store(draft: Draft) -> None:
    if draft.chat.store:
        draft.warn("store", "nothing is stored here")


def _prediction(draft: Draft) -> None:
    if draft.chat.prediction != NULL:
        draft.warn("prediction", "the Messages API takes no predicted output; the answer is the same without")


def _moderation(draft: Draft) -> None:
    if draft.chat.moderation != NULL:
        draft.warn("moderation", "the Messages API has no moderation to configure")


_CARRIED = ("container", "context_management", "inference_geo", "mcp_servers", "speed")
# What upstream takes only together with the name of its beta.
_BETAS = {"context_management": "context-management-2025-06-27", "mcp_servers": "mcp-client-2025-11-20"}
_COMPACTION = (b"compact_20260112", "compact-2026-01-12")


def _carried(draft: Draft) -> None:
    """Anthropic's own fields, as LiteLLM clients send them at the top level."""
    for name in _CARRIED:
        value = getattr(draft.chat, name)
        if value != NULL:
            draft.extra_fields[name] = Raw(repaired(bytes(value)))
            if name in _BETAS:
                draft.add_beta(_BETAS[name])
            if _COMPACTION[0] in bytes(value):
                draft.add_beta(_COMPACTION[1])
            draft.note("mapped", name, "a field of Anthropic's own, passed on as it is")


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("model", "mapped", "a Claude id, a line's name (`sonnet`) or an alias of yours", "yes"),
    Parameter(
        "max_completion_tokens", "mapped", "to `max_tokens`; the model's own limit if absent", "yes", _max_tokens
    ),
    Parameter("max_tokens", "mapped", "as `max_completion_tokens`, which wins", "yes"),
    Parameter(
        "messages",
        "mapped",
        "all roles; text, images, PDF and text files; audio is refused",
        "text and images",
        translate_messages,
    ),
    Parameter(
        "tools",
        "mapped",
        "functions; custom tools as functions with one text; Anthropic's own as they are",
        "functions",
        translate_tools,
    ),
    Parameter("tool_choice", "mapped", "with `tools`; models that cannot be forced are asked, with a warning", "yes"),
    Parameter("parallel_tool_calls", "mapped", "false: one call at a time", "yes"),
    Parameter("functions", "mapped", "the older form of `tools`", "yes"),
    Parameter("function_call", "mapped", "the older form of `tool_choice`", "yes"),
    Parameter("web_search_options", "mapped", "Anthropic's web search; citations come back as annotations", "no"),
    Parameter(
        "response_format",
        "mapped",
        "`json_schema` natively, `json_object` by request",
        "ignored",
        translate_response_format,
    ),
    Parameter("verbosity", "emulated", "low and high add one sentence to the system prompt", "no", translate_verbosity),
    Parameter(
        "reasoning_effort", "mapped", "effort and thinking, as the model accepts them", "ignored", translate_reasoning
    ),
    Parameter(
        "temperature", "mapped", "0 to 1, more is 1; newer models take none: a warning", "yes, capped", _temperature
    ),
    Parameter("top_p", "mapped", "unless the model takes none or `temperature` is there: a warning", "yes", _top_p),
    Parameter("n", "emulated", "several requests, usage summed", "1 only", _n),
    Parameter("stop", "mapped", "a text or a list; blank ones are looked for in the answer", "not blank", _stop),
    Parameter("stream", "mapped", "upstream is always streamed, and folded for you when absent", "yes"),
    Parameter("stream_options", "mapped", "`include_usage`; obfuscation is never added", "yes"),
    Parameter("user", "mapped", "to `metadata.user_id`, hashed", "ignored", _user),
    Parameter("safety_identifier", "mapped", "as `user`, which it overrides", "ignored"),
    Parameter(
        "service_tier",
        "mapped",
        "default, priority, and fast where it exists and `fast_mode` is set; others: a warning",
        "ignored",
        _service_tier,
    ),
    Parameter(
        "prompt_cache_options",
        "mapped",
        "`explicit` leaves caching to your breakpoints; a ttl is one hour",
        "no",
        translate_caching,
    ),
    Parameter("prompt_cache_retention", "mapped", "24h: cached for an hour, the longest there is", "no"),
    Parameter("prompt_cache_key", "accepted", "not needed: the cache goes by the prompt itself", "no"),
    Parameter("metadata", "accepted", "not sent: it describes stored answers, and none are stored", "ignored"),
    Parameter("modalities", "refused", "text only; asking for audio is a 400", "ignored", _modalities),
    Parameter("audio", "accepted", "only means something with audio in `modalities`", "ignored"),
    Parameter("frequency_penalty", "ignored", "the Messages API has no penalties", "ignored", _penalties),
    Parameter("presence_penalty", "ignored", "the Messages API has no penalties", "ignored"),
    Parameter("logit_bias", "ignored", "the Messages API has no token biases", "ignored", _logit_bias),
    Parameter("logprobs", "ignored", "the Messages API gives no probabilities", "ignored", _logprobs),
    Parameter("top_logprobs", "ignored", "the Messages API gives no probabilities", "ignored"),
    Parameter("seed", "ignored", "the Messages API has no seed", "ignored", _seed),
    Parameter("store", "ignored", "nothing is stored here", "ignored", _store),
    Parameter("prediction", "ignored", "no predicted output; the answer is the same without", "ignored", _prediction),
    Parameter("moderation", "ignored", "the Messages API has no moderation to configure", "no", _moderation),
)

# What clients of compatible services send beside OpenAI's own parameters.
EXTENSIONS: tuple[Parameter, ...] = (
    Parameter("thinking", "mapped", "Anthropic's own field, as the model accepts it", "yes"),
    Parameter("reasoning", "mapped", "OpenRouter's: effort, max_tokens, enabled, exclude", "no"),
    Parameter("enable_thinking", "mapped", "true or false; also inside an `extra_body` object", "no"),
    Parameter("extra_body", "mapped", "a literal object of that name: its thinking fields are read", "no"),
    Parameter("top_k", "mapped", "where the model takes it", "no", _top_k),
    Parameter("cache_control", "mapped", "Anthropic's own field for automatic caching", "no"),
    Parameter("container", "mapped", "Anthropic's own field, as it is", "no", _carried),
    Parameter("context_management", "mapped", "Anthropic's own field, as it is", "no"),
    Parameter("inference_geo", "mapped", "Anthropic's own field, as it is", "no"),
    Parameter("mcp_servers", "mapped", "Anthropic's own field, as it is", "no"),
    Parameter("speed", "mapped", "Anthropic's own field, as it is", "no"),
    Parameter("anthropic", "mapped", "an object merged into the Messages request, last", "no"),
)
