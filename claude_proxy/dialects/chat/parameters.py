"""Every parameter of Chat Completions and its fate: the table that README and `explain` print.

The rows document what `request.py` does; their order has no meaning.
"""

from claude_proxy.dialects.parameter import Parameter

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("model", "mapped", "a Claude id, a line's name (`sonnet`) or an alias of yours", "yes"),
    Parameter("max_completion_tokens", "mapped", "to `max_tokens`; the model's own limit if absent", "yes"),
    Parameter("max_tokens", "mapped", "as `max_completion_tokens`, which wins", "yes"),
    Parameter(
        "messages",
        "mapped",
        "all roles; text, images, PDF and text files; audio: a warning",
        "text and images",
    ),
    Parameter(
        "tools",
        "mapped",
        "functions, also flat or in Anthropic's form; custom tools as functions with one text; Anthropic's own",
        "functions",
    ),
    Parameter(
        "tool_choice",
        "mapped",
        "a forced call switches thinking off; a model that cannot be forced is asked in the prompt: a warning",
        "yes",
    ),
    Parameter("parallel_tool_calls", "mapped", "false: one call at a time", "yes"),
    Parameter("functions", "mapped", "the older form of `tools`", "yes"),
    Parameter("function_call", "mapped", "the older form of `tool_choice`", "yes"),
    Parameter("web_search_options", "mapped", "Anthropic's web search; citations come back as annotations", "no"),
    Parameter(
        "response_format", "mapped", "`json_schema` natively, `json_object` by a sentence in the prompt", "ignored"
    ),
    Parameter("verbosity", "emulated", "low and high add one sentence to the system prompt", "no"),
    Parameter("reasoning_effort", "mapped", "effort and thinking, as the model accepts them", "ignored"),
    Parameter("temperature", "mapped", "0 to 1, more is 1; newer models take none: a warning", "yes, capped"),
    Parameter("top_p", "mapped", "unless the model takes none or `temperature` is there: a warning", "yes"),
    Parameter("n", "emulated", "several requests, usage summed", "1 only"),
    Parameter("stop", "mapped", "a text or a list; the reply is searched for blank ones", "not blank"),
    Parameter("stream", "mapped", "upstream is always streamed, and folded for you when absent", "yes"),
    Parameter("stream_options", "mapped", "`include_usage`; obfuscation is never added", "yes"),
    Parameter("user", "mapped", "to `metadata.user_id`, hashed", "ignored"),
    Parameter("safety_identifier", "mapped", "as `user`, which it overrides", "ignored"),
    Parameter(
        "service_tier",
        "mapped",
        "default, priority, and fast where it exists and `fast_mode` is set; others: a warning",
        "ignored",
    ),
    Parameter(
        "prompt_cache_options",
        "mapped",
        "`explicit` and `off` leave caching to your breakpoints; a ttl is one hour",
        "no",
    ),
    Parameter("prompt_cache_retention", "mapped", "24h: cached for an hour, the longest there is", "no"),
    Parameter("prompt_cache_key", "accepted", "not needed: the cache goes by the prompt itself", "no"),
    Parameter("metadata", "accepted", "not sent: it describes stored answers, and none are stored", "ignored"),
    Parameter("modalities", "ignored", "Claude answers in text; asking for anything else is a warning", "ignored"),
    Parameter("audio", "accepted", "only means something with audio in `modalities`", "ignored"),
    Parameter("frequency_penalty", "ignored", "the Messages API has no penalties", "ignored"),
    Parameter("presence_penalty", "ignored", "the Messages API has no penalties", "ignored"),
    Parameter("logit_bias", "ignored", "the Messages API has no token biases", "ignored"),
    Parameter("logprobs", "ignored", "the Messages API gives no probabilities", "ignored"),
    Parameter("top_logprobs", "ignored", "the Messages API gives no probabilities", "ignored"),
    Parameter("seed", "ignored", "the Messages API has no seed", "ignored"),
    Parameter("store", "ignored", "nothing is stored here", "ignored"),
    Parameter("prediction", "ignored", "no predicted output; the answer is the same without", "ignored"),
    Parameter("moderation", "ignored", "the Messages API has no moderation to configure", "no"),
)

# What clients of compatible services send beside OpenAI's own parameters.
EXTENSIONS: tuple[Parameter, ...] = (
    Parameter("thinking", "mapped", "Anthropic's own field, as the model accepts it", "yes"),
    Parameter("reasoning", "mapped", "OpenRouter's: effort, max_tokens, enabled, exclude", "no"),
    Parameter("enable_thinking", "mapped", "true or false; also inside an `extra_body` object", "no"),
    Parameter(
        "extra_body", "mapped", "a literal object of that name: its thinking fields are read; others: a warning", "no"
    ),
    Parameter("top_k", "mapped", "where the model takes it", "no"),
    Parameter("cache_control", "mapped", "Anthropic's own field for automatic caching", "no"),
    Parameter("container", "mapped", "Anthropic's own field, sent unchanged", "no"),
    Parameter("context_management", "mapped", "Anthropic's own field, sent unchanged", "no"),
    Parameter("inference_geo", "mapped", "Anthropic's own field, sent unchanged", "no"),
    Parameter("mcp_servers", "mapped", "Anthropic's own field, sent unchanged", "no"),
    Parameter("speed", "mapped", "Anthropic's own field, sent unchanged", "no"),
    Parameter("anthropic", "mapped", "an object merged into the Messages request, last", "no"),
)

# Fields inside the parameters that are read and have no effect of their own. An unknown nested field is a warning.
NESTED: dict[str, str] = {
    "messages[].content[].image_url.detail": "Claude sees an image at one resolution",
    "messages[].content[].prompt_cache_breakpoint.mode": "`explicit` is the only one",
    "messages[].tool_calls[].type": "the call's own field, `function` or `custom`, says the same",
    "response_format.json_schema.name": "the Messages API has no name for a schema",
    "response_format.json_schema.strict": "every schema is enforced where that is possible",
    "stream_options.include_obfuscation": "obfuscation is never added",
    "web_search_options.user_location.type": "`approximate` is the only one",
}
